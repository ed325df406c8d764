"""What networks of forecasts begin and end with, and the linear one that they are compared with."""

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional

from cellwright.nn.heads import MapHead

if TYPE_CHECKING:
    from cellwright.tasks.forecasting.layout import Layout
    from cellwright.tasks.forecasting.task import Forecasting

HARMONICS = 2
"""Sines and cosines that tell a network where in a cycle a time is."""
LEAST_SPREAD = 0.01
"""Least deviation of a window, as a share of that of the training split, so that constant windows are not amplified."""
MOVING_AVERAGE = 25


def seasonal_times(lookback: int, horizon: int, season: int) -> Tensor:
    """Return for each time of the horizon the latest time of the window that is whole seasons earlier."""
    return lookback - season + torch.arange(horizon) % season


class Windows(nn.Module):
    """Standardises windows, each target by its own window, as in RevIN: https://openreview.net/forum?id=cGDAkQo1C0p."""

    mean: Tensor
    std: Tensor

    def __init__(self, task: "Forecasting") -> None:
        super().__init__()
        self.num_targets = len(task.scale)
        self.register_buffer("mean", torch.tensor(task.mean)[:, None])
        self.register_buffer("std", torch.tensor(task.std)[:, None])

    def forward(self, past_BCL: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return the targets' standardised windows (B, T, L), and their mean and deviation (B, T, 1)."""
        x_BTL = past_BCL[:, : self.num_targets]
        level_BT1 = x_BTL.mean(dim=2, keepdim=True)
        variance_BT1 = (x_BTL - level_BT1).square().mean(dim=2, keepdim=True)
        spread_BT1 = torch.maximum(variance_BT1.sqrt(), LEAST_SPREAD * self.std[: self.num_targets])
        return (x_BTL - level_BT1) / spread_BT1, level_BT1, spread_BT1


class ForecastAdapter(nn.Module):
    """Makes maps (B, C, 1, L + H) of windows; where targets are not known yet, they are forecast by their season.

    Channels are the standardised targets, past and known columns, the cycles of the calendar, and a mark of the
    horizon.
    """

    seasonal: Tensor

    def __init__(self, task: "Forecasting") -> None:
        super().__init__()
        self.windows = Windows(task)
        self.horizon = task.horizon
        self.num_known, self.num_cycles = len(task.layout.known), len(task.layout.calendar)
        self.register_buffer("seasonal", seasonal_times(task.lookback, task.horizon, task.season))

    def forward(self, past_BCL: Tensor, future_BKH: Tensor | None = None) -> Tensor:
        """Return the maps."""
        z_BTL, _, _ = self.windows(past_BCL)
        mean, std = self.windows.mean, self.windows.std
        targets = self.windows.num_targets
        covariates_BCL = (past_BCL[:, targets:] - mean[targets:]) / std[targets:]
        num_future = self.num_known + self.num_cycles
        ends = covariates_BCL.shape[1] - num_future
        parts = [
            torch.cat((z_BTL, z_BTL[:, :, self.seasonal]), dim=2),
            functional.pad(covariates_BCL[:, :ends], (0, self.horizon)),
        ]
        if future_BKH is not None:
            first = targets + ends
            known_BKH = (future_BKH - mean[first:]) / std[first:]
            whole_BKW = torch.cat((covariates_BCL[:, ends:], known_BKH), dim=2)
            parts.append(whole_BKW[:, : self.num_known])
            shares_BKW = torch.cat((past_BCL[:, first:], future_BKH), dim=2)[:, self.num_known :]
            for harmonic in range(1, HARMONICS + 1):
                angle_BKW = 2 * torch.pi * harmonic * shares_BKW
                parts += [angle_BKW.sin(), angle_BKW.cos()]
        mark_B1W = functional.pad(torch.zeros_like(z_BTL[:, :1]), (0, self.horizon), value=1.0)
        return torch.cat((*parts, mark_B1W), dim=1).unsqueeze(2)


def num_channels(layout: "Layout") -> int:
    """Return the channels of the adapter's maps."""
    return len(layout.channels) + (2 * HARMONICS - 1) * len(layout.calendar) + 1


class ForecastHead(MapHead):
    """Adds to a linear forecast of each window what the map says at each time of the horizon, and on average.

    The linear forecast, shared by all targets, begins as the seasonal naive one.

    Args:
        num_features: channels of the map.
        task: the task.
    """

    def __init__(self, num_features: int, task: "Forecasting") -> None:
        super().__init__()
        self.lookback, self.horizon, self.num_targets = task.lookback, task.horizon, len(task.scale)
        self.windows = Windows(task)
        self.linear = nn.Linear(task.lookback, task.horizon)
        self.at_each_time = nn.Linear(num_features, self.num_targets)
        self.on_average = nn.Linear(num_features, self.num_targets * task.horizon)
        nn.init.zeros_(self.linear.bias)
        nn.init.zeros_(self.linear.weight)
        with torch.no_grad():
            seasonal = seasonal_times(task.lookback, task.horizon, task.season)
            self.linear.weight[torch.arange(task.horizon), seasonal] = 1.0

    def forward(self, x_BCHW: Tensor, past_BCL: Tensor, future_BKH: Tensor | None = None) -> Tensor:
        """Return forecasts (B, targets, horizon)."""
        z_BTL, level_BT1, spread_BT1 = self.windows(past_BCL)
        x_BCW = x_BCHW.mean(dim=2)
        if x_BCW.shape[2] != (width := self.lookback + self.horizon):
            x_BCW = functional.interpolate(x_BCW, width, mode="linear", align_corners=False)
        at_each_BTH = self.at_each_time(x_BCW[:, :, -self.horizon :].transpose(1, 2)).transpose(1, 2)
        on_average_BTH = self.on_average(x_BCW.mean(dim=2)).unflatten(1, (self.num_targets, self.horizon))
        forecast_BTH = self.linear(z_BTL) + at_each_BTH + on_average_BTH
        outputs_BTH: Tensor = level_BT1 + spread_BT1 * forecast_BTH
        return outputs_BTH


class DLinear(nn.Module):
    """Linear forecasts of a moving average and of what is left: Zeng et al. 2023, https://arxiv.org/abs/2205.13504."""

    def __init__(self, task: "Forecasting") -> None:
        super().__init__()
        self.adapter = Windows(task)
        self.kernel = min(MOVING_AVERAGE, task.lookback - (1 - task.lookback % 2))
        self.trend, self.rest = (nn.Linear(task.lookback, task.horizon) for _ in range(2))

    def forward(self, past_BCL: Tensor, future_BKH: Tensor | None = None) -> Tensor:
        """Return forecasts (B, targets, horizon)."""
        targets = self.adapter.num_targets
        mean, std = self.adapter.mean[:targets], self.adapter.std[:targets]
        z_BTL = (past_BCL[:, :targets] - mean) / std
        around = self.kernel // 2
        padded_BTW = functional.pad(z_BTL, (around, around), mode="replicate")
        trend_BTL = functional.avg_pool1d(padded_BTW, self.kernel, stride=1)
        forecast_BTH: Tensor = self.trend(trend_BTL) + self.rest(z_BTL - trend_BTL)
        return mean + std * forecast_BTH
