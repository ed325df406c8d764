import re

import pytest

from cellwright.genotype import Genotype, GenotypeError
from cellwright.spaces.chain.space import Chain

SPACE = Chain(primitives=("skip_connect", "sep_conv_3x3"), widths=(50, 100), num_layers=3)
INSIDE = "chain:cell~1~50,0.skip_connect~100,1.sep_conv_3x3~50,0.sep_conv_3x3,1.sep_conv_3x3,2.sep_conv_3x3"


def test_a_layer_reads_the_one_before_and_those_that_are_chosen():
    assert SPACE.pairs == ((0, 1), (0, 2), (1, 2))
    assert SPACE.taken(Genotype.from_line(INSIDE)) == {
        "primitive": [0, 1, 1],
        "width": [0, 1, 0],
        "input": [0, 1, 1],
    }


def test_there_are_as_many_as_free_choices(rng):
    assert len({SPACE.sample(rng) for _ in range(6000)}) == 2**3 * 2**3 * 2**3


@pytest.mark.parametrize(
    ("line", "rule"),
    [
        (INSIDE.replace("~100,1", "~75,1"), "widths must be among [50, 100], got [50, 75, 50]"),
        (re.sub("~[0-9]+,", "~", INSIDE), "widths must be among [50, 100], got []"),
        (INSIDE.rpartition("~")[0], "must have 1 input and 3 nodes, got 1 and 2"),
        (INSIDE.rpartition(",")[0], "layer 2 must read source 2, and each source at most once, got [0, 1]"),
        (INSIDE.replace("2.sep_conv_3x3", "2.skip_connect"), "layer 2 must have one primitive among"),
        (INSIDE.replace("0.skip_connect", "0.sep_conv_5x5"), "layer 0 must have one primitive among"),
    ],
)
def test_what_lies_outside_is_refused_by_its_rule(line: str, rule: str):
    with pytest.raises(GenotypeError, match=re.escape(rule)):
        SPACE.check(Genotype.from_line(line))
