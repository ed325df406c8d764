"""Supernets of which a part is computed, or through whose primitives a part of the channels goes."""

import random

import pytest
import torch
from torch import nn

from cellwright.nn.network import Network
from cellwright.nn.primitives import Convolutions
from cellwright.nn.skeleton import ImageTask
from cellwright.nn.supernet import PartialCell, Supernet
from cellwright.spaces import Darts
from cellwright.spec.space import DARTS_PRIMITIVES
from cellwright.strategies._scoring import restriction
from tests.nn.test_supernet import copy_weights
from tests.nn.textbook import textbook_cell

CPU = torch.device("cpu")


def test_what_is_not_active_is_not_computed(tiny_space: Darts, tiny_task: ImageTask):
    genotype = tiny_space.sample(random.Random(1))
    supernet = Supernet(tiny_task, tiny_space, num_cells=3, channels=4)
    computed = []
    for module in supernet.cells.modules():
        if isinstance(module, Convolutions):
            module.register_forward_hook(lambda module, *_: computed.append(module))
    supernet(torch.zeros(2, 2, 8, 8), *restriction(tiny_space, genotype, CPU))
    per_cell = {
        kind: sum("conv" in edge.primitive for node in cell.nodes for edge in node)
        for kind, cell in genotype.cells.items()
    }
    assert len(computed) == sum(per_cell[place.kind] for place in supernet.places)


def test_skipping_equals_multiplying_by_zero_and_the_network_itself(tiny_space: Darts, tiny_task: ImageTask):
    genotype = tiny_space.sample(random.Random(2))
    supernet = Supernet(tiny_task, tiny_space, num_cells=3, channels=4).double()
    network = Network(tiny_task, genotype, num_cells=3, channels=4, affine=False).double()
    copy_weights(supernet, network, genotype)
    x_BCHW = torch.randn(5, *tiny_task.image_shape, dtype=torch.double)
    mixture, active = restriction(tiny_space, genotype, CPU)
    skipped = supernet(x_BCHW, mixture, active)
    torch.testing.assert_close(skipped, supernet(x_BCHW, mixture), rtol=0, atol=1e-12)
    torch.testing.assert_close(skipped, network(x_BCHW), rtol=0, atol=1e-12)


@pytest.mark.parametrize("reduces", [False, True])
def test_a_partial_cell_mixes_a_share_of_the_channels_and_passes_the_rest_on(reduces: bool):
    space = Darts(primitives=DARTS_PRIMITIVES, num_nodes=1)
    cell = PartialCell(space, 8, reduces, 0.25).double()
    inputs = [torch.randn(3, 8, 9, 9, dtype=torch.double) for _ in range(2)]
    mixture_EP = torch.rand(2, 7, dtype=torch.double)
    mixed = textbook_cell(cell, [x[:, :2] for x in inputs], mixture_EP)
    pool = nn.MaxPool2d(2, ceil_mode=True) if reduces else nn.Identity()
    rest = sum(row.sum() * pool(x[:, 2:]) for row, x in zip(mixture_EP, inputs, strict=True))
    torch.testing.assert_close(cell(inputs, mixture_EP), torch.cat([rest, mixed], dim=1))


@pytest.mark.parametrize("image_shape", [(1, 8, 8), (3, 9, 13)])
def test_partial_channels_fit_any_image(tiny_space: Darts, image_shape: tuple[int, int, int]):
    channels = image_shape[0]
    task = ImageTask(image_shape=image_shape, num_classes=4, mean=(0,) * channels, std=(1,) * channels)
    supernet = Supernet(task, tiny_space, num_cells=5, channels=4, channel_fraction=0.25)
    mixture = {kind: torch.full((len(tiny_space.edges), 4), 0.25) for kind in tiny_space.cell_kinds}
    assert supernet(torch.zeros(2, *image_shape), mixture).shape == (2, 4)
