"""The examples that bring code of their own do what they say, if only for a moment."""

import random
from pathlib import Path

import pytest

from cellwright.spaces import build_space
from cellwright.spec import load_spec

EXAMPLES = Path(__file__).parents[1] / "examples"


def test_a_primitive_of_ones_own_has_a_name_in_genotypes(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.syspath_prepend(EXAMPLES)
    space = build_space(load_spec(EXAMPLES / "own_primitive.yaml").space)
    lines = [space.sample(random.Random(seed)).to_line() for seed in range(5)]
    assert any(".squeeze_excite" in line for line in lines)
