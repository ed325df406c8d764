"""The parts of a network of stages: smaller networks that consist of its own weights.

A part has the leading channels of each layer, the first blocks of each stage, and the centres of the kernels, as in
https://arxiv.org/abs/1908.09791. `spaces.stages.cutting` cuts it out.
"""

import random
from collections.abc import Mapping, Sequence
from itertools import pairwise
from math import gcd

from cellwright.genotype import Genotype
from cellwright.spaces.stages.blocks import inner_width
from cellwright.spaces.stages.design import (
    NETWORK,
    SPACE,
    Design,
    Value,
    format_values,
    read_values,
    stage_names,
)
from cellwright.spaces.stages.section import StagesSection
from cellwright.spaces.stages.space import Stages

NARROWEST = 0.25
"""Smallest width and expansion of a part, as a share of the largest network's."""
WIDTHS = ("stem_width", "last", "hidden", "width")
WIDENING = ("mbconv", "fused-mbconv", "convnext")
"""Blocks whose middle grows with the expansion."""
CHANGED = 0.25
"""Probability with which `Parts.vary` draws a decision again."""
NUM_DRAWN = 64
"""Parts among which the smallest one is looked for, if the smallest values together are no part."""


class Parts:
    """The parts of one network that are in a space.

    Args:
        space: the space of the user.
        largest: the network that parts are cut out of, a part itself.
    """

    def __init__(self, space: Stages, largest: Genotype) -> None:
        self.largest = largest
        self.section = _section(space, largest)
        """A space with all parts, and some combinations of values that are none."""
        self.space = Stages.of(self.section)
        self._whole = Design.of(largest)

    def __contains__(self, genotype: Genotype) -> bool:
        return self.space.contains(genotype) and is_part(Design.of(genotype), self._whole)

    def draw(self, rng: random.Random) -> Genotype:
        """Draw a part."""
        while True:
            if (part := self._tied(self.space.sample(rng))) in self:
                return part

    def vary(self, genotype: Genotype, rng: random.Random) -> Genotype:
        """Return a part that differs from another one in some decisions; itself if the network has no other part."""
        groups = self.space.decisions
        if all(choices == 1 for _, choices in groups.values()):
            return genotype
        while True:
            taken = {
                group: [rng.randrange(groups[group][1])] if rng.random() < CHANGED else list(row)
                for group, row in self.space.taken(genotype).items()
            }
            part = self._tied(self.space.genotype(taken))
            if part != genotype and part in self:
                return part

    def smallest(self) -> Genotype:
        """Return the part with the smallest value of each decision, or a small one if there is no such part."""
        values = {
            cell: {name: min(of) for name, of in decided.items()}
            for cell, decided in self.space.values.items()
        }
        part = self._tied(format_values(values))
        if part in self:
            return part
        rng = random.Random(0)
        return min((self.draw(rng) for _ in range(NUM_DRAWN)), key=_size)

    def _tied(self, genotype: Genotype) -> Genotype:
        """Return the genotype with equal widths where a shortcut of the largest network has no convolution."""
        values = {cell: dict(decided) for cell, decided in read_values(genotype).items()}
        width, whole_width = values[NETWORK]["stem_width"], self._whole.stem_width
        for cell, whole in zip(stage_names(len(self._whole.stages)), self._whole.stages, strict=True):
            if not whole.depth:
                continue
            if whole.stride == 1 and whole.width == whole_width and width in self.space.values[cell]["width"]:
                values[cell]["width"] = width
            width, whole_width = values[cell]["width"], whole.width
        return format_values(values)


def is_part(small: Design, large: Design) -> bool:
    """Return whether the weights of one design's network contain all that the other's consists of.

    Values that must not grow, such as widths, are expected not to.
    """
    small, large = small.canonical, large.canonical
    steps = zip(
        small.stages, large.stages, *(pairwise(_widths(design)) for design in (small, large)), strict=True
    )
    for stage, whole, (before, width), (whole_before, whole_width) in steps:
        if stage.stride == 1 and (before == width) != (whole_before == whole_width):
            return False  # only one of them has a convolution in its shortcut
        for first, whole_first in ((before, whole_before), (width, whole_width)):
            inner, whole_inner = inner_width(stage, first), inner_width(whole, whole_first)
            groups_differ = stage.group and gcd(inner, stage.group) != gcd(whole_inner, whole.group)
            if inner > whole_inner or groups_differ:
                return False
    return True


def _section(space: Stages, largest: Genotype) -> StagesSection:
    """Return the section of the space with the values that parts may have."""
    chosen: Mapping[str, Mapping[str, Sequence[Value]]] = {
        cell: {
            name: _choices(name, decided, space.values[cell][name], str(own.get("block")))
            for name, decided in own.items()
        }
        for cell, own in read_values(largest).items()
    }
    stages = [decided for cell, decided in chosen.items() if cell != NETWORK]
    return StagesSection.model_validate({"kind": SPACE, **chosen[NETWORK], "stages": stages})


def _choices(name: str, own: Value, values: Sequence[Value], block: str) -> tuple[Value, ...]:
    """Return the values of a decision that parts may have, given the largest network's own."""
    if isinstance(own, str) or own == 0:
        return (own,)
    least = {"depth": 1.0, "kernel": 1.0, **dict.fromkeys(WIDTHS, NARROWEST * own)}
    if block in WIDENING and own > 1:
        least["expansion"] = max(NARROWEST * own, 1.5)
    if name not in least:
        return (own,)
    return tuple(value for value in values if not isinstance(value, str) and least[name] <= value <= own)


def _widths(design: Design) -> tuple[int, ...]:
    return (design.stem_width, *(stage.width for stage in design.stages))


def _size(genotype: Genotype) -> float:
    return sum(stage.depth * stage.width**2 * stage.kernel**2 for stage in Design.of(genotype).stages)
