"""Each proxy equals its paper's definition, written out plainly on a net that is small enough to follow by hand."""

import itertools
import math
from collections import OrderedDict

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from cellwright.estimators.zero_cost.proxies import PROXIES, Probe
from cellwright.nn.initialising import seeded_initialisation
from cellwright.nn.primitives import Norm
from cellwright.spaces import CELL
from cellwright.spaces.nasbench201.networks import NasBench201Network
from cellwright.spaces.nasbench201.space import NasBench201
from cellwright.tasks.images.task import ImageClassification

TASK = ImageClassification(map_shape=(2, 1, 1), class_names=("a", "b"), mean=(2.0, 3.0), std=(1.0, 2.0))


@pytest.fixture(autouse=True)
def _float64():
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(before)


def probe_of(images: Tensor, labels: list[int], seed: int = 0) -> Probe:
    return Probe(
        inputs=(images,), targets=torch.tensor(labels), task=TASK, rng=torch.Generator().manual_seed(seed)
    )


class Blocks(nn.Module):
    """Two 1×1 convolutions, the second of which halves the sides, as two blocks after a stem."""

    def __init__(self, matrices: list[list[list[float]]]) -> None:
        super().__init__()
        stem, *blocks = [
            self._convolution(matrix, stride) for matrix, stride in zip(matrices, (1, 1, 2), strict=False)
        ]
        self.stem = stem
        self.cells = nn.ModuleList(blocks)
        self.head = nn.Linear(len(matrices[-1]), 2)

    @staticmethod
    def _convolution(matrix: list[list[float]], stride: int) -> nn.Conv2d:
        convolution = nn.Conv2d(len(matrix[0]), len(matrix), 1, stride, bias=False)
        with torch.no_grad():
            convolution.weight.copy_(torch.tensor(matrix)[:, :, None, None])
        return convolution

    def forward(self, x_BCHW: Tensor) -> Tensor:
        x_BCHW = self.stem(x_BCHW)
        for cell in self.cells:
            x_BCHW = cell(x_BCHW)
        return self.head(x_BCHW.mean(dim=(2, 3)))


@pytest.fixture
def small() -> nn.Module:
    """Standardise, 2 channels to 2 with a norm and a ReLU, and 2 to 2 logits."""
    layers = (
        TASK.adapter(),
        nn.Conv2d(2, 2, 1, bias=False),
        Norm(2, affine=True),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(2, 2),
    )
    names = ("adapter", "convolution", "norm", "rectification", "flattening", "head")
    network = nn.Sequential(OrderedDict(zip(names, layers, strict=True)))
    with torch.no_grad():
        network[1].weight.copy_(torch.tensor([[1.0, -2.0], [-3.0, 4.0]])[:, :, None, None])
        network[5].weight.copy_(torch.tensor([[-1.0, 2.0], [0.5, 1.0]]))
        network[5].bias.copy_(torch.tensor([0.25, -0.5]))
    return network


def test_synflow_by_hand(small: nn.Module):
    # hidden units of ones are 1 + 2 and 3 + 4; each weight times its gradient is the flow through it: all weights of a
    # layer carry the whole of it, 3 * (1 + 0.5) + 7 * (2 + 1), and the biases add 0.25 + 0.5
    flow = 3 * 1.5 + 7 * 3
    found = PROXIES["synflow"](small, probe_of(torch.zeros(1, 2, 1, 1), [0]))
    assert found == pytest.approx(math.log(2 * flow + 0.75))


class Embedding(nn.Module):
    """Makes maps (B, 2, 1, 1) of numbers (B)."""

    def __init__(self) -> None:
        super().__init__()
        self.table = nn.Embedding(5, 2)

    def forward(self, x_B: Tensor) -> Tensor:
        return self.table(x_B)[:, :, None, None]


def test_synflow_does_not_ask_what_inputs_look_like(small: nn.Module):
    def score(inputs: Tensor) -> float:
        probe = Probe(inputs=(inputs,), targets=torch.tensor([0]), task=TASK, rng=torch.Generator())
        return PROXIES["synflow"](small, probe)

    of_images = score(torch.zeros(1, 2, 1, 1))
    small.adapter = Embedding()
    assert score(torch.tensor([3])) == of_images


def test_synflow_leaves_the_weights_as_they_were(small: nn.Module):
    before = {name: tensor.clone() for name, tensor in small.state_dict().items()}
    PROXIES["synflow"](small, probe_of(torch.zeros(1, 2, 1, 1), [0]))
    assert all(tensor.equal(before[name]) for name, tensor in small.state_dict().items())


def test_naswot_by_hand():
    network = nn.Sequential(nn.Flatten(), nn.ReLU())
    codes = torch.tensor([[1.0, 1, -1], [1, -1, -1], [-1, -1, 1]])
    # units that two images agree on: 3 with itself, 2 of the first two, 0 of first and third, 1 of the last two;
    # no convolution reads them, so that each counts once
    kernel = np.array([[3, 2, 0], [2, 3, 1], [0, 1, 3]])
    found = PROXIES["naswot"](network, probe_of(codes[:, :, None, None], [0, 1, 0]))
    assert found == pytest.approx(math.log(np.linalg.det(kernel)))


def test_swap_by_hand():
    network = nn.Sequential(nn.Flatten(), nn.ReLU())
    # units as columns: the first and the last answer the three images alike, and so do the second and the third
    codes = torch.tensor([[1.0, -1, -2, 3, 1], [1, 1, 2, 3, 1], [-1, 1, 5, 3, -2]])
    assert PROXIES["swap"](network, probe_of(codes[:, :, None, None], [0, 1, 0])) == 3


def test_swap_distinguishes_patterns_over_many_images(rng):
    network = nn.Sequential(nn.Flatten(), nn.ReLU())
    generator = torch.Generator().manual_seed(0)
    codes = (torch.rand(130, 40, generator=generator) < 0.5).double() - 0.5
    codes[:, 20:] = codes[:, :20]
    codes[129, 39] *= -1
    assert PROXIES["swap"](network, probe_of(codes[:, :, None, None], [0] * 130)) == 21


def test_zico_by_hand():
    network = nn.Sequential(nn.Flatten(), nn.Linear(2, 2))
    with torch.no_grad():
        network[1].weight.zero_()
        network[1].bias.zero_()
    images = torch.tensor([[1.0, 2.0], [4.0, 3.0]])[:, :, None, None]
    # logits are 0: gradients are (1/2 - [is label]) * image; of each weight the sizes are half the image's value
    ratios = [(1 + 4) / 2 / 1.5, (2 + 3) / 2 / 0.5]
    found = PROXIES["zico"](network, probe_of(images, [0, 1]))
    assert found == pytest.approx(math.log(2 * sum(ratios)))


def test_expressivity_and_progressivity_by_hand():
    network = Blocks([[[1, 0], [0, 1]], [[3, 0], [0, 1]], [[1, 0], [0, 0]]])
    corners = torch.tensor(list(itertools.product((-1.0, 1.0), repeat=2)))
    images = corners[:, :, None, None].expand(4, 2, 2, 2)
    # variances of the components are 1 and 1, then 9 and 1, then 9 and 0
    entropies = [math.log(2), -0.9 * math.log(0.9) - 0.1 * math.log(0.1), 0.0]
    probe = probe_of(images, [0, 1, 0, 1])
    assert PROXIES["expressivity"](network, probe) == pytest.approx(sum(entropies))
    assert PROXIES["progressivity"](network, probe) == pytest.approx(entropies[1] - entropies[0])


def test_trainability_is_that_of_the_jacobians_averaged_over_places():
    matrices = [[[1.0, 0.0], [0.0, 1.0]], [[0.5, 0.2], [0.1, 2.0]], [[1.0, 0.3], [0.0, 0.7]]]
    network = Blocks(matrices)
    images = torch.randn(64, 2, 16, 16, generator=torch.Generator().manual_seed(1))
    found = PROXIES["trainability"](network, probe_of(images, [0] * 64))
    # many signs are as good as orthogonal: the mean of gradient times signs is the matrix itself
    norms = [np.linalg.norm(np.array(matrix), 2) for matrix in matrices[1:]]
    assert found == pytest.approx(np.mean([2 - norm - 1 / norm for norm in norms]), abs=0.03)


def test_trainability_of_a_block_that_changes_nothing_is_worst():
    network = Blocks([[[1.0, 0.0], [0.0, 1.0]]] * 2)
    found = PROXIES["trainability"](network, probe_of(torch.randn(2, 2, 2, 2), [0, 1]))
    assert found == -math.inf


def test_naswot_counts_a_shared_rectification_for_each_convolution_that_reads_it():
    """As in the textbook's cell, where each convolution has a ReLU of its own."""
    task = ImageClassification(
        map_shape=(3, 8, 8), class_names=tuple("abcd"), mean=(0.0,) * 3, std=(1.0,) * 3
    )
    space = NasBench201()
    conv, skip, none = (space.primitives.index(n) for n in ("nor_conv_3x3", "skip_connect", "none"))
    genotype = space.genotype({CELL: [conv, conv, skip, conv, none, conv]})
    with seeded_initialisation(0):
        network = NasBench201Network(task, genotype, num_cells=1, channels=2)
    images = torch.randn(6, 3, 8, 8, generator=torch.Generator().manual_seed(2))
    kernel = sum(
        count * (code @ code.T + (1 - code) @ (1 - code).T)
        for code, count in _textbook_codes(network.train(), images)
    )
    found = PROXIES["naswot"](network, probe_of(images, [0] * 6))
    assert found == pytest.approx(float(torch.linalg.slogdet(kernel).logabsdet))


def _textbook_codes(network: NasBench201Network, images: Tensor) -> list[tuple[Tensor, int]]:
    """Follow the network by hand; the cell has edges 0→1, 0→2, 0→3 and 2→3 with convolutions and 1→2 as a skip."""
    codes: list[tuple[Tensor, int]] = []

    def rectify(x: Tensor, times: int) -> Tensor:
        codes.append(((x > 0).flatten(1).double(), times))
        return torch.relu(x)

    with torch.no_grad():
        x = network.stem(images)
        for stage, cells in enumerate(network.stages):
            if stage:
                reduction = network.reductions[stage]
                first, second = reduction.residual
                y = first[2](first[1](rectify(x, 1)))
                x = second[2](second[1](rectify(y, 1))) + reduction.shortcut(x)
            edges = cells[0].on_edges
            r = rectify(x, 3)
            one = edges[0]["nor_conv_3x3"](r)
            two = edges[1]["nor_conv_3x3"](r) + one
            x = edges[3]["nor_conv_3x3"](r) + edges[5]["nor_conv_3x3"](rectify(two, 1))
        rectify(network.last[0](x), 1)
    return codes


def test_costs_are_those_of_the_network(small: nn.Module):
    probe = probe_of(torch.zeros(2, 2, 1, 1), [0, 1])
    assert PROXIES["params"](small, probe) == 4 + 2 + 2 + 4 + 2
    assert PROXIES["macs"](small, probe) == 4 + 4
