"""The networks that people know are members of the space."""

import pytest
import torch

from benchmarks.hand_shapes import SHAPES, build_shape
from cellwright.nn.cost import count_macs, count_params
from cellwright.nn.initialising import seeded_initialisation
from cellwright.spaces import build_space
from cellwright.spaces.networks import build_network
from cellwright.spaces.stages import members
from cellwright.spaces.stages.design import Design
from cellwright.spaces.stages.networks import StagesNetwork
from cellwright.spaces.stages.section import StagesSection
from cellwright.tasks.images.task import ImageClassification

SECTION = StagesSection(kind="stages")
SIDE = 16
TASK = ImageClassification(
    map_shape=(3, SIDE, SIDE), class_names=tuple(map(str, range(10))), mean=(0.0,) * 3, std=(1.0,) * 3
)


@pytest.mark.parametrize("name", members.SMALL)
def test_the_default_choices_hold_every_small_network(name: str):
    design = members.small(SIDE)[name]
    genotype = build_space(SECTION).nearest(design.genotype)  # type: ignore[attr-defined]
    assert Design.of(genotype).essence == design.essence
    network = build_network(SECTION, TASK, genotype)
    assert network(torch.zeros(2, 3, SIDE, SIDE)).shape == (2, 10)


@pytest.mark.parametrize(
    ("name", "shape"),
    [
        ("conv-pool-conv-24", "conv-pool-conv 24-64-96"),
        ("shallow-resnet", "shallow ResNet, 32 channels"),
        ("resnet-9", "ResNet-9, 16 channels"),
        ("resnet", "ResNet-14, 16 channels"),
        ("wide-resnet", "WideResNet-10-2"),
        ("mobilenet-v2", "MobileNetV2, small"),
    ],
)
def test_a_small_network_is_what_people_write_by_hand(name: str, shape: str):
    x_BCHW = torch.rand(2, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(0))
    with seeded_initialisation(0):
        ours = StagesNetwork(TASK, members.SMALL[name])
    with seeded_initialisation(0):
        theirs = build_shape(shape, TASK)
    assert count_params(ours) == count_params(theirs)
    assert count_macs(ours, (x_BCHW[:1],)) == count_macs(theirs, (x_BCHW[:1],))
    assert ours(x_BCHW).equal(theirs(x_BCHW))


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
    assert len(SHAPES) > len(members.SMALL)
