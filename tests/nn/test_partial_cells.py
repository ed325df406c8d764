"""Supernets through whose primitives a part of the channels goes."""

import pytest
import torch
from torch import nn

from cellwright.nn.darts import DartsSupernet, PartialCell
from cellwright.nn.skeleton import ImageTask
from cellwright.spaces import Darts
from cellwright.spec.space import DARTS_PRIMITIVES
from tests.nn.textbook import textbook_cell


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
    supernet = DartsSupernet(task, tiny_space, num_cells=5, channels=4, channel_fraction=0.25)
    mixture = {kind: torch.full((len(tiny_space.edges), 4), 0.25) for kind in tiny_space.cell_kinds}
    assert supernet(torch.zeros(2, *image_shape), mixture).shape == (2, 4)
