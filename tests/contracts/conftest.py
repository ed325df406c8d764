import pytest

from cellwright.spec import SpaceSection
from tests.contracts.sections import SECTIONS


@pytest.fixture(autouse=True)
def _examples_can_be_imported(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    monkeypatch.syspath_prepend(request.config.rootpath / "examples")


@pytest.fixture(params=SECTIONS.values(), ids=SECTIONS.keys())
def space_section(request: pytest.FixtureRequest) -> SpaceSection:
    return request.param
