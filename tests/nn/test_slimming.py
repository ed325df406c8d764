import pytest
import torch
from torch import nn

from cellwright.nn.primitives import PRIMITIVES
from cellwright.nn.slimming import Slimmable, leading


@pytest.mark.parametrize("name", PRIMITIVES)
@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("width", [2, 3, 6])
def test_a_narrow_map_is_treated_as_by_a_module_built_for_it(name: str, stride: int, width: int):
    def build(channels: int) -> nn.Module:
        return PRIMITIVES[name](channels, stride, True).double()

    slimmable = Slimmable(build, [3, 2, 6]).double()
    narrow = build(width)
    sizes = {key: tensor.shape for key, tensor in narrow.state_dict().items()}
    shared = slimmable.widest.state_dict()
    narrow.load_state_dict({key: leading(shared[key], *size).clone() for key, size in sizes.items()})
    x_BCHW = torch.randn(4, width, 6, 6, dtype=torch.double, generator=torch.Generator().manual_seed(0))
    for train in (True, False):
        torch.testing.assert_close(slimmable.train(train)(x_BCHW), narrow.train(train)(x_BCHW))
    after = slimmable.widest.state_dict()
    for key, tensor in narrow.state_dict().items():
        torch.testing.assert_close(leading(after[key], *tensor.shape), tensor)


def test_only_the_widest_has_weights():
    slimmable = Slimmable(lambda channels: nn.Conv2d(channels, channels, 1), [2, 4])
    assert [tuple(parameter.shape) for parameter in slimmable.parameters()] == [(4, 4, 1, 1), (4,)]
    slimmable(torch.ones(1, 2, 1, 1)).sum().backward()
    grad = slimmable.widest.weight.grad
    assert grad[:2, :2].abs().min() > 0
    assert grad[2:].count_nonzero() == grad[:, 2:].count_nonzero() == 0
