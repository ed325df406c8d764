"""The contract of search spaces, also for their candidates."""

import itertools
import random
from typing import Any

import pytest

from cellwright.candidate import Candidate
from cellwright.genotype import Genotype


class SpaceContract:
    """Inherit from this class, and define a fixture `space` with a small space."""

    @pytest.fixture
    def space(self) -> Any:
        """Return the space."""
        raise NotImplementedError

    @pytest.fixture
    def sampled(self, space: Any) -> list[Any]:
        """Return some of its genotypes."""
        rng = random.Random(0)
        return [space.sample(rng) for _ in range(30)]

    def test_samples_are_inside(self, space: Any, sampled: list[Any]) -> None:
        """A space contains its samples."""
        assert all(space.contains(genotype) for genotype in sampled)

    def test_the_same_seed_gives_the_same_samples(self, space: Any, sampled: list[Any]) -> None:
        """All randomness comes from the argument."""
        rng = random.Random(0)
        assert [space.sample(rng) for _ in sampled] == sampled

    def test_mutations_are_inside_and_differ(self, space: Any, sampled: list[Any]) -> None:
        """A mutation is another genotype of the space."""
        rng = random.Random(1)
        for genotype in sampled:
            mutated = space.mutate(genotype, rng)
            assert space.contains(mutated)
            assert mutated != genotype

    def test_neighbourhood_is_mutual_and_free_of_repeats(self, space: Any, sampled: list[Any]) -> None:
        """A genotype is a neighbour of each of its neighbours."""
        genotype = sampled[0]
        neighbours = list(space.neighbours(genotype))
        assert len(set(neighbours)) == len(neighbours)
        assert all(genotype in space.neighbours(neighbour) for neighbour in neighbours)

    def test_encodings_have_one_length_and_distinguish_genotypes(
        self, space: Any, sampled: list[Any]
    ) -> None:
        """Predictors can distinguish any two genotypes."""
        encoded = {genotype: space.encode(genotype) for genotype in sampled}
        assert len({len(vector) for vector in encoded.values()}) == 1
        for one, other in itertools.combinations(encoded, 2):
            assert encoded[one] != encoded[other]

    def test_the_choices_of_a_genotype_derive_it_again(self, space: Any, sampled: list[Any]) -> None:
        """A genotype and its choices are equivalent."""
        for genotype in sampled:
            choices = space.choices(genotype)
            strengths = {
                group: [[float(choice == taken) for choice in range(num_choices)] for taken in choices[group]]
                for group, (_, num_choices) in space.decisions.items()
            }
            assert {group: len(rows) for group, rows in choices.items()} == {
                group: num_decisions for group, (num_decisions, _) in space.decisions.items()
            }
            assert space.derive(strengths) == genotype

    def test_genotypes_of_other_spaces_are_outside(self, space: Any, sampled: list[Any]) -> None:
        """The name of the space matters."""
        one = sampled[0]
        if isinstance(one, Genotype):
            assert not space.contains(Genotype(space="other", cells=one.cells))
        else:
            elsewhere = Genotype(space="other", cells=one.genotype.cells)
            assert not space.contains(Candidate(genotype=elsewhere, values=one.values))

    def test_sampling_reaches_every_choice_of_every_decision(self, space: Any) -> None:
        """Every part of the space is reachable."""
        rng = random.Random(0)
        seen = {
            (group, decision, choice)
            for _ in range(400)
            for group, row in space.choices(space.sample(rng)).items()
            for decision, choice in enumerate(row)
            if choice is not None
        }
        sizes = space.decisions.values()
        assert len(seen) == sum(num_decisions * num_choices for num_decisions, num_choices in sizes)

    def test_equal_genotypes_have_one_isomorphism_key(self, space: Any, sampled: list[Any]) -> None:
        """The key depends on the genotype only."""
        for genotype in sampled:
            line = genotype.to_line() if isinstance(genotype, Genotype) else genotype.line
            again = type(genotype).from_line(line)
            assert space.isomorphism_key(again) == space.isomorphism_key(genotype)
