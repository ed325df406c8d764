"""What digests cost: CPU seconds of each step, and those that go into hashing and reading back; prints a table.

`python -m benchmarks.digests SPEC` runs all steps in this process, in a new folder. `--until prepare` stops early.
`--store s3://BUCKET/PREFIX` runs them as a pipeline on a cluster does, each in a folder of its own beside a store. Then
finding in the store what was stored, and listing it there for the next attempt, count too.
"""

import argparse
import resource
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any

import torch

from cellwright.progress import Silent
from cellwright.spec import load_spec
from cellwright.step_list import STEPS
from cellwright.steps import evaluate, prepare, register, retrain, search  # noqa: F401 - outside what is measured
from cellwright.steps.running import run_step
from cellwright.steps.stored import run_stored_step
from cellwright.stores import attempts

COUNTED = (
    "cellwright.tensor_files:joined_digest",
    "cellwright.tensor_files:_holds",
    "cellwright.files:file_digest",
    "cellwright.search.journal:_sealed",
    "cellwright.search.journal:_unsealed",
    "cellwright.stores.integrity:file_etag",
    "cellwright.stores.attempts:_commit",
)


class Clock:
    """Adds up the CPU seconds of functions, in whatever thread; those of one within another count once."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self._of_thread = threading.local()

    def count(self, place: str) -> None:
        """Count a function from now on, in every module that has imported it."""
        module, _, name = place.partition(":")
        function = getattr(sys.modules[module], name)
        for imported in [each for each in sys.modules.values() if vars(each).get(name) is function]:
            setattr(imported, name, self.counted(function))

    def counted(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Return the function, counted."""

        @wraps(function)
        def call(*arguments: Any, **named: Any) -> Any:
            if getattr(self._of_thread, "is_counting", False):
                return function(*arguments, **named)
            self._of_thread.is_counting, began = True, time.thread_time()
            try:
                return function(*arguments, **named)
            finally:
                self._of_thread.is_counting = False
                self.seconds += time.thread_time() - began

        return call


def cpu_seconds() -> float:
    """Return those of this process, and of its children that have ended."""
    whose = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    return sum(used.ru_utime + used.ru_stime for used in map(resource.getrusage, whose))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("spec", type=Path)
    parser.add_argument("--until", choices=STEPS)
    parser.add_argument("--store", metavar="URI")
    parser.add_argument("--set", metavar="KEY=VALUE", action="append", default=[])
    given = parser.parse_args()
    torch.set_num_threads(1)
    overrides = [*given.set, *([f"store={{uri: {given.store}}}"] if given.store else ())]
    spec, clock = load_spec(given.spec, overrides), Clock()
    for place in COUNTED:
        clock.count(place)
    attempts._Copy._list = clock.counted(attempts._Copy._list)  # type: ignore[method-assign]
    folders: dict[str, Path] = {}
    print("| step | CPU seconds | digests | share |\n|---|---|---|---|")
    sums = [0.0, 0.0]
    with tempfile.TemporaryDirectory() as workspace:
        for name, step in STEPS.items():
            clock.seconds, began = 0.0, cpu_seconds()
            if given.store:
                here = Path(workspace, name)
                folders[name] = run_stored_step(step, spec, folders, here, Silent(), owner="benchmark")
            else:
                folders[name] = run_step(step, spec, folders, Path(workspace), Silent())
            took = (cpu_seconds() - began, clock.seconds)
            sums = [before + seconds for before, seconds in zip(sums, took, strict=True)]
            print(f"| {name} | {took[0]:.2f} | {took[1]:.4f} | {took[1] / took[0]:.2%} |", flush=True)
            if name == given.until:
                break
    print(f"| all | {sums[0]:.2f} | {sums[1]:.4f} | {sums[1] / sums[0]:.2%} |")


if __name__ == "__main__":
    main()
