"""Forecasts: what networks know of windows of series, and how forecasts are scored."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from cellwright.data import Source, SplitName
from cellwright.data.split import Inputs
from cellwright.data.splitting import Part, Strata
from cellwright.errors import DataError
from cellwright.results import Interval, ModelInfo, Score, ScoreTable
from cellwright.tasks.base import RunningScore, Task
from cellwright.tasks.forecasting.layout import (
    Layout,
    are_dates,
    by_time,
    calendar_channels,
    continued,
    require_columns,
    require_step,
    require_values,
)
from cellwright.tasks.forecasting.networks import (
    DLinear,
    ForecastAdapter,
    ForecastHead,
    num_channels,
)
from cellwright.tasks.forecasting.sources.forecast import FUTURE, LAYOUT, PAST, SEASON, STRIDE
from cellwright.tasks.regression import bootstrap_interval
from cellwright.tasks.tables.sources.table import SUFFIXES, delimiter_of, read_table

FEW = 20
"""Horizons of the test split below which a remark says how little scores tell."""
MOST_STEPS = 48
"""Steps ahead in the report's table, evenly drawn of more."""
MOST_TRIED, MOST_SERIES = 300, 8
"""Windows and series of the training split by which the season is chosen."""
AS_GOOD = 1.1
"""A shorter season is taken if its error is at most this times that of the best one."""
TINY = 1e-7
"""Deviation below which a channel is constant in float32, as a share of its mean."""
LEAST_SCALE = 1e-3
"""Least scale of errors, as a share of the target's deviation, for series that repeat exactly."""


class Forecasting(Task):
    """Windows: `past`, float32 (B, channels, lookback), and `future` (B, known channels, horizon) if any are known.

    Targets and outputs are (B, targets, horizon), in the unit of the data. Errors are relative to those of the seasonal
    naive forecast in training: the mean absolute scaled error, MASE, of Hyndman and Koehler 2006,
    https://doi.org/10.1016/j.ijforecast.2006.03.001. It is the loss, and 1 less it is `skill`, the objective.
    """

    metrics: ClassVar[tuple[str, ...]] = ("skill", "mase", "mae", "rmse")
    output_name: ClassVar[str] = "forecast"
    output_meaning: ClassVar[str] = "the next values, (series, times), in the unit of the data"

    kind: str = "forecasting"
    layout: Layout
    lookback: int
    horizon: int
    season: int
    """In times; 1 if nothing returns."""
    stride: int
    """Times from one window to the next."""
    mean: tuple[float, ...]
    std: tuple[float, ...]
    """Per channel, of the training split."""
    scale: tuple[float, ...]
    """Per target, the mean absolute error of the seasonal naive forecast in the training split."""

    @classmethod
    def of(cls, kind: str, source: Source, train: Part) -> Self:
        """Return the task, with the statistics of the training split; raises DataError if a target is constant."""
        layout: Layout = source.facts[LAYOUT]
        past = train.examples.inputs[PAST][train.indices]
        num_targets, horizon = train.targets.shape[1:]
        channels = past.transpose(1, 0, 2)
        mean = np.array([values.mean(dtype=np.float64) for values in channels])
        std = np.array([values.std(dtype=np.float64) for values in channels])
        if not (std[:num_targets] > TINY * np.abs(mean[:num_targets])).all():
            name = layout.forecast[int(np.argmin(std[:num_targets]))]
            raise DataError(f"{source.examples.origin}: {name!r} must vary in the training split")
        season = source.facts[SEASON] or best_season(past[:, :num_targets], train.targets, std[:num_targets])
        errors = np.abs(_seasonal(past[:, :num_targets], horizon, season) - train.targets)
        scale = errors.mean(axis=(0, 2), dtype=np.float64)
        names = (PAST, FUTURE) if layout.future else (PAST,)
        lookback = past.shape[2]
        return cls(
            kind=kind,
            input_names=names,
            map_shape=(num_channels(layout), 1, lookback + horizon),
            layout=layout,
            lookback=lookback,
            horizon=horizon,
            season=season,
            stride=source.facts[STRIDE],
            mean=tuple(mean.tolist()),
            std=tuple(np.where(std > TINY * np.abs(mean), std, 1.0).tolist()),
            scale=tuple(np.maximum(scale, LEAST_SCALE * std[:num_targets]).tolist()),
        )

    @classmethod
    def strata(cls, source: Source) -> Strata:
        """Return one stratum, since the source says which split a window belongs to."""
        return np.zeros(len(source.examples), np.int64)

    def warnings(self, source: Source, parts: Mapping[SplitName, Part]) -> Iterator[str]:
        """Say what the season is, and so where the test split is short."""
        yield (
            f"season of {self.season} times"
            + ("" if source.facts[SEASON] else ", which forecasts training best")
            if self.season > 1
            else "no season: the last value forecasts training best"
        )
        horizons = len(self._blocks(len(parts["test"])))
        if horizons < FEW:
            yield f"the test split has {horizons} horizons: look at the interval of each score"

    @property
    def summary(self) -> str:
        """Say what is forecast from what."""
        return (
            f"the next {self.horizon} values of {len(self.scale)} series from {self.lookback} times of "
            f"{len(self.mean)} channels"
        )

    @property
    def target_summary(self) -> str:
        """Say that it is a forecast."""
        return f"the next {self.horizon} values"

    @property
    def num_outputs(self) -> int:
        """Return the number of values in a forecast."""
        return len(self.scale) * self.horizon

    def input_meaning(self, name: str) -> str:
        """Name the channels of an input."""
        channels = self.layout.channels if name == PAST else self.layout.future
        times = f"{self.lookback} times up to now" if name == PAST else f"the {self.horizon} times after them"
        cycles = (
            "; the time of a cycle is the share of it that has passed, in UTC" if self.layout.calendar else ""
        )
        return f"channels {', '.join(channels)}; {times}, {self.layout.step} apart, the oldest first{cycles}"

    def examples_in(self, file: Path, info: ModelInfo) -> Iterator[tuple[str, Inputs | str]]:
        """Yield the last window of a csv, tsv or parquet file.

        Rows after the last one that has a target are of the horizon; there must be as many if columns are known
        beforehand.
        """
        if file.suffix.lower() not in SUFFIXES:
            yield from super().examples_in(file, info)
            return
        layout, origin = self.layout, str(file)
        table = read_table(file, delimiter=delimiter_of(file), missing=layout.missing)
        require_columns(table, layout, origin)
        times, values = by_time(table, layout, origin)
        has_dates = are_dates(table[layout.time])
        require_step(times, layout.step, has_dates, origin)
        present = np.flatnonzero(~np.isnan(values[:, : len(self.scale)]).all(axis=1))
        now = int(present[-1]) + 1 if len(present) else 0
        if now < self.lookback:
            raise DataError(f"{file}: must have at least {self.lookback} times with values, got {now}")
        num_known = len(layout.known)
        after = values[now : now + self.horizon, values.shape[1] - num_known :]
        if num_known and len(after) < self.horizon:
            raise DataError(
                f"{file}: must have {self.horizon} rows after the last value with {', '.join(layout.known)}, "
                f"got {len(after)}"
            )
        rows = slice(now - self.lookback, now)
        require_values(values[rows], layout.channels, times[rows], has_dates, origin)
        later = continued(times[:now], layout.step, self.horizon)
        require_values(after, layout.known, later, has_dates, origin)
        past = np.concatenate([values[rows], calendar_channels(times[rows], layout.calendar)], axis=1)
        inputs = [past]
        if layout.future:
            known = after if num_known else np.zeros((self.horizon, 0), np.float32)
            inputs.append(np.concatenate([known, calendar_channels(later, layout.calendar)], axis=1))
        yield origin, tuple(torch.from_numpy(np.ascontiguousarray(x.T)[None]) for x in inputs)

    def answer(self, output: Tensor) -> dict[str, Any]:
        """Return the forecast of each series, the next value first."""
        return dict(zip(self.layout.forecast, output.tolist(), strict=True))

    def adapter(self) -> nn.Module:
        """Return what standardises windows and makes maps of them."""
        return ForecastAdapter(self)

    def head(self, num_features: int) -> nn.Module:
        """Return a head that reads the map at each time of the horizon, and the window itself."""
        return ForecastHead(num_features, self)

    def example(self, batch_size: int, device: torch.device | str = "cpu") -> Inputs:
        """Return windows of zeros."""
        channels, future = len(self.layout.channels), len(self.layout.future)
        past = torch.zeros(batch_size, channels, self.lookback, device=device)
        return (past, torch.zeros(batch_size, future, self.horizon, device=device)) if future else (past,)

    def combine(self, outputs: Tensor) -> Tensor:
        """Return the mean of the members' forecasts."""
        return outputs.mean(dim=1)

    def predictions(self, outputs: Tensor) -> list[str | float]:
        """Return the next value of the first series."""
        return list(outputs[:, 0, 0].tolist())

    def loss(self, outputs: Tensor, targets: Tensor, *, label_smoothing: float = 0.0) -> Tensor:
        """Return the mean absolute scaled error; label smoothing does not apply."""
        return self.losses(outputs, targets).mean()

    def losses(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Return the mean absolute scaled error of each window (B,)."""
        scale_T1 = torch.tensor(self.scale, device=outputs.device)[:, None]
        return ((outputs - targets).abs() / scale_T1).mean(dim=(1, 2))

    def running_score(self, device: torch.device) -> RunningScore:
        """Return a running score of the skill."""
        return _RunningSkill(self, device)

    def score(self, outputs: Tensor, targets: Tensor) -> float:
        """Return the skill: 1 is perfect, 0 as good as the seasonal naive forecast was in training."""
        return 1 - self._errors(outputs, targets).mean().item()

    def scores(self, outputs: Tensor, targets: Tensor) -> dict[str, Score]:
        """Return skill with its interval, MASE, and mean absolute and root mean square errors of all values."""
        errors = self._errors(outputs, targets)
        mase, differences = errors.mean().item(), (outputs - targets).double()
        return {
            "skill": Score(value=1 - mase, interval=self._interval(1 - errors)),
            "mase": Score(value=mase, direction="minimize"),
            "mae": Score(value=differences.abs().mean().item(), direction="minimize"),
            "rmse": Score(value=differences.square().mean().sqrt().item(), direction="minimize"),
        }

    def difference(self, outputs: Tensor, others: Tensor, targets: Tensor) -> tuple[float, Interval]:
        """Return the difference in skill on the same windows, with its interval."""
        less = self._errors(others, targets) - self._errors(outputs, targets)
        return less.mean().item(), self._interval(less)

    def tables(self, outputs: Tensor, targets: Tensor) -> tuple[ScoreTable, ...]:
        """Return the errors of each series, if there are several."""
        if len(self.scale) == 1:
            return ()
        mae = (outputs - targets).double().abs().mean(dim=(0, 2)).tolist()
        rows = zip(
            self.layout.forecast, mae, (m / s for m, s in zip(mae, self.scale, strict=True)), strict=True
        )
        return (
            ScoreTable(title="errors of each series", columns=("series", "mae", "mase"), rows=tuple(rows)),
        )

    def compared(self, outputs: Mapping[str, Tensor], targets: Tensor) -> tuple[ScoreTable, ...]:
        """Return the error by step ahead of each network."""
        scale_T1 = torch.tensor(self.scale)[:, None]
        steps = np.unique(
            np.linspace(0, self.horizon - 1, min(self.horizon, MOST_STEPS)).astype(int)
        ).tolist()
        by_step = {
            name: ((values - targets).abs() / scale_T1).mean(dim=(0, 1)).tolist()
            for name, values in outputs.items()
        }
        rows = tuple((step + 1, *(errors[step] for errors in by_step.values())) for step in steps)
        title = "mean absolute scaled error by step ahead"
        return (ScoreTable(title=title, columns=("step ahead", *by_step), rows=rows, is_curve=True),)

    def hand_designed(self, name: str, params: int) -> Mapping[str, Any]:
        """Return nothing: the size of a linear forecast follows from the window."""
        return {}

    def build_hand_designed(self, name: str, settings: Mapping[str, Any]) -> nn.Module:
        """Return DLinear."""
        return DLinear(self)

    def build_classical(self, name: str, *, seed: int) -> Any:
        """Return the forecast by the last value or season, or a linear one."""
        from cellwright.tasks.forecasting.classical import NLinear, Seasonal

        if name == "nlinear":
            return NLinear(self.lookback, self.scale)
        return Seasonal(self.lookback, self.horizon, 1 if name == "last-value" else self.season)

    def classical_features(self, name: str, inputs: Inputs) -> NDArray[Any]:
        """Return the windows of the targets."""
        return inputs[0][:, : len(self.scale)].flatten(1).double().numpy()

    def classical_targets(self, targets: Tensor) -> NDArray[Any]:
        """Return the values of all series in a row."""
        return targets.flatten(1).double().numpy()

    def classical_outputs(self, estimator: Any, features: NDArray[Any]) -> NDArray[Any]:
        """Return forecasts (N, targets, horizon)."""
        return np.asarray(estimator.predict(features)).reshape(len(features), len(self.scale), self.horizon)

    def _errors(self, outputs: Tensor, targets: Tensor) -> Tensor:
        return self.losses(outputs.double(), targets.double())

    def _blocks(self, num_windows: int) -> list[int]:
        """Return where blocks of windows begin whose horizons overlap."""
        return list(range(0, num_windows, -(-self.horizon // self.stride)))

    def _interval(self, values: Tensor) -> Interval:
        """Return the 95 % interval of the mean of windows in the order of time; whole blocks of them are resampled."""
        blocks = self._blocks(len(values))
        if len(blocks) < 2:
            return Interval(low=values.mean().item(), high=values.mean().item())
        array = values.cpu().numpy()
        sums = np.add.reduceat(array, blocks)
        counts = np.diff([*blocks, len(array)]).astype(np.float64)
        return bootstrap_interval(_ratio, sums, counts)


class _RunningSkill(RunningScore):
    def __init__(self, task: Forecasting, device: torch.device) -> None:
        self.sum = torch.zeros((), dtype=torch.float64, device=device)
        self.task, self.seen = task, 0

    def add(self, outputs: Tensor, targets: Tensor) -> None:
        self.sum += self.task.losses(outputs, targets).double().sum()
        self.seen += len(targets)

    def value(self) -> float:
        return 1 - self.sum.item() / self.seen


def best_season(past: NDArray[Any], targets: NDArray[Any], std: NDArray[Any]) -> int:
    """Return the season whose naive forecast errs least on windows, or a shorter one that is about as good.

    Args:
        past: (N, targets, lookback).
        targets: (N, targets, horizon).
        std: of each target, for errors of the same scale.
    """
    rows = np.linspace(0, len(past) - 1, min(len(past), MOST_TRIED)).astype(int)
    columns = slice(MOST_SERIES)
    windows, true, scale = past[rows][:, columns], targets[rows][:, columns], std[columns, np.newaxis]
    horizon = true.shape[2]
    errors = [
        float((np.abs(_seasonal(windows, horizon, season) - true) / scale).mean())
        for season in range(1, past.shape[2] + 1)
    ]
    return 1 + next(i for i, error in enumerate(errors) if error <= AS_GOOD * min(errors))


def _seasonal(past: NDArray[Any], horizon: int, season: int) -> NDArray[Any]:
    """Return seasonal naive forecasts (N, targets, horizon)."""
    return past[:, :, past.shape[2] - season + np.arange(horizon) % season]


def _ratio(sums: NDArray[Any], counts: NDArray[Any], axis: int = -1) -> NDArray[Any]:
    return np.asarray(sums.sum(axis=axis) / counts.sum(axis=axis))
