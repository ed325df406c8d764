"""Wide primitives, which GPUs are given, must equal the narrow ones that they stand for."""

import pytest
import torch
from torch import nn

from cellwright.nn.initialising import seeded_initialisation
from cellwright.nn.primitives import Convolutions, Norm, Primitive
from cellwright.nn.wide import wide_outputs
from cellwright.spaces.darts import supernet as darts
from cellwright.spaces.darts.feature import concatenated
from cellwright.spaces.darts.section import DARTS_PRIMITIVES
from cellwright.spaces.darts.space import Darts
from cellwright.spaces.darts.supernet import EdgeWeights, MixedCell, PartialCell
from cellwright.spaces.nasbench201 import networks as nasbench201
from cellwright.spaces.nasbench201.networks import BenchmarkCell, PartialBenchmarkCell
from cellwright.spaces.nasbench201.space import NasBench201

SPACE = Darts(primitives=DARTS_PRIMITIVES, num_nodes=3)
NAMES = NasBench201.primitives
CELLS = {
    "darts": lambda: MixedCell(SPACE, 4, reduces=False),
    "darts, reducing": lambda: MixedCell(SPACE, 4, reduces=True),
    "darts, partial": lambda: PartialCell(SPACE, 4, reduces=True, fraction=0.5),
    "nasbench201": lambda: BenchmarkCell([NAMES] * 6, 4, affine=False),
    "nasbench201, partial": lambda: PartialBenchmarkCell([NAMES] * 6, 4, 0.5),
}


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("some", [False, True])
@pytest.mark.parametrize("name", CELLS)
def test_cells_give_the_same_wide_and_narrow(name, some, layout, monkeypatch):
    num_edges, num_choices = (len(SPACE.edges), 7) if "darts" in name else (6, len(NAMES))
    rng = torch.Generator().manual_seed(0)
    x = torch.randn(3, 4, 9, 9, dtype=torch.double, generator=rng).to(memory_format=layout)
    mixture_EP = torch.rand(num_edges, num_choices, dtype=torch.double, generator=rng).requires_grad_()
    active = [[3, 2 + edge % 2 * (num_choices - 3)] for edge in range(num_edges)] if some else None

    def outcome(widely: bool) -> list[torch.Tensor]:
        with seeded_initialisation(0):
            cell = CELLS[name]().to(torch.double, memory_format=layout)
        calls = []
        for module, convolve in ((darts, darts.wide_outputs), (nasbench201, nasbench201.wide_outputs)):
            monkeypatch.setattr(module, "is_worthwhile", lambda x: widely)
            monkeypatch.setattr(
                module, "wide_outputs", lambda *given, f=convolve: calls.append(found := f(*given)) or found
            )
        if "darts" in name:
            output = concatenated(cell([x, x.flip(0)], EdgeWeights(mixture_EP, active)))
        else:
            output = cell(x, mixture_EP, active)
        monkeypatch.undo()
        assert any(calls) == widely
        learnt = [mixture_EP, *cell.parameters()]
        gradients = torch.autograd.grad(output.square().sum(), learnt, materialize_grads=True)
        return [output, *gradients, *cell.buffers()]

    for wide, narrow in zip(outcome(True), outcome(False), strict=True):
        torch.testing.assert_close(wide, narrow, rtol=1e-10, atol=1e-10)


def test_what_differs_or_is_of_an_unknown_kind_stays_alone():
    class Own(Primitive):
        def forward(self, x_BCHW):
            return x_BCHW

    def convolution(size: int, bias: bool = False) -> Convolutions:
        return Convolutions(nn.Conv2d(2, 2, size, padding=size // 2, bias=bias), Norm(2, affine=False))

    alone = [convolution(1), convolution(3, bias=True), convolution(3, bias=True), Own(), Own()]
    alike = [convolution(3), convolution(3)]
    found = wide_outputs(dict.fromkeys([*alone, *alike]), torch.randn(2, 2, 4, 4))
    assert list(found) == alike
