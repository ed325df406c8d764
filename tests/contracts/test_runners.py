"""Every runner on this machine keeps the contract that third parties' inherit."""

from typing import Any

import pytest

from cellwright.testing import RunnerContract


class TestRunners(RunnerContract):
    @pytest.fixture(params=["local", "my_package.runners:InProcessSection"])
    def sections(self, request: pytest.FixtureRequest) -> dict[str, Any]:
        return {"runner": {"kind": request.param, "parallel": 2}}
