"""The genotype: the representation of an architecture, used from search to registry."""

import itertools
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Annotated, Any

from pydantic import PlainSerializer, PlainValidator

from cellwright.canonical import canonical_json, digest
from cellwright.errors import CellwrightError

MAX_NUMBERINGS = 40_320
"""Maximum number of node numberings to try for one cell: those of eight indistinguishable nodes."""
CACHED = 1 << 13
"""Number of cells whose isomorphism keys are cached."""
_NAME = re.compile(r"[a-z0-9_][a-z0-9_-]*")


class GenotypeError(CellwrightError, ValueError):
    """A genotype that breaks a rule, or a text that cannot be parsed as one."""


@dataclass(frozen=True, order=True, slots=True)
class Edge:
    """A chosen edge into a node: its source and its primitive.

    Sources count the cell's inputs first (0 and 1 in a DARTS cell), then its nodes.
    """

    source: int
    primitive: str

    def __post_init__(self) -> None:
        if self.source < 0:
            raise GenotypeError(f"source must be at least 0, got {self.source}")
        if not _NAME.fullmatch(self.primitive):
            raise GenotypeError(f"primitive must match {_NAME.pattern}, got {self.primitive!r}")


Node = tuple[Edge, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Cell:
    """A directed acyclic graph with `num_inputs` inputs, followed by nodes that each sum their edges."""

    num_inputs: int
    nodes: tuple[Node, ...]
    widths: tuple[int, ...] | None = None
    """Channels of each node, in percent of its default; None if the space does not search widths."""

    def __post_init__(self) -> None:
        if self.widths is not None and (
            len(self.widths) != len(self.nodes) or min(self.widths, default=1) < 1
        ):
            raise GenotypeError(
                f"widths must be at least 1 and one for each of {len(self.nodes)} nodes, got {list(self.widths)}"
            )
        for index, node in enumerate(self.nodes):
            for edge in node:
                if edge.source >= self.num_inputs + index:
                    raise GenotypeError(
                        f"node {index} must read an earlier node (source below "
                        f"{self.num_inputs + index}), got source {edge.source}"
                    )
        object.__setattr__(self, "nodes", tuple(tuple(sorted(node)) for node in self.nodes))

    @lru_cache(CACHED)  # noqa: B019 - cells are small and frozen
    def isomorphism_key(self) -> str:
        """Return a text that is the same for all cells that differ only in the numbering of their nodes.

        Weisfeiler-Lehman colours tell most nodes apart. For nodes with the same colour, all numberings are tried, and
        the smallest text is the key. Twins, which have the same edges in and out, need only one numbering.

        Raises:
            GenotypeError: there are too many numberings.
        """
        classes = _colour_classes(self)
        free = [len(members) for members in classes if not _are_twins(self, members)]
        if math.prod(map(math.factorial, free)) > MAX_NUMBERINGS:
            raise GenotypeError(
                f"a cell must have at most {MAX_NUMBERINGS} numberings of equivalent nodes, got groups of "
                f"{', '.join(map(str, free))}"
            )
        orders = itertools.product(
            *(
                [tuple(members)] if _are_twins(self, members) else itertools.permutations(members)
                for members in classes
            )
        )
        return min(_format(self, tuple(itertools.chain(*order))) for order in orders)


@dataclass(frozen=True, kw_only=True, slots=True)
class Genotype:
    """A discrete architecture of one search space: one cell for each cell type of the space."""

    space: str
    cells: Mapping[str, Cell]

    def __post_init__(self) -> None:
        for name in (self.space, *self.cells):
            if not _NAME.fullmatch(name):
                raise GenotypeError(f"space and cell names must match {_NAME.pattern}, got {name!r}")
        object.__setattr__(self, "cells", dict(sorted(self.cells.items())))

    def __hash__(self) -> int:
        return hash(self.to_line())

    @property
    def digest(self) -> str:
        """Return 16 hex digits that identify the genotype, including its node numbering."""
        return digest(self.to_dict())

    def isomorphism_key(self) -> str:
        """Return a text that is the same for all genotypes of the same network."""
        cells = (f"{name}~{cell.isomorphism_key()}" for name, cell in self.cells.items())
        return ":".join((self.space, *cells))

    def to_dict(self) -> dict[str, Any]:
        """Return the genotype as JSON values."""
        return {
            "space": self.space,
            "cells": {
                name: {
                    "num_inputs": cell.num_inputs,
                    "nodes": [[[edge.source, edge.primitive] for edge in node] for node in cell.nodes],
                    **({} if cell.widths is None else {"widths": list(cell.widths)}),
                }
                for name, cell in self.cells.items()
            },
        }

    def to_json(self) -> str:
        """Return the genotype as canonical JSON."""
        return canonical_json(self.to_dict())

    def to_line(self) -> str:
        """Return the genotype as one shell-safe word of `[A-Za-z0-9._:,~-]`, which Katib passes on unchanged.

        The form is `SPACE:CELL:…`, where a cell is `NAME~INPUTS~NODE~…` and a node `SOURCE.PRIMITIVE,…`. A node with a
        width starts with it: `WIDTH,SOURCE.PRIMITIVE,…`.
        """
        return ":".join(
            (
                self.space,
                *(
                    "~".join((name, str(cell.num_inputs), *map(_format_node, cell.nodes, _widths(cell))))
                    for name, cell in self.cells.items()
                ),
            )
        )

    @classmethod
    def from_dict(cls, value: Any) -> "Genotype":
        """Read the output of `to_dict`; raises GenotypeError."""
        try:
            return cls(
                space=value["space"],
                cells={
                    name: Cell(
                        num_inputs=cell["num_inputs"],
                        nodes=tuple(
                            tuple(Edge(source, primitive) for source, primitive in node)
                            for node in cell["nodes"]
                        ),
                        widths=tuple(cell["widths"]) if "widths" in cell else None,
                    )
                    for name, cell in value["cells"].items()
                },
            )
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            if isinstance(error, GenotypeError):
                raise
            raise GenotypeError(f"not a genotype: {value!r:.200}") from error

    @classmethod
    def from_line(cls, line: str) -> "Genotype":
        """Parse the output of `to_line`; raises GenotypeError."""
        space, *cells = line.strip().split(":")
        return cls(space=space, cells=dict(_parse_cell(cell) for cell in cells))


def _read(value: Any) -> Genotype:
    if isinstance(value, Genotype):
        return value
    if not isinstance(value, str):
        raise GenotypeError(f"a genotype must be its line, got {value!r:.200}")
    return Genotype.from_line(value)


GenotypeLine = Annotated[Genotype, PlainValidator(_read), PlainSerializer(Genotype.to_line, return_type=str)]
"""A genotype, stored in JSON as its line."""


def _parse_cell(text: str) -> tuple[str, Cell]:
    name, num_inputs, *nodes = text.split("~") if "~" in text else (text, "")
    if not _is_number(num_inputs):
        raise GenotypeError(f"a cell must be NAME~INPUTS~NODE~…, got {text!r}")
    parsed = [_parse_node(node) for node in nodes]
    widths = tuple(width for width, _ in parsed if width is not None)
    return name, Cell(
        num_inputs=int(num_inputs), nodes=tuple(node for _, node in parsed), widths=widths or None
    )


def _parse_node(text: str) -> tuple[int | None, Node]:
    first, _, rest = text.partition(",")
    width, edges = (int(first), rest) if _is_number(first) else (None, text)
    return width, tuple(_parse_edge(edge) for edge in edges.split(",")) if edges else ()


def _parse_edge(text: str) -> Edge:
    source, _, primitive = text.partition(".")
    if not _is_number(source):
        raise GenotypeError(f"an edge must be SOURCE.PRIMITIVE, got {text!r}")
    return Edge(int(source), primitive)


def _is_number(text: str) -> bool:
    return text.isdecimal() and len(text) < 10


def _widths(cell: Cell) -> Sequence[int | None]:
    return (None,) * len(cell.nodes) if cell.widths is None else cell.widths


def _format_node(node: Node, width: int | None) -> str:
    edges = [f"{edge.source}.{edge.primitive}" for edge in node]
    return ",".join(edges if width is None else (str(width), *edges))


def _format(cell: Cell, order: tuple[int, ...]) -> str:
    """Return the cell as text with its nodes in the given order and the sources renumbered."""
    inputs, widths = cell.num_inputs, _widths(cell)
    index = {node: inputs + position for position, node in enumerate(order)}
    renumbered = (
        _format_node(
            tuple(
                sorted(Edge(index.get(e.source - inputs, e.source), e.primitive) for e in cell.nodes[node])
            ),
            widths[node],
        )
        for node in order
    )
    return "~".join((str(inputs), *renumbered))


def _colour_classes(cell: Cell) -> list[list[int]]:
    """Group the nodes by their Weisfeiler-Lehman colour, in an order that does not depend on their numbering."""
    colours = [str(width) for width in _widths(cell)]
    for _ in cell.nodes:
        seen: list[list[str]] = [[] for _ in cell.nodes]
        for node, source, primitive in _inner_edges(cell):
            seen[source].append(f">{primitive}.{colours[node]}")
        for index, edges in enumerate(cell.nodes):
            for edge in edges:
                inner = edge.source - cell.num_inputs
                colour = f"i{edge.source}" if inner < 0 else f"n{colours[inner]}"
                seen[index].append(f"<{edge.primitive}.{colour}")
        colours = [digest([colours[index], *sorted(neighbours)]) for index, neighbours in enumerate(seen)]
    return [
        [index for index, colour in enumerate(colours) if colour == wanted] for wanted in sorted(set(colours))
    ]


def _are_twins(cell: Cell, members: Sequence[int]) -> bool:
    """Return whether swapping any two of these nodes leaves the cell unchanged."""
    edges: dict[int, list[tuple[int, str]]] = {node: [] for node in members}
    for reader, source, primitive in _inner_edges(cell):
        if source in edges:
            edges[source].append((reader, primitive))
    widths = _widths(cell)
    first = members[0]
    return all(
        (cell.nodes[node], edges[node], widths[node]) == (cell.nodes[first], edges[first], widths[first])
        for node in members
    )


def _inner_edges(cell: Cell) -> Iterator[tuple[int, int, str]]:
    """Yield (node, source node, primitive) for the edges between nodes."""
    for index, node in enumerate(cell.nodes):
        for edge in node:
            if edge.source >= cell.num_inputs:
                yield index, edge.source - cell.num_inputs, edge.primitive
