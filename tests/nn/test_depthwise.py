import itertools

import pytest
import torch
from torch import nn

from cellwright.nn.depthwise import Separable


@pytest.mark.parametrize(
    ("dtype", "of_values", "of_gradients"),
    [(torch.double, 1e-14, 1e-12), (torch.float, 1e-4, 1e-4)],
    ids=["twin", "oneDNN"],
)
@pytest.mark.parametrize("sides", [(8, 8), (7, 9), (4, 5), (2, 3), (1, 1)])
@pytest.mark.parametrize(("size", "stride", "dilation"), [*itertools.product((3, 5, 7), (1, 2), (1, 2))])
def test_gradients_are_those_of_torch(
    sides: tuple[int, int],
    size: int,
    stride: int,
    dilation: int,
    dtype: torch.dtype,
    of_values: float,
    of_gradients: float,
):
    rng = torch.Generator().manual_seed(0)
    layer = Separable(4, size, stride, dilation).to(dtype)
    x_BCHW = torch.randn(3, 4, *sides, dtype=dtype, generator=rng).requires_grad_()
    found = layer(x_BCHW)
    expected = nn.Sequential.forward(layer, x_BCHW)
    torch.testing.assert_close(found, expected, rtol=0, atol=of_values)
    grad_BCHW = torch.randn(found.shape, dtype=dtype, generator=rng)
    ours = torch.autograd.grad(found, [x_BCHW, *layer.parameters()], grad_BCHW)
    torchs = torch.autograd.grad(expected, [x_BCHW, *layer.parameters()], grad_BCHW)
    for our, torch_s in zip(ours, torchs, strict=True):
        torch.testing.assert_close(our, torch_s, rtol=0, atol=of_gradients)
