import random
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cellwright.genotype import Cell, Edge, Genotype, GenotypeError

PRIMITIVES = ("skip_connect", "sep_conv_3x3", "max_pool_3x3")


@st.composite
def cells(draw: st.DrawFn) -> Cell:
    num_inputs = draw(st.integers(1, 2))
    nodes = []
    for index in range(draw(st.integers(1, 5))):
        sources = draw(st.lists(st.integers(0, num_inputs + index - 1), max_size=3, unique=True))
        nodes.append(tuple(Edge(source, draw(st.sampled_from(PRIMITIVES))) for source in sources))
    widths = draw(st.none() | st.tuples(*[st.sampled_from([25, 100, 150])] * len(nodes)))
    return Cell(num_inputs=num_inputs, nodes=tuple(nodes), widths=widths)


genotypes = st.builds(
    Genotype,
    space=st.sampled_from(["darts", "my-space_2"]),
    cells=st.dictionaries(st.sampled_from(["normal", "reduce"]), cells(), min_size=1),
)


@given(genotypes)
def test_each_form_round_trips(genotype: Genotype):
    assert Genotype.from_line(genotype.to_line()) == genotype
    assert Genotype.from_dict(genotype.to_dict()) == genotype


@given(genotypes)
def test_line_needs_no_quotes_in_a_shell(genotype: Genotype):
    assert re.fullmatch(r"[A-Za-z0-9._:,~-]+", genotype.to_line())


def test_only_a_cell_with_widths_writes_them():
    plain = "chain:chain~1~0.skip_connect~1.max_pool_3x3"
    wide = "chain:chain~1~50,0.skip_connect~100,1.max_pool_3x3"
    assert Genotype.from_line(plain).to_dict()["cells"]["chain"].keys() == {"num_inputs", "nodes"}
    assert Genotype.from_line(wide).cells["chain"].widths == (50, 100)
    assert Genotype.from_line(plain).isomorphism_key() != Genotype.from_line(wide).isomorphism_key()


@given(genotypes, genotypes)
def test_digest_distinguishes_genotypes(one: Genotype, other: Genotype):
    assert (one.digest == other.digest) == (one == other)


@given(cells(), st.randoms(use_true_random=False))
def test_isomorphism_key_ignores_how_nodes_are_numbered(cell: Cell, rng: random.Random):
    assert _renumbered(cell, rng).isomorphism_key() == cell.isomorphism_key()


def test_equivalent_nodes_cost_one_numbering_and_too_many_numberings_are_refused():
    twins = Cell(num_inputs=2, nodes=((Edge(0, "skip_connect"), Edge(1, "skip_connect")),) * 40)
    assert twins.isomorphism_key().count("~") == 40
    chains = [(Edge(0, "a"),) if node % 2 == 0 else (Edge(node, "a"),) for node in range(18)]
    with pytest.raises(
        GenotypeError, match="at most 40320 numberings of equivalent nodes, got groups of 9, 9"
    ):
        Cell(num_inputs=1, nodes=tuple(chains)).isomorphism_key()


@pytest.mark.parametrize("line", ["x:a~" + "2" * 5000 + "~0.b", "x:a~2~" + "1" * 5000 + ".b"])
def test_numbers_of_any_length_are_refused_with_a_message(line: str):
    with pytest.raises(GenotypeError, match="must be"):
        Genotype.from_line(line)


def test_isomorphism_key_sees_whether_a_node_is_shared():
    conv, skip = "sep_conv_3x3", "skip_connect"
    shared = (((0, conv),), ((0, conv),), ((1, skip),), ((1, skip),))
    apart = (((0, conv),), ((0, conv),), ((1, skip),), ((2, skip),))
    one, other = (
        Cell(num_inputs=1, nodes=tuple(tuple(Edge(*edge) for edge in node) for node in nodes))
        for nodes in (shared, apart)
    )
    assert one.isomorphism_key() != other.isomorphism_key()


@pytest.mark.parametrize(
    ("line", "rule"),
    [
        ("darts:normal", "a cell must be NAME~INPUTS~NODE"),
        ("darts:normal~x~0.skip_connect", "a cell must be NAME~INPUTS~NODE"),
        ("darts:normal~2~skip_connect", "an edge must be SOURCE.PRIMITIVE, got 'skip_connect'"),
        ("darts:normal~2~2.skip_connect", "node 0 must read an earlier node"),
        ("darts:normal~2~0.Skip", "primitive must match"),
        ("chain:chain~1~50,0.skip_connect~1.skip_connect", "widths must be at least 1 and one for each of 2"),
        ("chain:chain~1~0,0.skip_connect", "widths must be at least 1"),
        ("Darts:normal~2~0.skip_connect", "space and cell names must match"),
    ],
)
def test_a_bad_line_is_refused_by_its_rule(line: str, rule: str):
    with pytest.raises(GenotypeError, match=re.escape(rule)):
        Genotype.from_line(line)


@pytest.mark.parametrize("value", [None, {}, {"space": "darts", "cells": {"normal": {"nodes": [[]]}}}, "x"])
def test_a_bad_dict_is_refused(value: object):
    with pytest.raises(GenotypeError, match="not a genotype"):
        Genotype.from_dict(value)


def _renumbered(cell: Cell, rng: random.Random) -> Cell:
    """Return the cell with its nodes in another order in which each still follows what it reads."""
    left, order = set(range(len(cell.nodes))), []
    while left:
        ready = [
            node
            for node in sorted(left)
            if all(edge.source - cell.num_inputs not in left for edge in cell.nodes[node])
        ]
        order.append(rng.choice(ready))
        left.remove(order[-1])
    place = {node: cell.num_inputs + position for position, node in enumerate(order)}
    nodes = tuple(
        tuple(
            Edge(place.get(edge.source - cell.num_inputs, edge.source), edge.primitive)
            for edge in cell.nodes[node]
        )
        for node in order
    )
    widths = None if cell.widths is None else tuple(cell.widths[node] for node in order)
    return Cell(num_inputs=cell.num_inputs, nodes=nodes, widths=widths)
