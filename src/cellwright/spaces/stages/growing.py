"""Grows a trained network of stages into a larger one with the same outputs.

Based on Chen et al. 2016, https://arxiv.org/abs/1511.05641, but without noise: new channels copy old ones, and the
weights that read them start at zero, so the copies learn differently from the first step on.

- width, stem_width, last, hidden, expansion: as above;
- kernel: zeros around the old kernel;
- depth: the branch of a new block ends in zeros;
- squeeze: gates start at one half, and the layer after them is doubled.
"""

from collections.abc import Iterator, Mapping
from itertools import pairwise
from math import gcd

import torch
from torch import Tensor
from torch.nn import functional

from cellwright.genotype import Genotype, GenotypeError
from cellwright.spaces.stages.blocks import inner_width
from cellwright.spaces.stages.design import Design, Stage
from cellwright.spaces.stages.space import Stages

State = Mapping[str, Tensor]
"""State dict of a `StagesNetwork`."""

LAST = {
    "basic": ("norm2",),
    "pooled": ("norm2",),
    "pre-activation": ("conv2",),
    "bottleneck": ("norm3",),
    "mbconv": ("norm3",),
    "fused-mbconv": ("norm2", "norm1"),
    "convnext": ("scale",),
}
"""The last layer of a block's branch: the first of these that it has. A `plain` block has no branch."""
AFTER_GATES = {"basic": "norm2", "bottleneck": "conv3", "mbconv": "conv3", "fused-mbconv": "conv2"}
"""The layer that is doubled if gates of one half are added."""


def growths(space: Stages, genotype: Genotype) -> Iterator[Genotype]:
    """Yield the genotypes of the space that differ in one decision and that the genotype's network can grow into."""
    key = space.isomorphism_key(genotype)
    for neighbour in space.neighbours(genotype):
        if space.isomorphism_key(neighbour) != key and can_grow(genotype, neighbour):
            yield neighbour


def can_grow(genotype: Genotype, larger: Genotype) -> bool:
    """Return whether `grow` can turn the genotype's network into the other's."""
    try:
        check_growth(Design.of(genotype).canonical, Design.of(larger).canonical)
    except GenotypeError:
        return False
    return True


def grow(genotype: Genotype, state: State, larger: Genotype, fresh: State) -> dict[str, Tensor]:
    """Return weights for the larger network that give the same outputs, also in training.

    Args:
        genotype: genotype of the trained network.
        state: its state dict.
        larger: genotype to grow into.
        fresh: state dict of the larger network with initial weights, which new blocks use.

    Raises:
        GenotypeError: the outputs cannot be the same; the message has the reason.
    """
    small, large = Design.of(genotype).canonical, Design.of(larger).canonical
    check_growth(small, large)
    grown = {name: tensor.clone() for name, tensor in fresh.items()}
    origins = dict(kept_blocks(small, large))
    for name, tensor in fresh.items():
        block, _, rest = split_name(name)
        origin = name if block is None else f"blocks.{origins.get(block)}.{rest}"
        if origin in state:
            grown[name] = _enlarged(state[origin], tensor.shape)
    for index, stage, is_new, gains_gates in _changes(small, large):
        branch = f"blocks.{index}.branch."
        if is_new:
            _silence(grown, branch, stage)
        elif gains_gates:
            for part in ("weight", "bias"):
                grown[f"{branch}squeeze.expand.{part}"].zero_()
            for name in _tensors(grown, branch + AFTER_GATES[stage.block]):
                if name.endswith((".weight", ".bias")):
                    grown[name] *= 2
    return grown


def check_growth(small: Design, large: Design) -> None:
    """Raise GenotypeError, naming the rule, if the small design cannot exactly grow into the large one."""
    for name in ("stem", "halving", "activation", "resolution", "pooling"):
        before, after = getattr(small, name), getattr(large, name)
        _require(after == before, name, "stay", before, after)
    for name in ("stem_width", "last", "hidden"):
        before, after = getattr(small, name), getattr(large, name)
        _require(after == before or after > before > 0, name, "not shrink, nor begin", before, after)
    _require(len(small.stages) == len(large.stages), "stages", "stay", len(small.stages), len(large.stages))
    widths = [(design.stem_width, *(stage.width for stage in design.stages)) for design in (small, large)]
    steps = zip(small.stages, large.stages, *map(pairwise, widths), strict=True)
    for index, (stage, grown, position, place_grown) in enumerate(steps):
        where = f"stage {index + 1}: "
        for name in ("block", "stride", "group"):
            before, after = getattr(stage, name), getattr(grown, name)
            _require(after == before, where + name, "stay", before, after)
        for name in ("depth", "width", "kernel"):
            before, after = getattr(stage, name), getattr(grown, name)
            _require(after >= before, where + name, "not shrink", before, after)
        _check_branch(where, stage, grown, position[0], place_grown[0], small.activation)
        was_same, is_same = (before == after for before, after in (position, place_grown))
        rule = "equal the one before it as it did" if was_same else "differ from the one before it as it did"
        _require(stage.stride == 2 or was_same == is_same, where + "width", rule, position, place_grown)
    normed = [small.stem.startswith("patch"), *(stage.block == "convnext" for stage in small.stages)]
    for index, (before, after) in enumerate(zip(*widths, strict=True)):
        _require(
            before == after or not any(normed[index : index + 2]),
            "width",
            "stay where channels are normed together",
            before,
            after,
        )


def _check_branch(
    name: str, stage: Stage, grown: Stage, before: int, before_grown: int, activation: str
) -> None:
    """Check that each old block can keep its function, and that each new one can be the identity."""
    if grown.depth > stage.depth:
        _require(
            _begins_as_identity(stage, activation),
            name + "depth",
            f"stay in {stage.block} with {activation}",
            stage.depth,
            grown.depth,
        )
    for first, first_grown in ((before, before_grown), (stage.width, grown.width)):
        inner, inner_grown = inner_width(stage, first), inner_width(grown, first_grown)
        _require(inner_grown >= inner, name + "expansion", "not shrink the middle", inner, inner_grown)
        if stage.group:
            groups = gcd(inner, stage.group), gcd(inner_grown, grown.group)
            _require(groups[0] == groups[1], name + "group", "stay", *groups)
    expands = stage.expansion > 1, grown.expansion > 1
    if stage.block in ("mbconv", "fused-mbconv"):
        _require(expands[0] == expands[1], name + "expansion", "not begin", stage.expansion, grown.expansion)
    _require(grown.squeeze >= stage.squeeze, name + "squeeze", "not shrink", stage.squeeze, grown.squeeze)
    if grown.squeeze > stage.squeeze == 0:
        linear = stage.block != "fused-mbconv" or expands[0]
        _require(linear, name + "squeeze", "stay 0 without expansion", stage.squeeze, grown.squeeze)


def _begins_as_identity(stage: Stage, activation: str) -> bool:
    """Return whether a block can initially pass on its input, which is the output of a block, and learn from there."""
    match stage.block:
        case "plain":
            return False
        case "basic" | "bottleneck":
            return activation in RECTIFIERS  # the second activation, after the sum, must be idempotent
        case "pooled":
            return (
                activation not in RECTIFIERS
            )  # the branch ends with it, and no gradient passes a rectifier at 0
        case "fused-mbconv":
            return stage.expansion > 1 or activation not in RECTIFIERS
    return True


RECTIFIERS = ("relu", "relu6")


def _require(holds: bool, name: str, rule: str, before: object, after: object) -> None:
    if not holds:
        raise GenotypeError(f"{name} must {rule} for exact growth, got {before} and then {after}")


def kept_blocks(small: Design, large: Design) -> Iterator[tuple[int, int]]:
    """Yield the index of each old block in the large design, and its index in the small one."""
    position = place_before = 0
    for stage, grown in zip(small.stages, large.stages, strict=True):
        yield from ((position + number, place_before + number) for number in range(stage.depth))
        position += grown.depth
        place_before += stage.depth


def _changes(small: Design, large: Design) -> Iterator[tuple[int, Stage, bool, bool]]:
    """Yield each block's index, its stage, whether it is new, and whether it gains gates."""
    position = 0
    for stage, grown in zip(small.stages, large.stages, strict=True):
        for number in range(grown.depth):
            yield position, grown, number >= stage.depth, grown.squeeze > 0 == stage.squeeze
            position += 1


def split_name(name: str) -> tuple[int | None, str, str]:
    """Split a tensor's name into the block's index, if it belongs to a block, and the rest."""
    head, dot, rest = name.partition(".")
    if head != "blocks":
        return None, "", name
    position, dot, rest = rest.partition(".")
    return int(position), dot, rest


def _enlarged(tensor: Tensor, shape: torch.Size) -> Tensor:
    """Return the tensor in the new shape: outputs are repeated; new inputs and taps are zeros."""
    for dim in range(2, tensor.ndim):
        around = (shape[dim] - tensor.shape[dim]) // 2
        tensor = functional.pad(tensor, (0, 0) * (tensor.ndim - 1 - dim) + (around, around))
    if tensor.ndim > 1:
        tensor = functional.pad(tensor, (0, 0) * (tensor.ndim - 2) + (0, shape[1] - tensor.shape[1]))
    if tensor.ndim == 0:
        return tensor.clone()
    return tensor[torch.arange(shape[0], device=tensor.device) % len(tensor)]


def _silence(state: dict[str, Tensor], branch: str, stage: Stage) -> None:
    """Set the last layer of a new block's branch to zeros."""
    for layer in LAST[stage.block]:
        names = [
            name for name in _tensors(state, branch + layer) if name.endswith((".weight", ".bias", layer))
        ]
        for name in names:
            state[name].zero_()
        if names:
            return


def _tensors(state: State, prefix: str) -> list[str]:
    return [name for name in state if name == prefix or name.startswith(prefix + ".")]
