import random
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from cellwright.estimators.base import Setting, build_estimator
from cellwright.estimators.latency.estimator import fit_table, parts_of
from cellwright.estimators.latency.section import LatencySection
from cellwright.progress import Silent
from cellwright.spaces.darts.section import DARTS_PRIMITIVES, DartsSection
from cellwright.spaces.darts.space import Darts

SPACE = Darts(primitives=DARTS_PRIMITIVES, num_nodes=4)
COSTS = dict(zip(range(len(DARTS_PRIMITIVES)), (0.1, 0.1, 0.02, 0.5, 0.7, 0.25, 0.35), strict=True))
NOISE = 0.03


def rows_of(count: int, seed: int) -> list[list[str]]:
    rng = random.Random(seed)
    return [list(parts_of(SPACE, SPACE.sample(rng))) for _ in range(count)]


def true_times(rows: list[list[str]]) -> np.ndarray:
    """A cell's primitives cost alike everywhere, but for twice as much in normal cells."""
    return np.array([3 + sum(_cost(part) for part in row if "@" not in part) for row in rows])


def _cost(part: str) -> float:
    group, _, choice = part.partition(":")
    return COSTS[int(choice)] * (2 if group == "normal" else 1)


@pytest.fixture(scope="module")
def noisy() -> tuple[list[list[str]], np.ndarray]:
    rows, rng = rows_of(60, seed=0), np.random.default_rng(0)
    return rows, true_times(rows)[:, None] * (1 + NOISE * rng.standard_normal((60, 9)))


def test_the_table_predicts_networks_that_it_was_not_fitted_to(noisy: tuple[list[list[str]], np.ndarray]):
    table = fit_table(*noisy)
    others = rows_of(200, seed=1)
    told = np.array([table.predict(row) for row in others])
    assert np.median(np.abs(told / true_times(others) - 1)) < 0.02
    assert table.error < 0.03
    assert min(table.parts.values()) >= 0


def test_one_in_forty_fresh_measurements_is_above_the_margin(noisy: tuple[list[list[str]], np.ndarray]):
    table = fit_table(*noisy)
    others, rng = rows_of(1000, seed=2), np.random.default_rng(1)
    fresh = true_times(others) * (1 + NOISE * rng.standard_normal(1000))
    at_most = np.array([table.predict(row) for row in others]) * (1 + table.margin)
    assert 0.95 < (fresh <= at_most).mean() < 1


def test_a_device_that_is_slow_at_times_widens_the_margin(noisy: tuple[list[list[str]], np.ndarray]):
    rows, times_NR = noisy
    slowed = times_NR * np.where(np.arange(9) % 3 == 0, 1.3, 1.0)
    assert fit_table(rows, slowed).margin > 0.25 > fit_table(rows, times_NR).margin


def test_a_finished_table_is_read_and_not_measured_again(tmp_path: Path, tiny_setting: Setting):
    section = DartsSection(num_nodes=1, num_cells=3, channels=4)
    setting = replace(tiny_setting, space=section, final_space=section)
    settings = LatencySection(kind="latency", networks=10, rounds=5)
    build_estimator(settings, setting, seed=0).prepare(tmp_path, Silent())
    (path,) = tmp_path.iterdir()
    written = path.read_bytes()
    build_estimator(settings, setting, seed=1).prepare(tmp_path, Silent())
    assert path.read_bytes() == written
