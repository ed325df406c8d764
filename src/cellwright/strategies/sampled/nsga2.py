"""NSGA-II: Deb et al. 2002, https://doi.org/10.1109/4235.996017; surrogates as in NSGANetV2: Lu et al. 2020."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from cellwright.candidate import Candidate
from cellwright.evaluation import Evaluation, Objective
from cellwright.seeds import derive_seed
from cellwright.spaces import CandidateSpace
from cellwright.spec.strategy import SampledSection
from cellwright.strategies.sampled.base import SampledStrategy
from cellwright.strategies.sampled.features import Features
from cellwright.strategies.sampled.fold import Fold
from cellwright.strategies.sampled.refitting import Refitted
from cellwright.strategies.sampled.surrogate import Draws, Surrogate

Array = NDArray[np.float64]

CHILDREN = 50
"""Number of children that surrogates choose from, and maximum number of mutations to find an unknown one."""
BREEDINGS = 5
REFITS = 8
"""The brood is renewed and surrogates are refitted when the number of evaluations has grown by 1/REFITS."""
REFERENCE = 2.0
"""Distance of the reference point below the front, relative to the range of its scores."""
LATEST, EARLIER = 200, 100
"""Evaluations that surrogates are fitted to, besides the population: the latest, and a sample of the earlier ones."""


class Nsga2Section(SampledSection):
    """NSGA-II, for several objectives: https://doi.org/10.1109/4235.996017."""

    implementation = "cellwright.strategies.sampled.nsga2:Nsga2"

    kind: Literal["nsga2"]
    population: int = Field(default=20, ge=2)
    """Number of architectures in the population."""
    crossover: float = Field(default=0.5, ge=0, le=1)
    """Probability that a child has two parents."""
    mutation: float = Field(default=0.8, ge=0, le=1)
    """Probability that a child is mutated; a known child always is."""


@dataclass(frozen=True, slots=True)
class Population:
    """The members that survive after some evaluations, and their fitness."""

    members: tuple[Evaluation, ...] = ()
    keys: tuple[str, ...] = ()
    """Isomorphism keys of the members' candidates."""
    fronts: tuple[int, ...] = ()
    """Index of each member's front, 0 for the Pareto front."""
    crowding: tuple[float, ...] = ()
    """Crowding distance of each member within its front."""

    def fitness(self, index: int) -> tuple[int, float]:
        """Return the key that tournaments compare; larger is better."""
        return -self.fronts[index], self.crowding[index]

    @property
    def front(self) -> list[Evaluation]:
        """Return the members that nothing dominates."""
        return [member for member, front in zip(self.members, self.fronts, strict=True) if front == 0]


@dataclass(frozen=True, slots=True)
class _Offspring:
    """Children to choose from, and predictions of their scores."""

    children: list[Candidate]
    surrogates: list[tuple[Surrogate, Draws]]
    """One for each objective."""
    front: Array
    """Scores of the front at that time, (members, objectives)."""

    def draw(self, rng: np.random.Generator) -> Array:
        """Return one draw of all scores, (children, objectives)."""
        return np.stack([surrogate.scores(draws.draw(rng)) for surrogate, draws in self.surrogates], axis=1)


class Nsga2(SampledStrategy):
    """Breeds from a population ranked by non-dominated sorting, and within a front by crowding distance.

    This is the steady-state variant: each evaluation enters the population at once, and the worst member leaves. Of
    many children, one is evaluated: the one that extends the front most along a random direction, in a draw of the
    scores from Gaussian processes.
    """

    settings: Nsga2Section

    def __init__(
        self, settings: Nsga2Section, space: CandidateSpace, objectives: Sequence[Objective], *, seed: int
    ) -> None:
        super().__init__(settings, space, objectives, seed=seed)
        self.features = Features(space)
        """Strategies of one space may share them."""
        self._population = Fold(Population(), self._enter)
        self._brood = Refitted(self._breed, initial=settings.population, refits=REFITS)

    def propose(self, rng: random.Random, attempt: int) -> Candidate:
        """Draw the initial candidates; then return a child that may extend the front."""
        fitted = self._brood.over(self)
        if fitted is None:
            return self.space.sample(rng)
        numbers, brood = fitted
        children = brood.children
        random_draws = np.random.default_rng(rng.getrandbits(64))
        drawn = brood.draw(random_draws)
        unknown = [index for index, child in enumerate(children) if not self.is_known(child)]
        if not unknown:
            return self.mutate(rng.choice(children), rng)
        since = [self.evaluation(number) for number in self.done_numbers[len(numbers) :]]
        scores = np.concatenate([brood.front, self._scores(since)])
        direction = np.abs(random_draws.standard_normal(len(self.objectives)))
        front = scores[front_numbers(scores) == 0]
        return children[unknown[along(direction, drawn[unknown], front)]]

    def _breed(self, numbers: list[int]) -> _Offspring:
        """Return distinct, unknown children of the population after these evaluations."""
        rng = random.Random(derive_seed(self.seed, "children", len(numbers)))
        population = self._population.over(self, first=len(numbers))
        evaluated = {self.key(self.evaluation(number).candidate) for number in numbers}
        children: dict[str, Candidate] = {}
        for _ in range(CHILDREN):
            child = self._child(population, rng)
            for _ in range(BREEDINGS):
                if (key := self.key(child)) not in evaluated and key not in children:
                    break
                child = self.mutate(child, rng)
            children[self.key(child)] = child
        new = [child for key, child in children.items() if key not in evaluated] or list(children.values())
        earlier = numbers[:-LATEST]
        spread = earlier[:: max(1, len(earlier) // EARLIER)]
        fitted = [
            self.evaluation(number)
            for number in sorted({*spread, *numbers[-LATEST:], *(m.number for m in population.members)})
        ]
        known, unknown = self.features([evaluation.candidate for evaluation in fitted]), self.features(new)
        surrogates = [Surrogate(known, column.tolist()) for column in self._scores(fitted).T]
        draws = [(surrogate, surrogate.draws(unknown)) for surrogate in surrogates]
        return _Offspring(new, draws, self._scores(population.front))

    def _child(self, population: Population, rng: random.Random) -> Candidate:
        """Cross the winners of two tournaments, or take one, and mutate it."""
        child = self._winner(population, rng)
        if rng.random() < self.settings.crossover:
            child = cross(self.space, child, self._winner(population, rng), rng)
        return self.mutate(child, rng) if rng.random() < self.settings.mutation else child

    def _winner(self, population: Population, rng: random.Random) -> Candidate:
        """Return the fitter of two members."""
        indices = [rng.randrange(len(population.members)) for _ in range(2)]
        return population.members[max(indices, key=population.fitness)].candidate

    def _enter(self, population: Population, evaluation: Evaluation) -> Population:
        key = self.key(evaluation.candidate)
        others = [index for index, known in enumerate(population.keys) if known != key]
        members = [*(population.members[index] for index in others), evaluation]
        keys = [*(population.keys[index] for index in others), key]
        scores = self._scores(members)
        fronts = front_numbers(scores)
        crowding = np.zeros(len(members))
        for front in np.unique(fronts):
            here = np.flatnonzero(fronts == front)
            crowding[here] = crowding_distances(scores[here])
        order = np.lexsort((-crowding, fronts))[: self.settings.population].tolist()
        return Population(
            members=tuple(members[index] for index in order),
            keys=tuple(keys[index] for index in order),
            fronts=tuple(fronts[order].tolist()),
            crowding=tuple(crowding[order].tolist()),
        )

    def _scores(self, evaluations: Sequence[Evaluation]) -> Array:
        """Return all objectives, negated if minimised, (evaluations, objectives)."""
        rows = [
            [objective.score(evaluation.metrics) for objective in self.objectives]
            for evaluation in evaluations
        ]
        return np.array(rows).reshape(-1, len(self.objectives))


def along(direction: Array, drawn: Array, front: Array) -> int:
    """Return the row of the child that extends the front most along a direction.

    Averaged over all directions, this extension gives the dominated hypervolume: Golovin & Zhang 2020,
    https://arxiv.org/abs/2006.04655.

    Args:
        direction: positive components, (objectives,).
        drawn: scores of the children, (children, objectives).
        front: scores of the members on the front, (members, objectives).
    """
    low = front.min(axis=0)
    spread = np.maximum(front.max(axis=0), drawn.max(axis=0)) - low
    from_reference = (drawn - low) / np.where(spread > 0, spread, 1.0) + REFERENCE
    return int((from_reference / direction).min(axis=1).argmax())


def front_numbers(scores: Array) -> NDArray[np.int_]:
    """Return the index of the front of each row of scores, where higher scores are better."""
    no_worse: NDArray[np.bool_] = np.asarray((scores[:, None] >= scores[None]).all(axis=2))
    dominates = no_worse & ~no_worse.T
    numbers = np.zeros(len(scores), dtype=np.int_)
    left = np.arange(len(scores))
    while len(left):
        left = left[np.any(dominates[np.ix_(left, left)], axis=0)]
        numbers[left] += 1
    return numbers


def crowding_distances(scores: Array) -> Array:
    """Return the crowding distance of each member of a front, infinite for the outermost."""
    distances = np.zeros(len(scores))
    for column in scores.T:
        order = np.argsort(column, kind="stable")
        spread = column[order[-1]] - column[order[0]]
        distances[order[[0, -1]]] = np.inf
        if spread > 0:
            distances[order[1:-1]] += (column[order[2:]] - column[order[:-2]]) / spread
    return distances


def cross(space: CandidateSpace, one: Candidate, other: Candidate, rng: random.Random) -> Candidate:
    """Return a candidate whose choices are from either parent; decisions that share a sum are from the same parent."""
    parents = space.choices(one), space.choices(other)
    strengths: dict[str, list[list[float]]] = {}
    for group, (_, num_choices) in space.decisions.items():
        sum_indices = space.sum_indices[group]
        takes = {meeting: rng.randrange(2) for meeting in sorted(set(sum_indices))}
        strengths[group] = [
            [float(choice == parents[takes[meeting]][group][decision]) for choice in range(num_choices)]
            for decision, meeting in enumerate(sum_indices)
        ]
    return space.derive(strengths)
