"""Rivals of another family: what a found network must beat to be worth its cost. Nothing is pickled."""

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from cellwright.data.split import Inputs, Split
from cellwright.errors import CellwrightError
from cellwright.files import atomic_path
from cellwright.results import Result

if TYPE_CHECKING:
    from cellwright.tasks.base import Task

ESTIMATOR = "estimator.skops"
TYPES = (
    "functools.partial",
    "numpy.dtype",
    "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
    "sklearn.utils.validation.check_array",
)
"""What rivals are made of beside what skops trusts by itself."""


class RivalResult(Result):
    """What fitting a rival gave."""

    FILE = "rival.json"

    name: str
    seconds: float


class Rival:
    """A fitted model of scikit-learn that gives what a task's networks give.

    Args:
        name: one of those that the task's section names in `classical`.
        task: which builds it, and makes features of inputs for it.
        estimator: fitted.
    """

    def __init__(self, name: str, task: "Task", estimator: Any) -> None:
        self.name, self.task, self.estimator = name, task, estimator

    @classmethod
    def fit(cls, name: str, task: "Task", split: Split, folder: Path, *, seed: int) -> RivalResult:
        """Fit it on the split, and leave it and what it took in the folder."""
        began = time.monotonic()
        features = task.rival_features(name, split.inputs)
        estimator = task.rival(name, seed=seed % 2**32).fit(features, task.rival_targets(split.targets))
        with atomic_path(folder / ESTIMATOR) as temporary:
            from skops.io import dump

            dump(estimator, temporary)
        result = RivalResult(name=name, seconds=time.monotonic() - began)
        result.save(folder / RivalResult.FILE)
        return result

    @classmethod
    def load(cls, folder: Path, task: "Task") -> "Rival":
        """Return what `fit` left.

        Raises:
            CellwrightError: the file has other types than rivals are made of.
        """
        from skops.io import load
        from skops.io.exceptions import UntrustedTypesFoundException

        name = RivalResult.load(folder / RivalResult.FILE).name
        try:
            estimator = load(folder / ESTIMATOR, trusted=TYPES)
        except UntrustedTypesFoundException as error:
            raise CellwrightError(f"{folder / ESTIMATOR}: must be a rival's model: {error}") from error
        return cls(name, task, estimator)

    def predict(self, inputs: Inputs) -> Tensor:
        """Return outputs (N, …) as the task's networks give them."""
        features = self.task.rival_features(self.name, inputs)
        return torch.as_tensor(self.task.rival_outputs(self.estimator, features)).float()
