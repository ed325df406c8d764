"""The `strategy` section of enas."""

from typing import Literal

from pydantic import Field

from cellwright.spec.strategy import NonNegativeFloat, OneShotSection, PositiveFloat


class EnasSection(OneShotSection):
    """ENAS: https://arxiv.org/abs/1802.03268."""

    implementation = "cellwright.strategies.one_shot.enas.strategy:Enas"

    kind: Literal["enas"]
    hidden: int = Field(default=64, ge=1)
    """Hidden units of the controller, an LSTM."""
    controller_learning_rate: PositiveFloat = 3.5e-3
    """Learning rate of the controller, with Adam."""
    controller_steps: int = Field(default=30, ge=1)
    """Number of controller updates after each epoch of the weights."""
    samples: int = Field(default=4, ge=1)
    """Number of architectures that each update evaluates."""
    entropy_bonus: NonNegativeFloat = 1e-3
    """Weight of the controller's entropy, which is added to the reward."""
    baseline_decay: float = Field(default=0.95, ge=0, lt=1)
    """Decay of the moving average of rewards, which is the baseline."""
    candidates: int = Field(default=50, ge=1)
    """Number of architectures to draw from the trained controller; the best one is the result."""
