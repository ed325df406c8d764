"""How well a latency table tells what is measured, and whether limits are kept; prints and writes a table."""

import argparse
import random
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import nn

from cellwright.estimators.latency.estimator import LatencyTable, fit_table, measure_in_turns, parts_of
from cellwright.estimators.latency.section import LatencySection
from cellwright.genotype import Genotype
from cellwright.nn.cost import measure_latency
from cellwright.progress import Silent
from cellwright.spaces import build_space
from cellwright.spaces.darts.section import DartsSection
from cellwright.spaces.networks import build_network
from cellwright.testing.images import numbered_images
from cellwright.training.precision import channels_last

TASK = numbered_images((3, 32, 32), 10)
SIZE = DartsSection()
SPACE = build_space(SIZE)
RESULT = Path("docs/benchmarks/latency.md")
CLOCK_NAMES = {
    "wall": "wall time",
    "cpu": "the thread's CPU time, since others computed on the machine meanwhile",
}
CLOCKS = {"wall": time.perf_counter, "cpu": time.thread_time}


def network_of(genotype: Genotype) -> nn.Module:
    return channels_last(build_network(SIZE, TASK, genotype))


def keeps_limit(table: LatencyTable, rng: random.Random, clock: Callable[[], float]) -> tuple[float, float]:
    """Return a limit and the fresh time of the architecture that comes nearest to it, of 200 random ones."""
    genotypes = [SPACE.sample(rng) for _ in range(200)]
    at_most = {g: table.predict(list(parts_of(SPACE, g))) * (1 + table.margin) for g in genotypes}
    limit = float(np.quantile(list(at_most.values()), rng.uniform(0.05, 0.95)))
    chosen = max((g for g in genotypes if at_most[g] <= limit), key=lambda g: at_most[g])
    passes = measure_latency(network_of(chosen), TASK.example(1), repeats=30, clock=clock)
    return limit, statistics.median(passes)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--networks", type=int, default=LatencySection(kind="latency").networks)
    parser.add_argument("--rounds", type=int, default=LatencySection(kind="latency").rounds)
    parser.add_argument("--cells", type=int, default=50)
    parser.add_argument("--runs", type=int, default=60)
    parser.add_argument("--clock", choices=CLOCKS, default="wall", help="cpu where others compute too")
    parser.add_argument("--write", action="store_true", help=f"write {RESULT}")
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    clock = CLOCKS[given.clock]
    measured = [SPACE.sample(random.Random(seed)) for seed in range(given.networks + given.cells)]
    parts = [list(parts_of(SPACE, genotype)) for genotype in measured]
    networks = [network_of(genotype) for genotype in measured]
    times_NR = measure_in_turns(
        networks, TASK.example(1), rounds=given.rounds, clock=clock, progress=Silent()
    )
    table = fit_table(parts[: given.networks], times_NR[: given.networks])

    began = time.perf_counter()
    told = np.array([table.predict(list(parts_of(SPACE, cell))) for cell in measured[given.networks :]])
    telling = (time.perf_counter() - began) / given.cells
    times_NR = times_NR[given.networks :]
    medians = np.median(times_NR, axis=1)
    errors = np.abs(told / medians - 1)
    repeated = np.abs(np.median(times_NR[:, ::2], axis=1) / np.median(times_NR[:, 1::2], axis=1) - 1)

    rng = random.Random(-1)
    runs = [keeps_limit(table, rng, clock) for _ in range(given.runs)]
    kept = statistics.mean(fresh <= limit for limit, fresh in runs)
    slack = statistics.median(1 - fresh / limit for limit, fresh in runs)
    last = measure_in_turns(
        networks[given.networks :], TASK.example(1), rounds=2, clock=clock, progress=Silent()
    )
    drift = float(np.median(np.median(last, axis=1) / medians)) - 1
    lines = [
        "| | |",
        "|---|---|",
        f"| networks measured for the table, rounds | {given.networks}, {given.rounds} |",
        f"| {given.cells} other random cells: measured | {medians.min():.1f} to {medians.max():.1f} ms |",
        f"| median error of the table | {np.median(errors):.1%} |",
        f"| 90 % of errors below | {np.quantile(errors, 0.9):.1%} |",
        f"| median difference between two halves of the rounds of one network | {np.median(repeated):.1%} |",
        f"| telling one from its genotype | {1e6 * telling:.0f} µs |",
        f"| margin of the table | {table.margin:.1%} |",
        f"| fresh measurements within the limit, {given.runs} runs | {kept:.0%} |",
        f"| change of the device's speed from the table to the end | {drift:+.1%} |",
        f"| median slack below the limit | {slack:.1%} |",
        "",
    ]
    text = "\n".join(lines)
    print(text)
    if given.write:
        RESULT.write_text(HEAD.format(threads=given.threads, clock=CLOCK_NAMES[given.clock]) + text)


HEAD = """# Latency from a table

`python -m benchmarks.latency --write`: the default `darts` space (8 cells, 16 channels, 3×32×32),
one example a pass, CPU, threads: {threads}, clock: {clock}. Times are medians of warm passes. All
networks, those of the table and the others, take turns, so that a disturbance of the device affects
them all. After that, a run samples 200 random architectures and a limit. It takes the architecture
whose `latency_ms_at_most` is nearest below the limit, the hardest case, and measures a new network
of it.

"""


if __name__ == "__main__":
    main()
