"""Spaces of layers in a row: what is outside of them, and which networks are the same."""

import random

import pytest

from cellwright.genotype import Genotype, GenotypeError
from cellwright.spaces.sequence import SequenceSpace
from cellwright.spaces.tokens.space import Tokens

SPACE: SequenceSpace = Tokens(layers=("skip", "conv3", "max3"), widths=(50, 100), num_layers=3)
INSIDE = SPACE.genotype({"width": [1], "layer": [1, 0, 2]}).to_line()


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        (INSIDE.replace("conv3", "conv9"), "each layer must be among ['skip', 'conv3', 'max3'], got tokens"),
        (INSIDE.replace("~100", "~75"), "widths must be among [50, 100], got tokens"),
        (INSIDE.replace("~100", "~50", 1), "nodes must each read the one before, and be of one width"),
        (INSIDE.replace(",1.skip", ",0.skip"), "nodes must each read the one before"),
    ],
)
def test_genotypes_outside_are_refused_with_the_rule(line: str, problem: str):
    with pytest.raises(GenotypeError) as raised:
        SPACE.check(Genotype.from_line(line))
    assert problem in str(raised.value)


def test_skipped_layers_do_not_change_the_network():
    first, second = (SPACE.genotype({"width": [0], "layer": layers}) for layers in ([1, 0, 2], [0, 1, 2]))
    other = SPACE.genotype({"width": [0], "layer": [2, 0, 1]})
    assert SPACE.isomorphism_key(first) == SPACE.isomorphism_key(second) != SPACE.isomorphism_key(other)
    assert SPACE.taken(SPACE.sample(random.Random(0))).keys() == {"width", "layer"}
