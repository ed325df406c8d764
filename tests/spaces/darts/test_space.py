import re

import pytest

from cellwright.genotype import Genotype, GenotypeError
from cellwright.spaces.darts.space import Darts

INSIDE = "darts:normal~2~0.skip_connect,1.sep_conv_3x3:reduce~2~0.skip_connect,1.skip_connect"


@pytest.fixture
def space() -> Darts:
    return Darts(primitives=("skip_connect", "sep_conv_3x3"), num_nodes=1)


def test_one_node_has_two_edges_of_two_primitives_in_two_kinds_of_cell(space: Darts, rng):
    assert len({space.sample(rng) for _ in range(400)}) == (2**2) ** 2


def test_edges_run_from_inputs_and_earlier_nodes():
    space = Darts(primitives=("skip_connect", "sep_conv_3x3"), num_nodes=2)
    assert space.edges == ((0, 0), (1, 0), (0, 1), (1, 1), (2, 1))


@pytest.mark.parametrize(
    ("line", "rule"),
    [
        (INSIDE.replace("darts", "other"), "space must be 'darts', got 'other'"),
        (INSIDE.split(":reduce")[0], "cells must be ['normal', 'reduce'], got ['normal']"),
        (
            INSIDE.replace("normal~2~", "normal~2~0.skip_connect,1.skip_connect~"),
            "must have 2 inputs and 1 nodes",
        ),
        (INSIDE.replace("0.skip_connect,1.sep", "1.skip_connect,1.sep"), "must read 2 different sources"),
        (INSIDE.replace("sep_conv_3x3", "conv_9x9"), "primitive must be among skip_connect, sep_conv_3x3"),
    ],
)
def test_what_lies_outside_is_refused_by_its_rule(space: Darts, line: str, rule: str):
    with pytest.raises(GenotypeError, match=re.escape(rule)):
        space.check(Genotype.from_line(line))


def test_a_genotype_inside_passes(space: Darts):
    space.check(Genotype.from_line(INSIDE))
