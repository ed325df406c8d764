"""What every estimator is."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from cellwright.data.split import Split
from cellwright.evaluation import Evaluation
from cellwright.genotype import Genotype
from cellwright.importing import load_class
from cellwright.progress import Progress
from cellwright.spec import EstimatorSection, Retrain, SpaceSection, TaskSection
from cellwright.tasks.base import Task


@dataclass(frozen=True, kw_only=True, slots=True)
class Setting:
    """What architectures are estimated for. There is no test split."""

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
        """Return what it measures; by the first of them, more being better, `keep` compares."""
        metrics: tuple[str, ...] = self.settings.metrics(self.setting.task.objective)
        return metrics

    def prepare(self, folder: Path, progress: Progress) -> None:  # noqa: B027 - optional
        """Do the slow work once, before anything is estimated; resumes from what is in the folder."""

    @abstractmethod
    def estimate(
        self, genotype: Genotype, earlier: Sequence[Evaluation], *, seed: int
    ) -> Mapping[str, float]:
        """Return the metrics, which takes moments; called inside the process of the search.

        Args:
            genotype: of the setting's space.
            earlier: finished evaluations that may be learnt from.
            seed: all randomness follows from it.
        """

    def evaluate(
        self,
        architecture: Genotype,
        evaluation: Evaluation,
        earlier: Sequence[Evaluation],
        *,
        seed: int,
        folder: Path,
        progress: Progress,
    ) -> Evaluation:
        """Return the evaluation as it ends, in a trial; by default what `estimate` gives.

        Args:
            architecture: of the setting's space.
            evaluation: what the search knows of it so far.
            earlier: finished evaluations that may be learnt from.
            seed: all randomness follows from it.
            folder: where a checkpoint may be kept; a trial that is killed is started again with the same folder.
            progress: told how far it is.
        """
        metrics = self.estimate(architecture, earlier, seed=seed)
        return replace(evaluation, state="done", metrics={**evaluation.metrics, **metrics})


def build_estimator(section: EstimatorSection, setting: Setting, *, seed: int) -> Estimator:
    """Return the estimator that one of a spec's `estimators` describes."""
    estimator = load_class(section.implementation, Estimator)  # type: ignore[type-abstract]
    return estimator(section, setting, seed=seed)
