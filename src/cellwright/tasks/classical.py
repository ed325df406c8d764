"""Classical models that a found network must beat to be worth its cost. Nothing is pickled."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from cellwright.data.split import Inputs, Split
from cellwright.errors import CellwrightError
from cellwright.files import atomic_path
from cellwright.results import Result
from cellwright.tasks.classification import Classification
from cellwright.tasks.multi_label import MultiLabel

if TYPE_CHECKING:
    from cellwright.tasks.base import Task

ESTIMATOR = "estimator.skops"
TYPES = (
    "cellwright.tasks.forecasting.classical.NLinear",
    "cellwright.tasks.forecasting.classical.Seasonal",
    "functools.partial",
    "numpy.dtype",
    "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
    "sklearn.utils.validation.check_array",
)
"""Types in classical models that skops does not trust by default."""


def classifier_or_regressor(task: "Task", classifier: Callable[[], Any], regressor: Callable[[], Any]) -> Any:
    """Return an unfitted model for the task's targets: for labels, a classifier of each."""
    from sklearn.multiclass import OneVsRestClassifier

    if isinstance(task, MultiLabel):
        return OneVsRestClassifier(classifier())
    return classifier() if isinstance(task, Classification) else regressor()


class ClassicalResult(Result):
    """The result of fitting a classical model."""

    FILE = "classical.json"

    name: str
    seconds: float


class ClassicalModel:
    """A fitted scikit-learn model with the same outputs as a task's networks.

    Args:
        name: a name in the section's `classical`.
        task: builds the model, and computes its features.
        estimator: the fitted model.
    """

    def __init__(self, name: str, task: "Task", estimator: Any) -> None:
        self.name, self.task, self.estimator = name, task, estimator

    @classmethod
    def fit(cls, name: str, task: "Task", split: Split, folder: Path, *, seed: int) -> ClassicalResult:
        """Fit the model on the split, and write it and its result to the folder."""
        began = time.monotonic()
        features = task.classical_features(name, split[:].inputs)
        estimator = task.build_classical(name, seed=seed % 2**32).fit(
            features, task.classical_targets(split.targets)
        )
        with atomic_path(folder / ESTIMATOR) as temporary:
            from skops.io import dump

            dump(estimator, temporary)
        result = ClassicalResult(name=name, seconds=time.monotonic() - began)
        result.save(folder / ClassicalResult.FILE)
        return result

    @classmethod
    def load(cls, folder: Path, task: "Task") -> "ClassicalModel":
        """Load a model that `fit` has written.

        Raises:
            CellwrightError: the file has types that are not trusted.
        """
        from skops.io import load
        from skops.io.exceptions import UntrustedTypesFoundException

        name = ClassicalResult.load(folder / ClassicalResult.FILE).name
        try:
            estimator = load(folder / ESTIMATOR, trusted=TYPES)
        except UntrustedTypesFoundException as error:
            raise CellwrightError(f"{folder / ESTIMATOR}: must be a classical model: {error}") from error
        return cls(name, task, estimator)

    def predict(self, inputs: Inputs) -> Tensor:
        """Return outputs (N, …) in the form of the task's networks."""
        features = self.task.classical_features(self.name, inputs)
        return torch.as_tensor(self.task.classical_outputs(self.estimator, features)).float()
