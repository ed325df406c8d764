"""Features of candidates for a surrogate: the graph, independent of its numbering, and hyperparameters."""

import random
import zlib
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from cellwright.candidate import Candidate
from cellwright.genotype import Cell
from cellwright.spaces import CandidateSpace
from cellwright.spaces.nasbench201.space import NONE, SKIP
from cellwright.strategies.sampled.paths import Array, Paths, union

BUCKETS = 256
"""Number of hash buckets for the paths of a cell; a path is hashed by its last operations."""
SAMPLES = 400
"""Number of architectures to draw in order to collect the primitives."""
CACHED = 1 << 12
"""Number of candidates to cache, at a few kilobytes each."""


class Features:
    """Computes groups of features for candidates: three for the architecture, and one for each hyperparameter.

    - paths: number of paths from a cell's inputs to its output for each sequence of operations. Skips are omitted,
      and `none` breaks a path;
    - counts: number of operations of each kind on such paths, and their number in a path: mean, maximum and minimum;
    - choices: the space's own encoding, which separates candidates that the other groups do not;
    - one group with the value of each hyperparameter.

    Paths and counts are equal for isomorphic cells.

    Args:
        space: the space of candidates.
        cached: size of the least recently used caches, in candidates and in cells.
    """

    def __init__(self, space: CandidateSpace, *, cached: int = CACHED) -> None:
        self._space = space
        rng = random.Random(0)
        samples = [space.architectures.sample(rng) for _ in range(SAMPLES)]
        primitives = {
            edge.primitive
            for genotype in samples
            for cell in genotype.cells.values()
            for node in cell.nodes
            for edge in node
        }
        self._columns = {name: column for column, name in enumerate(sorted(primitives - {NONE, SKIP}))}
        self._num_columns = len(self._columns) + 1
        self._of = lru_cache(cached)(self._compute)
        self._of_cell = lru_cache(cached)(self._compute_cell)

    def __call__(self, candidates: Sequence[Candidate]) -> list[Array]:
        """Return the groups, each (candidates, features)."""
        rows = [self._of(candidate) for candidate in candidates]
        return [np.array(group, dtype=np.float64) for group in zip(*rows, strict=True)]

    def _compute(self, candidate: Candidate) -> tuple[NDArray[np.float32], ...]:
        endings, counts = zip(*map(self._of_cell, candidate.genotype.cells.values()), strict=True)
        choices = self._space.architectures.encode(candidate.genotype)
        values = self._space.encode_values(candidate)
        return (
            np.concatenate(endings),
            np.concatenate(counts),
            *(np.array(vector, dtype=np.float32) for vector in (choices, *values)),
        )

    def _compute_cell(self, cell: Cell) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return the groups paths and counts of one cell."""
        reached = self._reached(cell)
        paths = reached[-1]
        endings = np.zeros(BUCKETS, dtype=np.float32)
        for ending, count in paths.endings.items():
            endings[zlib.crc32("/".join(ending).encode()) % BUCKETS] += np.log1p(count)
        mean, number = paths.total / max(paths.number, 1.0), np.log1p([paths.number])
        counts = np.concatenate([self._used_edges(cell, reached), paths.most, paths.least, mean, number])
        return endings, counts.astype(np.float32)

    def _reached(self, cell: Cell) -> list[Paths]:
        """Return the paths to each input, to each node, and last, to the output."""
        several = cell.num_inputs > 1
        reached = [
            Paths.empty(self._num_columns, (str(source),) if several else ())
            for source in range(cell.num_inputs)
        ]
        for node in cell.nodes:
            read = [(edge.primitive, reached[edge.source]) for edge in node if edge.primitive != NONE]
            ends = [
                paths.through(name, self._columns[name]) if name in self._columns else paths
                for name, paths in read
            ]
            reached.append(union(ends, self._num_columns))
        outputs = reached[cell.num_inputs :] if self._space.architectures.concatenates else reached[-1:]
        return [*reached, union(outputs, self._num_columns)]

    def _used_edges(self, cell: Cell, reached: Sequence[Paths]) -> Array:
        """Return the number of edges of each kind on paths to the output, skips last."""
        counts = np.zeros(self._num_columns)
        nodes = range(cell.num_inputs, cell.num_inputs + len(cell.nodes))
        leads_on = set(nodes if self._space.architectures.concatenates else nodes[-1:])
        for index in reversed(nodes):
            if index not in leads_on:
                continue
            for edge in cell.nodes[index - cell.num_inputs]:
                if edge.primitive != NONE and reached[edge.source].number:
                    leads_on.add(edge.source)
                    counts[self._columns.get(edge.primitive, -1)] += 1
        return counts
