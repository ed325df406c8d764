"""What every search space must do."""

import itertools
import random

import pytest

from cellwright.genotype import Genotype
from cellwright.spaces import Darts, Space
from cellwright.spec.space import DARTS_PRIMITIVES

SPACES = [
    Darts(primitives=DARTS_PRIMITIVES, num_nodes=4),
    Darts(primitives=("skip_connect", "sep_conv_3x3"), num_nodes=1),
]


@pytest.fixture(params=SPACES, ids=lambda space: f"{space.name}-{space.num_nodes}")
def space(request: pytest.FixtureRequest) -> Space:
    return request.param


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
