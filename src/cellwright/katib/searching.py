"""Computes the next suggestions of a search from the evaluations of earlier ones, without other state."""

import itertools
from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from itertools import islice

from cellwright.candidate import Candidate
from cellwright.errors import CellwrightError
from cellwright.evaluation import Evaluation, Suggestion
from cellwright.genotype import GenotypeError
from cellwright.katib.settings import SearchSettings
from cellwright.spec import SampledSection
from cellwright.strategies.sampled import Suggesting, build_sampled
from cellwright.strategies.sampled.order import must_have_ended

MAX_COUNT = 1000
"""Maximum number of suggestions per request."""


class NotYetError(CellwrightError):
    """A trial must end before the search can continue."""


class UsedUpError(CellwrightError):
    """The space is exhausted."""


def next_numbers(taken: Iterable[int], count: int) -> list[int]:
    """Return the first numbers, from 0, that are not taken.

    Raises:
        CellwrightError: `count` is too large.
    """
    if not 0 <= count <= MAX_COUNT:
        raise CellwrightError(f"current_request_number must be from 0 to {MAX_COUNT}, got {count}")
    gone = set(taken)
    return list(islice((number for number in itertools.count() if number not in gone), count))


class Search:
    """A sampled search without its loop, which makes the same suggestions as the loop in `search`.

    Each suggestion depends on the evaluations with smaller numbers only. The last `parallel - 1` trials that were
    started count as running, even if they have ended.

    Args:
        settings: settings with a sampled strategy.

    Raises:
        CellwrightError: the space is invalid, or does not include some of the candidates to start from; the message
            names them.
    """

    def __init__(self, settings: SearchSettings) -> None:
        assert isinstance(settings.strategy, SampledSection)
        self._settings = settings
        self._section = settings.strategy
        self.objectives = settings.build_objectives()
        self._space = settings.build_space()
        self._start = self._read_start()
        self._strategy = self._build_strategy()
        self._observed: dict[int, Evaluation] = {}

    def suggest(self, evaluations: Iterable[Evaluation], count: int) -> list[Suggestion]:
        """Return suggestions for the first numbers without an evaluation.

        If several evaluations have the same number, the first one that has ended counts.

        Raises:
            NotYetError: a running trial must end first.
            UsedUpError: the space has fewer candidates left.
        """
        known: dict[int, Evaluation] = {}
        for evaluation in sorted(evaluations, key=lambda e: e.state == "running"):
            known.setdefault(evaluation.number, evaluation)
        new: dict[int, Suggestion] = {}
        for number in next_numbers(known, count):
            new[number] = self._suggest(number, self._known_at(number, known, new))
            known[number] = new[number].running
        return list(new.values())

    def _known_at(
        self, number: int, known: Mapping[int, Evaluation], new: Collection[int]
    ) -> dict[int, Evaluation]:
        """Return the evaluations that the suggestion depends on. Suggestions in `new` have no trial yet to wait for."""
        started = [n for n in range(number) if known[n].was_started]
        due = must_have_ended(started, self._settings.parallel)
        late = [n for n in due if known[n].state == "running" and n not in new]
        if late and self._settings.in_order:
            raise NotYetError(
                f"suggestion {number} has to wait until trial {late[0]} has ended: in_order is true, and parallel "
                f"is {self._settings.parallel}"
            )
        pending = set(started[len(due) :])
        return {n: _running(known[n]) if n in pending else known[n] for n in range(number)}

    def _suggest(self, number: int, known: dict[int, Evaluation]) -> Suggestion:
        if number < len(self._start):
            return Suggestion(number=number, candidate=self._start[number])
        self._update_strategy(known)
        suggestions = self._strategy.suggest(1)
        if not suggestions:
            raise UsedUpError(f"the space is used up after {number} architectures")
        self._observed[number] = suggestions[0].running
        return suggestions[0]

    def _update_strategy(self, known: dict[int, Evaluation]) -> None:
        """Let the strategy observe new evaluations; rebuild it if it has observed others that are not in `known`."""
        if not all(
            n in known and seen in (known[n], _running(known[n])) for n, seen in self._observed.items()
        ):
            self._strategy = self._build_strategy()
            self._observed = {}
        self._strategy.observe(e for n, e in known.items() if self._observed.get(n) != e)
        self._observed = known

    def _build_strategy(self) -> Suggesting:
        return build_sampled(self._section, self._space, self.objectives, seed=self._settings.seed)

    def _read_start(self) -> list[Candidate]:
        candidates, wrong = [], []
        for index, line in enumerate(self._settings.start):
            try:
                candidates.append(Candidate.from_line(line))
                self._space.check(candidates[-1])
            except GenotypeError as error:
                wrong.append(f"start.{index}: {error}")
        if wrong:
            raise CellwrightError("; ".join(wrong))
        return candidates


def _running(evaluation: Evaluation) -> Evaluation:
    return replace(evaluation, state="running", metrics={}, seconds=0.0, reason=None)
