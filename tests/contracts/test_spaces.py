"""What every search space must do, and the space of its candidates."""

from typing import Any

import pytest

from cellwright.spaces import CandidateSpace, build_space
from cellwright.spec import SpaceSection
from cellwright.testing import SpaceContract

HYPERPARAMETERS = {"retrain.learning_rate": (0.003, 0.01, 0.03), "augment.flip": (True, False)}


@pytest.fixture(params=["genotypes", "candidates", "tuned candidates"])
def space(space_section: SpaceSection, request: pytest.FixtureRequest) -> Any:
    space = build_space(space_section)
    if request.param == "genotypes":
        return space
    return CandidateSpace(space, HYPERPARAMETERS if request.param == "tuned candidates" else {})


class TestSpaces(SpaceContract):
    @pytest.fixture
    def space(self, space: Any) -> Any:
        return space
