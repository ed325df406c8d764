"""Tasks whose target is a number."""

from abc import ABC
from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from cellwright.data import Source
from cellwright.data.splitting import Strata
from cellwright.errors import DataError
from cellwright.results import Interval, Score, ScoreTable
from cellwright.spec import DataSection
from cellwright.tasks.base import RunningScore, Task

Floats = NDArray[np.float64]

NUM_STRATA = 10
RESAMPLES = 2000
"""Of the examples, for intervals."""


class Regression(Task, ABC):
    """Targets are numbers, float32 (B); so are outputs, in the targets' unit."""

    metrics: ClassVar[tuple[str, ...]] = ("r2", "rmse", "mae")
    output_name: ClassVar[str] = "values"
    output_meaning: ClassVar[str] = "the predicted number, in the unit of the targets"

    target_mean: float
    target_std: float
    """Of the training split: heads work on standardised targets, and undo it."""

    @classmethod
    def check(cls, source: Source, section: DataSection) -> None:
        """Require finite targets that differ."""
        for examples in filter(None, (source.examples, source.test)):
            broken = np.flatnonzero(~np.isfinite(examples.targets))
            if broken.size:
                raise DataError(
                    f"{examples.origin}: targets must be finite, got {examples.targets[broken[0]]} at index {broken[0]}"
                )
        if np.ptp(source.examples.targets) == 0:
            raise DataError(f"{source.examples.origin}: targets must differ, and all are the same")

    @classmethod
    def strata(cls, source: Source) -> Strata:
        """Return which tenth of the targets an example is in."""
        targets = source.examples.targets
        inner = np.quantile(targets, np.linspace(0, 1, NUM_STRATA + 1)[1:-1])
        _, tenths = np.unique(np.searchsorted(inner, targets), return_inverse=True)
        return tenths if np.bincount(tenths).min() >= 4 else np.zeros(len(targets), np.int64)

    @property
    def num_outputs(self) -> int:
        """Return 1."""
        return 1

    def head(self, num_features: int) -> nn.Module:
        """Return a linear layer whose output is brought to the targets' unit."""
        return _Head(num_features, self.target_mean, self.target_std)

    def answer(self, output: Tensor) -> dict[str, Any]:
        """Return the predicted number."""
        return {"value": output.item()}

    def loss(self, outputs: Tensor, targets: Tensor, *, label_smoothing: float = 0.0) -> Tensor:
        """Return the mean square error of standardised values; there are no labels to smooth."""
        return functional.mse_loss(outputs / self.target_std, targets / self.target_std)

    def running_score(self, device: torch.device) -> RunningScore:
        """Return the coefficient of determination, from sums."""
        return _RunningR2(device, self.target_mean)

    def score(self, outputs: Tensor, targets: Tensor) -> float:
        """Return the coefficient of determination, R²: 1 is perfect, 0 as good as the mean."""
        return float(_r2(_floats(outputs), _floats(targets)))

    def scores(self, outputs: Tensor, targets: Tensor) -> dict[str, Score]:
        """Return R² with a bootstrap interval, and the root mean square and mean absolute errors."""
        predicted, true = _floats(outputs), _floats(targets)
        errors = np.abs(predicted - true)
        return {
            "r2": Score(value=float(_r2(predicted, true)), interval=_interval(_r2, predicted, true)),
            "rmse": Score(value=float(np.sqrt(np.mean(errors**2))), direction="minimize"),
            "mae": Score(value=float(errors.mean()), direction="minimize"),
        }

    def difference(self, outputs: Tensor, others: Tensor, targets: Tensor) -> tuple[float, Interval]:
        """Return by how much R² is larger, with a bootstrap interval over the same examples."""
        predicted, other, true = map(_floats, (outputs, others, targets))
        interval = _interval(_difference, predicted, other, true)
        return float(_difference(predicted, other, true)), interval

    def tables(self, outputs: Tensor, targets: Tensor) -> tuple[ScoreTable, ...]:
        """Return the spread of residuals."""
        residuals = _floats(outputs - targets)
        shares = (0.05, 0.25, 0.5, 0.75, 0.95)
        rows = tuple((f"{share:.0%}", float(np.quantile(residuals, share))) for share in shares)
        return (ScoreTable(title="residuals", columns=("quantile", "predicted less true"), rows=rows),)


class _Head(nn.Module):
    mean: Tensor
    std: Tensor

    def __init__(self, num_features: int, mean: float, std: float) -> None:
        super().__init__()
        self.linear = nn.Linear(num_features, 1)
        self.register_buffer("mean", torch.tensor(mean))
        self.register_buffer("std", torch.tensor(std))

    def forward(self, features_BF: Tensor) -> Tensor:
        values: Tensor = self.linear(features_BF).squeeze(1) * self.std + self.mean
        return values


class _RunningR2(RunningScore):
    def __init__(self, device: torch.device, mean: float) -> None:
        self.sums = torch.zeros(3, dtype=torch.float64, device=device)
        self.mean, self.seen = mean, 0

    def add(self, outputs: Tensor, targets: Tensor) -> None:
        centred, errors = targets.double() - self.mean, (outputs - targets).double()
        self.sums += torch.stack((errors.square().sum(), centred.sum(), centred.square().sum()))
        self.seen += len(targets)

    def value(self) -> float:
        errors, total, squares = self.sums.tolist()
        spread = squares - total**2 / self.seen
        return 1 - errors / spread if spread > 0 else 0.0


def _floats(tensor: Tensor) -> Floats:
    floats: Floats = tensor.double().cpu().numpy()
    return floats


def _r2(predicted: Floats, true: Floats, axis: int = -1) -> Floats:
    spread = np.square(true - true.mean(axis=axis, keepdims=True)).sum(axis=axis)
    errors: Floats = np.square(predicted - true).sum(axis=axis)
    return np.asarray(1 - errors / np.where(spread > 0, spread, np.inf))


def _difference(predicted: Floats, others: Floats, true: Floats, axis: int = -1) -> Floats:
    return np.asarray(_r2(predicted, true, axis) - _r2(others, true, axis))


def _interval(statistic: Callable[..., Floats], *arrays: Floats) -> Interval:
    """Return the 95 % percentile interval over resampled examples, the same at each call."""
    from scipy.stats import bootstrap

    found = bootstrap(
        arrays, statistic, paired=True, vectorized=True, n_resamples=RESAMPLES, method="percentile", rng=0
    ).confidence_interval
    return Interval(low=float(found.low), high=float(found.high))
