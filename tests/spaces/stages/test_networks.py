import random

import pytest
import torch

from cellwright.nn.initialising import seeded_initialisation
from cellwright.spaces.stages.design import NOMINAL, Design, Stage
from cellwright.spaces.stages.networks import StagesNetwork
from cellwright.spaces.stages.section import StagesSection
from cellwright.spaces.stages.space import Stages
from cellwright.tasks.images.task import ImageClassification

SECTION = StagesSection(kind="stages", resolution=(70, 100))


@pytest.mark.parametrize("shape", [(1, 8, 8), (3, 9, 13), (2, 1, 24)])
def test_any_network_takes_any_feature_map(shape: tuple[int, int, int]):
    channels = shape[0]
    task = ImageClassification(
        map_shape=shape, class_names=("a", "b"), mean=(0.0,) * channels, std=(1.0,) * channels
    )
    space, rng = Stages.of(SECTION), random.Random(0)
    for _ in range(12):
        network = StagesNetwork(task, Design.of(space.sample(rng)).sized(0.1))
        network(torch.rand(2, *shape)).sum().backward()


@pytest.mark.parametrize("halving", NOMINAL["halving"])
@pytest.mark.parametrize("block", NOMINAL["block"])
def test_a_stage_has_its_shape_and_what_is_dropped_is_gone(
    block: str, halving: str, tiny_task: ImageClassification
):
    stage = Stage(block=block, width=16, depth=3, stride=2, expansion=2, squeeze=0.25, group=4)
    with seeded_initialisation(0):
        network = StagesNetwork(tiny_task, Design(stem_width=8, halving=halving, stages=(stage,)))
    network.eval()
    x_BCHW = torch.rand(2, 2, 8, 8)
    y_BCHW = network.stem(network.adapter(x_BCHW))
    for block_module in network.blocks:
        y_BCHW = block_module(y_BCHW)
    assert y_BCHW.shape == (2, 16, 4, 4)
    whole = network(x_BCHW)
    assert network(x_BCHW, kept_PB=torch.ones(network.num_paths, 2)).equal(whole)
    dropped = network(x_BCHW, kept_PB=torch.zeros(network.num_paths, 2))
    for block_module in network.blocks:
        if block_module.is_droppable:
            block_module.branch.register_forward_hook(lambda module, inputs, output: 0 * output)
    torch.testing.assert_close(network(x_BCHW), dropped)
    assert dropped.equal(whole) == (network.num_paths == 0)
