"""Tasks with numbers as targets."""

from abc import ABC
from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from cellwright.data import Source
from cellwright.data.splitting import Part, Strata
from cellwright.errors import DataError
from cellwright.results import Interval, Score, ScoreTable
from cellwright.spec import DataSection
from cellwright.tasks.base import RunningScore, Task
from cellwright.tasks.facts import LOG

Floats = NDArray[np.float64]

NUM_STRATA = 10
MOST_RESAMPLED = 4_000_000
"""Maximum number of values that resampling holds in memory at once."""
MOST_LOG = 80.0
"""Bound of the logarithms of outputs, so that outputs are neither 0 nor infinite in float32."""
RESAMPLES = 2000
"""Number of bootstrap samples for intervals."""


class Regression(Task, ABC):
    """Targets are numbers, float32 (B); outputs are numbers in the targets' unit."""

    metrics: ClassVar[tuple[str, ...]] = ("r2", "rmse", "mae")
    output_name: ClassVar[str] = "values"
    output_meaning: ClassVar[str] = "the predicted number, in the unit of the targets"

    target_mean: float
    target_std: float
    """Standard deviation in the training split: heads predict standardised targets, and convert them back."""
    log: bool = False
    """Whether networks learn the logarithm of the targets. Mean, deviation, loss and R² are then those of the
    logarithms; outputs and other metrics remain in the targets' unit."""

    @classmethod
    def of_targets(cls, source: Source, train: Part) -> dict[str, Any]:
        """Return mean and deviation of the targets, or of their logarithms."""
        values, log = train.targets.astype(np.float64), bool(source.facts.get(LOG))
        values = np.log(values) if log else values
        return {"target_mean": float(values.mean()), "target_std": float(values.std()) or 1.0, "log": log}

    @property
    def target_summary(self) -> str:
        """Say that it is a number."""
        return "a number, by its logarithm," if self.log else "a number"

    @classmethod
    def check(cls, source: Source, section: DataSection) -> None:
        """Check that targets are finite and not constant."""
        for examples in filter(None, (source.examples, source.test)):
            broken = np.flatnonzero(~np.isfinite(examples.targets))
            if broken.size:
                raise DataError(
                    f"{examples.origin}: targets must be finite, got {examples.targets[broken[0]]} at index {broken[0]}"
                )
            low = examples.targets.min()
            if source.facts.get(LOG) and low <= 0:
                raise DataError(
                    f"{examples.origin}: targets must be above 0 for their logarithm, got {low:g}"
                )
        if np.ptp(source.examples.targets) == 0:
            raise DataError(f"{source.examples.origin}: targets must differ, and all are the same")

    @classmethod
    def strata(cls, source: Source) -> Strata:
        """Return the decile of each target."""
        targets = source.examples.targets
        inner = np.quantile(targets, np.linspace(0, 1, NUM_STRATA + 1)[1:-1])
        _, tenths = np.unique(np.searchsorted(inner, targets), return_inverse=True)
        return tenths if np.bincount(tenths).min() >= 4 else np.zeros(len(targets), np.int64)

    @property
    def num_outputs(self) -> int:
        """Return 1."""
        return 1

    def head(self, num_features: int) -> nn.Module:
        """Return a linear layer followed by a conversion to the targets' unit."""
        return _Head(num_features, self)

    def answer(self, output: Tensor) -> dict[str, Any]:
        """Return the predicted number."""
        return {"value": output.item()}

    def loss(self, outputs: Tensor, targets: Tensor, *, label_smoothing: float = 0.0) -> Tensor:
        """Return the mean square error of standardised values; label smoothing does not apply."""
        outputs, targets = self.scaled(outputs), self.scaled(targets)
        if outputs.ndim == 2:
            targets = targets[:, None].expand_as(outputs)
        return functional.mse_loss(outputs / self.target_std, targets / self.target_std)

    def scaled(self, values: Tensor) -> Tensor:
        """Return the values that networks learn: the targets or their logarithms."""
        return values.log() if self.log else values

    def combine(self, outputs: Tensor) -> Tensor:
        """Return the members' mean, computed on the scale that they learn."""
        mean = self.scaled(outputs).mean(dim=1)
        return mean.exp() if self.log else mean

    def predictions(self, outputs: Tensor) -> list[str | float]:
        """Return the outputs."""
        return list(outputs.tolist())

    def running_score(self, device: torch.device) -> RunningScore:
        """Return a running score of R²."""
        return _RunningR2(self, device)

    def score(self, outputs: Tensor, targets: Tensor) -> float:
        """Return the coefficient of determination, R²: 1 is perfect, 0 as good as the mean."""
        return float(_r2(self._floats(outputs), self._floats(targets)))

    def scores(self, outputs: Tensor, targets: Tensor) -> dict[str, Score]:
        """Return R² with a bootstrap interval, and the root mean square and mean absolute errors."""
        predicted, true = _floats(outputs), _floats(targets)
        errors = np.abs(predicted - true)
        scaled = self._floats(outputs), self._floats(targets)
        return {
            "r2": Score(value=float(_r2(*scaled)), interval=bootstrap_interval(_r2, *scaled)),
            "rmse": Score(value=float(np.sqrt(np.mean(errors**2))), direction="minimize"),
            "mae": Score(value=float(errors.mean()), direction="minimize"),
        }

    def difference(self, outputs: Tensor, others: Tensor, targets: Tensor) -> tuple[float, Interval]:
        """Return the difference in R², with a bootstrap interval over the same examples."""
        predicted, other, true = map(self._floats, (outputs, others, targets))
        interval = bootstrap_interval(_difference, predicted, other, true)
        return float(_difference(predicted, other, true)), interval

    def tables(self, outputs: Tensor, targets: Tensor) -> tuple[ScoreTable, ...]:
        """Return a table of the residuals' distribution."""
        residuals = _floats(outputs - targets)
        shares = (0.05, 0.25, 0.5, 0.75, 0.95)
        rows = tuple((f"{share:.0%}", float(np.quantile(residuals, share))) for share in shares)
        return (ScoreTable(title="residuals", columns=("quantile", "predicted less true"), rows=rows),)

    def classical_targets(self, targets: Tensor) -> NDArray[Any]:
        """Return the targets, or their logarithms."""
        return self.scaled(targets.double()).numpy()

    def classical_outputs(self, estimator: Any, features: NDArray[Any]) -> NDArray[Any]:
        """Return predictions in the targets' unit."""
        values = np.asarray(estimator.predict(features))
        return np.exp(values) if self.log else values

    def _floats(self, values: Tensor) -> Floats:
        return _floats(self.scaled(values.double()))


class _Head(nn.Module):
    mean: Tensor
    std: Tensor

    def __init__(self, num_features: int, task: Regression) -> None:
        super().__init__()
        self.linear = nn.Linear(num_features, 1)
        self.log = task.log
        self.register_buffer("mean", torch.tensor(task.target_mean))
        self.register_buffer("std", torch.tensor(task.target_std))

    def forward(self, features_BF: Tensor) -> Tensor:
        values: Tensor = self.linear(features_BF).squeeze(1) * self.std + self.mean
        return values.clamp(-MOST_LOG, MOST_LOG).exp() if self.log else values


class _RunningR2(RunningScore):
    def __init__(self, task: Regression, device: torch.device) -> None:
        self.sums = torch.zeros(3, dtype=torch.float64, device=device)
        self.task, self.mean, self.seen = task, task.target_mean, 0

    def add(self, outputs: Tensor, targets: Tensor) -> None:
        if outputs.ndim == 2:
            outputs = self.task.combine(outputs)
        outputs, targets = self.task.scaled(outputs), self.task.scaled(targets)
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


def bootstrap_interval(statistic: Callable[..., Floats], *arrays: Floats) -> Interval:
    """Return the 95 % percentile interval over bootstrap samples, which are the same in each call."""
    from scipy.stats import bootstrap

    found = bootstrap(
        arrays,
        statistic,
        paired=True,
        vectorized=True,
        n_resamples=RESAMPLES,
        batch=max(1, MOST_RESAMPLED // len(arrays[0])),
        method="percentile",
        rng=0,
    ).confidence_interval
    return Interval(low=float(found.low), high=float(found.high))
