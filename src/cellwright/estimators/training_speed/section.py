"""The section of the estimator training_speed."""

from typing import Annotated, Literal

from pydantic import Field

from cellwright.estimators.short_training.section import ShortTrainingSection


class TrainingSpeedSection(ShortTrainingSection):
    """Trains each architecture as short-training does; gives `training_speed`, the negated mean of its training losses.

    The losses of the last epochs count most. They rank architectures that were trained for few epochs better than
    their validation scores do (Ru et al. 2021: https://arxiv.org/abs/2006.04492, TSE-EMA).
    """

    implementation = "cellwright.estimators.training_speed.estimator:TrainingSpeed"

    kind: Literal["training-speed"]  # type: ignore[assignment]
    decay: Annotated[float, Field(gt=0, le=1)] = 0.9
    """Weight of an epoch's loss relative to that of the next epoch."""

    def metrics(self, objective: str) -> tuple[str, ...]:
        """Return the speed, and the objective on the validation split."""
        return ("training_speed", objective)
