"""NSGA-II: Deb et al. 2002, https://doi.org/10.1109/4235.996017; for architectures Lu et al. 2019."""

import random
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cellwright.evaluation import Evaluation, Objective
from cellwright.genotype import Genotype
from cellwright.sampled._base import SampledStrategy
from cellwright.sampled._fold import Fold
from cellwright.spaces import Space
from cellwright.spec import Nsga2Strategy

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Population:
    """The members that live after some evaluations, and how each fares."""

    members: tuple[Evaluation, ...] = ()
    fronts: tuple[int, ...] = ()
    """How many fronts there are before each one's."""
    crowding: tuple[float, ...] = ()
    """How far each is from those beside it on its front."""

    def fitness(self, place: int) -> tuple[int, float]:
        """Return what tournaments go by: the larger wins."""
        return -self.fronts[place], self.crowding[place]


class Nsga2(SampledStrategy):
    """Breeds from the fronts that are left when what dominates is peeled off, those in sparse places first.

    The steady-state form: each evaluation enters the population at once and the worst member leaves.
    """

    settings: Nsga2Strategy
    settings_type = Nsga2Strategy

    def __init__(
        self, settings: Nsga2Strategy, space: Space, objectives: Sequence[Objective], *, seed: int
    ) -> None:
        super().__init__(settings, space, objectives, seed=seed)
        self._fold = Fold(Population(), self._enter)

    def propose(self, rng: random.Random, attempt: int) -> Genotype:
        """Draw the first genotypes; then cross the winners of two tournaments, or mutate one's."""
        population = self._fold.over(self)
        if self.num_known < self.settings.population or not population.members:
            return self.space.sample(rng)
        child = self._winner(population, rng)
        if rng.random() < self.settings.crossover:
            child = cross(self.space, child, self._winner(population, rng), rng)
        if rng.random() < self.settings.mutation or self.is_known(child):
            for _ in range(1 + attempt // 10):
                child = self.mutate(child, rng)
        return child

    def _winner(self, population: Population, rng: random.Random) -> Genotype:
        """Return the fitter of two members."""
        places = [rng.randrange(len(population.members)) for _ in range(2)]
        return population.members[max(places, key=population.fitness)].genotype

    def _enter(self, population: Population, evaluation: Evaluation) -> Population:
        key = self.key(evaluation.genotype)
        members = [m for m in population.members if self.key(m.genotype) != key] + [evaluation]
        scores = np.array([[objective.score(m.metrics) for objective in self.objectives] for m in members])
        fronts = front_numbers(scores)
        crowding = np.zeros(len(members))
        for front in np.unique(fronts):
            here = np.flatnonzero(fronts == front)
            crowding[here] = crowding_distances(scores[here])
        order = np.lexsort((-crowding, fronts))[: self.settings.population]
        return Population(
            tuple(members[place] for place in order),
            tuple(fronts[order].tolist()),
            tuple(crowding[order].tolist()),
        )


def front_numbers(scores: Array) -> NDArray[np.int_]:
    """Return for each row of scores, more being better, how many fronts are peeled off before its own."""
    no_worse: NDArray[np.bool_] = np.asarray((scores[:, None] >= scores[None]).all(axis=2))
    dominates = no_worse & ~no_worse.T
    numbers = np.zeros(len(scores), dtype=np.int_)
    left = np.arange(len(scores))
    while len(left):
        left = left[np.any(dominates[np.ix_(left, left)], axis=0)]
        numbers[left] += 1
    return numbers


def crowding_distances(scores: Array) -> Array:
    """Return for each member of a front the size of the gap it stands in; the outermost stand in an infinite one."""
    distances = np.zeros(len(scores))
    for column in scores.T:
        order = np.argsort(column, kind="stable")
        spread = column[order[-1]] - column[order[0]]
        distances[order[[0, -1]]] = np.inf
        if spread > 0:
            distances[order[1:-1]] += (column[order[2:]] - column[order[:-2]]) / spread
    return distances


def cross(space: Space, one: Genotype, other: Genotype, rng: random.Random) -> Genotype:
    """Return a genotype whose choices are those of one or the other, those that meet from the same."""
    parents = space.choices(one), space.choices(other)
    strengths: dict[str, list[list[float]]] = {}
    for group, (_, num_choices) in space.decisions.items():
        meetings = space.meetings[group]
        takes = {meeting: rng.randrange(2) for meeting in sorted(set(meetings))}
        strengths[group] = [
            [float(choice == parents[takes[meeting]][group][decision]) for choice in range(num_choices)]
            for decision, meeting in enumerate(meetings)
        ]
    return space.derive(strengths)
