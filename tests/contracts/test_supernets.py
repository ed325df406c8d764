"""What the supernet of every search space must do, and the networks of its genotypes."""

import random

import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from cellwright.genotype import Genotype
from cellwright.nn.cost import count_macs
from cellwright.nn.initialising import seeded_initialisation
from cellwright.spaces import Space
from cellwright.spaces.networks import build_network, build_supernet
from cellwright.spaces.supernet import Active, Mixture, Supernet
from cellwright.spec import SpaceSection
from cellwright.tasks.images.task import ImageClassification
from cellwright.testing.images import numbered_images
from tests.contracts.sections import SECTIONS


@pytest.fixture(params=[name for name, section in SECTIONS.items() if section.has_supernet])
def space_section(request: pytest.FixtureRequest) -> SpaceSection:
    return SECTIONS[request.param]


@pytest.fixture
def supernet(space_section: SpaceSection, tiny_task: ImageClassification) -> Supernet:
    """Weights and statistics are such that a mistaken one would show."""
    with seeded_initialisation(0):
        supernet = build_supernet(space_section, tiny_task).double()
        for parameter in supernet.parameters():
            nn.init.uniform_(parameter, -0.5, 0.5)
    supernet((images(0),), uniform(supernet.space))
    return supernet


@pytest.fixture
def genotypes(supernet: Supernet) -> list[Genotype]:
    rng = random.Random(3)
    return [supernet.space.sample(rng) for _ in range(8)]


def images(seed: int, shape: tuple[int, int, int] = (2, 8, 8)) -> torch.Tensor:
    return torch.randn(5, *shape, dtype=torch.double, generator=torch.Generator().manual_seed(seed))


def uniform(space: Space) -> Mixture:
    return {
        group: torch.full((num_decisions, num_choices), 1 / num_choices, dtype=torch.double)
        for group, (num_decisions, num_choices) in space.decisions.items()
    }


def one_hot(space: Space, genotype: Genotype) -> Mixture:
    mixture = {group: torch.zeros(shape, dtype=torch.double) for group, shape in space.decisions.items()}
    for group, decisions in only(space, genotype).items():
        for decision, choices in enumerate(decisions):
            mixture[group][decision, list(choices)] = 1
    return mixture


def only(space: Space, genotype: Genotype) -> Active:
    return {
        group: [[] if choice is None else [choice] for choice in row]
        for group, row in space.choices(genotype).items()
    }


@pytest.mark.parametrize("train", [False, True])
def test_restricted_to_a_genotype_it_gives_the_logits_of_that_network(
    supernet: Supernet, genotypes: list[Genotype], train: bool
):
    supernet.train(train)
    for genotype in genotypes:
        network = supernet.network(genotype).double().train(train)
        network.load_state_dict(supernet.inherit(genotype))
        expected, mixture = network(images(1)), one_hot(supernet.space, genotype)
        mixed = supernet((images(1),), mixture)
        skipping = supernet((images(1),), mixture, only(supernet.space, genotype))
        torch.testing.assert_close(mixed, expected, rtol=1e-10, atol=1e-10)
        torch.testing.assert_close(skipping, expected, rtol=1e-10, atol=1e-10)


def test_what_is_active_learns_as_it_does_among_all_choices(supernet: Supernet, genotypes: list[Genotype]):
    def gradients(genotype: Genotype, active: Active | None) -> list[torch.Tensor]:
        mixture = {g: rows.requires_grad_() for g, rows in one_hot(supernet.space, genotype).items()}
        learning = [*supernet.parameters(), *mixture.values()]
        loss = supernet((images(1),), mixture, active).square().sum()
        found = torch.autograd.grad(loss, learning, allow_unused=True, materialize_grads=True)
        of_weights, of_mixture = found[: -len(mixture)], found[-len(mixture) :]
        return [
            *of_weights,
            *(of_rows * rows for of_rows, rows in zip(of_mixture, mixture.values(), strict=True)),
        ]

    for genotype in genotypes:
        ours, theirs = (gradients(genotype, active) for active in (only(supernet.space, genotype), None))
        torch.testing.assert_close(ours, theirs, rtol=1e-10, atol=1e-10)


def test_what_is_not_active_costs_nothing(supernet: Supernet, genotypes: list[Genotype]):
    for genotype in genotypes:
        with torch.no_grad(), FlopCounterMode(display=False) as counter:
            supernet((images(1)[:1],), one_hot(supernet.space, genotype), only(supernet.space, genotype))
        expected = count_macs(supernet.network(genotype).double(), (images(1)[:1],))
        assert counter.get_total_flops() // 2 == expected


def test_without_active_everything_is(supernet: Supernet):
    space = supernet.space
    everything = {
        group: [range(num_choices)] * num_decisions
        for group, (num_decisions, num_choices) in space.decisions.items()
    }
    supernet.eval()
    assert supernet((images(1),), uniform(space), everything).equal(supernet((images(1),), uniform(space)))


def test_gradients_reach_every_weight_and_every_decision(supernet: Supernet):
    mixture = {group: rows.requires_grad_() for group, rows in uniform(supernet.space).items()}
    supernet((images(1),), mixture).square().sum().backward()
    for tensor in (*supernet.parameters(), *mixture.values()):
        assert tensor.grad is not None
        assert tensor.grad.isfinite().all()
    assert all((rows.grad != 0).any(dim=1).all() for rows in mixture.values())


def test_inheriting_leaves_the_supernet_to_itself(supernet: Supernet, genotypes: list[Genotype]):
    before = {name: tensor.clone() for name, tensor in supernet.state_dict().items()}
    for tensor in supernet.inherit(genotypes[0]).values():
        tensor.zero_()
    assert all(tensor.equal(before[name]) for name, tensor in supernet.state_dict().items())


def test_the_network_needs_no_supernet(
    supernet: Supernet, genotypes: list[Genotype], space_section: SpaceSection, tiny_task: ImageClassification
):
    for genotype in genotypes:
        built = build_network(space_section, tiny_task, genotype).double()
        built.load_state_dict(supernet.inherit(genotype))
        built(images(1)).sum().backward()


def test_initial_weights_follow_from_the_seed(space_section: SpaceSection, tiny_task: ImageClassification):
    def build(seed: int) -> torch.Tensor:
        with seeded_initialisation(seed):
            return nn.utils.parameters_to_vector(build_supernet(space_section, tiny_task).parameters())

    assert build(1).equal(build(1))
    assert not build(1).equal(build(2))


@pytest.mark.parametrize("image_shape", [(1, 8, 8), (3, 9, 13), (4, 32, 32)])
def test_any_image_fits(space_section: SpaceSection, image_shape: tuple[int, int, int]):
    task = numbered_images(image_shape, 4)
    supernet = build_supernet(space_section, task).double().eval()
    x_BCHW = images(0, image_shape)
    assert supernet((x_BCHW,), uniform(supernet.space)).shape == (5, 4)
    genotype = supernet.space.sample(random.Random(0))
    assert supernet.network(genotype).double().eval()(x_BCHW).shape == (5, 4)
