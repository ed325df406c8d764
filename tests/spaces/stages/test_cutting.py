"""A part that is cut out computes what the whole network does with all else switched off."""

import random
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from cellwright.nn.initialising import seeded_initialisation
from cellwright.spaces.stages.cutting import Cutter
from cellwright.spaces.stages.design import Design, Stage
from cellwright.spaces.stages.growing import kept_blocks
from cellwright.spaces.stages.networks import StagesNetwork
from cellwright.spaces.stages.parts import Parts
from cellwright.spaces.stages.section import StageChoices, StagesSection
from cellwright.spaces.stages.space import Stages
from cellwright.tasks.images.task import ImageClassification

TASK = ImageClassification(map_shape=(2, 9, 9), mean=(0.1, 0.2), std=(1.0, 2.0), class_names=("a", "b", "c"))
BLOCKS = ("plain", "pooled", "basic", "pre-activation", "bottleneck", "mbconv", "fused-mbconv")
"""Channels that are normed together, as in a convnext, cannot be switched off one by one."""
STAGE = StageChoices(
    width=(8, 12, 16, 24), kernel=(3, 5, 7), depth=(1, 2, 3), expansion=(1, 2, 4), group=(0,)
)
SPACE = Stages.of(
    StagesSection(
        kind="stages",
        stem=("conv3",),
        stem_width=(4, 8, 16),
        last=(16, 32),
        hidden=(0,),
        stages=(STAGE, STAGE),
    )
)


def whole(block: str, **settings: Any) -> Design:
    stage = Stage(**{"block": block, "depth": 3, "width": 16, "kernel": 7, "expansion": 4, **settings})
    return Design(
        stem_width=16, activation="silu", last=32, stages=(stage, replace(stage, width=24, stride=2))
    )


def randomised(design: Design) -> StagesNetwork:
    with seeded_initialisation(0):
        network = StagesNetwork(TASK, design).double().eval()
        for tensor in network.parameters():
            if tensor.ndim == 1:
                nn.init.uniform_(tensor, 0.5, 1.5)
        for name, tensor in network.named_buffers():
            if name.endswith(("running_mean", "running_var")):
                nn.init.uniform_(tensor, 0.5, 1.5)
    return network


def switched_off(network: StagesNetwork, small: Design, large: Design, part: nn.Module) -> Tensor:
    """Return the outputs of the whole network without its other blocks, channels and taps: the plain twin."""
    kept = dict(kept_blocks(small, large))
    sizes = {name: tensor.shape for name, tensor in part.named_parameters()}
    for index in range(len(network.blocks)):
        if index not in kept:
            network.blocks[index] = Passing()
    with torch.no_grad():
        for name, tensor in network.named_parameters():
            head, _, rest = name.partition(".")
            if head == "blocks":
                number, _, rest = rest.partition(".")
                name = f"blocks.{kept[int(number)]}.{rest}"
            around = [
                (of - size) // 2 if dim > 1 else 0
                for dim, (of, size) in enumerate(zip(tensor.shape, sizes[name], strict=True))
            ]
            for dim, (start, size) in enumerate(zip(around, sizes[name], strict=True)):
                tensor.movedim(dim, 0)[:start] = 0
                tensor.movedim(dim, 0)[start + size :] = 0
    return network(INPUTS)


class Passing(nn.Module):
    def forward(self, x_BCHW: Tensor, kept_B: Tensor | None = None) -> Tensor:
        return x_BCHW


INPUTS = torch.rand(3, 2, 9, 9, dtype=torch.float64, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("block", BLOCKS)
def test_a_part_computes_what_the_whole_does_with_the_rest_switched_off(block: str):
    large = whole(block)
    parts = Parts(SPACE, large.genotype)
    rng = random.Random(1)
    for genotype in (parts.smallest(), parts.draw(rng), parts.vary(large.genotype, rng)):
        network, cutter, small = randomised(large), Cutter(TASK, large.genotype), Design.of(genotype)
        tensors = dict(network.named_parameters()) | dict(network.named_buffers())
        part = StagesNetwork(TASK, small).double().eval()
        part.load_state_dict({name: tensor.clone() for name, tensor in cutter.cut(genotype, tensors).items()})
        expected = switched_off(network, small.canonical, large.canonical, part)
        torch.testing.assert_close(part(INPUTS), expected, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("block", ("basic", "mbconv", "convnext"))
def test_a_part_trains_in_the_whole_as_it_would_alone(block: str):
    """The loss and its gradients are those of a copy, and the whole's statistics stay as they are."""
    large = whole(block)
    network, cutter = randomised(large).train(), Cutter(TASK, large.genotype)
    genotype = Parts(SPACE, large.genotype).smallest()
    tensors = dict(network.named_parameters()) | dict(network.named_buffers())
    before = {name: tensor.clone() for name, tensor in network.named_buffers()}
    part = StagesNetwork(TASK, Design.of(genotype)).double().train()
    part.load_state_dict(
        {name: tensor.detach().clone() for name, tensor in cutter.cut(genotype, tensors).items()}
    )
    outputs, alone = cutter.run(genotype, network, (INPUTS,)), part(INPUTS)
    torch.testing.assert_close(outputs, alone, rtol=1e-10, atol=1e-10)
    outputs.square().sum().backward()
    alone.square().sum().backward()
    gradients = {
        name: p.grad if p.grad is not None else torch.zeros_like(p) for name, p in network.named_parameters()
    }
    cut = cutter.cut(genotype, gradients | dict(network.named_buffers()))
    for name, parameter in part.named_parameters():
        torch.testing.assert_close(cut[name], parameter.grad, rtol=1e-9, atol=1e-9)
    for name, buffer in network.named_buffers():
        assert torch.equal(buffer, before[name])


@pytest.mark.parametrize("block", (*BLOCKS, "convnext"))
def test_parts_are_in_the_space_and_have_no_weight_that_the_whole_has_not(block: str):
    large = whole(block)
    parts, rng = Parts(SPACE, large.genotype), random.Random(0)
    cutter, network = Cutter(TASK, large.genotype), randomised(large)
    tensors = dict(network.named_parameters()) | dict(network.named_buffers())
    drawn = [parts.largest, parts.smallest(), *(parts.draw(rng) for _ in range(8))]
    for genotype in (*drawn, *(parts.vary(one, rng) for one in drawn)):
        assert genotype in parts and SPACE.contains(genotype)
        expected = {n: t.shape for n, t in StagesNetwork(TASK, Design.of(genotype)).state_dict().items()}
        assert {name: tensor.shape for name, tensor in cutter.cut(genotype, tensors).items()} == expected
    assert len(set(drawn)) > 4


def test_widths_that_an_identity_shortcut_joins_stay_equal():
    parts, rng = Parts(SPACE, whole("basic").genotype), random.Random(0)
    for design in (Design.of(parts.draw(rng)) for _ in range(20)):
        assert design.stages[0].width == design.stem_width
