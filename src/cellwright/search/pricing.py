"""Cost of a training step: measured for a few networks on the training device, and estimated for others by a fit.

The prices are stored, so that everything computed from them is independent of the clock.
"""

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch

from cellwright.estimators.base import Setting
from cellwright.estimators.latency.estimator import solve
from cellwright.genotype import Genotype
from cellwright.nn.initialising import seeded_initialisation
from cellwright.results import Result
from cellwright.spaces.networks import build_network, trace_genotype
from cellwright.spec.strategy import Precision
from cellwright.training.course import Course, CourseTraining
from cellwright.training.precision import computes_bfloat16

SHARE = 0.02
"""Maximum fraction of the budget for measurements."""
ALWAYS = 2
"""Number of networks to measure, however long it takes."""
WARM_UPS, REPEATS = 1, 3
"""Number of warm-up steps before timing, and of timed steps, of which the fastest counts."""
FORWARD = 1 / 3
"""Time of a forward pass relative to a training step."""
PENALTY = 1e-3
CLEARLY = 0.9
"""bfloat16 is used if its step takes at most this fraction of the time in float32; a smaller gain may be noise."""


class Prices(Result):
    """`prices.json`: seconds of a training step of any network in the space, on one device."""

    FILE = "prices.json"

    precision: Precision
    """The faster precision."""
    seconds: dict[str, float]
    """Seconds per step of the measured networks, by the genotype's line."""
    constant: float
    parts: tuple[float, ...]
    """Cost of depth, MACs and memory."""
    bfloat16_ratio: float | None = None
    """Time of a step in bfloat16 relative to float32; None if it was not measured."""
    spent: float = 0.0
    """Seconds spent on the measurements."""

    def estimate(self, features: tuple[float, ...]) -> float:
        """Return the estimated seconds per step of a network with these features."""
        return self.constant + sum(part * value for part, value in zip(self.parts, features, strict=True))


def clock_of(device: torch.device) -> Callable[[], float]:
    """Return the clock for measuring training: on a CPU, the time of this process's threads, unaffected by load."""
    if device.type == "cpu":
        return lambda: time.process_time() / torch.get_num_threads()
    return time.perf_counter


def features_of(genotype: Genotype, setting: Setting) -> tuple[float, ...]:
    """Return the features of a genotype that its price is estimated from, depth, MACs and memory."""
    cost = trace_genotype(setting.final_space, setting.task, genotype)
    return (cost.depth / 10, cost.macs / 1e7, cost.memory_bytes / 1e6)


@dataclass
class Pricing:
    """Measures prices within a time limit.

    Args:
        setting: task, data, settings and device of the training.
        limit: time limit in seconds; the first networks are measured in any case.
        clock: clock for the measurements.
    """

    setting: Setting
    limit: float
    clock: Callable[[], float]
    precision: Precision = "float32"
    spent: float = 0.0
    measured: dict[str, tuple[tuple[float, ...], float]] = field(default_factory=dict)
    """Features and seconds per step, by the genotype's line."""
    bfloat16_ratio: float | None = None

    def choose_precision(self, genotype: Genotype) -> None:
        """Use the requested precision, or for `auto`, the one that is clearly faster for the genotype."""
        asked = self.setting.retrain.precision
        device = self.setting.device
        if asked != "auto":
            self.precision = asked
        elif device.type == "cuda":
            self.precision = "bfloat16" if computes_bfloat16(device) else "float32"
        elif computes_bfloat16(device):
            full = self.measure(genotype) or math.inf
            half = self._time(genotype, "bfloat16")
            self.bfloat16_ratio = half / full
            if half <= CLEARLY * full:
                self.precision = "bfloat16"
                self.measured[genotype.to_line()] = (features_of(genotype, self.setting), half)

    def measure(self, genotype: Genotype) -> float | None:
        """Return the seconds of a step; None if no time is left to measure them."""
        line = genotype.to_line()
        if line not in self.measured:
            if len(self.measured) >= ALWAYS and self.spent >= self.limit:
                return None
            self.measured[line] = features_of(genotype, self.setting), self._time(genotype, self.precision)
        return self.measured[line][1]

    def prices(self) -> Prices:
        """Return the prices, fitted to the measurements."""
        features_NP = np.array([features for features, _ in self.measured.values()])
        times_N = np.array([seconds for _, seconds in self.measured.values()])
        scale_P = features_NP.mean(axis=0).clip(min=1e-9)
        constant, parts_P = solve(features_NP / scale_P, times_N, np.ones(len(scale_P), dtype=bool), PENALTY)
        return Prices(
            precision=self.precision,
            seconds={line: seconds for line, (_, seconds) in self.measured.items()},
            constant=constant,
            parts=tuple((parts_P / scale_P).tolist()),
            bfloat16_ratio=self.bfloat16_ratio,
            spent=self.spent,
        )

    def _time(self, genotype: Genotype, precision: Precision) -> float:
        began = self.clock()
        with TemporaryDirectory() as folder:
            training = self._training(genotype, precision, Path(folder))
            times = list(self._steps(training))
        self.spent += self.clock() - began
        return min(times[WARM_UPS:])

    def _steps(self, training: CourseTraining) -> Iterator[float]:
        for _ in range(WARM_UPS + REPEATS):
            began = self.clock()
            training.take(1)
            if self.setting.device.type == "cuda":
                torch.cuda.synchronize(self.setting.device)
            yield self.clock() - began

    def _training(self, genotype: Genotype, precision: Precision, folder: Path) -> CourseTraining:
        with seeded_initialisation(0):
            network = build_network(self.setting.final_space, self.setting.task, genotype)
        split = self.setting.train
        few = split[: (WARM_UPS + REPEATS) * self.setting.retrain.batch_size]
        return CourseTraining(
            network.to(self.setting.device),
            few,
            self.setting.retrain,
            self.setting.augment,
            task=self.setting.task,
            seed=0,
            checkpoint=folder / "none",
            course=Course(steps=1000, cool_down=1000, precision=precision),
        )
