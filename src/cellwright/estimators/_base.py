"""What every estimator is."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch

from cellwright.data import Split
from cellwright.evaluation import Evaluation
from cellwright.genotype import Genotype
from cellwright.nn.skeleton import ImageTask
from cellwright.spec import AnySpace, Augment, Retrain


@dataclass(frozen=True, kw_only=True, slots=True)
class Setting:
    """What architectures are estimated for. There is no test split."""

    task: ImageTask
    space: AnySpace
    """At the size of the final network."""
    train: Split
    validation: Split
    augment: Augment
    retrain: Retrain
    device: torch.device


@dataclass(frozen=True, kw_only=True, slots=True)
class Estimate:
    """What an estimator says of an architecture."""

    metrics: Mapping[str, float]
    curve: tuple[float, ...] = ()
    """The score after each epoch."""
    pruned: str | None = None
    """Why the rest of the work was left undone."""


class Estimator(ABC):
    """Scores architectures, each on its own and by a seed, so that it can be done anywhere and again."""

    metric: str
    """The metric, more is better unless the objective says otherwise, by which `keep` compares."""

    @abstractmethod
    def estimate(self, genotype: Genotype, earlier: Sequence[Evaluation], *, seed: int) -> Estimate:
        """Return the estimate.

        Args:
            genotype: of the setting's space.
            earlier: finished evaluations that may be learnt from or compared with.
            seed: all randomness follows from it.
        """
