"""Looks for the best part of a network within a limit."""

import random
from collections.abc import Callable

from cellwright.genotype import Genotype
from cellwright.seeds import derive_seed
from cellwright.spaces.stages.parts import Parts

DRAWS = 200
"""Draws in which a part within the limit is looked for, before varying the smallest part."""
CLOSEST_OF = 3
"""A random part is the one of so many that comes closest to the limit, since larger ones are usually better."""
PARENTS = 5
TRIES = 50
"""Variations of a parent in which an unknown part within the limit is looked for."""


class Evolution:
    """An evolutionary search for each of several limits; what one finds, the next ones know.

    Args:
        parts: the parts to choose from.
        cost: what is limited.
        loss: what is minimised; called once for each part.
        seed: seed of all randomness.
    """

    def __init__(
        self, parts: Parts, cost: Callable[[Genotype], float], loss: Callable[[Genotype], float], *, seed: int
    ) -> None:
        self.parts = parts
        self.cost = cost
        self.loss = loss
        self.seed = seed
        self.losses: dict[Genotype, float] = {}
        """Of all parts so far."""

    def best(self, limit: float, evaluations: int) -> Genotype:
        """Return the best part within a limit, which the smallest part must keep, after so many evaluations."""
        rng = random.Random(derive_seed(self.seed, "evolution", repr(limit)))
        self._look_at(self.parts.smallest())
        for number in range(evaluations):
            ranked = self._ranked(limit)
            child = None if 2 * number < evaluations else self._child(ranked[:PARENTS], limit, rng)
            self._look_at(child or self._random(limit, rng))
        return self._ranked(limit)[0]

    def _ranked(self, limit: float) -> list[Genotype]:
        """Return the known parts within the limit, the best one first."""
        return sorted((part for part in self.losses if self.cost(part) <= limit), key=self.losses.__getitem__)

    def _look_at(self, part: Genotype) -> None:
        if part not in self.losses:
            self.losses[part] = self.loss(part)

    def _random(self, limit: float, rng: random.Random) -> Genotype:
        drawn: list[Genotype] = []
        for _ in range(DRAWS):
            if self.cost(part := self.parts.draw(rng)) <= limit:
                drawn.append(part)
            if len(drawn) == CLOSEST_OF:
                break
        if drawn:
            return max(drawn, key=self.cost)
        return self._child([self.parts.smallest()], limit, rng) or self.parts.smallest()

    def _child(self, parents: list[Genotype], limit: float, rng: random.Random) -> Genotype | None:
        for _ in range(TRIES):
            child = self.parts.vary(rng.choice(parents), rng)
            if child not in self.losses and self.cost(child) <= limit:
                return child
        return None
