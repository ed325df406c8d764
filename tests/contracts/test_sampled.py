"""Every sampled strategy keeps the contract that third parties' inherit, alone and within a scheduler."""

from typing import Any

import pytest

from cellwright.spec import STRATEGIES as KINDS
from cellwright.strategies.sampled import build_sampled
from cellwright.testing import SampledContract
from cellwright.testing.sampled import OBJECTIVES, Build

STRATEGIES: dict[str, dict[str, Any]] = {
    "random": {},
    "regularized-evolution": {},
    "local-search": {"initial": 5},
    "reinforce": {},
    "tpe": {"initial": 4},
    "predictor": {"initial": 8},
    "nsga2": {"population": 8},
    "my_package.strategies:HillClimbingSection": {},
}
SCHEDULERS: dict[str, dict[str, Any] | None] = {
    "full": None,
    "asha": {"kind": "asha", "rungs": 3, "reduction": 2},
}
PAIRS = [*((kind, "full") for kind in STRATEGIES), ("regularized-evolution", "asha"), ("predictor", "asha")]


class TestSampled(SampledContract):
    @pytest.fixture(params=PAIRS, ids="-".join, scope="class")
    @classmethod
    def build(cls, request: pytest.FixtureRequest) -> Build:
        kind, scheduler = request.param
        section = {"kind": kind, "scheduler": SCHEDULERS[scheduler], **STRATEGIES[kind]}
        settings = KINDS.validate(section)
        return lambda space, seed: build_sampled(settings, space, OBJECTIVES, seed=seed)
