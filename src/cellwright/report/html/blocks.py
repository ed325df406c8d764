"""Draws a network of stages as a row of blocks: their height is the feature map's size, their width the channels."""

import math
from dataclasses import dataclass

from markupsafe import Markup

from cellwright.genotype import Genotype
from cellwright.report.stages import STEM_SIDES
from cellwright.spaces.stages.design import Design

HEIGHT, LOWEST = 130, 26
"""Height in pixels of a block at the image's resolution, and minimum height."""
GAP, STAGE_GAP, MARGIN, TEXT_WIDTH = 4, 26, 10, 96
LINE = 15


@dataclass(frozen=True)
class _Group:
    """A row of equal blocks, with lines of text below them."""

    lines: tuple[str, ...]
    count: int
    channels: int
    sides: int
    """Total stride at the blocks' output."""

    @property
    def block_width(self) -> int:
        return max(10, round(4 * math.log2(max(self.channels, 2))))

    @property
    def width(self) -> int:
        return max(TEXT_WIDTH, self.count * (self.block_width + GAP))

    @property
    def height(self) -> int:
        return max(LOWEST, round(HEIGHT / math.sqrt(self.sides)))


def draw(genotype: Genotype, title: str) -> Markup:
    """Return the SVG of a network of stages."""
    groups = _groups(Design.of(genotype).canonical)
    base = HEIGHT + MARGIN
    width = 2 * MARGIN + sum(group.width + STAGE_GAP for group in groups) - STAGE_GAP
    height = base + LINE * max(len(group.lines) for group in groups) + MARGIN
    parts, left = [], MARGIN
    for group in groups:
        parts.append(_drawn(group, left, base))
        left += group.width + STAGE_GAP
    return Markup(
        '<svg class="cell" role="img" aria-label="{title}" viewBox="0 0 {width} {height}" width="{width}">{parts}</svg>'
    ).format(title=title, width=width, height=height, parts=Markup("").join(parts))


def _groups(design: Design) -> list[_Group]:
    sides = STEM_SIDES.get(design.stem, 1)
    groups = [
        _Group(
            ("stem", design.stem, f"{design.stem_width} channels", _share(sides)), 1, design.stem_width, sides
        )
    ]
    for stage in design.stages:
        sides *= stage.stride
        block = f"{stage.depth} × {stage.block}"
        lines = (block, f"{stage.kernel}×{stage.kernel}", f"{stage.width} channels", _share(sides))
        groups.append(_Group(lines, stage.depth, stage.width, sides))
    if design.last:
        groups.append(
            _Group(("last", "1×1", f"{design.last} channels", _share(sides)), 1, design.last, sides)
        )
    return groups


def _share(sides: int) -> str:
    return "sides 1" if sides == 1 else f"sides 1/{sides}"


def _drawn(group: _Group, left: int, base: int) -> Markup:
    centre = left + group.width / 2
    start = centre - group.count * (group.block_width + GAP) / 2
    blocks = [
        Markup('<rect x="{x:.1f}" y="{y}" width="{w}" height="{h}" rx="4"/>').format(
            x=start + index * (group.block_width + GAP),
            y=base - group.height,
            w=group.block_width,
            h=group.height,
        )
        for index in range(group.count)
    ]
    texts = [
        Markup('<text x="{x:.1f}" y="{y}">{line}</text>').format(
            x=centre, y=base + LINE * (row + 1), line=line
        )
        for row, line in enumerate(group.lines)
    ]
    return Markup("").join([*blocks, *texts])
