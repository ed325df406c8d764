"""The `strategy` section of spos."""

from typing import Literal

from pydantic import Field

from cellwright.spec.strategy import OneShotSection


class SposSection(OneShotSection):
    """Single path one-shot: https://arxiv.org/abs/1904.00420."""

    implementation = "cellwright.strategies.one_shot.spos.strategy:Spos"

    kind: Literal["spos"]
    population: int = Field(default=20, ge=2)
    """Number of candidates in each generation."""
    generations: int = Field(default=10, ge=1)
    """Number of generations of the evolution over paths."""
    parents: int = Field(default=5, ge=1)
    """Number of best candidates so far that the next generation is bred from."""
