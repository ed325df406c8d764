"""Draws the cells of a genotype as text."""

from rich.columns import Columns
from rich.console import RenderableType
from rich.panel import Panel
from rich.text import Text

from cellwright.genotype import Cell, Genotype
from cellwright.report.stages import draw_stages
from cellwright.spaces.stages.design import SPACE


def draw_genotype(genotype: Genotype) -> RenderableType:
    """Draw a network of stages as a table, and any other network with a frame for each cell."""
    return draw_stages(genotype) if genotype.space == SPACE else draw_cells(genotype)


def draw_cells(genotype: Genotype) -> RenderableType:
    """Draw each cell of the genotype in a frame, side by side if there is room."""
    titles = {name: name if name == "cell" else f"{name} cell" for name in genotype.cells}
    return Columns(
        [Panel(draw_cell(cell), title=titles[name], expand=False) for name, cell in genotype.cells.items()]
    )


def draw_cell(cell: Cell) -> Text:
    """Draw the edges into each node with their sources, and the node's width if it has one."""
    width = max((len(edge.primitive) for node in cell.nodes for edge in node), default=0)
    lines = []
    for index, node in enumerate(cell.nodes):
        for position, edge in enumerate(node):
            source = _feature_map(cell, edge.source)
            arrow = f"─{edge.primitive:─^{width}}─"
            joint = _joint(position, len(node))
            target = f" {_node(cell, index)}" if position == (len(node) - 1) // 2 else ""
            lines.append(f"{source:>7} {arrow}{joint}{target}")
    return Text("\n".join(lines), no_wrap=True)


def _node(cell: Cell, index: int) -> str:
    return f"node {index}" if cell.widths is None else f"node {index}, {cell.widths[index]} %"


def _feature_map(cell: Cell, source: int) -> str:
    return f"input {source}" if source < cell.num_inputs else f"node {source - cell.num_inputs}"


def _joint(position: int, count: int) -> str:
    """Return the character that joins one of a node's edges to the others."""
    if count == 1:
        return "──▶"
    first, last, marked = position == 0, position == count - 1, position == (count - 1) // 2
    corner = "┬" if first else "┘" if last else "┤"
    return f"─{corner}{'▶' if marked else ' '}"
