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
    """The task, data and settings that architectures are estimated with. There is no test split."""

    task: Task
    space: SpaceSection
    """At the size that is searched with."""
    final_space: SpaceSection
    """At the size of the final network."""
    train: Split
    validation: Split
    augment: TaskSection
    retrain: Retrain
    device: torch.device
    hyperparameters: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    """The values of each hyperparameter that is searched with the architecture."""


class Estimator(ABC):
    """Scores architectures.

    Args:
        settings: its section of the spec.
        setting: what for.
        seed: all randomness of `prepare` follows from it.
    """

    settings: Any

    def __init__(self, settings: EstimatorSection, setting: Setting, *, seed: int) -> None:
        self.settings = settings
        self.setting = setting
        self.seed = seed

    @property
    def metrics(self) -> tuple[str, ...]:
        """Return what it measures; `keep` compares by the first, where more is better."""
        metrics: tuple[str, ...] = self.settings.metrics(self.setting.task.objective)
        return metrics

    def prepare(self, folder: Path, progress: Progress) -> None:  # noqa: B027 - optional
        """Do the slow work once, before the first estimate; resumes from what is in the folder."""

    @abstractmethod
    def estimate(
        self, candidate: Candidate, earlier: Sequence[Evaluation], *, seed: int
    ) -> Mapping[str, float]:
        """Return the metrics within moments; called in the process of the search.

        Args:
            candidate: a genotype of the setting's space, with a value for each of the setting's hyperparameters.
            earlier: finished evaluations that may be learnt from.
            seed: all randomness follows from it.
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
        """Return the evaluation as it ends, in a trial; by default what `estimate` gives.

        Args:
            evaluation: what the search knows of its candidate so far.
            earlier: finished evaluations that may be learnt from.
            seed: all randomness follows from it.
            folder: where a checkpoint may be kept; a trial that is killed is started again with the same folder.
            progress: is given how far it is.
        """
        metrics = self.estimate(evaluation.candidate, earlier, seed=seed)
        return replace(evaluation, state="done", metrics={**evaluation.metrics, **metrics})


def build_estimator(section: EstimatorSection, setting: Setting, *, seed: int) -> Estimator:
    """Return the estimator that one of a spec's `estimators` describes."""
    estimator = load_class(section.implementation, Estimator)  # type: ignore[type-abstract]
    return estimator(section, setting, seed=seed)
