"""A race: a few networks are trained side by side at a constant rate, and those that will not win are dropped.

What decides is not who leads now, but who will lead once the budget is spent: learning curves cross. The winner's
training is then continued, so a race costs no more than what its losers had.
"""

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from pydantic import Field

from cellwright.candidate import Candidate
from cellwright.evaluation import Evaluation, Fidelity, Objective, Suggestion
from cellwright.spec import SampledSection
from cellwright.spec.strategy import PositiveShare
from cellwright.strategies.sampled.base import Suggesting
from cellwright.strategies.sampled.curves import SHORTEST, fit_curves
from cellwright.strategies.sampled.deciding import (
    MAX_SHARING_COST,
    PRIOR_MEAN,
    Posterior,
    compare,
    sharing_cost,
)

GROWTH = 2**0.5
"""How many times as long networks have trained from one round to the next."""


class RaceSection(SampledSection):
    """Trains the best hand-designed networks side by side, drops those that will not win, and continues the best."""

    implementation = "cellwright.strategies.sampled.race:Race"

    continues = True

    kind: Literal["race"]
    scheduler: None = None
    """None: a race decides itself how long each network is trained."""
    entrants: int = Field(default=4, ge=1)
    """Networks that start."""
    first_slice: PositiveShare = 0.005
    """Share of the budget that each has had when it is first scored, or more where that is too short to learn
    anything."""
    lock: PositiveShare = 0.6
    """Share of the budget after which the leader wins, whatever is known."""
    accept: float = Field(default=0.8, ge=0.5, lt=1)
    """Probability of being better with which a challenger takes the lead."""
    drop: float = Field(default=0.1, ge=0, lt=0.5)
    """Probability of being better below which a challenger is dropped."""
    recipe: Literal["auto", "given"] = "auto"
    """`auto` regularises networks that are trained for many epochs as was found best for the task, where `retrain` and
    `augment` have their defaults; `given` trains all as these say."""
    fewest_epochs: int = Field(default=12, ge=1)
    """Epochs that the budget must hold for a race to pay; with fewer, the first network has all of it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Entrant:
    """A network that starts in a race."""

    name: str
    candidate: Candidate
    prior: float = 0.0
    """What it is expected to gain over the first one, as a share of the loss."""


def entrants_of(members: Iterable[tuple[str, Candidate]]) -> list[Entrant]:
    """Return entrants, the first of which is expected to be the best."""
    return [
        Entrant(name=name, candidate=candidate, prior=PRIOR_MEAN if index else 0.0)
        for index, (name, candidate) in enumerate(members)
    ]


@dataclass(frozen=True, kw_only=True, slots=True)
class Standing:
    """Where a race is."""

    live: tuple[Entrant, ...]
    """Who is still in it, in the order of their start."""
    leader: Entrant
    rounds: int
    """How many are over."""
    is_over: bool
    posteriors: dict[str, Posterior]
    """By the name of each other entrant, what it gains over the leader, as it was last compared."""
    dropped: dict[str, int]
    """By name, the round after which an entrant was dropped."""


class Race(Suggesting):
    """The state machine of a race.

    All that it decides follows from the losses on each example and the shares of the budget, never from the clock.

    Args:
        settings: its section.
        entrants: who starts, the best known one first: it leads until another is shown to be better.
        objectives: the first is what people read; losses decide.
        first: the share of the budget of the first round; that of the settings by default.
    """

    def __init__(
        self,
        settings: RaceSection,
        entrants: Sequence[Entrant],
        objectives: Sequence[Objective],
        *,
        first: float | None = None,
    ) -> None:
        super().__init__(objectives)
        self.first = first or settings.first_slice
        self.settings = settings
        self.entrants = tuple(entrants)
        self._slices: dict[tuple[Candidate, int], Evaluation] = {}
        self._standing = Standing(
            live=self.entrants,
            leader=self.entrants[0],
            rounds=0,
            is_over=len(self.entrants) == 1,
            posteriors={},
            dropped={},
        )

    def share(self, num_rounds: int) -> float:
        """Return the share of the budget that an entrant has had after so many rounds."""
        return self.first * GROWTH ** (num_rounds - 1) if num_rounds else 0.0

    def round_of(self, share: float) -> int:
        """Return the round after which an entrant has had this share of the budget, counted from 1."""
        return next(number for number in itertools.count(1) if self.share(number) >= share)

    def slice(self, entrant: Entrant, number: int) -> Evaluation | None:
        """Return the entrant's slice of that round, counted from 1, if it is known."""
        return self._slices.get((entrant.candidate, number))

    def standing(self) -> Standing:
        """Return where the race is, from the slices that are known."""
        now = self._standing
        while not now.is_over:
            slices = [self.slice(entrant, now.rounds + 1) for entrant in now.live]
            if any(one is None or one.state == "running" for one in slices):
                break
            self._standing = now = self._decide(self._without_failed(now))
        return now

    def finalists(self, count: int) -> list[Candidate]:
        """Return the leader."""
        return [self.standing().leader.candidate]

    def choose(self, again: Sequence[Evaluation]) -> Candidate:
        """Return the leader."""
        return self.standing().leader.candidate

    def _next(self) -> Suggestion | None:
        now = self.standing()
        for entrant in () if now.is_over else now.live:
            if self.slice(entrant, now.rounds + 1) is None:
                fidelity = Fidelity(epochs=self.share(now.rounds + 1))
                return Suggestion(number=self._next_number, candidate=entrant.candidate, fidelity=fidelity)
        return None

    def _take_in(self, evaluation: Evaluation) -> None:
        self._slices[evaluation.candidate, self.round_of(evaluation.fidelity.epochs)] = evaluation

    def _without_failed(self, now: Standing) -> Standing:
        """Return the standing after another round, without those that could not be trained."""
        number = now.rounds + 1
        fit = tuple(
            entrant
            for entrant in now.live
            if (one := self.slice(entrant, number)) is not None and one.state == "done"
        )
        failed = {entrant.name: number for entrant in now.live if entrant not in fit}
        leader = now.leader if now.leader in fit or not fit else fit[0]
        return replace(
            now,
            live=fit or (now.leader,),
            leader=leader,
            rounds=number,
            is_over=len(fit) < 2,
            dropped=now.dropped | failed,
        )

    def _decide(self, now: Standing) -> Standing:
        """Change the lead where a challenger is better, and drop those that will not take it."""
        if now.is_over or now.rounds < SHORTEST:
            return now
        leader, found = now.leader, self._compare(now, now.leader)
        best = max(found, key=lambda name: found[name].p_better)
        if found[best].p_better >= self.settings.accept:
            leader = next(entrant for entrant in now.live if entrant.name == best)
            found = self._compare(now, leader)
        live = tuple(
            entrant
            for entrant in now.live
            if entrant is leader or found[entrant.name].p_better >= self.settings.drop
        )
        if self._costs_too_much(now, leader, live):
            live = (leader,)
        gone = {entrant.name: now.rounds for entrant in now.live if entrant not in live}
        return replace(
            now,
            live=live,
            leader=leader,
            is_over=len(live) == 1,
            posteriors=now.posteriors | found,
            dropped=now.dropped | gone,
        )

    def _costs_too_much(self, now: Standing, leader: Entrant, live: Sequence[Entrant]) -> bool:
        """Return whether another round would take too much from the leader."""
        longer = self.share(now.rounds + 1)
        others = self.spent(now) - self.share(now.rounds)
        others += (len(live) - 1) * (longer - self.share(now.rounds))
        curve = fit_curves(self._points(now))[leader.name]
        return longer + others > self.settings.lock or sharing_cost(curve, others) > MAX_SHARING_COST

    def _compare(self, now: Standing, leader: Entrant) -> dict[str, Posterior]:
        curves = fit_curves(self._points(now))
        losses = {entrant.name: self._losses(entrant, now.rounds) for entrant in now.live}
        share = self.share(now.rounds)
        return {
            entrant.name: compare(
                losses[entrant.name],
                losses[leader.name],
                (curves[entrant.name], curves[leader.name]),
                now=share,
                end=1 - self.spent(now) + share,
                prior_mean=entrant.prior - leader.prior,
            )
            for entrant in now.live
            if entrant is not leader
        }

    def _points(self, now: Standing) -> dict[str, list[tuple[float, float]]]:
        """Return the mean losses of those who are in it, with the shares of the budget that they had."""
        numbers = range(1, now.rounds + 1)
        return {
            entrant.name: [(self.share(n), _mean(self._losses(entrant, n))) for n in numbers]
            for entrant in now.live
        }

    def _losses(self, entrant: Entrant, number: int) -> tuple[float, ...]:
        return self._slices[entrant.candidate, number].losses

    def spent(self, now: Standing) -> float:
        """Return the share of the budget that is spent on all entrants together."""
        return sum(self.share(now.dropped.get(entrant.name, now.rounds)) for entrant in self.entrants)


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)
