"""The networks that people know are members of the space."""

from collections.abc import Callable
from functools import partial

import pytest
import torch
from torch import nn

from cellwright.nn.cost import count_macs, count_params
from cellwright.nn.initialising import seeded_initialisation
from cellwright.spaces import build_space
from cellwright.spaces.building import NetworkConfig, hand_designed_network
from cellwright.spaces.networks import build_network
from cellwright.spaces.stages import members
from cellwright.spaces.stages.design import Design
from cellwright.spaces.stages.networks import StagesNetwork
from cellwright.spaces.stages.section import StagesSection
from cellwright.tasks.images.section import ImagesSection
from cellwright.tasks.images.task import ImageClassification
from cellwright.testing.images import numbered_images
from tests.spaces.stages import handwritten

SECTION = StagesSection(kind="stages")
SIDE = 16
TASK = numbered_images((3, SIDE, SIDE), 10)


@pytest.mark.parametrize("name", members.SMALL)
def test_the_default_choices_hold_every_small_network(name: str):
    design = members.small(SIDE)[name]
    genotype = build_space(SECTION).nearest(design.genotype)  # type: ignore[attr-defined]
    assert Design.of(genotype).canonical == design.canonical
    network = build_network(SECTION, TASK, genotype)
    assert network(torch.zeros(2, 3, SIDE, SIDE)).shape == (2, 10)


BY_HAND: dict[str, Callable[[ImageClassification], nn.Module]] = {
    "conv-pool-conv-24": partial(handwritten.conv_pool_conv, widths=(24, 64, 96)),
    "shallow-resnet": partial(handwritten.shallow_resnet, width=32),
    "resnet-9": partial(handwritten.resnet_9, width=16),
    "resnet": partial(handwritten.resnet, width=16),
    "wide-resnet": partial(handwritten.wide_resnet_10, factor=2),
    "mobilenet-v2": handwritten.mobile_net_v2,
}


@pytest.mark.parametrize("name", BY_HAND)
def test_a_small_network_is_what_people_write_by_hand_to_the_last_bit_of_a_step(name: str):
    rng = torch.Generator().manual_seed(0)
    x_BCHW, labels_B = torch.rand(4, 3, SIDE, SIDE, generator=rng), torch.tensor([1, 2, 3, 1])
    stepped = []
    for build in (lambda task: StagesNetwork(task, members.SMALL[name]), BY_HAND[name]):
        with seeded_initialisation(0):
            network = build(TASK)
        macs = count_macs(network, (x_BCHW[:1],))
        optimizer = torch.optim.SGD(network.parameters(), lr=0.1)
        nn.functional.cross_entropy(network(x_BCHW), labels_B).backward()
        optimizer.step()
        stepped.append((count_params(network), macs, network(x_BCHW)))
    (params, macs, outputs), (expected_params, expected_macs, expected) = stepped
    assert (params, macs) == (expected_params, expected_macs)
    assert outputs.equal(expected)


def test_images_can_be_compared_with_every_small_network():
    assert set(ImagesSection.hand_designed) == set(members.SMALL)


@pytest.mark.parametrize("wanted", [1, 5_000, 60_000])
def test_no_other_width_comes_nearer_to_the_size_asked_for(tiny_task: ImageClassification, wanted: int):
    def size(channels: int) -> int:
        with torch.device("meta"):
            return count_params(StagesNetwork(tiny_task, members.resnet(channels)))

    chosen = members.of_size(members.SMALL["resnet"], lambda design: size(design.stem_width), wanted)
    channels = chosen.stem_width
    assert chosen == members.resnet(channels)
    others = [other for other in (channels - 1, channels + 1) if other]
    assert all(abs(size(channels) - wanted) <= abs(size(other) - wanted) for other in others)


def test_a_baseline_is_a_genotype_of_the_size_asked_for(tiny_task: ImageClassification):
    config = hand_designed_network(tiny_task, "resnet", 20_000)
    network = NetworkConfig.model_validate_json(config.model_dump_json()).build(seed=0)
    assert isinstance(network, StagesNetwork)
    assert count_params(network) == pytest.approx(20_000, rel=0.2)


@pytest.mark.parametrize(
    ("side", "stem"), [(28, "conv3"), (64, "conv3-2"), (96, "conv7-4"), (500, "conv7-4")]
)
def test_stems_halve_larger_images_more_often(side: int, stem: str):
    assert members.small(side)["resnet"].stem == stem


def test_sizing_changes_every_width_and_nothing_else():
    sized = members.SMALL["mobilenet-v2"].sized(2)
    assert [stage.width for stage in sized.stages] == [32, 48, 64, 128]
    assert (sized.stem_width, sized.last, sized.hidden) == (32, 512, 0)
    assert [stage.depth for stage in sized.stages] == [1, 2, 2, 2]
    assert members.SMALL["resnet"].sized(0.01).stages[0].width == 8
