"""The search space of sampled strategies: architectures, and hyperparameters that are searched with them."""

import random
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any

from cellwright.candidate import Candidate
from cellwright.canonical import canonical_json
from cellwright.genotype import GenotypeError
from cellwright.spaces.base import Choices, Space, Strengths


class CandidateSpace:
    """The candidates of a space of architectures.

    Each hyperparameter is an additional group with one decision. Otherwise, it behaves like the space of architectures.

    Args:
        architectures: the space of genotypes.
        hyperparameters: the values to choose from, by name.
    """

    def __init__(
        self, architectures: Space, hyperparameters: Mapping[str, Sequence[Any]] | None = None
    ) -> None:
        self.architectures = architectures
        self.hyperparameters = dict(hyperparameters or {})
        self._indices = {
            name: {canonical_json(value): index for index, value in enumerate(values)}
            for name, values in self.hyperparameters.items()
        }

    @property
    def decisions(self) -> Mapping[str, tuple[int, int]]:
        """Return the numbers of decisions and of choices for each group."""
        return {
            **self.architectures.decisions,
            **{name: (1, len(values)) for name, values in self.hyperparameters.items()},
        }

    @property
    def sum_indices(self) -> Mapping[str, Sequence[int]]:
        """Return the index of the sum that each decision of a group contributes to."""
        return {**self.architectures.sum_indices, **dict.fromkeys(self.hyperparameters, (0,))}

    def derive(self, strengths: Strengths) -> Candidate:
        """Return the candidate with the strongest choices."""
        values = {}
        for name, choices in self.hyperparameters.items():
            (row,) = strengths[name]
            values[name] = choices[list(row).index(max(row))]
        return Candidate(genotype=self.architectures.derive(strengths), values=values)

    def choices(self, candidate: Candidate) -> Choices:
        """Return the choices of the candidate."""
        return {
            **self.architectures.choices(candidate.genotype),
            **{name: [self._index(name, value)] for name, value in self._own_values(candidate).items()},
        }

    def sample(self, rng: random.Random) -> Candidate:
        """Draw a candidate uniformly at random."""
        values = {name: rng.choice(values) for name, values in self.hyperparameters.items()}
        return Candidate(genotype=self.architectures.sample(rng), values=values)

    def check(self, candidate: Candidate) -> None:
        """Raise GenotypeError, naming the rule, if the candidate is not in the space."""
        self.architectures.check(candidate.genotype)
        for name, value in self._own_values(candidate).items():
            self._index(name, value)

    def contains(self, candidate: Candidate) -> bool:
        """Return whether the candidate is in the space."""
        try:
            self.check(candidate)
        except ValueError:
            return False
        return True

    def neighbours(self, candidate: Candidate) -> Iterator[Candidate]:
        """Yield all candidates that differ in one decision, in a fixed order."""
        for genotype in self.architectures.neighbours(candidate.genotype):
            yield Candidate(genotype=genotype, values=candidate.values)
        for name, values in self.hyperparameters.items():
            current = self._index(name, candidate.values[name])
            for index, value in enumerate(values):
                if index != current:
                    yield Candidate(genotype=candidate.genotype, values={**candidate.values, name: value})

    def mutate(self, candidate: Candidate, rng: random.Random) -> Candidate:
        """Draw a neighbour uniformly at random."""
        return rng.choice(list(self.neighbours(candidate)))

    def encode_values(self, candidate: Candidate) -> list[tuple[float, ...]]:
        """Return a vector for each hyperparameter: the relative index for ordered numbers, otherwise one-hot."""
        vectors: list[tuple[float, ...]] = []
        for name, values in self.hyperparameters.items():
            index = self._index(name, candidate.values[name])
            if _are_in_order(values):
                vectors.append((index / (len(values) - 1),))
            else:
                vectors.append(tuple(float(index == other) for other in range(len(values))))
        return vectors

    def encode(self, candidate: Candidate) -> tuple[float, ...]:
        """Return a vector of fixed length that is different for any two candidates."""
        vectors = self.encode_values(candidate)
        return (*self.architectures.encode(candidate.genotype), *(x for vector in vectors for x in vector))

    def isomorphism_key(self, candidate: Candidate) -> str:
        """Return a text that is the same for all candidates that train the same network in the same way."""
        _, separator, values = candidate.line.partition("::")
        return self.architectures.isomorphism_key(candidate.genotype) + separator + values

    def complete(self, candidate: Candidate) -> Candidate:
        """Return the candidate, with the first value of each hyperparameter that it lacks."""
        first = {name: values[0] for name, values in self.hyperparameters.items()}
        return Candidate(genotype=candidate.genotype, values={**first, **candidate.values})

    def _own_values(self, candidate: Candidate) -> Mapping[str, Any]:
        """Return the candidate's values in the order of the hyperparameters."""
        if candidate.values.keys() != self.hyperparameters.keys():
            raise GenotypeError(
                f"a candidate must have a value for each of {sorted(self.hyperparameters)}, got {candidate.line}"
            )
        return {name: candidate.values[name] for name in self.hyperparameters}

    def _index(self, name: str, value: Any) -> int:
        """Return the index of a value among the choices."""
        indices = self._indices[name]
        text = canonical_json(value)
        if text not in indices:
            raise GenotypeError(f"{name} must be one of {', '.join(indices)}, got {text}")
        return indices[text]


def _are_in_order(values: Sequence[Any]) -> bool:
    """Return whether the values are numbers in ascending or descending order."""
    if not all(isinstance(value, int | float) and not isinstance(value, bool) for value in values):
        return False
    return all(a < b for a, b in pairwise(values)) or all(a > b for a, b in pairwise(values))
