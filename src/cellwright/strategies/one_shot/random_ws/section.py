"""The `strategy` section of random_ws."""

from typing import Literal

from pydantic import Field

from cellwright.spec.strategy import OneShotSection


class RandomWsSection(OneShotSection):
    """Random search over shared weights: https://arxiv.org/abs/1902.07638."""

    implementation = "cellwright.strategies.one_shot.random_ws.strategy:RandomWs"

    kind: Literal["random-ws"]
    candidates: int = Field(default=200, ge=1)
    """Number of architectures to draw and score with the shared weights."""
