"""What every search space must do, and the space of its candidates."""

import itertools
import random
from typing import Any

import pytest

from cellwright.candidate import Candidate
from cellwright.genotype import Genotype
from cellwright.spaces import CandidateSpace, build_space
from cellwright.spec import SpaceSection

HYPERPARAMETERS = {"retrain.learning_rate": (0.003, 0.01, 0.03), "augment.flip": (True, False)}


@pytest.fixture(params=["genotypes", "candidates", "tuned candidates"])
def space(space_section: SpaceSection, request: pytest.FixtureRequest) -> Any:
    space = build_space(space_section)
    if request.param == "genotypes":
        return space
    return CandidateSpace(space, HYPERPARAMETERS if request.param == "tuned candidates" else {})


@pytest.fixture
def sampled(space: Any) -> list[Any]:
    rng = random.Random(0)
    return [space.sample(rng) for _ in range(30)]


def test_samples_lie_inside(space: Any, sampled: list[Any]):
    assert all(space.contains(genotype) for genotype in sampled)


def test_the_same_seed_gives_the_same_samples(space: Any, sampled: list[Any]):
    rng = random.Random(0)
    assert [space.sample(rng) for _ in sampled] == sampled


def test_mutations_lie_inside_and_differ(space: Any, sampled: list[Any]):
    rng = random.Random(1)
    for genotype in sampled:
        mutated = space.mutate(genotype, rng)
        assert space.contains(mutated)
        assert mutated != genotype


def test_neighbourhood_is_mutual_and_free_of_repeats(space: Any, sampled: list[Any]):
    genotype = sampled[0]
    neighbours = list(space.neighbours(genotype))
    assert len(set(neighbours)) == len(neighbours)
    assert all(genotype in space.neighbours(neighbour) for neighbour in neighbours)


def test_encodings_have_one_length_and_tell_genotypes_apart(space: Any, sampled: list[Any]):
    encoded = {genotype: space.encode(genotype) for genotype in sampled}
    assert len({len(vector) for vector in encoded.values()}) == 1
    for one, other in itertools.combinations(encoded, 2):
        assert encoded[one] != encoded[other]


def test_the_choices_of_a_genotype_derive_it_again(space: Any, sampled: list[Any]):
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


def test_genotypes_of_other_spaces_lie_outside(space: Any, sampled: list[Any]):
    (one, *_) = sampled
    if isinstance(one, Genotype):
        assert not space.contains(Genotype(space="other", cells=one.cells))
    else:
        elsewhere = Genotype(space="other", cells=one.genotype.cells)
        assert not space.contains(Candidate(genotype=elsewhere, values=one.values))


def test_sampling_reaches_every_choice_of_every_decision(space: Any):
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


def test_equal_genotypes_have_one_isomorphism_key(space: Any, sampled: list[Any]):
    for genotype in sampled:
        line = genotype.to_line() if isinstance(genotype, Genotype) else genotype.line
        again = type(genotype).from_line(line)
        assert space.isomorphism_key(again) == space.isomorphism_key(genotype)
