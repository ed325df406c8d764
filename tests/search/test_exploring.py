"""The loop of a sampled search, with trials acted out: which ends when, and what it gives, is up to the test."""

import math
import random
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from cellwright.candidate import Candidate
from cellwright.errors import CellwrightError
from cellwright.evaluation import Evaluation, EvaluationLine, Objective
from cellwright.progress import Silent
from cellwright.runners import REQUEST, RESULT, Key, Outcome, Runner
from cellwright.search.candidates import candidate_space
from cellwright.search.exploring import Exploration
from cellwright.search.screening import Screen
from cellwright.search.trial import TrialRequest
from cellwright.spec import Constraints, ObjectiveSection, SearchSpec
from cellwright.strategies.sampled import SampledStrategy
from cellwright.strategies.sampled.random import RandomSearch, RandomSearchSection
from tests.counting import Convolutions

UNBOUND = Constraints()


class Climber(SampledStrategy):
    """Mutates the best so far, so that what it suggests tells what it knew."""

    def propose(self, rng: random.Random, attempt: int) -> Candidate:
        done = self.done
        return self.space.mutate(max(done, key=self.score).candidate, rng) if done else self.space.sample(rng)


class Stage(Runner):
    """Ends trials in random order; those whose number is listed fail, or give NaN."""

    def __init__(self, seed: int = 0, failing: tuple[int, ...] = (), diverging: tuple[int, ...] = ()) -> None:
        self.rng = random.Random(seed)
        self.failing = failing
        self.diverging = diverging
        self.diverging_again: set[Key] = set()
        self.running: dict[Key, Path] = {}
        self.most = 0
        self.started: list[Key] = []

    @classmethod
    def of(cls, spec, trials):
        raise NotImplementedError

    def start(self, key: Key, folder: Path, evaluation: Evaluation | None = None) -> None:
        self.running[key] = folder
        self.started.append(key)
        self.most = max(self.most, len(self.running))

    def wait(self) -> Outcome:
        key = self.rng.choice(sorted(self.running))
        folder = self.running.pop(key)
        if key[0] in self.failing and key[1] == 0:
            return Outcome(key=key, seconds=1.0, failure="out of luck")
        evaluation = TrialRequest.load(folder / REQUEST).evaluation
        accuracy = random.Random(f"{evaluation.candidate.line} {key[1]}").random()
        diverges = key[0] in self.diverging or key in self.diverging_again
        accuracy = math.nan if diverges else accuracy
        metrics = {**evaluation.metrics, "accuracy": accuracy}
        done = replace(evaluation, state="done", metrics=metrics, curve=(accuracy,))
        (folder / RESULT).write_bytes(EvaluationLine.dump_json(done))
        return Outcome(key=key, seconds=1.0, failure=None)

    def stop(self) -> None:
        self.running.clear()


class Killed(Exception):
    """Stands for a kill."""


class Mortal(Stage):
    """Is killed after so many trials."""

    def __init__(self, lifetime: int) -> None:
        super().__init__()
        self.lifetime = lifetime

    def wait(self) -> Outcome:
        if self.lifetime == 0:
            raise Killed
        self.lifetime -= 1
        return super().wait()


@pytest.fixture
def spec() -> SearchSpec:
    return SearchSpec.model_validate(
        {
            "name": "explored",
            "data": {"source": "digits"},
            "space": {"kind": "darts", "num_cells": 2, "channels": 2, "num_nodes": 2},
            "strategy": {"kind": "random"},
            "budget": {"evaluations": 12, "finalists": 2, "fresh_seeds": 2},
            "runner": {"parallel": 3},
        }
    )


@pytest.fixture
def setting(tiny_setting):
    return tiny_setting


def bound(spec: SearchSpec, constraints: Constraints) -> SearchSpec:
    return spec.model_copy(update={"constraints": constraints})


def explore(
    spec: SearchSpec,
    folder: Path,
    setting,
    runner: Runner | None,
    *,
    keep: float = 1.0,
    constraints: Constraints = UNBOUND,
    strategy: type[SampledStrategy] = Climber,
    objective: str = "accuracy",
) -> Exploration:
    folder.mkdir(exist_ok=True)
    space = candidate_space(spec)
    exploration = Exploration(
        spec,
        strategy(RandomSearchSection(kind="random"), space, [Objective(metric=objective)], seed=1),
        Screen([(Convolutions(), keep)], bound(spec, constraints), setting),
        runner=runner,
        data=folder,
        folder=folder,
        progress=Silent(),
    )
    try:
        exploration.explore()
    finally:
        exploration.close()
    return exploration


def test_the_order_in_which_trials_end_changes_nothing(spec: SearchSpec, tmp_path: Path, setting):
    runs = [
        explore(spec, tmp_path / str(seed), setting, Stage(seed), keep=0.25).evaluations for seed in range(4)
    ]
    assert all(run == runs[0] for run in runs)
    assert {e.state for e in runs[0].values()} == {"done", "pruned"}


def test_as_many_trials_run_as_may(spec: SearchSpec, tmp_path: Path, setting):
    stage = Stage()
    found = explore(spec, tmp_path, setting, stage).evaluations
    assert stage.most == 3
    assert len(stage.started) == sum(e.state == "done" for e in found.values()) == 12


@pytest.mark.parametrize("lifetime", range(12))
def test_a_killed_search_resumes_to_the_same_result(lifetime: int, spec: SearchSpec, tmp_path: Path, setting):
    whole = explore(spec, tmp_path / "whole", setting, Stage(), keep=0.5)
    with pytest.raises(Killed):
        explore(spec, tmp_path / "killed", setting, Mortal(lifetime), keep=0.5)
    journal = tmp_path / "killed" / "evaluations.jsonl"
    journal.write_bytes(journal.read_bytes() + b'{"number": 99, "geno')  # a line that the kill cut off
    stage = Stage()
    resumed = explore(spec, tmp_path / "killed", setting, stage, keep=0.5)
    assert resumed.evaluations == whole.evaluations
    assert len(stage.started) == 12 - lifetime, "no finished trial is run again"


def test_failed_trials_cost_budget_and_nothing_else(spec: SearchSpec, tmp_path: Path, setting):
    found = explore(spec, tmp_path, setting, Stage(failing=(2, 5))).evaluations
    failed = [e for e in found.values() if e.state == "failed"]
    assert [(e.number, e.reason) for e in failed] == [(2, "out of luck"), (5, "out of luck")]
    assert len(found) == 12


def test_what_breaks_a_constraint_is_never_tried(spec: SearchSpec, tmp_path: Path, setting):
    free = explore(spec, tmp_path / "free", setting, Stage(), strategy=RandomSearch).evaluations
    middle = sorted(e.metrics["params"] for e in free.values())[6]
    stage = Stage()
    found = explore(
        spec,
        tmp_path / "bound",
        setting,
        stage,
        constraints=Constraints(params=middle),
        strategy=RandomSearch,
    ).evaluations
    infeasible = {key for key, e in found.items() if e.state == "infeasible"}
    assert infeasible and not infeasible & set(stage.started)
    assert all((e.metrics["params"] > middle) == (e.state == "infeasible") for e in found.values())
    assert sum(e.state == "done" for e in found.values()) == 12
    example = next(e for e in found.values() if e.state == "infeasible")
    assert example.reason == (
        f"constraints.params must be at most {middle:g}, got {example.metrics['params']:g}"
    )


def test_a_share_that_is_kept_is_the_best_one(spec: SearchSpec, tmp_path: Path, setting):
    found = explore(spec, tmp_path, setting, Stage(), keep=0.3, strategy=RandomSearch).evaluations
    done = [e.metrics["convolutions"] for e in found.values() if e.state == "done"]
    pruned = [e.metrics["convolutions"] for e in found.values() if e.state == "pruned"]
    assert sum(done) / len(done) > sum(pruned) / len(pruned)
    assert 0.15 < len(done) / len(found) < 0.6


def test_time_that_is_used_up_is_shown_and_ends_the_search(
    spec: SearchSpec, tmp_path: Path, setting, monkeypatch: pytest.MonkeyPatch
):
    shown = []
    clock = SimpleNamespace(monotonic=lambda: 0.0)  # so trials alone use time
    monkeypatch.setattr("cellwright.search.exploring.time", clock)
    monkeypatch.setattr(Silent, "advance", lambda self, task, done, total, metrics: shown.append(metrics))
    spec = spec.model_copy(update={"budget": spec.budget.model_copy(update={"max_seconds": 1.5})})
    exploration = explore(spec, tmp_path, setting, Stage())
    assert exploration.seconds >= 1.5 and len(exploration.evaluations) < 12
    assert "of 12 evaluations" in exploration.events[0]
    shares = [metrics["time_used"] for metrics in shown]
    assert shares == sorted(shares) and 0.5 < shares[-1] <= 1
    assert shown[-1]["minutes_left"] == pytest.approx(1.5 * (1 - shares[-1]) / 60, abs=0.006)


def test_a_small_space_is_used_up(spec: SearchSpec, tmp_path: Path, setting):
    spec = spec.model_copy(
        update={
            "space": spec.space.model_copy(
                update={"num_nodes": 1, "primitives": ("skip_connect", "sep_conv_3x3")}
            )
        }
    )
    spec = spec.model_copy(update={"budget": spec.budget.model_copy(update={"evaluations": 1000})})
    exploration = explore(spec, tmp_path, setting, None, objective="convolutions", strategy=RandomSearch)
    keys = {candidate_space(spec).isomorphism_key(e.candidate) for e in exploration.evaluations.values()}
    assert len(keys) == len(exploration.evaluations) == 16
    assert exploration.events == ["the space is used up after 16 architectures"]


def scored_again(
    spec: SearchSpec, folder: Path, setting, diverging: Callable[[int, int], bool]
) -> tuple[list[Candidate], list[Evaluation]]:
    """Return two finalists, and what they give on fresh seeds; what diverges is asked by place and repeat."""
    space = candidate_space(spec)
    stage = Stage()
    exploration = Exploration(
        spec,
        Climber(RandomSearchSection(kind="random"), space, [Objective(metric="accuracy")], seed=1),
        Screen([], spec, setting),
        runner=stage,
        data=folder,
        folder=folder,
        progress=Silent(),
    )
    exploration.explore()
    finalists = exploration.strategy.finalists(2)
    numbers = {e.candidate: e.number for e in exploration.done}
    stage.diverging_again = {
        (numbers[finalist], repeat)
        for place, finalist in enumerate(finalists)
        for repeat in (1, 2)
        if diverging(place, repeat)
    }
    again = exploration.score_again(finalists)
    exploration.close()
    return finalists, again


def test_a_finalist_that_diverges_on_a_fresh_seed_is_not_chosen(spec: SearchSpec, tmp_path: Path, setting):
    finalists, again = scored_again(spec, tmp_path, setting, lambda place, repeat: (place, repeat) == (0, 2))
    assert [(e.candidate, e.repeat) for e in again] == [(finalists[1], 1), (finalists[1], 2)]


def test_where_all_diverge_on_a_fresh_seed_others_count(spec: SearchSpec, tmp_path: Path, setting):
    finalists, again = scored_again(spec, tmp_path, setting, lambda place, repeat: repeat == 2)
    assert [(e.candidate, e.repeat) for e in again] == [(c, 1) for c in finalists]


def test_finalists_are_scored_on_fresh_seeds(spec: SearchSpec, tmp_path: Path, setting):
    finalists, again = scored_again(spec, tmp_path, setting, lambda place, repeat: False)
    assert [(e.candidate, e.repeat) for e in again] == [(c, repeat) for repeat in (1, 2) for c in finalists]
    for evaluation in again:
        fresh = random.Random(f"{evaluation.candidate.line} {evaluation.repeat}").random()
        assert evaluation.metrics["accuracy"] == fresh


def test_a_space_without_a_feasible_member_says_so(
    spec: SearchSpec, setting, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("cellwright.search.screening.SEARCHED", 30)
    screen = Screen([], bound(spec, Constraints(params=10, macs=1e9)), setting)
    with pytest.raises(CellwrightError, match=r"constraints.params must be reachable: .* has \d+, got 10"):
        screen.require_feasible(candidate_space(spec), random.Random(0))


def test_a_feasible_member_that_is_rare_is_found(spec: SearchSpec, setting):
    space = candidate_space(spec)
    rng = random.Random(0)
    screen = Screen([], spec, setting)
    params = [
        screen.look_at(
            Evaluation(number=0, candidate=space.sample(rng), state="running"), (), seed=0
        ).metrics["params"]
        for _ in range(40)
    ]
    Screen([], bound(spec, Constraints(params=min(params))), setting).require_feasible(
        space, random.Random(1)
    )


def test_what_it_starts_from_is_tried_first(spec: SearchSpec, tmp_path: Path, setting):
    space = candidate_space(spec)
    start = [space.sample(random.Random(seed)) for seed in (7, 8)]
    exploration = Exploration(
        spec,
        RandomSearch(RandomSearchSection(kind="random"), space, [Objective(metric="accuracy")], seed=1),
        Screen([], spec, setting),
        runner=Stage(),
        data=tmp_path,
        folder=tmp_path,
        progress=Silent(),
        start=start,
    )
    exploration.explore()
    exploration.close()
    assert [e.candidate for e in exploration.done[:2]] == start
    assert len(exploration.done) == 12


def test_a_goal_that_is_reached_ends_the_search(spec, setting, tmp_path: Path):
    best = max(e.metrics["accuracy"] for e in explore(spec, tmp_path / "all", setting, Stage()).done)
    objective = spec.objectives[0].model_copy(update={"goal": best - 0.2})
    bounded = spec.model_copy(update={"objectives": (objective,)})
    exploration = explore(bounded, tmp_path / "some", setting, Stage())
    assert len(exploration.done) < 12
    assert max(e.metrics["accuracy"] for e in exploration.done) >= best - 0.2
    assert exploration.events[-1].startswith("stopped at evaluation ")


def test_too_many_failures_end_the_search_with_their_cause(spec, setting, tmp_path: Path):
    strict = spec.model_copy(update={"runner": spec.runner.model_copy(update={"max_failures": 1})})
    with pytest.raises(
        CellwrightError, match="2 trials failed, where runner.max_failures is 1; the last: out of luck"
    ):
        explore(strict, tmp_path, setting, Stage(failing=[1, 4, 6]))


def test_a_runner_skips_what_needs_no_trial(spec, setting, tmp_path: Path):
    class Told(Stage):
        passed_over: list[int] = []

        def skip(self, evaluation: Evaluation) -> None:
            self.passed_over.append(evaluation.number)

    runner = Told()
    exploration = explore(spec, tmp_path, setting, runner, constraints=Constraints(params=1500))
    infeasible = [e.number for e in exploration.evaluations.values() if e.state == "infeasible"]
    assert infeasible and runner.passed_over == infeasible
    assert not set(infeasible) & {number for number, _ in runner.started}


def test_an_objective_that_is_not_finite_is_left_out_and_kills_nothing(spec, setting, tmp_path: Path):
    strict = spec.model_copy(update={"runner": spec.runner.model_copy(update={"max_failures": 0})})
    for _ in range(2):  # the second time from the journal
        exploration = explore(strict, tmp_path, setting, Stage(diverging=(0, 4)))
        left_out = [e for e in exploration.evaluations.values() if e.state == "pruned"]
        assert [(e.number, e.reason) for e in left_out] == [
            (0, "accuracy must be finite, got nan"),
            (4, "accuracy must be finite, got nan"),
        ]
        assert len(exploration.done) == 10


def test_what_the_screen_measures_must_be_finite_only_as_an_objective(spec, setting, tmp_path: Path):
    class Broken(Convolutions):
        def estimate(self, candidate, earlier, *, seed) -> dict[str, float]:
            return {"convolutions": -math.inf}

    measured = {}
    for objective in ("accuracy", "convolutions"):
        (tmp_path / objective).mkdir()
        asked = spec.model_copy(update={"objectives": (ObjectiveSection(metric=objective),)})
        exploration = Exploration(
            asked,
            Climber(
                RandomSearchSection(kind="random"),
                candidate_space(spec),
                [Objective(metric=objective)],
                seed=1,
            ),
            Screen([(Broken(), 1.0)], bound(asked, UNBOUND), setting),
            runner=Stage(),
            data=tmp_path,
            folder=tmp_path / objective,
            progress=Silent(),
            start=[],
        )
        exploration._begin(exploration.strategy.suggest(1)[0].running)
        exploration._learn(exploration._trials.drain())
        exploration.close()
        measured[objective] = exploration.evaluations[0, 0]
    assert measured["accuracy"].state == "done" and measured["accuracy"].metrics["convolutions"] == -math.inf
    assert measured["convolutions"].reason == "convolutions must be finite, got -inf"
