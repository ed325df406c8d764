import pytest
import torch
from torch import nn

from cellwright.nn.initialising import seeded_initialisation
from cellwright.nn.primitives import PRIMITIVES, Primitive
from cellwright.spaces.darts.feature import concatenated
from cellwright.spaces.darts.section import DARTS_PRIMITIVES
from cellwright.spaces.darts.space import Darts
from cellwright.spaces.darts.supernet import DartsSupernet, EdgeWeights, MixedCell
from cellwright.tasks.images.task import ImageClassification
from tests.spaces.darts.textbook import textbook_cell


@pytest.mark.parametrize("reduces", [False, True])
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_cell_equals_the_textbook_in_values_and_gradients(reduces: bool, layout: torch.memory_format):
    space = Darts(primitives=DARTS_PRIMITIVES, num_nodes=3)
    with seeded_initialisation(0):
        cell = MixedCell(space, channels=4, reduces=reduces).to(torch.double, memory_format=layout)
    rng = torch.Generator().manual_seed(0)
    inputs = [
        torch.randn(3, 4, 8, 8, dtype=torch.double, generator=rng).to(memory_format=layout) for _ in range(2)
    ]
    mixture_EP = torch.rand(len(space.edges), 7, dtype=torch.double, generator=rng).requires_grad_()
    parameters = [mixture_EP, *cell.parameters()]
    found = concatenated(cell(inputs, EdgeWeights(mixture_EP)))
    expected = textbook_cell(cell, inputs, mixture_EP)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-12)
    ours = torch.autograd.grad(found.square().sum(), parameters)
    textbooks = torch.autograd.grad(expected.square().sum(), parameters)
    for our, textbook in zip(ours, textbooks, strict=True):
        torch.testing.assert_close(our, textbook, rtol=1e-10, atol=1e-10)


class _ReluLast(Primitive):
    """Autograd needs its output, so that no one may overwrite it."""

    def __init__(self, channels: int, stride: int, affine: bool) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(channels, channels, 3, stride, padding=1)

    def forward(self, x_BCHW: torch.Tensor) -> torch.Tensor:
        return self.convolution(x_BCHW).relu()


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("reduces", [False, True])
def test_weights_of_one_may_be_omitted(reduces: bool, seed: int):
    space = Darts(primitives=DARTS_PRIMITIVES, num_nodes=4)
    cell = MixedCell(space, 4, reduces, PRIMITIVES | {"sep_conv_3x3": _ReluLast}).double()
    rng = torch.Generator().manual_seed(seed)
    inputs = [torch.randn(3, 4, 8, 8, dtype=torch.double, generator=rng) for _ in range(2)]
    chosen = torch.randint(len(DARTS_PRIMITIVES), (len(space.edges),), generator=rng)
    path_EP = nn.functional.one_hot(chosen, len(DARTS_PRIMITIVES)).double()
    active = [(choice,) for choice in chosen.tolist()]

    def outcome(mixture_EP: torch.Tensor) -> list[torch.Tensor]:
        output = concatenated(cell(inputs, EdgeWeights(mixture_EP, active)))
        return [
            output,
            *torch.autograd.grad(output.square().sum(), list(cell.parameters()), materialize_grads=True),
        ]

    for left_away, kept in zip(outcome(path_EP), outcome(path_EP.requires_grad_()), strict=True):
        torch.testing.assert_close(left_away, kept, rtol=1e-12, atol=1e-12)


def test_computes_active_primitives_alone(tiny_space: Darts):
    cell = MixedCell(tiny_space, channels=2, reduces=False)
    called = []
    for module in cell.modules():
        module.register_forward_hook(lambda module, *_: called.append(module))
    mixture_EP = torch.ones(len(tiny_space.edges), len(tiny_space.primitives))
    sep_conv = tiny_space.primitives.index("sep_conv_3x3")
    active = [[sep_conv], [], [], [], [tiny_space.primitives.index("max_pool_3x3")]]
    cell([torch.randn(2, 2, 4, 4)] * 2, EdgeWeights(mixture_EP, active))
    assert called == [
        *cell.on_edges[0]["sep_conv_3x3"].layers,
        *cell.on_sources["2-max_pool_3x3"].children(),
        cell.on_sources["2-max_pool_3x3"],
        cell,
    ]


@pytest.mark.parametrize("num_cells", [1, 2, 3, 5])
def test_any_depth_fits(tiny_space: Darts, tiny_task: ImageClassification, num_cells: int):
    supernet = DartsSupernet(tiny_task, tiny_space, num_cells=num_cells, channels=2)
    mixture = {kind: torch.full((len(tiny_space.edges), 4), 0.25) for kind in tiny_space.cell_kinds}
    assert supernet((torch.zeros(2, *tiny_task.map_shape),), mixture).shape == (2, 3)


def test_initial_weights_follow_from_the_seed_alone(tiny_space: Darts, tiny_task: ImageClassification):
    def build(seed: int) -> torch.Tensor:
        with seeded_initialisation(seed):
            return DartsSupernet(tiny_task, tiny_space, num_cells=1, channels=2).head.weight

    before = torch.get_rng_state()
    assert build(1).equal(build(1))
    assert not build(1).equal(build(2))
    assert torch.get_rng_state().equal(before)
