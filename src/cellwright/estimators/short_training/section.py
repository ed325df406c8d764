"""The section of the estimator short_training."""

from typing import Literal

from pydantic import Field

from cellwright.spec.estimators import EstimatorSection
from cellwright.spec.strategy import PositiveShare


class ShortTrainingSection(EstimatorSection):
    """Trains each architecture from scratch, shorter and smaller than the final network; gives the objective."""

    implementation = "cellwright.estimators.short_training.estimator:ShortTraining"

    kind: Literal["short-training"] = "short-training"
    epochs: int = Field(default=10, ge=1)
    """Passes over the training data."""
    data: PositiveShare = 1.0
    """Fraction of the training split."""
    resolution: PositiveShare = 1.0
    """Fraction of the height and width of the task's maps, if the task can shrink them."""
    channels: PositiveShare = 1.0
    """Fraction of the space's channels."""
    median_stopping: int | None = Field(default=5, ge=1)
    """Stop a training whose objective after an epoch is below the median of earlier architectures at that epoch, once
    there are this many of them; null for never."""

    def metrics(self, objective: str) -> tuple[str, ...]:
        """Return the objective, measured on the validation split."""
        return (objective,)

    def runs_in_trials(self, *, is_remote: bool) -> bool:
        """Return True, since it trains networks."""
        return True
