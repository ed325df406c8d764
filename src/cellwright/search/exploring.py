"""The loop of a sampled search: suggest, screen, run a trial, learn; finally evaluate finalists on fresh seeds."""

import shutil
import time
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from cellwright.candidate import Candidate
from cellwright.evaluation import FULL, Evaluation, Suggestion, load_evaluation, without_incomparable
from cellwright.progress import RUNNING, Progress, Update
from cellwright.runners import REQUEST, RESULT, Key, Runner
from cellwright.search.journal import EVALUATIONS, EvaluationJournal, evaluation_name, finished
from cellwright.search.screening import Screen
from cellwright.search.trial import TrialRequest, trial_folder, trial_seed
from cellwright.search.window import Window
from cellwright.spec import SearchSpec
from cellwright.strategies.sampled import Suggesting


class Exploration:
    """A running sampled search. After a kill, a new one in the same folder has the same result.

    A suggestion is made when all but the last `parallel - 1` trials have ended, and depends on their results only. So
    the order in which trials end does not matter: the same seed gives the same search wherever trials run.

    Args:
        spec: the spec, with budget, objectives and runner.
        strategy: makes the suggestions.
        screen: rejects suggestions before their trial.
        runner: runs the trials; None if there are none.
        data: the folder of prepared data.
        folder: the folder for the journal and the trials.
        progress: receives one report per evaluation.
        start: candidates to try before those of the strategy.
    """

    def __init__(
        self,
        spec: SearchSpec,
        strategy: Suggesting,
        screen: Screen,
        *,
        runner: Runner | None,
        data: Path,
        folder: Path,
        progress: Progress,
        start: Sequence[Candidate] = (),
    ) -> None:
        self.spec = spec
        self.strategy = strategy
        self.screen = screen
        self.runner = runner
        self.data = data
        self.folder = folder
        self.progress = progress
        self.start = start
        self.events: list[str] = []
        self.evaluations: dict[Key, Evaluation] = {}
        self.journal = EvaluationJournal(folder / EVALUATIONS)
        self.parallel = spec.runner.parallel
        self._num_started = 0
        self._clock = time.monotonic()
        self._trials: Window[Evaluation] = Window(spec, self._wait)

    def explore(self) -> None:
        """Evaluate candidates until the budget or the space is exhausted."""
        for candidate in self.start:
            if not self._is_over():
                self._learn(self._trials.make_room())
                suggestion = Suggestion(number=len(self.evaluations), candidate=candidate).running
                self.strategy.observe([suggestion])
                self._begin(suggestion)
        while not self._is_over():
            self._learn(self._trials.make_room())
            suggestions = self.strategy.suggest(1)
            if not suggestions:
                self.events.append(f"the space is used up after {len(self.evaluations)} architectures")
                break
            self._begin(suggestions[0].running)
        self._learn(self._trials.drain())

    def score_again(self, finalists: Sequence[Candidate]) -> list[Evaluation]:
        """Return the evaluations of finalists on fresh seeds, without failed ones.

        A finalist that diverges on a fresh seed is removed, unless all of them do, since its final training may diverge
        too.
        """
        suggested = {e.candidate: e for e in self.evaluations.values() if e.state == "done"}
        keys: list[Key] = []
        for repeat in range(1, self.spec.budget.fresh_seeds + 1):
            for candidate in finalists:
                self._learn(self._trials.make_room())
                number = suggested[candidate].number
                self._begin(Evaluation(number=number, candidate=candidate, state="running", repeat=repeat))
                keys.append((number, repeat))
        self._learn(self._trials.drain())
        again = [self.evaluations[key] for key in keys]
        done = [evaluation for evaluation in again if evaluation.state == "done"]
        diverging = {evaluation.candidate for evaluation in again if evaluation.state == "pruned"}
        return [evaluation for evaluation in done if evaluation.candidate not in diverging] or done

    @property
    def done(self) -> list[Evaluation]:
        """Return the finished evaluations, sorted by number."""
        return finished(self.evaluations)

    def close(self) -> None:
        """Stop running trials; the journal keeps finished evaluations."""
        if self.runner:
            self.runner.stop()
        self.journal.close()

    @property
    def seconds(self) -> float:
        """Return the wall-clock time of the evaluations, which run in parallel."""
        return sum(evaluation.seconds for evaluation in self.evaluations.values()) / self.parallel

    def _is_over(self) -> bool:
        total, limit = self.spec.budget.evaluations, self.spec.budget.max_seconds
        if self._num_started >= total:
            return True
        if goal_reached := self._goal_reached():
            self.events.append(goal_reached)
            return True
        if limit is None or self._used < limit:
            return False
        self.events.append(
            f"stopped after {self._num_started} of {total} evaluations: {self._used:.0f} s of {limit:g} s were used"
        )
        return True

    @property
    def _used(self) -> float:
        """Return the seconds that count for `budget.max_seconds`."""
        return max(self.seconds, time.monotonic() - self._clock)

    def _goal_reached(self) -> str | None:
        """Return a message if an evaluation has reached the first objective's goal."""
        section, objective = self.spec.objectives[0], self.strategy.objectives[0]
        if section.goal is None:
            return None
        goal = {section.metric: section.goal}
        for evaluation in self.done:
            if evaluation.fidelity == FULL and objective.score(evaluation.metrics) >= objective.score(goal):
                found = evaluation.metrics[section.metric]
                return f"stopped at evaluation {evaluation.number}: {section.metric} {found:g} reaches {section.goal:g}"
        return None

    def _begin(self, evaluation: Evaluation) -> None:
        """Screen the suggestion and start its trial, or take its evaluation from the journal."""
        key = evaluation.number, evaluation.repeat
        earlier = [] if evaluation.repeat else list(self.evaluations.values())
        known = self.journal.find(*key)
        if known is None:
            screened = self.screen.look_at(evaluation, earlier, seed=trial_seed(self.spec, evaluation))
        elif known.was_started:
            screened = replace(evaluation, metrics=self.screen.own(known.metrics))
        else:
            screened = known
        self.evaluations[key] = screened
        if screened.state != "running":
            self.strategy.observe([screened])
            if known is None:
                self.journal.add(screened)
            if self.runner:
                self.runner.skip(screened)
            return
        self._num_started += evaluation.repeat == 0
        self._trials.start(key)
        if known is not None:
            self._note_end(known)
        elif self.runner:
            self._start(self.runner, screened, earlier)
        else:
            self._end(replace(screened, state="done"))

    def _start(self, runner: Runner, evaluation: Evaluation, earlier: Sequence[Evaluation]) -> None:
        folder = trial_folder(self.folder, evaluation.number, evaluation.repeat)
        folder.mkdir(exist_ok=True)
        with_curves = tuple(e for e in earlier if e.curve)
        self.request(evaluation, with_curves, folder).save(folder / REQUEST)
        self.progress.update(Update("trial", self.name(evaluation), RUNNING))
        runner.start((evaluation.number, evaluation.repeat), folder, evaluation)

    def request(self, evaluation: Evaluation, earlier: tuple[Evaluation, ...], folder: Path) -> TrialRequest:
        """Return the request of a trial, and put other files that it needs in the folder."""
        return TrialRequest.of(self.spec, self.data, evaluation, earlier)

    def keep(self, evaluation: Evaluation, folder: Path) -> None:  # noqa: B027 - most leave nothing
        """Keep files of a trial that later trials need, before its folder is deleted."""

    def name(self, evaluation: Evaluation) -> str:
        """Return how the trial of an evaluation is named where people see it."""
        return evaluation_name(evaluation.number, evaluation.repeat)

    def show(self, evaluation: Evaluation) -> None:
        """Report the progress of the search after a trial, with the best score so far."""
        if evaluation.repeat:
            return
        objective, num_done = self.strategy.objectives[0], self._num_started - self._trials.num_running
        scored = [e.metrics for e in (*self.done, evaluation) if e.state == "done" and not e.repeat]
        best = max(scored, key=objective.score, default=None)
        metrics = {} if best is None else {f"best_{objective.metric}": best[objective.metric]}
        self.progress.advance(
            "search", num_done, self.spec.budget.evaluations, metrics | self._time(num_done)
        )

    def _time(self, num_done: int) -> dict[str, float]:
        """Return which share of `budget.max_seconds` is used, and the minutes left, if there is such a limit."""
        total, limit = self.spec.budget.evaluations, self.spec.budget.max_seconds
        if limit is None:
            return {}
        left = min(limit - self._used, self._used / max(1, num_done) * (total - num_done))
        return {
            "time_used": round(min(1.0, self._used / limit), 3),
            "minutes_left": round(max(0.0, left) / 60, 2),
        }

    def _learn(self, ended: Iterable[tuple[Key, Evaluation]]) -> None:
        """Record the results of trials, and let the strategy observe them."""
        for key, evaluation in ended:
            self.evaluations[key] = evaluation
            if evaluation.repeat == 0:
                self.strategy.observe([evaluation])

    def _wait(self) -> None:
        """Wait until a trial ends, and read its result or the reason of its failure."""
        assert self.runner is not None
        outcome = self.runner.wait()
        folder = trial_folder(self.folder, *outcome.key)
        if outcome.failure is None:
            evaluation = without_incomparable(load_evaluation(folder / RESULT), self.strategy.objectives)
            self.keep(evaluation, folder)
            if evaluation.state == "pruned":
                self.progress.log(f"search: evaluation {evaluation.number} was stopped: {evaluation.reason}")
        else:
            evaluation = replace(self.evaluations[outcome.key], state="failed", reason=outcome.failure)
            self.progress.log(f"search: evaluation {evaluation.number} failed: {outcome.failure}")
        self._end(replace(evaluation, seconds=outcome.seconds))
        shutil.rmtree(folder)

    def _end(self, evaluation: Evaluation) -> None:
        self.journal.add(evaluation)
        self._note_end(evaluation)
        self.show(evaluation)

    def _note_end(self, evaluation: Evaluation) -> None:
        failure = str(evaluation.reason) if evaluation.state == "failed" else None
        self._trials.end((evaluation.number, evaluation.repeat), evaluation, failure=failure)
        objectives = self.strategy.objectives
        measured = evaluation.state == "done"
        self.progress.update(
            Update(
                "trial",
                self.name(evaluation),
                evaluation.state,
                {o.metric: evaluation.metrics[o.metric] for o in objectives} if measured else {},
                objectives[0].score(evaluation.metrics) if measured else None,
            )
        )
