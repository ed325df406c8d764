"""The loop of a sampled search: suggest, screen, try, learn; then score the best few again on fresh seeds."""

import shutil
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from cellwright.candidate import Candidate
from cellwright.errors import CellwrightError
from cellwright.evaluation import FULL, Evaluation, Suggestion, load_evaluation, without_incomparable
from cellwright.progress import Progress
from cellwright.runners import REQUEST, RESULT, Key, Outcome, Runner
from cellwright.search.journal import EVALUATIONS, EvaluationJournal, finished
from cellwright.search.screening import Screen
from cellwright.search.trial import TrialRequest, trial_folder, trial_seed
from cellwright.spec import SearchSpec
from cellwright.strategies.sampled import Suggesting
from cellwright.strategies.sampled.order import settled


class Exploration:
    """A sampled search under way; made anew after a kill, it ends in the same place.

    A suggestion is made once all trials but the last `parallel - 1` to begin have ended, and from what those gave. So
    it does not matter which of several ends first: the same seed gives the same search wherever trials run.

    Args:
        spec: whose budget, objectives and runner count.
        strategy: what proposes.
        screen: what a suggestion must pass.
        runner: where what passes is then trained; None where nothing is.
        data: the folder of prepared data.
        folder: where the journal and the folders of trials are.
        progress: told of each evaluation.
        start: what is tried before the strategy is asked.
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
        self._num_begun = self._num_failed = 0
        self._clock = time.monotonic()
        self._open: list[Key] = []
        self._ended: dict[Key, Evaluation] = {}

    def explore(self) -> None:
        """Evaluate architectures until the budget is used up, or the space."""
        for candidate in self.start:
            if not self._is_over():
                self._settle(settled(self._open, self.parallel))
                suggestion = Suggestion(number=len(self.evaluations), candidate=candidate).running
                self.strategy.observe([suggestion])
                self._begin(suggestion)
        while not self._is_over():
            self._settle(settled(self._open, self.parallel))
            suggestions = self.strategy.suggest(1)
            if not suggestions:
                self.events.append(f"the space is used up after {len(self.evaluations)} architectures")
                break
            self._begin(suggestions[0].running)
        self._settle(self._open)

    def score_again(self, finalists: Sequence[Candidate]) -> list[Evaluation]:
        """Return what the finalists give on fresh seeds, without what fails."""
        suggested = {e.candidate: e for e in self.evaluations.values() if e.state == "done"}
        keys: list[Key] = []
        for repeat in range(1, self.spec.budget.fresh_seeds + 1):
            for candidate in finalists:
                self._settle(settled(self._open, self.parallel))
                number = suggested[candidate].number
                self._begin(Evaluation(number=number, candidate=candidate, state="running", repeat=repeat))
                keys.append((number, repeat))
        self._settle(self._open)
        again = [self.evaluations[key] for key in keys]
        return [evaluation for evaluation in again if evaluation.state == "done"]

    @property
    def done(self) -> list[Evaluation]:
        """Return the finished evaluations in the order of their suggestion."""
        return finished(self.evaluations)

    def close(self) -> None:
        """End what is running; the journal keeps what is done."""
        if self.runner:
            self.runner.stop()
        self.journal.close()

    @property
    def seconds(self) -> float:
        """Return the time that evaluations took, as it passed with so many at a time."""
        return sum(evaluation.seconds for evaluation in self.evaluations.values()) / self.parallel

    def _is_over(self) -> bool:
        total, limit = self.spec.budget.evaluations, self.spec.budget.max_seconds
        if self._num_begun >= total:
            return True
        if goal_reached := self._goal_reached():
            self.events.append(goal_reached)
            return True
        used = max(self.seconds, time.monotonic() - self._clock)
        if limit is None or used < limit:
            return False
        self.events.append(
            f"stopped after {self._num_begun} of {total} evaluations: {used:.0f} s of {limit:g} s were used"
        )
        return True

    def _goal_reached(self) -> str | None:
        """Tell which evaluation reached the first objective's goal, if there is one and one has."""
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
        """Screen the suggestion and start its trial, or take from the journal what became of it."""
        key = evaluation.number, evaluation.repeat
        earlier = [] if evaluation.repeat else list(self.evaluations.values())
        known = self.journal.find(*key)
        if known is None:
            screened = self.screen.look_at(evaluation, earlier, seed=trial_seed(self.spec, evaluation))
        elif known.was_begun:
            screened = replace(evaluation, metrics=self.screen.own(known.metrics))
        else:
            screened = known
        self.evaluations[key] = screened
        if screened.state != "running":
            self.strategy.observe([screened])
            if known is None:
                self.journal.add(screened)
            if self.runner:
                self.runner.pass_over(screened)
            return
        self._num_begun += evaluation.repeat == 0
        self._open.append(key)
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
        TrialRequest.of(self.spec, self.data, evaluation, with_curves).save(folder / REQUEST)
        runner.start((evaluation.number, evaluation.repeat), folder, evaluation)

    def _settle(self, keys: Sequence[Key]) -> None:
        """Wait until these trials have ended, and only now make known what they gave."""
        for key in list(keys):
            self._open.remove(key)
            while self.runner and key not in self._ended:
                self._take(self.runner.wait())
            self.evaluations[key] = evaluation = self._ended.pop(key)
            if evaluation.repeat == 0:
                self.strategy.observe([evaluation])

    def _take(self, outcome: Outcome) -> None:
        """Read what a trial left, or note why it failed."""
        folder = trial_folder(self.folder, *outcome.key)
        if outcome.failure is None:
            evaluation = without_incomparable(load_evaluation(folder / RESULT), self.strategy.objectives)
        else:
            evaluation = replace(self.evaluations[outcome.key], state="failed", reason=outcome.failure)
            self.progress.say(f"search: evaluation {evaluation.number} failed: {outcome.failure}")
        self._end(replace(evaluation, seconds=outcome.seconds))
        shutil.rmtree(folder)

    def _end(self, evaluation: Evaluation) -> None:
        self.journal.add(evaluation)
        self._note_end(evaluation)
        metrics = (
            {o.metric: evaluation.metrics[o.metric] for o in self.strategy.objectives}
            if evaluation.state == "done"
            else {}
        )
        total = self.spec.budget.evaluations
        if evaluation.repeat == 0:
            num_running = sum(key not in self._ended for key in self._open)
            self.progress.advance("search", self._num_begun - num_running, total, metrics)

    def _note_end(self, evaluation: Evaluation) -> None:
        self._ended[evaluation.number, evaluation.repeat] = evaluation
        self._num_failed += evaluation.state == "failed"
        most = self.spec.runner.max_failures
        if most is not None and self._num_failed > most:
            raise CellwrightError(
                f"search: {self._num_failed} trials failed, where runner.max_failures is {most}; the last: "
                f"{evaluation.reason}"
            )
