import pytest
import torch

from cellwright.nn.primitives import PRIMITIVES
from cellwright.spec.space import KNOWN_PRIMITIVES


def test_the_spec_knows_them_all():
    assert set(PRIMITIVES) == set(KNOWN_PRIMITIVES)


@pytest.mark.parametrize("name", PRIMITIVES)
def test_channels_are_kept_and_sides_divided_by_the_stride(name: str):
    for stride, sides in ((1, (9, 12)), (2, (5, 6))):
        assert PRIMITIVES[name](3, stride, True)(torch.zeros(2, 3, 9, 12)).shape == (2, 3, *sides)
