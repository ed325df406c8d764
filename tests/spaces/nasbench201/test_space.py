import itertools
import re

import pytest

from cellwright.genotype import Genotype, GenotypeError
from cellwright.spaces import CELL
from cellwright.spaces.nasbench201.space import NasBench201

SPACE = NasBench201()
INSIDE = (
    "nasbench201:cell~1~0.none~0.nor_conv_3x3,1.skip_connect~0.avg_pool_3x3,1.nor_conv_1x1,2.nor_conv_3x3"
)


def test_choices_are_in_the_order_of_the_published_tables():
    assert SPACE.taken(Genotype.from_line(INSIDE)) == {CELL: [0, 3, 1, 4, 2, 3]}


def test_there_are_as_many_cells_and_unique_ones_as_published():
    """Section 2.1 of https://arxiv.org/abs/2001.00326 counts 15,625 and 6,466."""
    cells = [SPACE.genotype({CELL: taken}) for taken in itertools.product(range(5), repeat=6)]
    assert len(cells) == 15_625
    assert len(set(map(SPACE.isomorphism_key, cells))) == 6_466


def test_a_skip_is_what_it_reads_and_nothing_comes_of_zero():
    def key(*taken: int) -> str:
        return SPACE.isomorphism_key(SPACE.genotype({CELL: taken}))

    none, skip, conv = 0, 1, 3
    assert key(skip, none, conv, none, none, skip) == key(skip, conv, none, none, none, skip)
    assert key(none, none, conv, none, skip, none) == key(none, none, none, none, none, none)
    assert key(skip, none, none, none, conv, none) != key(skip, none, none, none, none, none)


@pytest.mark.parametrize(
    ("line", "rule"),
    [
        (INSIDE.replace("nasbench201", "darts"), "space must be 'nasbench201', got 'darts'"),
        (INSIDE.replace("cell~", "normal~"), "cells must be ['cell'], got ['normal']"),
        (INSIDE.replace("~1~", "~2~"), "must have 1 input and 3 nodes, got 2 and 3"),
        (INSIDE.replace("~0.none", "~"), "node 0 must read each of sources 0 to 0 once, got []"),
        (INSIDE.replace("1.skip", "0.skip"), "node 1 must read each of sources 0 to 1 once, got [0, 0]"),
        (INSIDE.replace("avg_pool", "max_pool"), "primitives must be among none, skip_connect"),
        (re.sub("~(?=[0-9][.])", "~50,", INSIDE), "widths must not be given, got [50, 50, 50]"),
    ],
)
def test_what_lies_outside_is_refused_by_its_rule(line: str, rule: str):
    with pytest.raises(GenotypeError, match=re.escape(rule)):
        SPACE.check(Genotype.from_line(line))
