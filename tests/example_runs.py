"""Examples of the package, run in this process as small as they can be."""

import sys
from collections.abc import Mapping
from pathlib import Path

from cellwright.progress import Silent
from cellwright.spec import load_spec
from cellwright.steps.running import run_until

EXAMPLES = Path(__file__).parents[1] / "examples"
QUICK = (
    "runner={kind: 'my_package.runners:InProcessSection'}",
    "estimators=[{kind: short-training, epochs: 1}]",
    "budget={evaluations: 2, finalists: 1, fresh_seeds: 1}",
    "retrain.epochs=3",
    "evaluate.latency_repeats=5",
)


def run_example(name: str, step: str, runs: Path, *overrides: str) -> Mapping[str, Path]:
    """Run an example until a step, and return the folder of each step."""
    sys.path.insert(0, str(EXAMPLES))
    try:
        return run_until(step, load_spec(EXAMPLES / name, (*QUICK, *overrides)), runs, Silent())
    finally:
        sys.path.remove(str(EXAMPLES))
