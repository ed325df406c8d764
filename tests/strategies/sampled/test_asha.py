import random
from dataclasses import replace

import pytest

from cellwright.candidate import Candidate
from cellwright.evaluation import FULL, Fidelity, Suggestion
from cellwright.spaces import CandidateSpace
from cellwright.spaces.nasbench201.space import NasBench201
from cellwright.spec import STRATEGIES
from cellwright.strategies.sampled import build_sampled
from cellwright.strategies.sampled.fidelity_regression import FidelityRegression
from tests.strategies.sampled.evaluating import ACCURACY, count_3x3

CELLS = CandidateSpace(NasBench201())


def _asha(kind: str = "random", **settings):
    section = {"kind": kind, "scheduler": {"kind": "asha", **settings}}
    return build_sampled(STRATEGIES.validate(section), CELLS, [ACCURACY], seed=0)


def _score(candidate: Candidate, epochs: float) -> float:
    return (count_3x3(candidate) + random.Random(candidate.line).random()) * (0.5 + epochs / 2)


def _search(asha, rounds: int) -> list[Suggestion]:
    suggestions = []
    for _ in range(rounds):
        (suggestion,) = asha.suggest(1)
        score = _score(suggestion.candidate, suggestion.fidelity.epochs)
        asha.observe([suggestion.done({"accuracy": score})])
        suggestions.append(suggestion)
    return suggestions


def test_rungs_cost_in_proportion():
    suggestions = _search(_asha(reduction=4, rungs=3), 60)
    assert {s.fidelity for s in suggestions} == {Fidelity(epochs=1 / 16), Fidelity(epochs=1 / 4), FULL}


def test_what_is_spent_may_be_data():
    assert _asha(spends="data", rungs=2).suggest(1)[0].fidelity == Fidelity(data=1 / 3)


def test_one_in_three_is_promoted_and_these_are_the_best():
    suggestions = _search(_asha(), 200)
    while suggestions.pop().fidelity != Fidelity(epochs=3.0**-2):
        pass  # nothing is left that should go on when a newcomer is asked for
    rungs = [
        [s.candidate for s in suggestions if s.fidelity.epochs == pytest.approx(3.0**-left)]
        for left in (2, 1, 0)
    ]
    for lower, upper in zip(rungs, rungs[1:], strict=False):
        assert len(lower) // 3 <= len(upper) <= len(lower) // 2
        best = sorted(lower, key=lambda g: _score(g, 1.0), reverse=True)[: len(lower) // 3]
        assert set(best) <= set(upper)


def test_failures_on_a_rung_are_not_tried_again():
    asha = _asha(rungs=2)
    _search(asha, 2)
    seen: set[tuple[Candidate, Fidelity]] = set()
    for _ in range(30):
        (suggestion,) = asha.suggest(1)
        assert (suggestion.candidate, suggestion.fidelity) not in seen
        seen.add((suggestion.candidate, suggestion.fidelity))
        state = "failed" if suggestion.fidelity == FULL else "done"
        metrics = {} if state == "failed" else {"accuracy": count_3x3(suggestion.candidate)}
        asha.observe([replace(suggestion.running, state=state, metrics=metrics)])


def test_a_low_score_counts_as_what_it_turns_out_to_be_worth():
    low = Fidelity(epochs=0.5)
    regression = FidelityRegression([low, FULL], [ACCURACY])
    rng = random.Random(0)
    changed = []
    for number in range(64):
        candidate, score = CELLS.sample(rng), rng.random()
        suggestion = Suggestion(number=2 * number, candidate=candidate, fidelity=low).running
        key = str(number)
        early = replace(suggestion, state="done", metrics={"accuracy": score})
        late = replace(early, number=2 * number + 1, fidelity=FULL, metrics={"accuracy": 1 + 3 * score})
        changed += [regression.observe(early, key), regression.observe(late, key)]
        assert regression.at_full_fidelity(late) == late
    assert [place // 2 + 1 for place, change in enumerate(changed) if change] == [4, 8, 16, 32, 64]
    assert regression.at_full_fidelity(early).metrics["accuracy"] == pytest.approx(
        late.metrics["accuracy"], abs=0.2
    )
