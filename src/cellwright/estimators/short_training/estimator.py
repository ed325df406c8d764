"""Scores an architecture by training it for a few epochs."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from cellwright.candidate import Candidate
from cellwright.estimators.base import Estimator
from cellwright.estimators.short_training.section import ShortTrainingSection
from cellwright.estimators.short_training.training import train_shortly
from cellwright.evaluation import Evaluation
from cellwright.progress import Progress


class ShortTraining(Estimator):
    """Trains an architecture in a trial, and scores it on the validation split."""

    settings: ShortTrainingSection

    def estimate(
        self, candidate: Candidate, earlier: Sequence[Evaluation], *, seed: int
    ) -> Mapping[str, float]:
        """Raise an error, since training is too slow for the search process."""
        raise NotImplementedError("short training runs in a trial")

    def evaluate(
        self,
        evaluation: Evaluation,
        earlier: Sequence[Evaluation],
        *,
        seed: int,
        folder: Path,
        progress: Progress,
    ) -> Evaluation:
        """Train the architecture, resuming from the folder's checkpoint if it exists."""
        training = train_shortly(
            evaluation.candidate.genotype,
            evaluation.fidelity,
            earlier,
            self.settings,
            self.setting,
            seed=seed,
            folder=folder,
            progress=progress,
        )
        scores = {} if training.score is None else self.scores(training.score, training.losses)
        return replace(
            evaluation,
            state="done" if training.pruned is None else "pruned",
            metrics={**evaluation.metrics, **scores},
            curve=training.curve,
            seconds=training.seconds,
            reason=training.pruned,
        )

    def scores(self, objective: float, losses: Sequence[float]) -> Mapping[str, float]:
        """Return the metrics of a training from its last validation objective and the training loss of each epoch."""
        return {self.setting.task.objective: objective}
