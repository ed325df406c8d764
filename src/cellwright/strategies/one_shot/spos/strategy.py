"""Single path one-shot search: Guo et al. 2020, https://arxiv.org/abs/1904.00420."""

import random
from collections.abc import Sequence

from cellwright.genotype import Genotype
from cellwright.spaces import Space
from cellwright.strategies.one_shot.single_path import SinglePath
from cellwright.strategies.one_shot.spos.section import SposSection

ATTEMPTS = 10
"""Maximum number of children to breed for each one that is wanted, since in a small space few are new."""


class Spos(SinglePath):
    """Trains random paths, then evolves candidates with the shared weights."""

    settings: SposSection

    @property
    def num_rounds(self) -> int:
        """Return the number of generations."""
        return self.settings.generations

    def candidates(self, number: int, rng: random.Random) -> Sequence[Genotype]:
        """Return the first population, or new children of the best candidates so far."""
        ranked = sorted(self.scores, key=self.scores.__getitem__, reverse=True)
        parents = [Genotype.from_line(line) for line in ranked[: self.settings.parents]]
        new: dict[str, Genotype] = {}
        for _ in range(ATTEMPTS * self.settings.population):
            child = self._breed(parents, rng) if parents else self.space.sample(rng)
            if child.to_line() not in self.scores:
                new.setdefault(child.to_line(), child)
            if len(new) == self.settings.population:
                break
        return list(new.values())

    def _breed(self, parents: Sequence[Genotype], rng: random.Random) -> Genotype:
        """Mutate one parent or cross two, with equal probability."""
        if rng.random() < 0.5:
            return self.space.mutate(rng.choice(parents), rng)
        return cross(self.space, rng.choice(parents), rng.choice(parents), rng)


def cross(space: Space, mother: Genotype, father: Genotype, rng: random.Random) -> Genotype:
    """Return a genotype that takes each decision from a random parent; random strengths decide which edges are kept."""
    strengths = {}
    inherited = space.choices(mother), space.choices(father)
    for group, (num_decisions, num_choices) in space.decisions.items():
        strengths[group] = [[0.0] * num_choices for _ in range(num_decisions)]
        for row, *choices in zip(strengths[group], *(parent[group] for parent in inherited), strict=True):
            taken = [choice for choice in choices if choice is not None]
            if taken:
                row[rng.choice(taken)] = 1 + rng.random()
    return space.derive(strengths)
