"""The pages of the benchmarks of races, from what they measured."""

import signal
from pathlib import Path

import pytest

from benchmarks import race, six_sets, stopping
from benchmarks.hand_designed import CIFAR, FASHION
from benchmarks.outcomes import load_outcomes
from cellwright.genotype import Genotype
from cellwright.results import RacedNetwork

WINNER = RacedNetwork(
    name="resnet",
    genotype=Genotype.from_line("darts:normal~2~0.skip_connect,1.sep_conv_3x3"),
    step_ms=70,
    epochs=9,
    share=0,
    loss=None,
    score=None,
    p_better=None,
    outcome="won",
)


def outcome(data: str, seed: int, accuracy: float) -> race.Outcome:
    return race.Outcome(
        data=data,
        seconds=150,
        seed=seed,
        test_accuracy=accuracy,
        cpu_seconds=151,
        price_seconds=2.04,
        steps=1300,
        precision="float32",
        sentence="nothing was compared",
        leaderboard=(WINNER,),
    )


def test_races_have_a_table_for_each_data_set_that_was_raced_on():
    page = race.report([outcome(CIFAR, 0, 0.78), outcome(CIFAR, 1, 0.8)], [])
    assert f"| {CIFAR}: test accuracy, % | 150 s | 480 s |" in page
    assert "| **race** | 79.00 ± 1.41 (2) |  |" in page
    assert f"## {CIFAR}, 150 s, seed 1: 80.00 %" in page
    assert "151 CPU seconds, 2.0 of them for prices" in page
    assert FASHION not in page


def test_a_training_is_stopped_at_the_end_of_the_epoch_that_reaches_the_share(
    monkeypatch: pytest.MonkeyPatch,
):
    sent: list[int] = []
    monkeypatch.setattr("os.kill", lambda process, number: sent.append(number))
    progress = stopping.Stopping(0.5)
    progress.advance("race", 90, 100, {})
    progress.advance("train found", 4, 10, {})
    assert sent == []
    progress.advance("train found", 6, 10, {})
    assert (sent, progress.reached) == ([signal.SIGTERM], 0.6)


def test_what_was_left_is_compared_with_what_was_planned():
    left = stopping.Outcome(seconds=90, share=0.25, reached=0.3, stopped=0.89, planned=0.9)
    assert "| 90 | 30% | 89.00 | 90.00 | -1.00 |" in stopping.report([left])


def test_a_plan_is_measured_once_for_all_seeds(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setattr(race, "WORKSPACE", tmp_path)
    plans, specs = (
        race.plans_beside(tmp_path / "race.jsonl"),
        [race.spec_of({"source": "digits"}, 0.2, seed) for seed in (0, 1)],
    )
    first = race.plan_of("digits", specs[0], plans)
    assert race.plan_of("digits", specs[1], plans) == first
    (stored,) = load_outcomes(plans, race.PlannedCell)
    assert (stored.data, stored.seconds, stored.plan) == ("digits", 0.2, first)


def six_cell(contender: str, seed: int, accuracy: float) -> six_sets.Outcome:
    return six_sets.Outcome(
        data="digits",
        seconds=45,
        seed=seed,
        contender=contender,
        network=contender,
        test_accuracy=accuracy,
        num_test=360,
        steps=100,
        cpu_seconds=45,
    )


def test_a_race_is_compared_with_each_network_cell_by_cell():
    outcomes = [
        *(six_cell(six_sets.RACE, seed, accuracy) for seed, accuracy in ((0, 0.97), (1, 0.99), (2, 0.9))),
        *(six_cell("resnet", seed, accuracy) for seed, accuracy in ((0, 0.98), (1, 0.98))),
    ]
    page = six_sets.report(outcomes)
    assert "| digits | 45 | 95.33 ± 4.73 (3) | 98.00 ± 0.00 (2) |" in page
    assert "| resnet | 2 | +0.00 | 50% | 50% |" in page


def test_a_race_and_a_fixed_network_are_trained_by_one_plan(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setattr(six_sets, "WORKSPACE", tmp_path)
    monkeypatch.setattr(race, "WORKSPACE", tmp_path)
    monkeypatch.setattr(six_sets, "KINDS", 1)
    spec = six_sets.spec_of("digits", {"source": "digits"}, 0.2, 0)
    fixed = six_sets.plan_of("digits", spec, tmp_path / "plans.jsonl")
    assert six_sets.plan_of("digits", spec, tmp_path / "plans.jsonl") == fixed
    resnet, other = fixed.networks
    assert (six_sets._kind(resnet), six_sets._kind(other)) == (six_sets.RESNET, "conv-pool-conv-32")
    for contender in (six_sets.RACE, six_sets.RESNET):
        outcome = six_sets.run_cell(spec, fixed, 0, contender)
        assert (outcome.cell, outcome.num_test) == (("digits", 0.2, 0, contender), 359)
