from pathlib import Path

import numpy as np
import pytest

from benchmarks.one_shot_ranks import (
    CONTENDERS,
    JUDGED,
    RANDOM,
    SHARED,
    Outcome,
    missing,
    random_search,
    rank_of,
    spec_for,
    table,
)
from cellwright.data.prepared import PreparedData
from cellwright.genotype import Genotype
from cellwright.progress import Silent
from cellwright.spec import SearchSpec
from cellwright.step_list import STEPS
from cellwright.steps.running import run_step

CELL = "nasbench201:cell~1~0.{0}~0.{0},1.{0}~0.{0},1.{0},2.{0}"
CONVOLUTIONS, NOTHING = CELL.format("nor_conv_3x3"), CELL.format("none")


def outcome(contender: str, seed: int, line: str, budget: float = 9.0) -> Outcome:
    return Outcome(
        contender=contender,
        seed=seed,
        budget=budget,
        genotype=Genotype.from_line(line),
        epochs=3,
        cpu_seconds=8.6,
        entropy=None,
        versions="torch 2",
    )


def test_ranks_are_those_of_the_benchmark():
    """Convolutions alone are near the best cells, and a cell without any operation is the worst or as bad."""
    rank, accuracy = rank_of(Genotype.from_line(CONVOLUTIONS), "cifar10")
    assert 1 < rank < 1000 and 90 < accuracy < 91
    rank, accuracy = rank_of(Genotype.from_line(NOTHING), "cifar10")
    assert rank > 15_000 and accuracy == pytest.approx(10, abs=0.5)


def test_the_contenders_of_the_bar_come_first_and_nothing_is_run_twice():
    left = list(missing(2, [outcome("drnas", 0, NOTHING), outcome("drnas", 1, NOTHING, budget=1.0)], 9.0))
    assert left[: len(JUDGED) * 2 - 1] == [
        ("beta-darts", 0), (RANDOM, 0), ("drnas", 1), ("beta-darts", 1), (RANDOM, 1)
    ]  # fmt: skip
    assert len(set(left)) == len(left) == 2 * len(CONTENDERS) - 1


def test_a_row_has_the_mean_rank_and_what_is_gained_over_random_search():
    runs = [outcome("drnas", 0, CONVOLUTIONS), outcome(RANDOM, 0, NOTHING)]
    _, _, drnas, random = table(runs).splitlines()
    rank, accuracy = rank_of(runs[0].genotype, "cifar10")
    _, worst = rank_of(runs[1].genotype, "cifar10")
    assert f"| drnas | 1 | {rank} ({rank}) |" in drnas
    assert f"| {accuracy:.2f} | {accuracy - worst:+.2f} |" in drnas
    assert f"| {worst:.2f} |  |" in random


def test_random_search_returns_the_best_of_the_cells_that_fit(tmp_path: Path):
    """With no time, that is the first."""
    images = np.random.default_rng(0).integers(256, size=(60, 8, 8, 3), dtype=np.uint8)
    np.savez(tmp_path / "noise.npz", images=images, labels=np.arange(60) % 3)
    data = {"source": "npz", "path": str(tmp_path / "noise.npz")}
    spec = SearchSpec.model_validate(
        SHARED | {"name": "noise", "data": data, "strategy": {"kind": "random-ws"}}
    )
    prepared = PreparedData.open(run_step(STEPS["prepare"], spec, {}, tmp_path / "prepared", Silent()))
    genotype, count, _ = random_search(spec, prepared, 0.0, tmp_path)
    assert count == 1 and genotype.to_line().startswith("nasbench201:")


@pytest.mark.parametrize("contender", CONTENDERS)
def test_each_contender_has_a_valid_spec(contender: str):
    assert spec_for(contender, 1, {"source": "images", "path": "train", "test_path": "test"}).seed == 1
