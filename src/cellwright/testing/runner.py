"""The contract of runners."""

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cellwright.evaluation import Suggestion, load_evaluation
from cellwright.progress import Silent
from cellwright.runners import REQUEST, RESULT, Key, Runner, runner_class
from cellwright.search.candidates import candidate_space
from cellwright.search.trial import TrialRequest, trials_of
from cellwright.spec import SearchSpec
from cellwright.step_list import STEPS
from cellwright.steps.running import run_step

SPEC: dict[str, Any] = {
    "name": "contract",
    "data": {"source": "digits", "limit": 100},
    "space": {"kind": "nasbench201", "num_cells": 1, "channels": 2},
    "strategy": {"kind": "random"},
    "estimators": [{"kind": "short-training", "epochs": 1}],
}
"""A search with very short trials."""


class RunnerContract:
    """Tests of a runner. Subclasses define a fixture `sections` with the spec's `runner`, and `store` if needed."""

    @pytest.fixture
    def spec(self, sections: dict[str, Any]) -> SearchSpec:
        """Return a spec with the runner."""
        return SearchSpec.model_validate({**SPEC, **sections})

    @pytest.fixture
    def data(self, spec: SearchSpec, tmp_path: Path) -> Path:
        """Return a folder of prepared data."""
        return run_step(STEPS["prepare"], spec, {}, tmp_path / "workspace", Silent())

    @pytest.fixture
    def folder(self, tmp_path: Path) -> Path:
        """Return the folder of the search."""
        (tmp_path / "search").mkdir()
        return tmp_path / "search"

    @pytest.fixture
    def build(self, spec: SearchSpec, data: Path, folder: Path) -> Callable[[], Runner]:
        """Return a function that builds the search's runner, as a restarted search does."""
        return lambda: runner_class(spec.runner).of(spec, trials_of(spec, data, folder, Silent()))

    @pytest.fixture
    def start(self, spec: SearchSpec, data: Path, folder: Path) -> Callable[[Runner, Key], Path]:
        """Return a function that starts a trial and returns its folder; the request of trial 9 is unreadable."""

        def start(runner: Runner, key: Key) -> Path:
            number, repeat = key
            index = folder / f"trial-{number}-{repeat}"
            index.mkdir(exist_ok=True)
            candidate = candidate_space(spec).sample(random.Random(number))
            evaluation = Suggestion(number=number, candidate=candidate).running
            request = TrialRequest.of(spec, data, evaluation)
            if number == 9:
                request = request.model_copy(update={"spec": '{"seed": -1}'})
            request.save(index / REQUEST)
            runner.start(key, index, evaluation)
            return index

        return start

    def test_trials_end_with_what_they_found_or_say_why_not(
        self, build: Callable[[], Runner], start: Callable[[Runner, Key], Path]
    ) -> None:
        """A failing trial does not affect others."""
        runner = build()
        try:
            indices = {key: start(runner, key) for key in ((0, 0), (9, 0), (1, 0))}
            outcomes = {outcome.key: outcome for outcome in (runner.wait() for _ in indices)}
        finally:
            runner.stop()
        assert outcomes.keys() == indices.keys()
        failure = outcomes[9, 0].failure
        assert failure is not None and "seed" in failure
        for key in ((0, 0), (1, 0)):
            assert outcomes[key].failure is None
            assert outcomes[key].seconds > 0
            evaluation = load_evaluation(indices[key] / RESULT)
            assert (evaluation.number, evaluation.state) == (key[0], "done")
            assert "accuracy" in evaluation.metrics

    def test_a_trial_that_was_stopped_can_be_started_again(
        self, build: Callable[[], Runner], start: Callable[[Runner, Key], Path]
    ) -> None:
        """A restarted search can start it again, and stopping twice is harmless."""
        stopped = build()
        start(stopped, (0, 0))
        stopped.stop()
        stopped.stop()
        again = build()
        try:
            index = start(again, (0, 0))
            assert again.wait().failure is None
        finally:
            again.stop()
        assert (index / RESULT).exists()
