"""Designs: networks of stages as plain values, in the usual terms of hand-designed networks."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, Self, get_args

from cellwright.genotype import Cell, Edge, Genotype, GenotypeError
from cellwright.spaces.stages.section import Activation, Block, Halving, Pooling, Stem

SPACE = "stages"
NETWORK = "network"
"""The cell with the decisions for the whole network."""
NOMINAL = {
    "block": get_args(Block),
    "stem": get_args(Stem),
    "halving": get_args(Halving),
    "activation": get_args(Activation),
    "pooling": get_args(Pooling),
}
"""The decisions whose choices are unordered."""
EXPANDING = ("bottleneck", "mbconv", "fused-mbconv", "convnext")
SQUEEZING = ("basic", "bottleneck", "mbconv", "fused-mbconv")
OWN_HALVING = ("pooled", "convnext")
"""Blocks that support only one method of halving."""

Value = str | int | float
Values = Mapping[str, Mapping[str, Value]]
"""The values of the decisions, for each cell of a genotype."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Stage:
    """Blocks of one kind and width; see `StageChoices`."""

    block: Block
    depth: int = 1
    width: int
    kernel: int = 3
    stride: int = 1
    expansion: float = 1
    squeeze: float = 0
    group: int = 0

    def __post_init__(self) -> None:
        _check(self)

    @property
    def canonical(self) -> Self:
        """Return the stage without values that its block ignores."""
        return replace(
            self,
            expansion=self.expansion if self.block in EXPANDING else 1,
            squeeze=self.squeeze if self.block in SQUEEZING else 0,
            group=self.group if self.block == "bottleneck" else 0,
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Design:
    """A whole network; see `StagesSection`."""

    stem: Stem = "conv3"
    stem_width: int
    halving: Halving = "stride"
    activation: Activation = "relu"
    resolution: int = 100
    pooling: Pooling = "average"
    last: int = 0
    hidden: int = 0
    stages: tuple[Stage, ...]

    def __post_init__(self) -> None:
        _check(self)

    @classmethod
    def of(cls, genotype: Genotype) -> Self:
        """Return the design of a genotype; raises GenotypeError if it is not a genotype of stages."""
        values = read_values(genotype)
        try:
            stages = tuple(Stage(**values[name]) for name in stage_names(len(values) - 1))  # type: ignore[arg-type]
            design = cls(**values[NETWORK], stages=stages)  # type: ignore[arg-type]
        except (KeyError, TypeError) as error:
            raise GenotypeError(f"not a network of stages: {genotype.to_line()}") from error
        if design.genotype != genotype:
            raise GenotypeError(f"a network of stages must contain every decision, got {genotype.to_line()}")
        return design

    @property
    def genotype(self) -> Genotype:
        """Return the genotype, with a cell for each stage and a node for each decision."""
        stages = dict(zip(stage_names(len(self.stages)), map(_values, self.stages), strict=True))
        return format_values({NETWORK: _values(self), **stages})

    @property
    def canonical(self) -> Self:
        """Return the design without values that have no effect. Designs of the same network have equal results."""
        stages = tuple(stage.canonical for stage in self.stages if stage.depth)
        halves = any(stage.stride == 2 and stage.block not in OWN_HALVING for stage in stages)
        return replace(self, stages=stages, halving=self.halving if halves else "stride")

    def sized(self, factor: float, *, multiple: int = 8) -> Self:
        """Return the design with all widths multiplied by the factor, rounded to multiples that suit the device."""

        def size(width: int) -> int:
            return width and max(multiple, multiple * round(factor * width / multiple))

        return replace(
            self,
            stem_width=size(self.stem_width),
            last=size(self.last),
            hidden=size(self.hidden),
            stages=tuple(replace(stage, width=size(stage.width)) for stage in self.stages),
        )


def stage_names(count: int) -> list[str]:
    """Return the names of the stages' cells, which sort in order."""
    return [f"stage-{index:02}" for index in range(1, count + 1)]


def format_values(values: Values) -> Genotype:
    """Return the genotype of the values; each node of a cell represents one decision."""
    return Genotype(
        space=SPACE,
        cells={
            name: Cell(
                num_inputs=1,
                nodes=tuple((Edge(0, _format(decision, value)),) for decision, value in decided.items()),
            )
            for name, decided in values.items()
        },
    )


def read_values(genotype: Genotype) -> Values:
    """Read the output of `format_values`; raises GenotypeError."""
    if genotype.space != SPACE:
        raise GenotypeError(f"space must be {SPACE!r}, got {genotype.space!r}")
    values = {name: dict(_read_cell(cell)) for name, cell in genotype.cells.items()}
    if format_values(values) != genotype:
        raise GenotypeError(f"not a network of stages: {genotype.to_line()}")
    return values


def _read_cell(cell: Cell) -> Iterator[tuple[str, Value]]:
    for node in cell.nodes:
        for edge in node:
            decision, _, text = edge.primitive.partition("-")
            yield decision, text if decision in NOMINAL else _number(edge.primitive, text)


def _number(primitive: str, text: str) -> int | float:
    try:
        number = float(text.replace("_", "."))
    except ValueError as error:
        raise GenotypeError(f"{primitive!r} must be a decision and its value") from error
    return int(number) if number == math.floor(number) else number


def _format(decision: str, value: Value) -> str:
    text = value if isinstance(value, str) else f"{value:g}".replace(".", "_")
    return f"{decision}-{text}"


def _values(of: Stage | Design) -> dict[str, Value]:
    return {field.name: getattr(of, field.name) for field in fields(of) if field.name != "stages"}


def _check(of: Any) -> None:
    """Raise GenotypeError if a value is not allowed."""
    for name, value in _values(of).items():
        if name in NOMINAL:
            if value not in NOMINAL[name]:
                raise GenotypeError(f"{name} must be among {', '.join(NOMINAL[name])}, got {value!r}")
            continue
        least = 1 if name in LEAST_ONE else 0
        if not isinstance(value, int | float) or not math.isfinite(value) or value < least:
            raise GenotypeError(f"{name} must be a number of at least {least}, got {value!r}")
        if name not in SHARES and value != int(value):
            raise GenotypeError(f"{name} must be a whole number, got {value!r}")


LEAST_ONE = ("width", "stem_width", "kernel", "stride", "expansion", "resolution")
SHARES = ("expansion", "squeeze")
