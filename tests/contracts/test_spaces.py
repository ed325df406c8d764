"""What every search space must do."""

import itertools
import random

import pytest

from cellwright.genotype import Genotype
from cellwright.spaces import Space, TunedSpace, build_space
from cellwright.spec import SpaceSection


@pytest.fixture(params=["plain", "tuned"])
def space(space_section: SpaceSection, request: pytest.FixtureRequest) -> Space:
    space = build_space(space_section)
    hyperparameters = {"retrain.learning_rate": 3, "augment.shift": 2}
    return TunedSpace(space, hyperparameters) if request.param == "tuned" else space


@pytest.fixture
def sampled(space: Space) -> list[Genotype]:
    rng = random.Random(0)
    return [space.sample(rng) for _ in range(30)]


def test_samples_lie_inside(space: Space, sampled: list[Genotype]):
    assert all(space.contains(genotype) for genotype in sampled)


def test_the_same_seed_gives_the_same_samples(space: Space, sampled: list[Genotype]):
    rng = random.Random(0)
    assert [space.sample(rng) for _ in sampled] == sampled


def test_mutations_lie_inside_and_differ(space: Space, sampled: list[Genotype]):
    rng = random.Random(1)
    for genotype in sampled:
        mutated = space.mutate(genotype, rng)
        assert space.contains(mutated)
        assert mutated != genotype


def test_neighbourhood_is_mutual_and_free_of_repeats(space: Space, sampled: list[Genotype]):
    genotype = sampled[0]
    neighbours = list(space.neighbours(genotype))
    assert len(set(neighbours)) == len(neighbours)
    assert all(genotype in space.neighbours(neighbour) for neighbour in neighbours)


def test_encodings_have_one_length_and_tell_genotypes_apart(space: Space, sampled: list[Genotype]):
    encoded = {genotype: space.encode(genotype) for genotype in sampled}
    assert len({len(vector) for vector in encoded.values()}) == 1
    for one, other in itertools.combinations(encoded, 2):
        assert encoded[one] != encoded[other]


def test_the_choices_of_a_genotype_derive_it_again(space: Space, sampled: list[Genotype]):
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


def test_genotypes_of_other_spaces_lie_outside(space: Space, sampled: list[Genotype]):
    assert not space.contains(Genotype(space="other", cells=sampled[0].cells))


def test_sampling_reaches_every_choice_of_every_decision(space: Space):
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


def test_equal_genotypes_have_one_isomorphism_key(space: Space, sampled: list[Genotype]):
    for genotype in sampled:
        again = Genotype.from_line(genotype.to_line())
        assert space.isomorphism_key(again) == space.isomorphism_key(genotype)
