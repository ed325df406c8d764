import random
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from cellwright.genotype import GenotypeError
from cellwright.nn.initialising import seeded_initialisation
from cellwright.spaces.stages.design import Design, Stage
from cellwright.spaces.stages.growing import can_grow, grow, growths
from cellwright.spaces.stages.networks import StagesNetwork
from cellwright.spaces.stages.section import StagesSection
from cellwright.spaces.stages.space import Stages
from cellwright.tasks.images.task import ImageClassification

BLOCKS = ("plain", "pooled", "basic", "pre-activation", "bottleneck", "mbconv", "fused-mbconv", "convnext")


def design(block: str, **settings: Any) -> Design:
    """Return two stages of the block, the first of which halves and changes the width; `settings` are of both."""
    stage = Stage(**{"block": block, "depth": 2, "width": 16, "expansion": 2, **settings})
    return Design(stem_width=8, stages=(replace(stage, stride=2), replace(stage, width=24)))


def changed(base: Design, index: int = 0, **settings: Any) -> Design:
    stages = list(base.stages)
    stages[index] = replace(stages[index], **settings)
    return replace(base, stages=tuple(stages))


GROWTHS = {
    **{f"kernel, {block}": (design(block), {"kernel": 7}) for block in BLOCKS},
    **{
        f"depth, {block}": (design(block), {"depth": 4})
        for block in BLOCKS
        if block not in ("plain", "pooled")
    },
    "depth, pooled": (replace(design("pooled"), activation="silu"), {"depth": 4}),
    "depth, fused without expansion": (
        replace(design("fused-mbconv", expansion=1), activation="silu"),
        {"depth": 3},
    ),
    **{f"width, {block}": (design(block), {"width": 40}) for block in BLOCKS if block != "convnext"},
    **{
        f"expansion, {block}": (design(block), {"expansion": 6})
        for block in ("mbconv", "fused-mbconv", "convnext")
    },
    "expansion, bottleneck": (design("bottleneck", expansion=4, width=64), {"expansion": 1}),
    "groups": (design("bottleneck", expansion=4, width=64, group=8), {"expansion": 2}),
    **{
        f"squeeze, {block}": (replace(design(block), activation="silu"), {"squeeze": 0.25})
        for block in ("basic", "bottleneck", "mbconv", "fused-mbconv")
    },
    "wider with gates": (design("mbconv", squeeze=0.25), {"width": 48, "expansion": 4}),
    "hard gates": (
        replace(design("mbconv", squeeze=0.25), activation="hard-swish"),
        {"expansion": 6, "squeeze": 0.5},
    ),
    "pooled halving": (replace(design("basic"), halving="max"), {"kernel": 5, "width": 40, "squeeze": 0.25}),
    "everything": (design("mbconv"), {"kernel": 5, "depth": 3, "width": 32, "expansion": 4, "squeeze": 0.25}),
}


def trained(task: ImageClassification, network_design: Design, dtype: torch.dtype) -> StagesNetwork:
    """Return a network none of whose weights and statistics is what it begins with."""
    with seeded_initialisation(1):
        network = StagesNetwork(task, network_design).to(dtype)
        for name, tensor in network.state_dict().items():
            if tensor.is_floating_point() and tensor.ndim == 1:
                tensor.copy_(torch.rand(tensor.shape) + 0.5)
            elif tensor.is_floating_point() and "adapter" not in name:
                tensor.mul_(2 + torch.rand(tensor.shape))
    return network


def images(dtype: torch.dtype) -> Tensor:
    return torch.rand(4, 2, 8, 8, dtype=dtype, generator=torch.Generator().manual_seed(0))


def grown(task: ImageClassification, network: StagesNetwork, small: Design, large: Design) -> StagesNetwork:
    with seeded_initialisation(2):
        larger = StagesNetwork(task, large).to(next(network.parameters()).dtype)
    state = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    larger.load_state_dict(grow(small.genotype, state, large.genotype, larger.state_dict()))
    for name, tensor in network.state_dict().items():
        assert tensor.equal(state[name])
    return larger


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-10), (torch.float32, 1e-4)])
@pytest.mark.parametrize("case", GROWTHS)
def test_a_grown_network_gives_the_same_outputs(
    case: str, dtype: torch.dtype, tolerance: float, tiny_task: ImageClassification
):
    small, settings = GROWTHS[case]
    for large in (changed(small, 0, **settings), changed(small, 1, **settings)):
        network = trained(tiny_task, small, dtype)
        larger = grown(tiny_task, network, small, large)
        assert sum(p.numel() for p in larger.parameters()) > sum(p.numel() for p in network.parameters())
        for train in (False, True):
            outputs = network.train(train)(images(dtype))
            assert outputs.std(dim=0).max() > 1e-3
            torch.testing.assert_close(
                larger.train(train)(images(dtype)), outputs, rtol=tolerance, atol=tolerance
            )


def test_stem_last_convolution_and_hidden_layer_can_be_wider(tiny_task: ImageClassification):
    small = replace(design("basic"), last=16, hidden=8)
    large = replace(small, stem_width=24, last=40, hidden=20)
    network = trained(tiny_task, small, torch.float64).eval()
    larger = grown(tiny_task, network, small, large).eval()
    torch.testing.assert_close(
        larger(images(torch.float64)), network(images(torch.float64)), rtol=1e-10, atol=0
    )


@pytest.mark.parametrize("case", GROWTHS)
def test_what_is_new_learns(case: str, tiny_task: ImageClassification):
    small, settings = GROWTHS[case]
    network = trained(tiny_task, small, torch.float64)
    larger = grown(tiny_task, network, small, changed(small, 0, **settings))
    optimizer = torch.optim.SGD(larger.parameters(), lr=1e-3)
    for _ in range(3):
        optimizer.zero_grad()
        nn.functional.cross_entropy(larger(images(torch.float64)), torch.tensor([0, 1, 2, 0])).backward()
        optimizer.step()
    gradients = [parameter.grad for parameter in larger.parameters()]
    assert all(gradient is not None and gradient.abs().sum() > 0 for gradient in gradients)


@pytest.mark.parametrize(
    ("small", "large", "message"),
    [
        (design("basic"), changed(design("basic"), depth=1), "stage 1: depth must not shrink"),
        (design("basic"), changed(design("basic"), stride=1), "stage 1: stride must stay"),
        (design("basic"), design("pooled"), "stage 1: block must stay"),
        (design("plain"), changed(design("plain"), depth=3), "depth must stay in plain"),
        (
            replace(design("basic"), activation="silu"),
            replace(changed(design("basic"), depth=3), activation="silu"),
            "depth must stay in basic with silu",
        ),
        (design("pooled"), changed(design("pooled"), depth=3), "depth must stay in pooled with relu"),
        (
            design("fused-mbconv", expansion=1),
            changed(design("fused-mbconv", expansion=1), depth=3),
            "depth must stay in fused-mbconv with relu",
        ),
        (design("mbconv", expansion=1), design("mbconv"), "expansion must not begin"),
        (
            design("convnext"),
            changed(design("convnext"), width=24),
            "width must differ from the one before",
        ),
        (design("convnext"), changed(design("convnext"), width=20), "normed together"),
        (changed(design("basic"), 1, width=16), design("basic"), "width must equal the one before it"),
        (design("basic"), replace(design("basic"), last=8), "last must not shrink, nor begin"),
        (design("basic"), replace(design("basic"), activation="relu6"), "activation must stay"),
        (
            design("fused-mbconv", expansion=1),
            design("fused-mbconv", expansion=1, squeeze=0.25),
            "squeeze must stay 0 without expansion",
        ),
    ],
)
def test_what_cannot_be_exact_is_refused(small: Design, large: Design, message: str):
    with pytest.raises(GenotypeError, match=message):
        grow(small.genotype, {}, large.genotype, {})
    assert not can_grow(small.genotype, large.genotype)


def test_every_growth_that_a_space_offers_is_exact(tiny_task: ImageClassification):
    space, rng = Stages.of(StagesSection(kind="stages")), random.Random(0)
    for _ in range(3):
        genotype = space.nearest(Design.of(space.sample(rng)).sized(0.2).genotype)
        small = Design.of(genotype)
        network = trained(tiny_task, small, torch.float64).eval()
        outputs = network(images(torch.float64))
        offered = list(growths(space, genotype))
        assert offered
        for larger in rng.sample(offered, min(8, len(offered))):
            grew = grown(tiny_task, network, small, Design.of(larger)).eval()
            torch.testing.assert_close(grew(images(torch.float64)), outputs, rtol=1e-9, atol=1e-10)
