"""Draws networks of stages as text."""

from collections.abc import Iterator

from rich import box
from rich.table import Table

from cellwright.genotype import Genotype
from cellwright.spaces.stages.design import EXPANDING, OWN_HALVING, Design, Stage

STEM_SIDES = {"conv3-2": 2, "patch2": 2, "conv7-4": 4, "patch4": 4}
"""Total stride of each stem, if above 1."""


COLUMNS = ("", "block", "kernel", "depth", "channels", "sides", "more")
NUMBERS = ("depth", "channels", "sides")


def draw_stages(genotype: Genotype) -> Table:
    """Return the rows of the genotype as a table."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for name in COLUMNS:
        table.add_column("" if name == "more" else name, justify="right" if name in NUMBERS else "left")
    for row in rows(genotype):
        table.add_row(*row)
    return table


def rows(genotype: Genotype) -> Iterator[tuple[str, ...]]:
    """Yield a row for the stem, each stage and the head, with their output channels and sizes.

    Sizes are relative to the image's, since a genotype applies to images of any size.
    """
    design = Design.of(genotype).canonical
    sides = STEM_SIDES.get(design.stem, 1)
    seen = "" if design.resolution == 100 else f"sees {design.resolution} % of the sides"
    yield "stem", design.stem, "", "", str(design.stem_width), _share(sides), seen
    for index, stage in enumerate(design.stages, start=1):
        sides *= stage.stride
        kernel = f"{stage.kernel}×{stage.kernel}"
        extras = ", ".join(_extras(stage, design))
        yield f"stage {index}", stage.block, kernel, str(stage.depth), str(stage.width), _share(sides), extras
    if design.last:
        yield "last", "convolution", "1×1", "", str(design.last), _share(sides), ""
    hidden = f", then {design.hidden} hidden units" if design.hidden else ""
    yield "head", f"{design.pooling} pooling", "", "", "", "", f"{design.activation}{hidden}"


def _extras(stage: Stage, design: Design) -> list[str]:
    """Return other properties of a stage."""
    extras = []
    if stage.stride == 2 and stage.block not in OWN_HALVING and design.halving != "stride":
        extras.append(f"halved by {design.halving} pooling")
    if stage.block in EXPANDING and stage.expansion > 1:
        extras.append(f"{'÷' if stage.block == 'bottleneck' else '×'}{stage.expansion:g} inside")
    if stage.squeeze:
        extras.append(f"squeeze-excitation {stage.squeeze:g}")
    if stage.group:
        extras.append(f"groups of {stage.group}")
    return extras


def _share(divisor: int) -> str:
    return "1" if divisor == 1 else f"1/{divisor}"
