"""The gate's rules against their definitions, and its error rates by counting."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom

from cellwright.errors import CellwrightError
from cellwright.gating import (
    check_bounds,
    check_champion,
    check_first,
    check_leak,
    check_look,
    compare_correct,
    compare_resampled,
    level_of_look,
    measured,
)
from cellwright.results import (
    Comparison,
    GateDecision,
    Interval,
    LatencyResult,
    ModelScore,
    PairedComparison,
    Score,
)
from cellwright.spec.gate import Gate

levels = st.floats(1e-4, 0.4)


def table(both: int, gains: int, losses: int, neither: int) -> tuple[np.ndarray, np.ndarray]:
    """Return where two models are right, from the cells of their table."""
    sizes = (both, gains, losses, neither)
    return np.repeat([True, True, False, False], sizes), np.repeat([True, False, True, False], sizes)


@given(level=levels, looks=st.integers(1, 300))
def test_the_levels_of_all_looks_add_up_to_less_than_the_level(level: float, looks: int):
    parts = [level_of_look(level, look) for look in range(1, looks + 1)]
    assert sum(parts) < level
    assert all(later < earlier for earlier, later in pairwise(parts))


@settings(max_examples=40)
@given(cells=st.tuples(*[st.integers(0, 30)] * 4).filter(sum), level=levels)
def test_mcnemar_has_the_binomial_tail_and_a_bound_below_the_difference(cells, level):
    both, gains, losses, neither = cells
    compared = compare_correct(*table(*cells), level)
    assert compared.difference == (gains - losses) / sum(cells)
    assert compared.p_value == pytest.approx(binom.sf(gains - 1, gains + losses, 0.5))
    mirrored = compare_correct(*table(both, losses, gains, neither), level)
    assert mirrored.difference == -compared.difference
    assert -1 <= compared.low <= 1
    assert compare_correct(*table(*cells), level / 2).low <= compared.low


@pytest.mark.parametrize("level", [0.05, 0.01, 0.001])
@pytest.mark.parametrize("differing", [3, 10, 40, 200])
def test_one_that_is_no_better_passes_no_more_often_than_the_level(differing: int, level: float):
    chance = sum(
        binom.pmf(gains, differing, 0.5)
        for gains in range(differing + 1)
        if compare_correct(*table(300, gains, differing - gains, 20), level).p_value < level
    )
    assert chance <= level


def test_one_that_is_worse_by_the_margin_is_seldom_not_inferior():
    """Exactly, over the gains and losses of a pair that differs on a tenth of the examples."""
    trials, margin, level = 400, 0.02, 0.025
    differing, gain = 0.1, (0.1 - margin) / 2 / 0.1
    chance = sum(
        binom.pmf(number, trials, differing) * binom.pmf(gains, number, gain)
        for number in range(15, 70)
        for gains in range(number + 1)
        if compare_correct(*table(trials - number, gains, number - gains, 0), level).low > -margin
    )
    assert chance <= 1.2 * level


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 1000), shift=st.floats(-0.5, 0.5))
def test_the_bootstrap_is_repeatable_and_finds_clear_differences(seed: int, shift: float):
    gaps = np.random.default_rng(seed).normal(shift, 0.01, size=50)
    compared = compare_resampled(lambda rows: float(gaps[rows].mean()), 50, 0.05)
    assert compared == compare_resampled(lambda rows: float(gaps[rows].mean()), 50, 0.05)
    assert compared.difference == pytest.approx(gaps.mean())
    assert compared.low < compared.difference
    if abs(shift) > 0.02:
        assert (compared.p_value < 0.05, compared.low > 0) == (shift > 0, shift > 0)


def test_the_bootstrap_passes_nothing_whose_score_is_no_number():
    for score in (np.nan, np.inf, -np.inf):
        with pytest.raises(CellwrightError, match="must differ by a finite number"):
            compare_resampled(lambda rows, score=score: score, 50, 0.05)


def test_the_bootstrap_passes_one_that_is_no_better_about_as_often_as_the_level():
    rng, level, passed = np.random.default_rng(0), 0.2, 0
    for _ in range(300):
        gaps = rng.normal(size=60)
        passed += (
            compare_resampled(lambda rows, gaps=gaps: float(gaps[rows].sum()), 60, level).p_value < level
        )
    assert 300 * 0.13 < passed < 300 * 0.27


def against(gate: Gate, costs: dict[str, tuple[float, float]], p_value: float, low: float) -> bool:
    compared = PairedComparison(test="mcnemar", difference=0.0, low=low, p_value=p_value)
    return check_champion(gate, "accuracy", compared, 0.025, 3, costs).passed


def test_superiority_asks_for_better_and_non_inferiority_for_cheaper():
    cheaper, dearer = {"params": (80.0, 100.0)}, {"params": (95.0, 100.0), "latency_ms": (2.0, 2.0)}
    superior, other = Gate(), Gate(rule="non-inferiority", margin=0.02, gain=0.1)
    assert against(superior, dearer, 0.02, 0.001)
    assert not against(superior, cheaper, 0.03, -0.001)
    assert against(other, dearer, 0.02, 0.001)
    assert against(other, cheaper, 0.5, -0.01)
    assert not against(other, cheaper, 0.5, -0.02)
    assert not against(other, dearer, 0.5, -0.01)
    assert against(other, {"params": (100.0, 100.0), "latency_ms": (1.0, 2.0)}, 0.5, -0.01)


@pytest.mark.parametrize(("low", "superior", "not_inferior"), [(0.01, True, True), (-0.005, False, True)])
def test_a_first_champion_is_compared_with_the_hand_designed_network(low, superior, not_inferior):
    comparison = Comparison(baseline="resnet", difference=0.02, interval=Interval(low=low, high=0.05))
    assert check_first(Gate(), "accuracy", comparison).passed is superior
    assert check_first(Gate(rule="non-inferiority"), "accuracy", comparison).passed is not_inferior
    assert "resnet" in check_first(Gate(), "accuracy", comparison).sentence
    assert check_first(Gate(), "accuracy", None).passed


def test_bounds_hold_for_all_that_is_measured_and_fail_for_what_is_not():
    score = ModelScore(
        name="found",
        genotype=None,
        metrics={"accuracy": Score(value=0.9), "calibration_error": Score(value=0.04)},
        params=1000,
        latency=(
            LatencyResult(batch_size=32, median_ms=9, p95_ms=9),
            LatencyResult(batch_size=1, median_ms=2, p95_ms=3),
        ),
    )
    values = measured(score, 0.7)
    assert values == {
        "accuracy": 0.9,
        "calibration_error": 0.04,
        "params": 1000,
        "worst_class": 0.7,
        "latency_ms": 2,
    }
    gate = Gate(at_least={"accuracy": 0.9, "worst_class": 0.8}, at_most={"latency_ms": 2, "macs": 5})
    assert [check.passed for check in check_bounds(gate, values)] == [True, False, True, False]
    assert [check.sentence for check in check_bounds(gate, values)][1::2] == [
        "worst_class must be at least 0.8, got 0.7",
        "gate.at_most: macs must be measured, of accuracy, calibration_error, latency_ms, params, worst_class",
    ]


def test_a_test_set_wears_out():
    assert check_look(Gate(looks=3), 3).passed
    worn = check_look(Gate(looks=3), 4)
    assert not worn.passed and "worn out" in worn.sentence


def test_a_decision_is_one_sentence_of_what_failed():
    bounds = check_bounds(
        Gate(at_least={"accuracy": 0.5}, at_most={"params": 5}), {"accuracy": 0.6, "params": 7}
    )
    decision = GateDecision(
        passed=False, champion=None, test_set="0" * 64, num_examples=9, look=1, level=0.025, checks=bounds
    )
    assert decision.sentence == "refused: params must be at most 5, got 7"
    assert GateDecision.model_validate_json(decision.model_dump_json()) == decision


def test_a_version_that_was_trained_on_test_examples_is_refused_but_for_copies_that_data_has():
    assert check_leak(Gate(), 3, 300).passed
    refused = check_leak(Gate(), 4, 300)
    assert not refused.passed and refused.sentence.endswith("got 4 of 300")
