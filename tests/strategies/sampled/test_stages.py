"""Every sampled strategy searches stages, whose genotypes have decisions without an effect."""

from typing import Any

import pytest

from cellwright.spaces import CandidateSpace
from cellwright.spaces.stages.section import StageChoices, StagesSection
from cellwright.spaces.stages.space import Stages
from cellwright.spec import STRATEGIES
from cellwright.strategies.sampled import build_strategy
from cellwright.testing.sampled import OBJECTIVES, run

SPACE = CandidateSpace(
    Stages.of(
        StagesSection(
            kind="stages",
            stages=(
                StageChoices(block=("basic", "mbconv"), width=(16, 32)),
                StageChoices(block=("plain",), width=(32, 64), depth=(0, 1, 2)),
            ),
        )
    )
)
NUM_SUGGESTIONS = 14


@pytest.mark.parametrize(
    "section",
    [
        {"kind": "random"},
        {"kind": "regularized-evolution"},
        {"kind": "local-search", "initial": 5},
        {"kind": "reinforce"},
        {"kind": "predictor", "initial": 8},
        {"kind": "nsga2", "population": 8},
    ],
    ids=lambda section: section["kind"],
)
def test_suggestions_are_of_the_space_and_build_different_networks(section: dict[str, Any]):
    strategy = build_strategy(STRATEGIES.validate(section), SPACE, OBJECTIVES, seed=0)  # type: ignore[arg-type]
    candidates = [suggestion.candidate for suggestion in run(strategy, NUM_SUGGESTIONS)]
    assert all(SPACE.contains(candidate) for candidate in candidates)
    assert len({SPACE.isomorphism_key(candidate) for candidate in candidates}) == NUM_SUGGESTIONS
