"""What a training step costs: measured for a few networks on the device that trains, told for all by a fit to these.

The prices are stored. What follows from them does not depend on the clock any more.
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
"""Of the budget, that measuring may take."""
ALWAYS = 2
"""Networks that are measured however long it takes."""
WARM_UPS, REPEATS = 1, 3
"""Training steps before one is timed, and steps of which the fastest counts."""
FORWARD = 1 / 3
"""What a forward pass takes of a training step."""
PENALTY = 1e-3
CLEARLY = 0.9
"""bfloat16 is taken if a step takes at most this share of what it takes in float32: a smaller gain may be noise."""


class Prices(Result):
    """`prices.json`: the seconds of a training step of any network of the space, on one device."""

    FILE = "prices.json"

    precision: Precision
    """The number format that is faster."""
    seconds: dict[str, float]
    """Of the networks that were measured, by the line of their genotype."""
    constant: float
    parts: tuple[float, ...]
    """What each of `FEATURES` costs."""
    bfloat16_ratio: float | None = None
    """What a step in bfloat16 takes of one in float32; None where it was not tried."""
    spent: float = 0.0
    """Seconds that measuring took."""

    def told(self, features: tuple[float, ...]) -> float:
        """Return what the fit says of a network with these features."""
        return self.constant + sum(part * value for part, value in zip(self.parts, features, strict=True))


FEATURES = ("depth", "MACs", "memory")


def clock_of(device: torch.device) -> Callable[[], float]:
    """Return what seconds of training are counted by: on a CPU, those of its threads, whatever else it computes."""
    if device.type == "cpu":
        return lambda: time.process_time() / torch.get_num_threads()
    return time.perf_counter


def features_of(genotype: Genotype, setting: Setting) -> tuple[float, ...]:
    """Return what the price of a genotype's step follows from, one for each of `FEATURES`."""
    cost = trace_genotype(setting.final_space, setting.task, genotype)
    return (cost.depth / 10, cost.macs / 1e7, cost.memory_bytes / 1e6)


@dataclass
class Pricing:
    """Measures prices, for as long as a share of the budget lasts.

    Args:
        setting: what networks are trained for, and on which device.
        limit: seconds that may be spent; the first network is measured in any case.
        clock: of what is measured.
    """

    setting: Setting
    limit: float
    clock: Callable[[], float]
    precision: Precision = "float32"
    spent: float = 0.0
    measured: dict[str, tuple[tuple[float, ...], float]] = field(default_factory=dict)
    """Features and seconds by the line of a genotype."""
    bfloat16_ratio: float | None = None

    def choose_precision(self, genotype: Genotype) -> None:
        """Take the number format that is asked for, or the one that is clearly faster for the genotype."""
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
        """Return the seconds of a step; None where there is no time left to measure them."""
        line = genotype.to_line()
        if line not in self.measured:
            if len(self.measured) >= ALWAYS and self.spent >= self.limit:
                return None
            self.measured[line] = features_of(genotype, self.setting), self._time(genotype, self.precision)
        return self.measured[line][1]

    def prices(self) -> Prices:
        """Return the prices, fitted to what was measured."""
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
