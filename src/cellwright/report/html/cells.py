"""Draws a cell as an arc diagram: feature maps in a row, and a labelled arc for each edge."""

from markupsafe import Markup

from cellwright.genotype import Cell

STEP, BOX, RISE, MARGIN = 150, (86, 28), 30, 60
"""In pixels: distance of feature maps, size of a box, distance of nested arcs, and margin on both sides."""


def draw(cell: Cell, title: str) -> Markup:
    """Return the SVG of a cell."""
    names = [f"input {source}" for source in range(cell.num_inputs)]
    names += [f"node {index}" for index in range(len(cell.nodes))]
    edges = [
        (edge.source, cell.num_inputs + index, edge.primitive)
        for index, node in enumerate(cell.nodes)
        for edge in node
    ]
    highest = max((end - start for start, end, _ in edges), default=1)
    base = RISE * highest + 40
    width, height = 2 * MARGIN + STEP * (len(names) - 1) + BOX[0], base + BOX[1] + 10
    parts = [_arc(start, end, primitive, base) for start, end, primitive in edges]
    parts += [_box(index, name, base) for index, name in enumerate(names)]
    return Markup(
        '<svg class="cell" role="img" aria-label="{title}" viewBox="0 0 {width} {height}" width="{width}">{parts}</svg>'
    ).format(title=title, width=width, height=height, parts=Markup("").join(parts))


def _centre(index: int) -> int:
    return MARGIN + BOX[0] // 2 + STEP * index


def _box(index: int, name: str, base: int) -> Markup:
    return Markup(
        '<rect x="{x}" y="{y}" width="{w}" height="{h}" rx="6"/><text x="{cx}" y="{cy}">{name}</text>'
    ).format(
        x=_centre(index) - BOX[0] // 2, y=base, w=BOX[0], h=BOX[1], cx=_centre(index), cy=base + 19, name=name
    )


def _arc(start: int, end: int, primitive: str, base: int) -> Markup:
    left, right, top = _centre(start) + 10, _centre(end) - 10, base - RISE * (end - start)
    return Markup(
        '<path d="M{left} {base}C{left} {control},{right} {control},{right} {base}"/><path class="head" '
        'd="M{right} {base}l-4 -8h8z"/><text class="operation" x="{middle}" y="{label}">{primitive}</text>'
    ).format(
        left=left,
        right=right,
        base=base,
        control=base - 4 * (base - top) // 3,
        middle=(left + right) // 2,
        label=top - 4,
        primitive=primitive,
    )
