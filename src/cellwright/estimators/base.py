"""The base class of estimators."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch

from cellwright.candidate import Candidate
from cellwright.data.split import Split
from cellwright.evaluation import Evaluation
from cellwright.importing import load_class
from cellwright.progress import Progress
from cellwright.spec import EstimatorSection, Retrain, SpaceSection, TaskSection
from cellwright.tasks.base import Task


@dataclass(frozen=True, kw_only=True, slots=True)
class Setting:
    """The task, data and settings of the architectures to estimate. There is no test split."""

    task: Task
    space: SpaceSection
    """The space at the size used in the search."""
    final_space: SpaceSection
    """The space at the size of the final network."""
    train: Split
    validation: Split
    augment: TaskSection
    retrain: Retrain
    device: torch.device
    hyperparameters: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    """The possible values of each hyperparameter that is searched with the architecture."""


class Estimator(ABC):
    """Scores architectures.

    Args:
        settings: the estimator's section of the spec.
        setting: task, data and settings of the architectures.
        seed: seed of all randomness in `prepare`.
    """

    settings: Any

    def __init__(self, settings: EstimatorSection, setting: Setting, *, seed: int) -> None:
        self.settings = settings
        self.setting = setting
        self.seed = seed

    @property
    def metrics(self) -> tuple[str, ...]:
        """Return the names of the metrics. `keep` compares candidates by the first, where higher is better."""
        metrics: tuple[str, ...] = self.settings.metrics(self.setting.task.objective)
        return metrics

    def prepare(self, folder: Path, progress: Progress) -> None:  # noqa: B027 - optional
        """Do the slow work once, before the first estimate. Resumes from the files in the folder."""

    @abstractmethod
    def estimate(
        self, candidate: Candidate, earlier: Sequence[Evaluation], *, seed: int
    ) -> Mapping[str, float]:
        """Return the metrics quickly; called in the search process.

        Args:
            candidate: a genotype of the setting's space, with a value for each of the setting's hyperparameters.
            earlier: finished evaluations to learn from.
            seed: seed of all randomness.
        """

    def evaluate(
        self,
        evaluation: Evaluation,
        earlier: Sequence[Evaluation],
        *,
        seed: int,
        folder: Path,
        progress: Progress,
    ) -> Evaluation:
        """Return the finished evaluation; called in a trial. By default, its metrics are those of `estimate`.

        Args:
            evaluation: the evaluation so far.
            earlier: finished evaluations to learn from.
            seed: seed of all randomness.
            folder: folder for a checkpoint; a killed trial is restarted with the same folder.
            progress: receives progress reports.
        """
        metrics = self.estimate(evaluation.candidate, earlier, seed=seed)
        return replace(evaluation, state="done", metrics={**evaluation.metrics, **metrics})


def build_estimator(section: EstimatorSection, setting: Setting, *, seed: int) -> Estimator:
    """Build one of the `estimators` of a spec."""
    estimator = load_class(section.implementation, Estimator)  # type: ignore[type-abstract]
    return estimator(section, setting, seed=seed)
