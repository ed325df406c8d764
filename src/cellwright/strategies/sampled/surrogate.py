"""A model that predicts scores of architectures, with uncertainty."""

from collections.abc import Sequence
from statistics import NormalDist
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from cellwright.strategies.sampled.paths import Array

LENGTHS = (0.5, 1.0, 2.0, 4.0)
"""Length scales of the kernel; features are scaled to a mean square distance of 1."""
NOISES = (0.01, 0.03, 0.1, 0.3, 1.0)
"""Variances of a score between seeds, relative to the kernel's."""
CHOICES = (0.2, 0.0, 1.0)
"""Possible weights of the choices in a distance, the usual one first."""
PATHS, COUNTS, EXTRA = 0.5, 1.0, 1.0
"""Weights of the other groups."""
JITTER = 1e-6


class Fit(NamedTuple):
    """The result of a grid search; the more likely of two is the larger."""

    likelihood: float
    length: float
    choices: float
    noise: float
    variance: float
    mean: float


class Surrogate:
    """A Gaussian process over the groups of `Features`: three of the architecture, then any others.

    The kernel is Matérn's with smoothness 3/2. Scores are transformed to normal quantiles by their ranks, so any metric
    is suitable, and outliers do not mask the differences among the best. The kernel's length scale, the noise and the
    weight of the choices maximise the likelihood on small grids.

    Args:
        groups: features, each (architectures, features).
        scores: higher is better; an architecture may have several.
    """

    def __init__(self, groups: Sequence[Array], scores: Sequence[float]) -> None:
        self._known, indices = np.unique(np.asarray(scores, dtype=np.float64), return_inverse=True)
        self._quantiles = _normal_quantiles(indices)
        targets = self._quantiles[indices]
        self._scales = [_scale(group, by_column=index not in (0, 2)) for index, group in enumerate(groups)]
        self._groups = [group * scale for group, scale in zip(groups, self._scales, strict=True)]
        squares = [_squares(group, group) for group in self._groups]
        fits = [_fit(squares, length, CHOICES[0], targets) for length in LENGTHS]
        length = max(fits).length
        fits += [_fit(squares, length, choices, targets) for choices in CHOICES[1:]]
        self.fit = max(fits)
        kernel = self._kernel(squares)
        self._cholesky = np.linalg.cholesky(kernel + self.fit.noise * np.eye(len(targets)))
        self._weights = np.linalg.solve(
            self._cholesky.T, np.linalg.solve(self._cholesky, targets - self.fit.mean)
        )

    def means(self, groups: Sequence[Array]) -> Array:
        """Return the expected score of each architecture, as a normal quantile of the known scores."""
        return self.fit.mean + self._kernel(self._squares_to_known(self._scaled(groups))) @ self._weights

    def quantiles(self, scores: Sequence[float]) -> Array:
        """Return the normal quantiles of scores among the known ones."""
        return np.interp(np.asarray(scores, dtype=np.float64), self._known, self._quantiles)

    def scores(self, quantiles: Array) -> Array:
        """Return the scores at these quantiles; outside the known range, by linear extrapolation of each half."""
        scores: Array = np.interp(quantiles, self._quantiles, self._known)
        for end in (slice(0, len(self._known) // 2 + 1), slice(len(self._known) // 2, None)):
            xs, ys = self._quantiles[end], self._known[end]
            if len(xs) > 1:
                slope = (ys[-1] - ys[0]) / (xs[-1] - xs[0])
                edge = 0 if end.start == 0 else -1
                beyond = quantiles < xs[0] if edge == 0 else quantiles > xs[-1]
                scores = np.where(beyond, ys[edge] + slope * (quantiles - xs[edge]), scores)
        return scores

    def draws(self, groups: Sequence[Array]) -> "Draws":
        """Return the joint posterior of the architectures' noise-free scores."""
        scaled = self._scaled(groups)
        cross = self._kernel(self._squares_to_known(scaled))
        solved = np.linalg.solve(self._cholesky, cross.T)
        prior = self._kernel([_squares(new, new) for new in scaled])
        covariance = prior - solved.T @ solved + JITTER * np.eye(len(prior))
        return Draws(
            self.fit.mean + cross @ self._weights,
            np.sqrt(self.fit.variance) * np.linalg.cholesky(covariance),
        )

    def predict(self, groups: Sequence[Array]) -> tuple[Array, Array]:
        """Return mean and standard deviation of each architecture's score, without the noise between seeds."""
        cross = self._kernel(self._squares_to_known(self._scaled(groups)))
        solved = np.linalg.solve(self._cholesky, cross.T)
        mean = self.fit.mean + cross @ self._weights
        deviation = np.sqrt(self.fit.variance * np.maximum(1 - np.sum(solved**2, axis=0), JITTER))
        low, high = self.scores(mean - deviation), self.scores(mean + deviation)
        return self.scores(mean), (high - low) / 2

    def _scaled(self, groups: Sequence[Array]) -> list[Array]:
        return [group * scale for group, scale in zip(groups, self._scales, strict=True)]

    def _squares_to_known(self, scaled: Sequence[Array]) -> list[Array]:
        return [_squares(new, known) for new, known in zip(scaled, self._groups, strict=True)]

    def _kernel(self, squares: Sequence[Array]) -> Array:
        return _matern(_mix(squares, self.fit.choices), self.fit.length)


class Draws:
    """The joint distribution of the noise-free scores of some architectures."""

    def __init__(self, mean: Array, root: Array) -> None:
        self._mean, self._root = mean, root

    def draw(self, rng: np.random.Generator) -> Array:
        """Return one draw, (architectures,)."""
        return self._mean + self._root @ rng.standard_normal(len(self._mean))


def _fit(squares: Sequence[Array], length: float, choices: float, targets: Array) -> Fit:
    """Return the most likely noise, with the optimal mean and variance for it in closed form."""
    values, vectors = np.linalg.eigh(_matern(_mix(squares, choices), length))
    values = np.maximum(values, 0)
    ones, turned = vectors.T @ np.ones(len(targets)), vectors.T @ targets
    fits = []
    for noise in NOISES:
        precision = 1 / (values + noise)
        mean = (ones * precision) @ turned / ((ones * precision) @ ones)
        rest = turned - mean * ones
        variance = max((rest * precision) @ rest / len(targets), JITTER)
        likelihood = -0.5 * (len(targets) * np.log(variance) - np.log(precision).sum())
        fits.append(Fit(float(likelihood), length, choices, noise, float(variance), float(mean)))
    return max(fits)


def _mix(squares: Sequence[Array], choices: float) -> Array:
    """Return the weighted square distances over all groups, with mean 1."""
    weights = np.array([PATHS, COUNTS, choices, *[EXTRA] * (len(squares) - 3)])
    mixed: Array = np.tensordot(weights / weights.sum(), np.array(squares), axes=1)
    return mixed


def _matern(squares: Array, length: float) -> Array:
    ratio = np.sqrt(3 * squares) / length
    kernel: Array = (1 + ratio) * np.exp(-ratio)
    return kernel


def _squares(ours: Array, theirs: Array) -> Array:
    products = ours @ theirs.T
    squares: Array = np.square(ours).sum(1)[:, None] + np.square(theirs).sum(1) - 2 * products
    return np.maximum(squares, 0)


def _scale(group: Array, *, by_column: bool) -> Array:
    """Return the factor that scales a group's mean square distance to 1, for each column or for the whole group."""
    deviations = group.std(0)
    varies = deviations > 1e-9
    if by_column:
        scale: Array = np.where(varies, 1 / np.where(varies, deviations, 1), 1.0)
        scale /= np.sqrt(2 * max(varies.sum(), 1))
        return scale
    return np.full(group.shape[1], 1 / np.sqrt(2 * max(np.square(deviations).sum(), 1e-9)))


def _normal_quantiles(indices: NDArray[np.int_]) -> Array:
    """Return the normal quantile of each observation, given the rank of its score among the distinct scores."""
    counts = np.bincount(indices)
    middles = (np.cumsum(counts) - counts / 2) / len(indices)
    return np.array([NormalDist().inv_cdf(middle) for middle in middles.tolist()])
