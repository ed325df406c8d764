import pickle
import statistics

import pytest

from cellwright.errors import CellwrightError
from cellwright.estimators.tabular.estimator import Tabular, read_plain, read_table
from cellwright.estimators.tabular.section import TabularSection
from cellwright.spaces import CELL
from cellwright.spaces.darts.section import DartsSection
from cellwright.spaces.nasbench201.section import NasBench201Section
from cellwright.spaces.nasbench201.space import NasBench201

CELLS = NasBench201()


def test_edges_are_in_our_order_so_isomorphic_cells_score_alike():
    table = read_table("cifar10")
    assert len(table) == 15625
    scores: dict[str, list[float]] = {}
    for name, row in table.items():
        key = CELLS.isomorphism_key(CELLS.genotype({CELL: list(map(int, name))}))
        scores.setdefault(key, []).append(statistics.fmean(row["val_acc"]))
    spreads = [max(same) - min(same) for same in scores.values() if len(same) > 1]
    assert len(scores) == 6466
    assert statistics.median(spreads) < 0.5


def test_the_best_cell_is_the_published_one():
    table = read_table("cifar10")
    best = max(table, key=lambda name: statistics.fmean(table[name]["val_acc"]))
    assert [CELLS.primitives[int(choice)] for choice in best] == [
        *("nor_conv_3x3", "nor_conv_3x3", "nor_conv_3x3"),
        *("skip_connect", "nor_conv_3x3", "nor_conv_1x1"),
    ]


def test_plain_values_are_read():
    value = {"a": [1.5, -2.0], "b": {"a": [3.25]}}
    assert read_plain(pickle.dumps(value, protocol=4)) == value


def test_what_could_run_is_refused():
    with pytest.raises(CellwrightError, match="must hold plain values, got STACK_GLOBAL at byte"):
        read_plain(pickle.dumps(print, protocol=4))


def test_the_seed_decides_which_training_is_looked_up():
    tabular = Tabular(TabularSection(kind="tabular"), NasBench201Section(kind="nasbench201"))
    genotype = CELLS.genotype({CELL: [3, 3, 3, 1, 3, 2]})
    found = {tabular.estimate(genotype, (), seed=seed)["accuracy"] for seed in range(20)}
    assert found == {score / 100 for score in read_table("cifar10")["333132"]["val_acc"]}
    assert tabular.estimate(genotype, (), seed=1) == tabular.estimate(genotype, (), seed=1)


def test_other_spaces_are_refused():
    with pytest.raises(CellwrightError, match="needs space.kind nasbench201, got darts"):
        Tabular(TabularSection(kind="tabular"), DartsSection())
