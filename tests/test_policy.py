"""The policy's rules against what they promise, for any facts."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cellwright.errors import SpecError
from cellwright.policy import (
    RANK,
    DroppedScore,
    FeatureChange,
    PastVersion,
    PolicyDecision,
    PolicyFacts,
    cost,
    data_reference,
    decide,
    reference,
)
from cellwright.spec import parse_spec
from cellwright.spec.policy import Policy

p_values = st.sampled_from([1e-9, 1e-4, 0.005, 0.5, 1.0])
works = st.sampled_from(["retrain", "search"])


def changed(p_value: float, name: str = "x") -> FeatureChange:
    return FeatureChange(name=name, test="chi-squared", statistic=0.3, p_value=p_value)


@st.composite
def histories(draw: st.DrawFn) -> tuple[PastVersion, ...]:
    days = sorted(draw(st.lists(st.floats(0, 400), min_size=1, max_size=6)), reverse=True)
    return tuple(
        PastVersion(
            version=number,
            action=draw(works) if number > 1 else "search",
            days=age,
            data=draw(st.sampled_from("abc")),
            num_examples=draw(st.sampled_from([100, 101, 200])),
            score=draw(st.floats(0, 1)),
            hours=draw(st.sampled_from([None, 0.5, 1.0, 8.0])),
            search_hours=draw(st.sampled_from([None, 0.3, 7.0])),
        )
        for number, age in enumerate(days, start=1)
    )


@st.composite
def facts(draw: st.DrawFn) -> PolicyFacts:
    versions = draw(histories())
    return PolicyFacts(
        data=draw(st.sampled_from("abcd")),
        num_examples=draw(st.sampled_from([100, 105, 150])),
        champion=draw(st.sampled_from([version.version for version in versions])),
        versions=versions,
        features=draw(st.none() | st.lists(p_values.map(changed), max_size=3).map(tuple)),
        targets=draw(st.none() | p_values.map(changed)),
        dropped=draw(st.none() | p_values.map(lambda p: DroppedScore(score=0.5, p_value=p))),
        live=draw(st.none() | st.floats(0, 1)),
        hours_spent=draw(st.floats(0, 30)),
    )


policies = st.builds(
    lambda month, least: Policy.model_validate(
        {"hours_per_month": month, "live": {"metric": "accuracy", "at_least": least}}
    ),
    st.none() | st.floats(0.1, 40),
    st.floats(0, 1),
)


@given(policy=policies, known=facts())
def test_work_has_a_reason_fits_the_month_and_is_not_done_twice_on_the_same_data(policy, known):
    decision = decide(policy, known)
    assert decision == decide(policy, known)
    assert decision.sentence.startswith(f"{decision.action}: ")
    assert PolicyDecision.model_validate_json(decision.model_dump_json()) == decision
    if decision.action == "nothing":
        assert decision.reasons == () or "; but " in decision.sentence
        return
    assert RANK[decision.action] <= max(RANK[reason.then] for reason in decision.reasons)
    assert (known.data, decision.action) not in {(v.data, v.action) for v in known.versions}
    if policy.hours_per_month is not None:
        assert known.hours_spent + cost(decision.action, known.versions) <= policy.hours_per_month


@given(policy=policies, known=facts(), more=st.floats(0.01, 30))
def test_more_hours_never_mean_less_work(policy, known, more):
    richer = known.model_copy(update={"hours_spent": max(0.0, known.hours_spent - more)})
    assert RANK[decide(policy, richer).action] >= RANK[decide(policy, known).action]


@given(known=facts())
def test_a_policy_without_reasons_does_nothing_and_without_a_champion_there_is_a_search(known):
    none = Policy(new_data=None, label_shift=None, drift=None, score=None, age=None)
    assert decide(none, known).sentence == "nothing: nothing asks for work"
    assert decide(none, known.model_copy(update={"champion": None})).action == "search"


FIRST = PastVersion(
    version=1, action="search", days=20, data="a", num_examples=100, score=0.9, hours=8, search_hours=7
)
QUIET = PolicyFacts(data="b", num_examples=104, champion=1, versions=(FIRST,))


def after(**changes) -> str:
    policy = Policy.model_validate(changes.pop("policy", {}))
    return decide(policy, QUIET.model_copy(update=changes)).sentence


def test_each_reason_is_a_sentence():
    retrained = FIRST.model_copy(update={"version": 2, "action": "retrain", "days": 3.0, "score": 0.85})
    dropped = DroppedScore(score=0.8, p_value=1e-5)
    live = {"policy": {"live": {"metric": "auc", "at_least": 0.7}}}
    assert after() == "nothing: nothing asks for work"
    assert after(num_examples=90) == "retrain: 90 examples, -10% beside those of version 1"
    assert after(policy={"new_data": {"share": 0}}).startswith("retrain: 104 examples")
    assert after(targets=changed(1e-4)) == (
        "retrain: the targets are distributed otherwise (chi-squared 0.3, p = 0.0001)"
    )
    assert after(features=(changed(0.5), changed(1e-5, "width"))) == (
        "search: 1 of 2 features drifted, the most width (chi-squared 0.3, p = 1e-05)"
    )
    assert after(dropped=dropped) == (
        "retrain: the champion scores 0.8 on new labels, below 0.9 by more than 0.02"
    )
    assert after(dropped=dropped, versions=(FIRST, retrained)) == (
        "search: the champion scores 0.8 on new labels, below 0.9 by more than 0.02, which version 2, a retrained one, "
        "did not mend"
    )
    old = (FIRST.model_copy(update={"days": 200.0}),)
    assert after(versions=old) == "search: the last search was 200 days ago"
    assert after(**live, live=0.6) == "search: the live metric auc must be at least 0.7, got 0.6"
    assert after(**live, live=0.8) == "nothing: nothing asks for work"
    served = {"served": {"read_from": "statistics.jsonl"}}
    assert after(policy=served, served=changed(1e-5)) == (
        "search: the champion predicts other classes in use than on its test split (chi-squared 0.3, p = 1e-05)"
    )
    assert after(policy=served, served=changed(0.1)) == "nothing: nothing asks for work"


def test_what_stands_in_the_way_is_said():
    old = (FIRST.model_copy(update={"days": 200.0}),)
    month = {"policy": {"hours_per_month": 10}, "versions": old, "hours_spent": 4.0}
    assert after(**month) == (
        "retrain: the last search was 200 days ago; but a search takes 8 hours, and 6 of the month's 10 are left"
    )
    assert after(**month, data="a") == (
        "nothing: the last search was 200 days ago; but version 1 is that of a search on this data; but the champion, "
        "version 1, was trained on this data"
    )


def test_work_costs_what_it_did_last_and_retraining_a_run_without_its_search():
    again = FIRST.model_copy(update={"version": 2, "action": "retrain", "hours": 0.5, "search_hours": 0.0})
    assert (cost("search", (FIRST, again)), cost("retrain", (FIRST, again))) == (8, 0.5)
    assert (cost("search", (again,)), cost("retrain", (FIRST,)), cost("retrain", ())) == (0, 1, 0)


def test_new_data_is_compared_with_a_version_that_was_refused_and_later_with_the_champion_again():
    policy, refused = Policy(), FIRST.model_copy(update={"version": 2, "action": "retrain", "days": 3.0})
    assert data_reference(policy, 1, (FIRST, refused)) == refused
    long_ago = refused.model_copy(update={"days": 15.0})
    assert data_reference(policy, 1, (FIRST, long_ago)) == FIRST
    assert data_reference(policy, 2, (FIRST, long_ago)) == long_ago
    assert data_reference(policy, None, ()) is None


def test_the_reference_is_the_best_score_since_the_last_search():
    scores = [("search", 0.95), ("search", 0.8), ("retrain", 0.85), ("retrain", 0.82)]
    versions = tuple(
        FIRST.model_copy(update={"version": number, "action": action, "score": score})
        for number, (action, score) in enumerate(scores)
    )
    assert reference(versions) == 0.85
    assert reference(versions[:1]) == 0.95
    assert reference(()) is None


@pytest.mark.parametrize(
    ("policy", "message"),
    [
        ('{"live": {"metric": "auc"}}', "at_least or at_most is required"),
        ('{"drift": {"level": 0}}', "greater than 0"),
        ('{"live": {"metric": "auc", "at_least": 1, "read_from": "http://x/y"}}', "s3://BUCKET/KEY"),
    ],
)
def test_what_a_policy_may_not_be_is_named(policy: str, message: str):
    with pytest.raises(SpecError, match=message):
        parse_spec(f'{{"name": "n", "data": {{"source": "digits"}}, "policy": {policy}}}')
