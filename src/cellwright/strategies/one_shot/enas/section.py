"""The `strategy` section of enas."""

from typing import Literal

from pydantic import Field

from cellwright.spec.strategy import NonNegativeFloat, OneShotSection, PositiveFloat


class EnasSection(OneShotSection):
    """ENAS: https://arxiv.org/abs/1802.03268."""

    implementation = "cellwright.strategies.one_shot.enas.strategy:Enas"

    kind: Literal["enas"]
    hidden: int = Field(default=64, ge=1)
    """Units of the controller, an LSTM."""
    controller_learning_rate: PositiveFloat = 3.5e-3
    """By Adam."""
    controller_steps: int = Field(default=30, ge=1)
    """Updates of the controller after each epoch of the weights."""
    samples: int = Field(default=4, ge=1)
    """Architectures that are rewarded in each update."""
    entropy_bonus: NonNegativeFloat = 1e-3
    """Weight of the controller's entropy beside the reward."""
    baseline_decay: float = Field(default=0.95, ge=0, lt=1)
    """Of the moving mean of rewards, which is subtracted from each."""
    candidates: int = Field(default=50, ge=1)
    """Architectures that the trained controller draws, of which the best is found."""
