"""The space of stages, with decisions for each stage and for the whole network."""

import math
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, fields
from typing import Self

from cellwright.genotype import Genotype, GenotypeError
from cellwright.spaces.product import ProductSpace, Taken
from cellwright.spaces.stages.design import (
    NETWORK,
    NOMINAL,
    SPACE,
    Design,
    Stage,
    Value,
    format_values,
    read_values,
    stage_names,
)
from cellwright.spaces.stages.members import RACED, small
from cellwright.spaces.stages.section import StagesSection


@dataclass(frozen=True)
class Stages(ProductSpace):
    """Genotypes with a cell for the network and one for each stage; each node is a decision.

    All combinations are valid. Some decisions may have no effect, such as the expansion of a block that has none;
    `isomorphism_key` ignores them.
    """

    values: Mapping[str, Mapping[str, Sequence[Value]]]
    """The possible values of each decision, by cell."""

    name = SPACE
    concatenates = True

    @classmethod
    def of(cls, section: StagesSection) -> Self:
        """Build the space of a section."""
        stages = zip(stage_names(len(section.stages)), section.stages, strict=True)
        values = {NETWORK: {name: getattr(section, name) for name in _names(Design)}}
        values |= {cell: {name: getattr(stage, name) for name in _names(Stage)} for cell, stage in stages}
        return cls(values)

    @property
    def decisions(self) -> Mapping[str, tuple[int, int]]:
        """Return one group for each decision, such as `stage-01.width`."""
        return {group: (1, len(values)) for group, values in self._groups.items()}

    def genotype(self, taken: Taken) -> Genotype:
        """Return the genotype."""
        return format_values(
            {
                cell: {name: values[taken[f"{cell}.{name}"][0]] for name, values in decided.items()}
                for cell, decided in self.values.items()
            }
        )

    def taken(self, genotype: Genotype) -> Taken:
        """Return the index of each value."""
        given = read_values(genotype)
        if {cell: list(decided) for cell, decided in given.items()} != {
            cell: list(decided) for cell, decided in self.values.items()
        }:
            raise GenotypeError(f"the cells must be {', '.join(self.values)}, got {genotype.to_line()}")
        taken = {}
        for cell, decided in self.values.items():
            for name, values in decided.items():
                if given[cell][name] not in values:
                    raise GenotypeError(f"{cell}: {name} must be in {list(values)}, got {given[cell][name]}")
                taken[f"{cell}.{name}"] = [list(values).index(given[cell][name])]
        return taken

    def encode(self, genotype: Genotype) -> tuple[float, ...]:
        """Return the value of each decision on a logarithmic scale, or one-hot if its choices are unordered."""
        taken = self.taken(genotype)
        vectors = (_encode(group, values, taken[group][0]) for group, values in self._groups.items())
        return tuple(number for vector in vectors for number in vector)

    def isomorphism_key(self, genotype: Genotype) -> str:
        """Return a text that is the same for all genotypes of the same network."""
        return Design.of(genotype).canonical.genotype.to_line()

    def hand_designed(self, side: int, factor: float) -> Mapping[str, Genotype]:
        """Return one well-known network of each kind, except for those with parts that the space lacks."""
        found = {}
        for name in RACED:
            with suppress(GenotypeError):
                found[name] = self.nearest(small(side)[name].sized(factor).genotype)
        return found

    def nearest(self, genotype: Genotype) -> Genotype:
        """Return the genotype with each number replaced by the nearest one in the space.

        Stages that the genotype lacks get depth 0.

        Raises:
            GenotypeError: an unordered value, such as a block, is not in the space.
        """
        given = read_values(genotype)
        if excess := [cell for cell in given if cell not in self.values]:
            raise GenotypeError(f"there must be at most {len(self.values) - 1} stages, got {excess[-1]}")
        near: dict[str, dict[str, Value]] = {}
        for cell, decided in self.values.items():
            own = given.get(cell, {"depth": 0})
            near[cell] = {
                name: _nearest(values, own.get(name, values[0]), f"{cell}: {name}")
                for name, values in decided.items()
            }
            if cell not in given and near[cell]["depth"] != 0:
                raise GenotypeError(f"{cell}: depth must be in {list(decided['depth'])}, got 0")
        return format_values(near)

    @property
    def _groups(self) -> Mapping[str, Sequence[Value]]:
        return {
            f"{cell}.{name}": values for cell, named in self.values.items() for name, values in named.items()
        }


def only(design: Design) -> StagesSection:
    """Return the section of a space that consists of one design."""

    def choices(of: Stage | Design) -> dict[str, tuple[Value, ...]]:
        return {name: (getattr(of, name),) for name in _names(type(of))}

    stages = tuple(map(choices, design.stages))
    return StagesSection.model_validate({"kind": SPACE, **choices(design), "stages": stages})


def _names(of: type[Stage] | type[Design]) -> list[str]:
    return [field.name for field in fields(of) if field.name != "stages"]


def _scale(value: Value) -> float:
    return math.log2(1 + float(value))


def _encode(group: str, values: Sequence[Value], index: int) -> tuple[float, ...]:
    if group.rpartition(".")[2] in NOMINAL:
        return tuple(float(index == other) for other in range(len(values)))
    scaled = [_scale(value) for value in values]
    low, high = min(scaled), max(scaled)
    return ((scaled[index] - low) / (high - low) if high > low else 0.0,)


def _nearest(values: Sequence[Value], wanted: Value, name: str) -> Value:
    if wanted in values:
        return wanted
    if isinstance(wanted, str):
        raise GenotypeError(f"{name} must be in {list(values)}, got {wanted!r}")
    return min(values, key=lambda value: abs(_scale(value) - _scale(wanted)))
