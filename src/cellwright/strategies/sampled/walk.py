"""What is left of a space that is nearly used up."""

import random
from collections import deque
from collections.abc import Callable, Iterator

from cellwright.genotype import Genotype
from cellwright.spaces import Space


class Walk:
    """Goes through a space once, breadth first along neighbours, and never back.

    What is known stays known, so the first unknown genotype lies where it lay before or further on, and a search to
    the last architecture costs one walk in all.
    """

    def __init__(self, space: Space, rng: random.Random) -> None:
        self._genotypes = _breadth_first(space, rng)
        self._here: Genotype | None = None
        self._began = False

    def first_without(self, is_known: Callable[[Genotype], bool]) -> Genotype | None:
        """Return the first genotype that is not known; None where all are."""
        if not self._began:
            self._here, self._began = next(self._genotypes), True
        while self._here is not None and is_known(self._here):
            self._here = next(self._genotypes, None)
        return self._here


def _breadth_first(space: Space, rng: random.Random) -> Iterator[Genotype]:
    start = space.sample(rng)
    seen = {start.to_line()}
    queue = deque([start])
    while queue:
        genotype = queue.popleft()
        yield genotype
        for neighbour in space.neighbours(genotype):
            line = neighbour.to_line()
            if line not in seen:
                seen.add(line)
                queue.append(neighbour)
