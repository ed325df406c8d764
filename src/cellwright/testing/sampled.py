"""The contract of sampled strategies."""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import pytest

from cellwright.candidate import Candidate
from cellwright.evaluation import FULL, Evaluation, Objective, State, Suggestion
from cellwright.spaces import CandidateSpace
from cellwright.spaces.chain.space import Chain
from cellwright.spaces.darts.space import Darts
from cellwright.spaces.nasbench201.space import NasBench201
from cellwright.strategies.sampled import Suggesting

OBJECTIVES = (Objective(metric="accuracy"), Objective(metric="latency_ms", direction="minimize"))
CELLS = Darts(primitives=("skip_connect", "sep_conv_3x3", "max_pool_3x3"), num_nodes=3)
SPACES = {
    "darts": CandidateSpace(CELLS),
    "nasbench201": CandidateSpace(NasBench201()),
    "chain": CandidateSpace(
        Chain(primitives=("skip_connect", "nor_conv_3x3", "sep_conv_3x3"), widths=(50, 100), num_layers=4)
    ),
    "tuned": CandidateSpace(
        CELLS, {"retrain.learning_rate": (0.003, 0.01, 0.03), "augment.flip": (True, False)}
    ),
}
TINY = CandidateSpace(
    Chain(primitives=("nor_conv_1x1", "nor_conv_3x3"), widths=(100,), num_layers=2),
    {"retrain.learning_rate": (0.003, 0.01, 0.03, 0.1)},
)
"""A space of 32 candidates."""

Build = Callable[[CandidateSpace, int], Suggesting]
"""Builds the strategy for a space and a seed."""


def measure(suggestion: Suggestion, state: State = "done") -> Evaluation:
    """Return the evaluation of a suggestion, with scores derived from its candidate and fidelity."""
    if state != "done":
        return replace(suggestion.running, state=state, reason="as the test wants it")
    rng = random.Random(suggestion.candidate.line)
    metrics = {"accuracy": rng.random() + suggestion.fidelity.epochs, "latency_ms": rng.random()}
    return suggestion.done(metrics)


def run(strategy: Suggesting, rounds: int) -> list[Suggestion]:
    """Evaluate one suggestion after the other, and return them."""
    suggestions: list[Suggestion] = []
    for _ in range(rounds):
        (suggestion,) = strategy.suggest(1)
        strategy.observe([measure(suggestion)])
        suggestions.append(suggestion)
    return suggestions


@dataclass(frozen=True)
class Explored:
    """Suggestions of a strategy with seed 0: first one by one, then several at once."""

    suggestions: Sequence[Suggestion]
    finalists: Sequence[Candidate]
    running: Sequence[Suggestion]
    """Suggested at once after these, and not evaluated."""
    following: Sequence[Suggestion]
    """Suggested at once after the running ones."""


class SampledContract:
    """Tests of a strategy. Subclasses define a class-scoped fixture `build` that returns a `Build`.

    The builder must pass `OBJECTIVES` to the strategy.
    """

    NUM_SUGGESTIONS = 16

    @pytest.fixture(params=list(SPACES), scope="class")
    @classmethod
    def space(cls, request: pytest.FixtureRequest) -> CandidateSpace:
        """Return one space after the other."""
        return SPACES[request.param]

    @pytest.fixture(scope="class")
    @classmethod
    def explored(cls, build: Build, space: CandidateSpace) -> Explored:
        """Return the result of a search that several tests share."""
        strategy = build(space, 0)
        return Explored(
            run(strategy, cls.NUM_SUGGESTIONS),
            strategy.finalists(3),
            strategy.suggest(3),
            strategy.suggest(5),
        )

    def test_suggestions_lie_inside_and_are_numbered_in_order(
        self, explored: Explored, space: CandidateSpace
    ) -> None:
        """Every suggestion is in the space."""
        assert all(space.contains(suggestion.candidate) for suggestion in explored.suggestions)
        assert [suggestion.number for suggestion in explored.suggestions] == list(range(self.NUM_SUGGESTIONS))

    def test_several_at_once_build_different_networks(self, build: Build, space: CandidateSpace) -> None:
        """Parallel suggestions are different, at the start and later."""
        strategy = build(space, 0)
        for _ in range(4):
            suggestions = strategy.suggest(self.NUM_SUGGESTIONS // 2)
            keys = [space.isomorphism_key(suggestion.candidate) for suggestion in suggestions]
            assert len(set(keys)) == self.NUM_SUGGESTIONS // 2
            strategy.observe(map(measure, suggestions))

    def test_no_network_is_evaluated_twice_at_one_fidelity(
        self, explored: Explored, space: CandidateSpace
    ) -> None:
        """An architecture is evaluated again only at another fidelity."""
        evaluated = {(space.isomorphism_key(s.candidate), s.fidelity) for s in explored.suggestions}
        assert len(evaluated) == self.NUM_SUGGESTIONS

    def test_the_same_seed_and_evaluations_give_the_same_suggestions(
        self, build: Build, explored: Explored, space: CandidateSpace
    ) -> None:
        """All randomness is derived from the seed."""
        assert run(build(space, 0), self.NUM_SUGGESTIONS) == explored.suggestions

    def test_other_seeds_give_other_suggestions(
        self, build: Build, explored: Explored, space: CandidateSpace
    ) -> None:
        """Runs with several seeds are different."""
        assert run(build(space, 1), 4) != explored.suggestions[:4]

    @pytest.mark.parametrize("order", ["as suggested", "reversed", "shuffled"])
    def test_a_new_strategy_continues_as_the_old_one_would(
        self, build: Build, explored: Explored, space: CandidateSpace, order: str
    ) -> None:
        """A restarted service observes everything at once, in any order, with repetitions."""
        known = list(map(measure, explored.suggestions))
        known += [suggestion.running for suggestion in explored.running]
        strategy = build(space, 0)
        strategy.observe(_in_order(order, known) + known[:5])
        assert strategy.suggest(5) == explored.following

    def test_late_and_unordered_evaluations_are_learnt(self, build: Build, space: CandidateSpace) -> None:
        """With four parallel trials, additional requests in between make no difference."""
        late, prompt = build(space, 0), build(space, 0)
        rng = random.Random(1)
        for _ in range(self.NUM_SUGGESTIONS // 4):
            suggestions = late.suggest(4)
            assert prompt.suggest(4) == suggestions
            for suggestion in rng.sample(suggestions, 4):
                late.observe([measure(suggestion)])
            prompt.observe(map(measure, suggestions))
        assert late.suggest(4) == prompt.suggest(4)

    def test_failed_evaluations_do_not_stop_the_strategy(self, build: Build, space: CandidateSpace) -> None:
        """Failed candidates are not suggested again."""
        strategy = build(space, 0)
        states: Sequence[State] = ("failed", "infeasible", "pruned", "done")
        suggestions: list[Suggestion] = []
        for index in range(self.NUM_SUGGESTIONS):
            (suggestion,) = strategy.suggest(1)
            strategy.observe([measure(suggestion, states[index % 4])])
            suggestions.append(suggestion)
        failed = [s for index, s in enumerate(suggestions) if index % 4 != 3]
        for suggestion in failed:
            again = [
                s
                for s in suggestions
                if s.candidate == suggestion.candidate and s.fidelity == suggestion.fidelity
            ]
            assert again == [suggestion]
        done = {s.candidate for index, s in enumerate(suggestions) if index % 4 == 3}
        assert set(strategy.finalists(self.NUM_SUGGESTIONS)) <= done

    def test_a_search_continues_if_all_evaluations_fail(self, build: Build, space: CandidateSpace) -> None:
        """The strategy works without anything to learn from."""
        strategy = build(space, 0)
        for _ in range(self.NUM_SUGGESTIONS):
            (suggestion,) = strategy.suggest(1)
            strategy.observe([measure(suggestion, "failed")])
        assert strategy.finalists(3) == []

    def test_an_exhausted_space_gives_each_network_once_and_then_none(self, build: Build) -> None:
        """The last one is found too."""
        strategy = build(TINY, 0)
        lowest: list[str] = []
        while suggestions := strategy.suggest(1):
            (suggestion,) = suggestions
            strategy.observe([measure(suggestion)])
            lowest.append(TINY.isomorphism_key(suggestion.candidate))
        assert len(set(lowest)) == len({TINY.isomorphism_key(candidate) for candidate in _every(TINY)})
        assert strategy.suggest(3) == []

    def test_finalists_are_evaluated_in_full_and_differ(self, explored: Explored) -> None:
        """They can be evaluated again on fresh seeds."""
        in_full = {s.candidate for s in explored.suggestions if s.fidelity == FULL}
        finalists = explored.finalists
        assert len(set(finalists)) == len(finalists) == min(3, len(in_full))
        assert set(finalists) <= in_full


def _in_order(order: str, evaluations: Sequence[Evaluation]) -> list[Evaluation]:
    if order == "reversed":
        return list(reversed(evaluations))
    return (
        random.Random(0).sample(evaluations, len(evaluations)) if order == "shuffled" else list(evaluations)
    )


def _every(space: CandidateSpace) -> list[Candidate]:
    """Return all candidates of a small space, by visiting neighbours."""
    found = [space.sample(random.Random(0))]
    for candidate in found:
        found += [neighbour for neighbour in space.neighbours(candidate) if neighbour not in found]
    return found
