"""Evaluations as texts, there and back."""

import random
import re
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cellwright.candidate import Candidate
from cellwright.errors import CellwrightError
from cellwright.evaluation import FULL, Evaluation, Fidelity, Objective, Suggestion
from cellwright.katib.assignments import (
    assign,
    format_fidelity,
    observation,
    read_evaluation,
    read_fidelity,
    read_suggestion,
)
from cellwright.spaces import build_space
from cellwright.spaces.darts.section import DartsSection
from tests.contracts.sections import SECTIONS

SHARES = st.one_of(st.just(1.0), st.floats(0, 1, exclude_min=True))
FIDELITIES = st.builds(Fidelity, epochs=SHARES, data=SHARES, resolution=SHARES, channels=SHARES)
GENOTYPES = st.builds(
    lambda name, seed: build_space(SECTIONS[name]).sample(random.Random(seed)),
    st.sampled_from(["darts", "nasbench201", "chain"]),
    st.integers(0, 1000),
)
CANDIDATES = st.builds(
    Candidate,
    genotype=GENOTYPES,
    values=st.dictionaries(
        st.sampled_from(["retrain.learning_rate", "retrain.loss", "augment.shift"]),
        st.one_of(st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False), st.text()),
    ),
)
SUGGESTIONS = st.builds(Suggestion, number=st.integers(0, 10**6), candidate=CANDIDATES, fidelity=FIDELITIES)
OBJECTIVES = [Objective(metric="accuracy"), Objective(metric="params", direction="minimize")]
VALUES = st.floats(allow_nan=False, allow_infinity=False)
METRICS = st.fixed_dictionaries(
    {"accuracy": VALUES, "params": VALUES}, optional={"zero_cost": VALUES, "depth": VALUES}
)
HERE = Suggestion(
    number=4, candidate=Candidate(genotype=build_space(DartsSection()).sample(random.Random(0)))
)


def reported(evaluation: Evaluation) -> dict[str, str]:
    return dict(observation(evaluation, OBJECTIVES))


@settings(suppress_health_check=[HealthCheck.too_slow])  # the first loads what the space needs
@given(SUGGESTIONS)
def test_suggestions_come_back_as_they_went(suggestion):
    assignments = assign(suggestion)
    assert read_suggestion(assignments) == suggestion
    assert all(re.fullmatch(r"[A-Za-z0-9_.:,~-]+", value) for value in assignments.values())


def test_a_fidelity_says_what_is_less_than_full():
    assert format_fidelity(FULL) == "full"
    assert format_fidelity(Fidelity(epochs=1 / 3, data=0.5)) == "epochs:0.3333333333333333,data:0.5"


@pytest.mark.parametrize("text", ["", "epochs", "epochs:2", "epochs:x", "time:0.5", "epochs:0.5:1"])
def test_what_is_no_fidelity_is_named(text):
    with pytest.raises(CellwrightError, match=f"^fidelity must be .*, got {text!r}$"):
        read_fidelity(text)


@given(SUGGESTIONS, METRICS, st.sampled_from(["done", "pruned", "infeasible", "failed"]), st.floats(0, 1e6))
def test_what_a_trial_reports_comes_back_as_it_went(suggestion, metrics, state, seconds):
    evaluation = replace(suggestion.running, state=state, metrics=metrics, seconds=seconds)
    assert read_evaluation(suggestion, "SUCCEEDED", reported(evaluation), OBJECTIVES, seconds=9) == evaluation


def test_an_objective_that_was_not_measured_is_reported_as_the_worst_and_read_as_none():
    evaluation = replace(HERE.running, state="pruned", metrics={"zero_cost": 0.5}, seconds=0.0)
    assert reported(evaluation) == {
        "accuracy": "-inf",
        "params": "inf",
        "zero_cost": "0.5",
        "state": "pruned",
        "seconds": "0.0",
    }
    assert read_evaluation(HERE, "Succeeded", reported(evaluation), OBJECTIVES, seconds=9) == evaluation


def test_a_trial_without_a_state_is_done_and_took_as_long_as_katib_saw():
    told = {"accuracy": "0.5", "params": "10", "state": "unavailable", "seconds": "unavailable"}
    evaluation = read_evaluation(HERE, "Succeeded", told, OBJECTIVES, seconds=9)
    assert (evaluation.state, evaluation.seconds) == ("done", 9)
    assert evaluation.metrics == {"accuracy": 0.5, "params": 10.0}


@pytest.mark.parametrize(
    ("told", "reason"),
    [
        ({"accuracy": "nan", "params": "unavailable"}, "its trial reported no accuracy, params"),
        ({"accuracy": "1", "params": "1", "state": "running"}, "its trial reported the state 'running'"),
        ({"accuracy": "1", "params": "1", "state": "fine"}, "its trial reported the state 'fine'"),
    ],
)
def test_a_trial_that_is_done_but_for_its_metrics_has_failed(told, reason):
    evaluation = read_evaluation(HERE, "Succeeded", {**told, "seconds": "0"}, OBJECTIVES, seconds=9)
    assert (evaluation.state, evaluation.reason) == ("failed", reason)
    assert evaluation.seconds > 0, "it was begun"


@pytest.mark.parametrize("end", ["Failed", "KILLED", "EarlyStopped"])
def test_a_trial_that_ended_badly_was_started(end):
    evaluation = read_evaluation(HERE, end, {}, OBJECTIVES, seconds=0)
    assert (evaluation.state, evaluation.reason) == ("failed", f"its trial ended as {end.lower()}")
    assert evaluation.seconds > 0


@pytest.mark.parametrize("condition", ["Created", "RUNNING", "UNKNOWN"])
def test_any_other_trial_runs(condition):
    assert read_evaluation(HERE, condition, {"accuracy": "1"}, OBJECTIVES, seconds=9) == HERE.running
