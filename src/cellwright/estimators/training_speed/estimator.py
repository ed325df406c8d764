"""Scores an architecture by its losses while it is trained: Ru et al. 2021, https://arxiv.org/abs/2006.04492."""

from collections.abc import Mapping, Sequence

from cellwright.estimators.short_training.estimator import ShortTraining
from cellwright.estimators.training_speed.section import TrainingSpeedSection


class TrainingSpeed(ShortTraining):
    """Trains an architecture in a trial; the lower its losses on the way, the higher the score."""

    settings: TrainingSpeedSection

    def scores(self, objective: float, losses: Sequence[float]) -> Mapping[str, float]:
        """Return the negated mean of the losses, with weights that decay into the past, and the objective."""
        weights = [self.settings.decay**age for age in reversed(range(len(losses)))]
        mean = sum(weight * loss for weight, loss in zip(weights, losses, strict=True)) / sum(weights)
        return {"training_speed": -mean, **super().scores(objective, losses)}
