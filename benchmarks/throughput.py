"""What strategies cost: CPU seconds and peak memory of suggest/observe rounds on the DARTS space; prints a table.

`python -m benchmarks.throughput` measures each strategy in a process of one thread of its own, 10,000 rounds and, as
a suggestion service has it, 1,000. Memory is the largest of the whole process, Python and NumPy included.
"""

import argparse
import json
import os
import random
import resource
import subprocess
import sys
import time
from typing import Any

ROUNDS = (1_000, 10_000)
STRATEGIES: dict[str, dict[str, Any]] = {
    **{
        kind: {"kind": kind}
        for kind in ("random", "regularized-evolution", "local-search", "reinforce", "nsga2", "predictor")
    },
    "`asha` of random": {"kind": "random", "scheduler": {"kind": "asha"}},
    "`asha` of predictor": {"kind": "predictor", "scheduler": {"kind": "asha"}},
}


def measure(section: dict[str, Any], rounds: int) -> dict[str, float]:
    """Return CPU seconds, those of the last tenth of the rounds, and the process' peak in MiB."""
    from cellwright.evaluation import Objective
    from cellwright.spaces import CandidateSpace, build_space
    from cellwright.spaces.darts.section import DartsSection
    from cellwright.spec import STRATEGIES, SampledSection
    from cellwright.strategies.sampled import build_sampled

    objectives = [Objective(metric="accuracy"), Objective(metric="latency", direction="minimize")]
    several = section["kind"] == "nsga2"
    settings = STRATEGIES.validate(section)
    assert isinstance(settings, SampledSection)
    space = CandidateSpace(build_space(DartsSection()))
    strategy = build_sampled(settings, space, objectives[: 1 + several], seed=0)
    rng = random.Random(0)
    worth: dict[str, float] = {}
    began = time.process_time()
    before_last = began
    for number in range(rounds):
        if number == rounds * 9 // 10:
            before_last = time.process_time()
        (suggestion,) = strategy.suggest(1)
        edges = [e for c in suggestion.candidate.genotype.cells.values() for node in c.nodes for e in node]
        scores = [worth.setdefault(edge.primitive, rng.random()) for edge in edges]
        metrics = {"accuracy": sum(scores) + rng.gauss(0, 0.3), "latency": sum(s > 0.5 for s in scores)}
        strategy.observe([suggestion.done(metrics)])
    ended = time.process_time()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"seconds": ended - began, "last": ended - before_last, "peak": peak}


def main() -> None:
    """Print the table, or one measurement where a strategy is named."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--one", nargs=2, metavar=("STRATEGY", "ROUNDS"))
    given = parser.parse_args()
    if given.one:
        print(json.dumps(measure(STRATEGIES[given.one[0]], int(given.one[1]))))
        return
    titles = " | ".join(f"{n:,} rounds, CPU s | last tenth | peak MiB" for n in ROUNDS)
    print(f"| | {titles} |\n|---|{'---|' * 3 * len(ROUNDS)}")
    for name in STRATEGIES:
        cells = []
        for rounds in ROUNDS:
            command = [sys.executable, "-m", "benchmarks.throughput", "--one", name, str(rounds)]
            environment = {**os.environ, "OMP_NUM_THREADS": "1"}
            found = json.loads(
                subprocess.run(command, check=True, capture_output=True, env=environment).stdout
            )
            cells += [f"{found['seconds']:.1f}", f"{found['last']:.1f}", f"{found['peak']:.0f}"]
        print(f"| {name} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
