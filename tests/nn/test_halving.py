import pytest
import torch

from cellwright.nn.halving import halve
from cellwright.nn.primitives import FactorizedReduce


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("sides", [(8, 8), (7, 9), (4, 5), (2, 3), (1, 1), (1, 4)])
def test_values_and_gradients_are_those_of_shifted_convolutions(sides: tuple[int, int], layout):
    rng = torch.Generator().manual_seed(0)
    x_BCHW = torch.randn(3, 4, *sides, dtype=torch.double, generator=rng).to(memory_format=layout)
    x_BCHW.requires_grad_()
    layer = FactorizedReduce(4, 5, affine=False).double().train()
    weights = [layer.even.weight, layer.odd.weight]
    found = halve(x_BCHW, *weights, learns=True)
    shifted = torch.nn.functional.pad(x_BCHW, (0, 1, 0, 1))[:, :, 1:, 1:]
    expected = torch.cat([layer.even(x_BCHW), layer.odd(shifted)], dim=1)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-14)
    torch.testing.assert_close(halve(x_BCHW, *weights, learns=False), expected, rtol=0, atol=1e-14)
    grad_BCHW = torch.randn(found.shape, dtype=torch.double, generator=rng).to(memory_format=layout)
    ours = torch.autograd.grad(found, [x_BCHW, *weights], grad_BCHW)
    plain = torch.autograd.grad(expected, [x_BCHW, *weights], grad_BCHW)
    for our, other in zip(ours, plain, strict=True):
        torch.testing.assert_close(our, other, rtol=0, atol=1e-12)


def test_gradients_that_nobody_wants_are_not_computed():
    x_BCHW = torch.randn(2, 3, 4, 4)
    layer = FactorizedReduce(3, 4, affine=False).requires_grad_(False)
    output = layer(x_BCHW.requires_grad_())
    assert len(output.grad_fn.next_functions[0][0].saved_tensors) == 2
    (gradient,) = torch.autograd.grad(output.square().sum(), [x_BCHW])
    assert gradient.shape == x_BCHW.shape
