"""A sampled strategy of your own. It needs no torch, so that the suggestion service can run it."""

import random

from pydantic import Field

from cellwright.candidate import Candidate
from cellwright.spec import SampledSection
from cellwright.strategies.sampled import SampledStrategy


class HillClimbingSection(SampledSection):
    """What a spec says of it: `kind: my_package.strategies:HillClimbingSection`."""

    implementation = "my_package.strategies:HillClimbing"

    restart: float = Field(default=0.2, ge=0, le=1)
    """How often a suggestion is drawn at random."""


class HillClimbing(SampledStrategy):
    """Changes one decision of the best architecture so far."""

    settings: HillClimbingSection

    def propose(self, rng: random.Random, attempt: int) -> Candidate:
        """Return a neighbour of the best, or a random architecture."""
        if not self.done or rng.random() < self.settings.restart:
            return self.space.sample(rng)
        return self.mutate(max(self.done, key=self.score).candidate, rng)
