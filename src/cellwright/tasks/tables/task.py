"""Tables: what networks know of their columns, and what is predicted."""

from abc import ABC
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from cellwright.data import Source, SplitName
from cellwright.data.examples import Array
from cellwright.data.manifest import ArrayForm
from cellwright.data.split import Inputs
from cellwright.data.splitting import Part
from cellwright.errors import DataError
from cellwright.genotype import Genotype
from cellwright.nn.export import Front
from cellwright.results import InputInfo, ModelInfo
from cellwright.tasks.base import Task
from cellwright.tasks.classification import Classification
from cellwright.tasks.multi_label import MultiLabel
from cellwright.tasks.regression import Regression
from cellwright.tasks.tables.adapter import (
    NUMBERS,
    Categories,
    Dates,
    DateStatistics,
    NumberStatistics,
    TableAdapter,
    blank,
)
from cellwright.tasks.tables.classical import build_classical
from cellwright.tasks.tables.columns import (
    FIRST_LEVEL,
    INPUT_NAMES,
    MISSING,
    NO_DATE,
    UNKNOWN,
    Column,
    Kind,
)
from cellwright.tasks.tables.front import ColumnFront
from cellwright.tasks.tables.leaks import leaking_columns
from cellwright.tasks.tables.mlp import Mlp, mlp_width
from cellwright.tasks.tables.section import TableAugment
from cellwright.tasks.tables.sources.table import (
    COLUMNS,
    LEVELS,
    MISSING_TEXTS,
    SUFFIXES,
    delimiter_of,
    inputs_of,
    read_table,
)

NUM_PIECES = 32
MOST_FEATURES = 1024
"""Of a map; with more columns, their embeddings are smaller."""
EMBEDDING = (4, 16)
"""The least and the most channels of a column's embedding."""
TINY = 1e-12
MEANINGS: Mapping[Kind, str] = {
    "number": "NaN where missing",
    "category": "0 for a level that training has not seen, 1 where missing, then the levels in order",
    "date": f"seconds since 1970-01-01 UTC, {NO_DATE} where missing",
}
RAW: Mapping[Kind, tuple[str, str]] = {
    "number": ("float64", "a number, NaN where missing"),
    "category": ("string", "a text, empty where missing; one that training has not seen is allowed"),
    "date": ("int64", MEANINGS["date"]),
}
"""The type and the meaning of a column as people have it."""
FILLERS: Mapping[str, float] = {"numbers": float("nan"), "categories": MISSING, "dates": NO_DATE}


class Table(Task, ABC):
    """Rows as up to three arrays: numbers, float32 (B, N), categories, int64 (B, C), and dates, int64 (B, D)."""

    embeddings: ClassVar[tuple[str, ...]] = tuple(NUMBERS)
    networks: ClassVar[tuple[str, ...]] = TableAugment.hand_designed

    missing: tuple[str, ...]
    """Texts that stand for a missing value."""
    columns: tuple[Column, ...]
    """Kind by kind, in the order of the arrays."""
    levels: dict[str, tuple[str, ...]]
    """The levels of each category, those of the training split."""
    numbers: dict[str, NumberStatistics]
    dates: dict[str, DateStatistics]

    @classmethod
    def of(cls, kind: str, source: Source, train: Part) -> Self:
        """Return the task, with the statistics of the training split."""
        kinds = [k for k in INPUT_NAMES if INPUT_NAMES[k] in source.examples.inputs]
        columns = tuple(c for k in kinds for c in source.facts[COLUMNS] if c.kind == k)
        values = {
            column.name: array
            for k in kinds
            for column, array in zip(
                (c for c in columns if c.kind == k),
                train.examples.inputs[INPUT_NAMES[k]][train.indices].T,
                strict=True,
            )
        }
        channels = int(np.clip(MOST_FEATURES // len(columns), *EMBEDDING))
        return cls(
            kind=kind,
            input_names=tuple(INPUT_NAMES[k] for k in kinds),
            map_shape=(channels, 1, len(columns)),
            missing=tuple(source.facts[MISSING_TEXTS]),
            columns=columns,
            levels={
                c.name: tuple(_present(values[c.name], source.facts[LEVELS][c.name]))
                for c in columns
                if c.kind == "category"
            },
            numbers={c.name: _of_numbers(values[c.name]) for c in columns if c.kind == "number"},
            dates={c.name: _of_dates(values[c.name]) for c in columns if c.kind == "date"},
            **cls.of_targets(source, train),
        )

    @property
    def summary(self) -> str:
        """Say what columns there are."""
        counts = [(len(self.of_kind(kind)), INPUT_NAMES[kind]) for kind in INPUT_NAMES]
        columns = ", ".join(f"{count} {name}" for count, name in counts if count)
        return f"{self.target_summary} from columns of {columns}"

    def of_kind(self, kind: Kind) -> list[str]:
        """Return the names of the columns of a kind."""
        return [column.name for column in self.columns if column.kind == kind]

    def warnings(self, source: Source, parts: Mapping[SplitName, Part]) -> Iterator[str]:
        """Name the columns that give the target away, and what validation and test have that training does not."""
        yield from leaking_columns(self, parts)
        if source.groups is not None and source.assigned is not None:
            yield from _shared_groups(source.groups, parts)
        for name in ("validation", "test"):
            encoded = self.encode(source, parts[name])
            codes = encoded.examples.inputs.get("categories")
            for column, array in zip(
                self.of_kind("category"), codes.T if codes is not None else (), strict=True
            ):
                if share := (array == UNKNOWN).mean():
                    yield f"column {column}: {share:.2%} of {name} has levels that training has not seen"

    def encode(self, source: Source, part: Part) -> Part:
        """Return the part with the codes of the training split's levels."""
        rows = {name: array[part.indices] for name, array in part.examples.inputs.items()}
        if "categories" in rows:
            codes = rows["categories"]
            rows["categories"] = np.stack(
                [
                    self._recoded(column, source.facts[LEVELS][column])[codes[:, index]]
                    for index, column in enumerate(self.of_kind("category"))
                ],
                axis=1,
            )
        examples = replace(part.examples, inputs=rows, targets=part.targets)
        return Part(examples, np.arange(len(part)))

    def _recoded(self, column: str, levels: Sequence[str]) -> Array:
        """Return for each code of the source the code that networks know."""
        indices = {level: code for code, level in enumerate(self.levels[column], FIRST_LEVEL)}
        return np.array([UNKNOWN, MISSING, *(indices.get(level, UNKNOWN) for level in levels)], np.int64)

    def input_meaning(self, name: str) -> str:
        """Name the columns of an input."""
        kind = next(k for k, v in INPUT_NAMES.items() if v == name)
        return f"columns {', '.join(self.of_kind(kind))}: {MEANINGS[kind]}"

    def model_info(self, inputs: Mapping[str, ArrayForm], genotype: Genotype) -> ModelInfo:
        """Return it with the columns as people have them."""
        columns = tuple(
            InputInfo(name=c.name, shape=(), dtype=RAW[c.kind][0], meaning=RAW[c.kind][1])
            for c in self.columns
        )
        return super().model_info(inputs, genotype).model_copy(update={"columns": columns})

    def examples_in(self, file: Path, info: ModelInfo) -> Iterator[tuple[str, Inputs | str]]:
        """Yield the rows of a csv, tsv or parquet file."""
        if file.suffix.lower() not in SUFFIXES:
            yield from super().examples_in(file, info)
            return
        table = read_table(file, delimiter=delimiter_of(file), missing=self.missing)
        for column in self.columns:
            if column.name not in table.columns:
                raise DataError(
                    f"{file}: must have the column {column.name!r}, got {', '.join(table.columns)}"
                )
        by_name = inputs_of(table, self.columns, self.levels, str(file))
        rows = zip(*(torch.from_numpy(by_name[name]) for name in self.input_names), strict=True)
        for number, row in enumerate(rows):
            yield f"{file}[{number}]", tuple(tensor[None] for tensor in row)

    def front(self) -> Front:
        """Return what codes texts."""
        return ColumnFront(self)

    def adapter(self) -> nn.Module:
        """Return the piecewise-linear embedding."""
        return self.embedding("piecewise")

    def embedding(self, name: str) -> nn.Module:
        """Return the adapter that embeds numbers in that way."""
        channels = self.map_shape[0]
        parts: list[nn.Module] = []
        if self.numbers:
            parts.append(NUMBERS[name](list(self.numbers.values()), channels))
        if self.levels:
            parts.append(Categories([len(levels) for levels in self.levels.values()], channels))
        if self.dates:
            parts.append(Dates(list(self.dates.values()), channels))
        return TableAdapter(parts)

    def example(self, batch_size: int, device: torch.device | str = "cpu") -> Inputs:
        """Return rows of zeros."""
        return tuple(
            torch.zeros(
                batch_size,
                len(self.of_kind(kind)),
                dtype=torch.float32 if kind == "number" else torch.int64,
                device=device,
            )
            for kind, name in INPUT_NAMES.items()
            if name in self.input_names
        )

    def augment(self, inputs: Inputs, section: TableAugment, rng: torch.Generator) -> Inputs:
        """Return rows with some of their values missing."""
        if not section.blank:
            return inputs
        return tuple(
            blank(x, FILLERS[name], section.blank, rng)
            for name, x in zip(self.input_names, inputs, strict=True)
        )

    def build_classical(self, name: str, *, seed: int) -> Any:
        """Return boosted trees, or a linear model."""
        return build_classical(name, self, seed=seed)

    def classical_features(self, name: str, inputs: Inputs) -> NDArray[Any]:
        """Return all columns, dates in days."""
        by_name = dict(zip(self.input_names, inputs, strict=True))
        arrays = []
        for kind, array_name in INPUT_NAMES.items():
            if array_name in by_name:
                values = by_name[array_name].numpy().astype(np.float64)
                arrays.append(
                    np.where(values == NO_DATE, np.nan, values / 86400) if kind == "date" else values
                )
        return np.concatenate(arrays, axis=1)

    def hand_designed(self, name: str, params: int) -> Mapping[str, Any]:
        """Return the width at which the network has about so many parameters."""
        return {"width": mlp_width(self, params)}

    def build_hand_designed(self, name: str, settings: Mapping[str, Any]) -> nn.Module:
        """Return a residual network on plainly embedded columns."""
        return Mlp(self, **settings)


class TableClassification(Table, Classification):
    """Tables of which a class is predicted."""

    kind: str = "table-classification"


class TableRegression(Table, Regression):
    """Tables of which a number is predicted."""

    kind: str = "table-regression"


class TableMultiLabel(Table, MultiLabel):
    """Tables of which labels are predicted."""

    kind: str = "table-labels"


def _present(codes: Array, levels: Sequence[str]) -> Iterator[str]:
    """Yield the levels that are there."""
    present = set(codes.tolist())
    return (level for code, level in enumerate(levels, FIRST_LEVEL) if code in present)


def _of_numbers(values: Array) -> NumberStatistics:
    """Return the median, the spread about it, and quantiles: of the rows, and of the different values."""
    known = values[~np.isnan(values)].astype(np.float64)
    if not len(known):
        return NumberStatistics(centre=0.0, scale=1.0, edges=(0.0, 1.0))
    low, centre, high = np.quantile(known, (0.25, 0.5, 0.75))
    scale = (high - low) / 1.35 or known.std() or 1.0
    shares = np.linspace(0, 1, NUM_PIECES // 2 + 1)
    edges = np.unique(np.concatenate([np.quantile(known, shares), np.quantile(np.unique(known), shares)]))
    edges = np.unique(edges.astype(np.float32)).astype(np.float64)
    if len(edges) < 2:
        edges = np.array([centre, centre + 1])
    return NumberStatistics(centre=float(centre), scale=float(max(scale, TINY)), edges=tuple(edges.tolist()))


def _of_dates(values: Array) -> DateStatistics:
    days = values[values != NO_DATE] / 86400
    if not len(days):
        return DateStatistics(centre=0.0, scale=1.0)
    return DateStatistics(centre=float(days.mean()), scale=float(days.std()) or 1.0)


def _shared_groups(groups: Array, parts: Mapping[SplitName, Part]) -> Iterator[str]:
    names = tuple(parts)
    for index, first in enumerate(names):
        for second in names[index + 1 :]:
            if parts[first].examples is parts[second].examples:
                shared = np.intersect1d(groups[parts[first].indices], groups[parts[second].indices])
                if len(shared):
                    yield f"leak: {len(shared)} groups are in {first} and in {second}"
