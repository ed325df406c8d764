"""Hyperparameters that are searched together with the architecture, or for one that is fixed."""

import random
from collections.abc import Iterator, Mapping, Sequence

from cellwright.genotype import Cell, Edge, Genotype, GenotypeError
from cellwright.spaces.base import Choices, Space, Strengths

TUNE = "tune"
"""The cell of a genotype that holds hyperparameters: a node for each, whose primitive numbers the value."""


def architecture_of(genotype: Genotype) -> Genotype:
    """Return the genotype without hyperparameters."""
    cells = {name: cell for name, cell in genotype.cells.items() if name != TUNE}
    return Genotype(space=genotype.space, cells=cells)


def split_genotype(genotype: Genotype, names: Sequence[str]) -> tuple[Genotype, dict[str, int]]:
    """Return the architecture, and the number of each named hyperparameter's value; raises GenotypeError."""
    try:
        chosen = [edge.primitive.rpartition("-") for (edge,) in genotype.cells[TUNE].nodes]
        values = {name: int(value) for name, (_, _, value) in zip(names, chosen, strict=True)}
    except (KeyError, ValueError) as error:
        raise GenotypeError(
            f"the cell {TUNE!r} must have a node for each of {', '.join(names)}, got {genotype.to_line()}"
        ) from error
    if [group for group, _, _ in chosen] != [_group(name) for name in names]:
        raise GenotypeError(f"the cell {TUNE!r} must hold {', '.join(names)}, got {genotype.to_line()}")
    return architecture_of(genotype), values


class TunedSpace(Space):
    """A space whose genotypes say the values of hyperparameters too.

    Args:
        space: of the architectures.
        num_values: for each hyperparameter, from how many values to choose.
    """

    def __init__(self, space: Space, num_values: Mapping[str, int]) -> None:
        self.space = space
        self.name = space.name
        self.num_values = num_values

    @property
    def decisions(self) -> Mapping[str, tuple[int, int]]:
        """Return the space's decisions, and a group for each hyperparameter."""
        return {
            **self.space.decisions,
            **{_group(name): (1, count) for name, count in self.num_values.items()},
        }

    def derive(self, strengths: Strengths) -> Genotype:
        """Return the genotype of the strongest choices."""
        values = {}
        for name in self.num_values:
            (row,) = strengths[_group(name)]
            values[name] = list(row).index(max(row))
        return self.join(self.space.derive(strengths), values)

    def choices(self, genotype: Genotype) -> Choices:
        """Return the choices that make up the genotype."""
        architecture, values = self.split(genotype)
        return {
            **self.space.choices(architecture),
            **{_group(name): [value] for name, value in values.items()},
        }

    def sample(self, rng: random.Random) -> Genotype:
        """Draw a genotype, each equally likely."""
        values = {name: rng.randrange(count) for name, count in self.num_values.items()}
        return self.join(self.space.sample(rng), values)

    def check(self, genotype: Genotype) -> None:
        """Raise GenotypeError, naming the rule, where the genotype lies outside."""
        architecture, values = self.split(genotype)
        self.space.check(architecture)
        for name, count in self.num_values.items():
            if values[name] >= count:
                raise GenotypeError(f"{name} must be below {count}, got {values[name]}")

    def neighbours(self, genotype: Genotype) -> Iterator[Genotype]:
        """Yield every genotype that differs in one decision, in a fixed order."""
        architecture, values = self.split(genotype)
        for other in self.space.neighbours(architecture):
            yield self.join(other, values)
        for name, count in self.num_values.items():
            for value in range(count):
                if value != values[name]:
                    yield self.join(architecture, {**values, name: value})

    def encode(self, genotype: Genotype) -> tuple[float, ...]:
        """Return the architecture's vector, and a one-hot one for each hyperparameter."""
        architecture, values = self.split(genotype)
        hot = (
            float(values[name] == value) for name, count in self.num_values.items() for value in range(count)
        )
        return (*self.space.encode(architecture), *hot)

    def isomorphism_key(self, genotype: Genotype) -> str:
        """Return one text for all genotypes that train the same network in the same way."""
        architecture, values = self.split(genotype)
        return f"{self.space.isomorphism_key(architecture)}:{sorted(values.items())}"

    def join(self, architecture: Genotype, values: Mapping[str, int]) -> Genotype:
        """Return the genotype of both."""
        nodes = tuple((Edge(0, f"{_group(name)}-{values[name]}"),) for name in self.num_values)
        return Genotype(
            space=architecture.space, cells={**architecture.cells, TUNE: Cell(num_inputs=1, nodes=nodes)}
        )

    def split(self, genotype: Genotype) -> tuple[Genotype, dict[str, int]]:
        """Return the architecture, and the number of each hyperparameter's value; raises GenotypeError."""
        return split_genotype(genotype, tuple(self.num_values))


class FixedSpace(Space):
    """The space of one architecture, for tuning what is left to tune."""

    def __init__(self, genotype: Genotype) -> None:
        self.genotype = genotype
        self.name = genotype.space

    @property
    def decisions(self) -> Mapping[str, tuple[int, int]]:
        """Return none."""
        return {}

    def derive(self, strengths: Strengths) -> Genotype:
        """Return the one genotype."""
        return self.genotype

    def choices(self, genotype: Genotype) -> Choices:
        """Return none."""
        return {}

    def sample(self, rng: random.Random) -> Genotype:
        """Return the one genotype."""
        return self.genotype

    def check(self, genotype: Genotype) -> None:
        """Raise GenotypeError for any other genotype."""
        if genotype != self.genotype:
            raise GenotypeError(f"the genotype must be {self.genotype.to_line()}, got {genotype.to_line()}")

    def neighbours(self, genotype: Genotype) -> Iterator[Genotype]:
        """Yield nothing."""
        yield from ()

    def encode(self, genotype: Genotype) -> tuple[float, ...]:
        """Return the empty vector."""
        return ()


def _group(name: str) -> str:
    """Return the name as genotypes can hold it."""
    return name.replace(".", "-")
