"""Supernets through whose primitives a part of the channels goes."""

import pytest
import torch
from torch import nn

from cellwright.errors import CellwrightError
from cellwright.spaces.chain.section import ChainSection
from cellwright.spaces.darts.feature import concatenated
from cellwright.spaces.darts.section import DARTS_PRIMITIVES
from cellwright.spaces.darts.space import Darts
from cellwright.spaces.darts.supernet import DartsSupernet, EdgeWeights, PartialCell
from cellwright.spaces.nasbench201.networks import PartialBenchmarkCell
from cellwright.spaces.nasbench201.space import NasBench201
from cellwright.spaces.networks import build_supernet
from cellwright.testing.images import numbered_images
from tests.spaces.darts.textbook import textbook_cell


@pytest.mark.parametrize("reduces", [False, True])
def test_a_partial_cell_mixes_a_share_of_the_channels_and_passes_the_rest_on(reduces: bool):
    space = Darts(primitives=DARTS_PRIMITIVES, num_nodes=1)
    cell = PartialCell(space, 8, reduces, 0.25).double()
    inputs = [torch.randn(3, 8, 9, 9, dtype=torch.double) for _ in range(2)]
    mixture_EP = torch.rand(2, 7, dtype=torch.double)
    mixed = textbook_cell(cell, [x[:, :2] for x in inputs], mixture_EP)
    pool = nn.MaxPool2d(2, ceil_mode=True) if reduces else nn.Identity()
    rest = sum(row.sum() * pool(x[:, 2:]) for row, x in zip(mixture_EP, inputs, strict=True))
    found = concatenated(cell(inputs, EdgeWeights(mixture_EP)))
    torch.testing.assert_close(found, torch.cat([rest, mixed], dim=1))


@pytest.mark.parametrize("image_shape", [(1, 8, 8), (3, 9, 13)])
def test_partial_channels_fit_any_image(tiny_space: Darts, image_shape: tuple[int, int, int]):
    task = numbered_images(image_shape, 4)
    supernet = DartsSupernet(task, tiny_space, num_cells=5, channels=4, channel_fraction=0.25)
    mixture = {kind: torch.full((len(tiny_space.edges), 4), 0.25) for kind in tiny_space.cell_kinds}
    assert supernet((torch.zeros(2, *image_shape),), mixture).shape == (2, 4)


def test_a_partial_benchmark_cell_does_too():
    names = NasBench201.primitives
    cell = PartialBenchmarkCell([names] * 6, 8, 0.25).double()
    x = torch.randn(3, 8, 9, 9, dtype=torch.double)
    mixture_EP = torch.rand(6, len(names), dtype=torch.double)
    nodes = [x]
    for node in range(3):
        total = torch.zeros_like(x)
        for edge, (source, end) in enumerate(NasBench201.edges):
            if end == node:
                rest, mixed = mixture_EP[edge].sum() * nodes[source][:, 2:], torch.zeros_like(x[:, :2])
                for weight, name in zip(mixture_EP[edge], names, strict=True):
                    if name != "none":
                        primitive = cell.on_edges[edge][name]
                        read = nodes[source][:, :2].relu() if primitive.reads_relu else nodes[source][:, :2]
                        mixed = mixed + weight * primitive(read)
                total = total + torch.cat([rest, mixed], dim=1)
        nodes.append(total)
    torch.testing.assert_close(cell(x, mixture_EP), nodes[-1], rtol=1e-10, atol=1e-10)


def test_other_spaces_mix_all_channels():
    task = numbered_images((1, 8, 8), 4)
    section = ChainSection(
        kind="chain", primitives=("nor_conv_1x1", "nor_conv_3x3"), widths=(50, 100), num_layers=2, channels=8
    )
    with pytest.raises(CellwrightError, match="need space.kind darts or nasbench201, got chain"):
        build_supernet(section, task, channel_fraction=0.25)
