"""Forecasts without a network, as scikit-learn has its models: from windows (N, targets · lookback)."""

from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.linear_model import RidgeCV

STRENGTHS = (1e-2, 1.0, 1e2, 1e4)
MOST_ROWS = 20_000
"""Windows that the linear forecast is fitted on, evenly drawn of more."""


class Seasonal(RegressorMixin, BaseEstimator):  # type: ignore[misc]
    """The values of the last season again; with a season of 1, the last value.

    Args:
        lookback: times of a window.
        horizon: times that are forecast.
        season: in times.
    """

    def __init__(self, lookback: int, horizon: int, season: int) -> None:
        self.lookback, self.horizon, self.season = lookback, horizon, season

    def fit(self, x: NDArray[Any], y: NDArray[Any]) -> Self:
        """Do nothing."""
        return self

    def predict(self, x: NDArray[Any]) -> NDArray[Any]:
        """Return forecasts (N, targets · horizon)."""
        windows = x.reshape(-1, self.lookback)
        times = self.lookback - self.season + np.arange(self.horizon) % self.season
        return windows[:, times].reshape(len(x), -1)


class NLinear(RegressorMixin, BaseEstimator):  # type: ignore[misc]
    """A linear forecast of what is added to the last value, the same for all targets, by ridge regression.

    NLinear of Zeng et al. 2023, https://arxiv.org/abs/2205.13504; in closed form, as in
    https://arxiv.org/abs/2403.14587.

    Args:
        lookback: times of a window.
        scale: of each target; its windows are divided by it.
    """

    def __init__(self, lookback: int, scale: tuple[float, ...]) -> None:
        self.lookback, self.scale = lookback, scale

    def fit(self, x: NDArray[Any], y: NDArray[Any]) -> Self:
        """Fit the regression; its strength is chosen by leaving one window out."""
        windows, last = self._windows(x)
        ahead = y.reshape(len(windows), -1) / self._scales(x) - last
        rows = np.linspace(0, len(windows) - 1, min(len(windows), MOST_ROWS)).astype(int)
        fitted = RidgeCV(STRENGTHS).fit(windows[rows], ahead[rows])
        self.coef_, self.intercept_ = fitted.coef_, fitted.intercept_
        return self

    def predict(self, x: NDArray[Any]) -> NDArray[Any]:
        """Return forecasts (N, targets · horizon)."""
        windows, last = self._windows(x)
        ahead = windows @ self.coef_.T + self.intercept_ + last
        return np.asarray((ahead * self._scales(x)).reshape(len(x), -1))

    def _windows(self, x: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
        windows = x.reshape(-1, self.lookback) / self._scales(x)
        return windows - windows[:, -1:], windows[:, -1:]

    def _scales(self, x: NDArray[Any]) -> NDArray[Any]:
        return np.tile(np.asarray(self.scale), len(x))[:, np.newaxis]
