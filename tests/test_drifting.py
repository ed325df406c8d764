"""The tests of drift by counting how often they find what is there, and what is not."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chisquare, ks_2samp

from cellwright.drifting import (
    compare_feature,
    compare_features,
    compare_together,
    count_drop,
    resample_drop,
)


def sample(rng: np.random.Generator, size: int = 300, shift: float = 0.0) -> dict[str, np.ndarray]:
    numbers = {f"x{i}": rng.normal(shift, 1, size).astype(np.float32) for i in range(10)}
    categories = {f"c{i}": rng.binomial(8, 0.3 + shift / 5, size) for i in range(10)}
    return numbers | categories


def test_nothing_is_found_where_nothing_changed_no_more_often_than_the_level():
    rng, level, alarms = np.random.default_rng(0), 0.1, 0
    for _ in range(200):
        alarms += min(one.p_value for one in compare_features(sample(rng), sample(rng))) < level
    assert alarms < 200 * level * 1.5


def test_a_change_is_found_and_its_features_are_named():
    rng = np.random.default_rng(0)
    now = sample(rng) | {"x3": rng.normal(0.5, 1, 300), "c4": rng.binomial(8, 0.4, 300)}
    found = {one.name: one.test for one in compare_features(sample(rng), now) if one.p_value < 0.001}
    assert found == {"x3": "kolmogorov-smirnov", "c4": "chi-squared"}


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 100), shift=st.floats(0, 1))
def test_order_does_not_matter_and_correction_only_raises(seed: int, shift: float):
    rng = np.random.default_rng(seed)
    before, now = sample(rng, 60), sample(rng, 80, shift)
    found = compare_features(before, now)
    assert found == compare_features(before, {name: values[::-1] for name, values in reversed(now.items())})
    for one in found:
        alone = compare_feature(one.name, before[one.name], now[one.name])
        assert alone.p_value <= one.p_value <= 1
        assert one.statistic == alone.statistic


def test_numbers_have_the_p_value_of_scipy_and_missing_ones_count_as_lowest():
    rng = np.random.default_rng(1)
    before, now = rng.normal(size=100), rng.normal(size=120)
    assert compare_feature("x", before, now).p_value == pytest.approx(
        ks_2samp(before, now, method="asymp").pvalue
    )
    now[:60] = np.nan
    assert compare_feature("x", before, now).statistic >= 0.5


def test_rare_categories_are_counted_together_and_new_ones_are_found():
    before, now = np.repeat([0, 1, 2], [90, 88, 2]), np.repeat([0, 1, 7], [90, 87, 3])
    assert compare_feature("c", before, now).p_value > 0.5
    new = np.repeat([0, 1, 7], [60, 60, 60])
    assert compare_feature("c", before, new).p_value < 1e-9
    same = np.zeros(50, dtype=np.int64)
    assert compare_feature("c", same, same).p_value == 1
    halves = compare_feature("c", np.repeat([0, 1], [50, 50]), np.repeat([0, 1], [70, 30]))
    expected = chisquare([50, 50, 70, 30], [60, 40, 60, 40], ddof=2)
    assert halves.p_value == pytest.approx(expected.pvalue)


def test_a_classifier_finds_what_no_feature_shows_alone_and_no_more_than_the_level_where_nothing_changed():
    rng = np.random.default_rng(0)

    def rows(agree: float) -> dict[str, np.ndarray]:
        sign, x = np.where(rng.random(400) < agree, 1, -1), rng.normal(size=400)
        return {"a": x, "b": sign * np.abs(rng.normal(size=400)) * np.sign(x)}

    found = compare_features(rows(0.5), rows(0.9), rows=True)
    assert [one.test for one in found if one.p_value < 0.001] == ["classifier"]
    assert found[-1].statistic > 0.6
    alarms = sum(compare_together(rows(0.5), rows(0.5)).p_value < 0.2 for _ in range(25))
    assert alarms <= 9


def test_nothing_in_common_is_nothing_tested():
    assert compare_features({"a": np.zeros(3)}, {"b": np.zeros(3)}) == ()


@pytest.mark.parametrize(("truth", "is_found"), [(0.9, False), (0.88, False), (0.8, True)])
def test_a_score_that_fell_is_found_by_counting_and_by_resampling(truth: float, is_found: bool):
    rng, found = np.random.default_rng(0), 0
    for _ in range(60):
        correct = rng.random(400) < truth
        counted = count_drop(correct, 0.88)
        resampled = resample_drop(lambda rows, correct=correct: float(correct[rows].mean()), 400, 0.88, 0.05)
        assert counted.score == pytest.approx(resampled.score) == correct.mean()
        assert resampled.p_value == pytest.approx(counted.p_value, abs=0.1)
        found += counted.p_value < 0.05
    assert found > 55 if is_found else found < 8
