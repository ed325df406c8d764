"""Predicts latency on this device from a genotype's choices, by a table fitted to measured random networks."""

import random
import statistics
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from torch import nn

from cellwright.candidate import Candidate
from cellwright.canonical import digest
from cellwright.data.split import Inputs
from cellwright.estimators.base import Estimator, Setting
from cellwright.estimators.latency.section import LatencySection
from cellwright.evaluation import Evaluation
from cellwright.genotype import Genotype
from cellwright.nn.cost import measure_latency
from cellwright.nn.initialising import seeded_initialisation
from cellwright.progress import Progress
from cellwright.results import Result
from cellwright.seeds import derive_seed
from cellwright.spaces import Space, build_space
from cellwright.spaces.networks import build_network
from cellwright.training.precision import channels_last

Floats = NDArray[np.float64]
PASSES = 3
"""Timed passes of a network in each round, after as many untimed ones to warm up the caches."""
FOLDS = 5
PENALTIES = (1e-4, 1e-3, 1e-2, 1e-1)
QUANTILE = 0.975


class LatencyTable(Result):
    """The latency of each part of a network, in milliseconds."""

    constant: float
    """The latency that all networks of the space share."""
    parts: dict[str, float]
    margin: float
    """97.5th percentile of the relative excess of a measured round over the cross-validated prediction."""
    error: float
    """Median relative error in cross-validation."""

    def predict(self, parts: Sequence[str]) -> float:
        """Return the milliseconds of a network with these parts; unknown parts count 0."""
        return self.constant + sum(self.parts.get(part, 0.0) for part in parts)


class Latency(Estimator):
    """Predicts latencies from a table that is fitted once, before the search.

    Args:
        settings: number of networks and rounds to measure.
        setting: task, data and settings.
        seed: selects the networks to measure.
    """

    def __init__(self, settings: LatencySection, setting: Setting, *, seed: int) -> None:
        super().__init__(settings, setting, seed=seed)
        self.space = build_space(setting.final_space)
        self._table: LatencyTable | None = None

    @property
    def table(self) -> LatencyTable:
        """Return the table; call `prepare` first."""
        assert self._table is not None, "prepare must be called first"
        return self._table

    def prepare(self, folder: Path, progress: Progress) -> None:
        """Measure and fit the table, or read it from the folder."""
        path = folder / f"latency-{digest(self.settings.model_dump(mode='json'))}.json"
        if not path.exists():
            table = self.fit(progress)
            table.save(path)
            progress.log(
                f"latency: of {self.settings.networks} networks measured, the table tells those left out of its fit "
                f"to {table.error:.1%} (median); {table.margin:.1%} on top is seldom exceeded"
            )
        self._table = LatencyTable.load(path)

    def estimate(
        self, candidate: Candidate, earlier: Sequence[Evaluation], *, seed: int
    ) -> Mapping[str, float]:
        """Return the expected latency, and the latency with the table's margin."""
        expected = self.table.predict(list(parts_of(self.space, candidate.genotype)))
        return {"latency_ms": expected, "latency_ms_at_most": expected * (1 + self.table.margin)}

    def fit(self, progress: Progress) -> LatencyTable:
        """Return a table fitted to random networks of the space."""
        rng = random.Random(derive_seed(self.seed, "latency"))
        genotypes = [self.space.sample(rng) for _ in range(self.settings.networks)]
        with seeded_initialisation(0):
            networks = [self._network(genotype) for genotype in genotypes]
        times_NR = measure_in_turns(
            networks,
            self.setting.task.example(1),
            rounds=self.settings.rounds,
            progress=progress,
        )
        return fit_table([list(parts_of(self.space, genotype)) for genotype in genotypes], times_NR)

    def _network(self, genotype: Genotype) -> nn.Module:
        network = build_network(self.setting.final_space, self.setting.task, genotype)
        return channels_last(network.to(self.setting.device))


def parts_of(space: Space, genotype: Genotype) -> Iterator[str]:
    """Yield the parts of a genotype: each choice twice, once with its position and once without.

    The fit attributes to the part without a position what does not depend on the position.
    """
    for group, taken in space.choices(genotype).items():
        for index, choice in enumerate(taken):
            if choice is not None:
                yield f"{group}:{choice}"
                yield f"{group}:{choice}@{index}"


def measure_in_turns(
    networks: Sequence[nn.Module],
    inputs: Inputs,
    *,
    rounds: int,
    progress: Progress,
    clock: Callable[[], float] = time.perf_counter,
) -> Floats:
    """Return the milliseconds of a warm forward pass of one example, for N networks in R rounds.

    Each round measures every network, so a temporary slowdown of the device affects all of them.
    """
    times_NR = np.empty((len(networks), rounds))
    for turn in range(rounds):
        for index, network in enumerate(networks):
            passes = measure_latency(network, inputs, repeats=PASSES, warmup=PASSES, clock=clock)
            times_NR[index, turn] = statistics.median(passes)
        progress.advance("measure latencies", turn + 1, rounds, {})
    return times_NR


def fit_table(parts: Sequence[Sequence[str]], times_NR: Floats) -> LatencyTable:
    """Return the table that best explains the median times of these networks, in relative error.

    No part has a negative cost. Parts with a position are regularised; the strength is chosen by cross-validation.
    """
    names = sorted({part for row in parts for part in row})
    counts_NP = np.array([[row.count(name) for name in names] for row in parts], dtype=float)
    times_N = np.median(times_NR, axis=1)
    small_P = np.array(["@" in name for name in names])
    predictions = {penalty: _cross_validated(counts_NP, times_N, small_P, penalty) for penalty in PENALTIES}
    penalty = min(predictions, key=lambda each: float(np.mean((times_N / predictions[each] - 1) ** 2)))
    constant, costs_P = solve(counts_NP, times_N, small_P, penalty)
    excess_NR = times_NR / predictions[penalty][:, None] - 1
    return LatencyTable(
        constant=constant,
        parts=dict(zip(names, costs_P.tolist(), strict=True)),
        margin=max(0.0, float(np.quantile(excess_NR, QUANTILE))),
        error=float(np.median(np.abs(predictions[penalty] / times_N - 1))),
    )


def _cross_validated(counts_NP: Floats, times_N: Floats, small_P: Floats, penalty: float) -> Floats:
    """Return the cross-validated prediction for each network, at least half the shortest time."""
    predicted_N = np.empty_like(times_N)
    for fold in range(FOLDS):
        tested_N = np.arange(len(times_N)) % FOLDS == fold
        constant, costs_P = solve(counts_NP[~tested_N], times_N[~tested_N], small_P, penalty)
        predicted_N[tested_N] = constant + counts_NP[tested_N] @ costs_P
    return predicted_N.clip(min=times_N.min() / 2)


def solve(counts_NP: Floats, times_N: Floats, small_P: Floats, penalty: float) -> tuple[float, Floats]:
    """Fit a constant and the costs of the parts, none of them negative.

    Return the constant and the costs that minimise Σ (relative error)² + penalty · N · Σ (cost / mean time)².
    """
    size, mean = len(times_N), float(times_N.mean())
    rows = np.column_stack([np.ones(size), counts_NP]) / times_N[:, None]
    weights = np.concatenate([[0.0], np.where(small_P, 1.0, 0.1)])
    shrinking = np.diag(weights * np.sqrt(penalty * size) / mean)
    from scipy.optimize import nnls  # slow to import

    costs, _ = nnls(np.vstack([rows, shrinking]), np.concatenate([np.ones(size), np.zeros(len(weights))]))
    return float(costs[0]), costs[1:]
