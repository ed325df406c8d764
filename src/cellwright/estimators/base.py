"""What every estimator is."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from cellwright.data import Split
from cellwright.evaluation import Evaluation
from cellwright.genotype import Genotype
from cellwright.progress import Progress
from cellwright.spec import AnySpace, Augment, Retrain
from cellwright.tasks.images.task import ImageTask


@dataclass(frozen=True, kw_only=True, slots=True)
class Setting:
    """What architectures are estimated for. There is no test split."""

    task: ImageTask
    space: AnySpace
    """At the size that is searched with."""
    final_space: AnySpace
    """At the size of the final network."""
    train: Split
    validation: Split
    augment: Augment
    retrain: Retrain
    device: torch.device


class Estimator(ABC):
    """Scores architectures in moments, inside the process of the search."""

    metrics: tuple[str, ...]
    """What it measures; by the first of them, more being better, `keep` compares."""

    def prepare(self, folder: Path, progress: Progress) -> None:  # noqa: B027 - optional
        """Do once, before anything is estimated, what takes long; a folder that is half filled is gone on with."""

    @abstractmethod
    def estimate(
        self, genotype: Genotype, earlier: Sequence[Evaluation], *, seed: int
    ) -> Mapping[str, float]:
        """Return the metrics.

        Args:
            genotype: of the setting's space.
            earlier: finished evaluations that may be learnt from.
            seed: all randomness follows from it.
        """
