import os
import pickle
import statistics
from dataclasses import replace
from pathlib import Path

import pytest

from cellwright.candidate import Candidate
from cellwright.errors import CellwrightError
from cellwright.estimators.base import Setting
from cellwright.estimators.tabular.estimator import Tabular, read_plain, read_table
from cellwright.estimators.tabular.section import TabularSection
from cellwright.spaces import CELL
from cellwright.spaces.nasbench201.section import NasBench201Section
from cellwright.spaces.nasbench201.space import NasBench201
from cellwright.spec import SPACES

CELLS = NasBench201()


def test_edges_are_in_our_order_so_isomorphic_cells_score_the_same():
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


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_plain_values_are_read(protocol: int):
    value = {"a": [1.5, -2.0], "b": {"a": [3.25, 4]}}
    assert read_plain(pickle.dumps(value, protocol)) == value


class Hostile:
    def __init__(self, folder: Path):
        self.folder = folder

    def __reduce__(self):
        return os.mkdir, (str(self.folder),)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_nothing_that_is_pickled_is_run(protocol: int, tmp_path: Path):
    hostile = pickle.dumps([1.5, Hostile(tmp_path / "made")], protocol)
    with pytest.raises(CellwrightError, match="must hold plain values, got posix.mkdir"):
        read_plain(hostile)
    assert not (tmp_path / "made").exists()
    pickle.loads(hostile)
    assert (tmp_path / "made").exists()


def test_the_seed_decides_which_training_is_looked_up(tiny_setting: Setting):
    setting = replace(tiny_setting, space=NasBench201Section(kind="nasbench201"))
    tabular = Tabular(TabularSection(kind="tabular"), setting, seed=0)
    candidate = Candidate(genotype=CELLS.genotype({CELL: [3, 3, 3, 1, 3, 2]}))
    found = {tabular.estimate(candidate, (), seed=seed)["accuracy"] for seed in range(20)}
    assert found == {score / 100 for score in read_table("cifar10")["333132"]["val_acc"]}
    assert tabular.estimate(candidate, (), seed=1) == tabular.estimate(candidate, (), seed=1)


def test_other_spaces_are_refused(tiny_setting: Setting):
    with pytest.raises(CellwrightError, match="needs space.kind nasbench201, got darts"):
        Tabular(TabularSection(kind="tabular"), replace(tiny_setting, space=SPACES.default()), seed=0)
