"""Finds the last unknown candidates of a space."""

import random
from collections import deque
from collections.abc import Callable, Iterator

from cellwright.candidate import Candidate
from cellwright.spaces import CandidateSpace


class Walk:
    """Visits a space once, breadth first along neighbours.

    Known candidates remain known, so the first unknown one is the last result or comes after it. Searching the whole
    space costs a single walk.
    """

    def __init__(self, space: CandidateSpace, rng: random.Random) -> None:
        self._candidates = _breadth_first(space, rng)
        self._here: Candidate | None = None
        self._began = False

    def first_without(self, is_known: Callable[[Candidate], bool]) -> Candidate | None:
        """Return the first candidate that is not known, or None."""
        if not self._began:
            self._here, self._began = next(self._candidates), True
        while self._here is not None and is_known(self._here):
            self._here = next(self._candidates, None)
        return self._here


def _breadth_first(space: CandidateSpace, rng: random.Random) -> Iterator[Candidate]:
    start = space.sample(rng)
    seen = {start.line}
    queue = deque([start])
    while queue:
        candidate = queue.popleft()
        yield candidate
        for neighbour in space.neighbours(candidate):
            line = neighbour.line
            if line not in seen:
                seen.add(line)
                queue.append(neighbour)
