"""What Gumbel and Dirichlet draws, edge normalisation, evolution and the controller compute."""

import itertools
import math
import random
from collections import Counter
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from cellwright.data.split import Split
from cellwright.genotype import Genotype
from cellwright.nn.initialising import seeded_initialisation
from cellwright.spaces.darts.space import Darts
from cellwright.spaces.darts.supernet import DartsSupernet
from cellwright.spec import Budget, OneShotSection
from cellwright.strategies.one_shot.base import OneShotStrategy, SearchData
from cellwright.strategies.one_shot.drnas.section import DrnasSection
from cellwright.strategies.one_shot.drnas.strategy import Drnas
from cellwright.strategies.one_shot.enas.controller import Controller
from cellwright.strategies.one_shot.enas.section import EnasSection
from cellwright.strategies.one_shot.enas.strategy import Enas
from cellwright.strategies.one_shot.gdas.section import GdasSection
from cellwright.strategies.one_shot.gdas.strategy import Gdas
from cellwright.strategies.one_shot.pc_darts.section import PcDartsSection
from cellwright.strategies.one_shot.pc_darts.strategy import PcDarts
from cellwright.strategies.one_shot.spos.strategy import cross
from cellwright.tasks.images.section import ImagesSection
from cellwright.tasks.images.task import ImageClassification


@pytest.fixture
def small_space() -> Darts:
    """Return 9 × 4 architectures for each cell, few enough to count."""
    return Darts(primitives=("skip_connect", "sep_conv_3x3"), num_nodes=2)


def made(strategy: type[OneShotStrategy], section: OneShotSection, space: Darts) -> Any:
    """Return the strategy over a supernet that nothing is computed with."""
    task = ImageClassification(map_shape=(1, 8, 8), class_names=("a", "b"), mean=(0.0,), std=(1.0,))
    split = Split((torch.zeros(20, 1, 8, 8),), torch.arange(20) % 2)
    with seeded_initialisation(0):
        supernet = DartsSupernet(task, space, num_cells=1, channels=2)
    data = SearchData(train=split, validation=split)
    made = strategy(section, supernet, data, Budget(epochs=3), augment=ImagesSection(), seed=0)
    made.rng = torch.Generator().manual_seed(0)
    return made


def test_gumbel_draws_are_one_hot_follow_the_softmax_and_have_soft_gradients(tiny_space: Darts):
    gdas = made(Gdas, GdasSection(kind="gdas"), tiny_space)
    wanted = torch.tensor([0.1, 0.2, 0.3, 0.4])
    gdas.alphas["normal"].data.copy_(wanted.log().expand(5, 4))
    counts = torch.zeros(4)
    for _ in range(2000):
        mixture, active = gdas.sample()
        assert [(choice,) for choice in mixture["normal"].argmax(dim=1).tolist()] == active["normal"]
        counts += mixture["normal"].detach().sum(dim=0)
    torch.testing.assert_close(mixture["normal"].detach().max(dim=1).values, torch.ones(5))
    torch.testing.assert_close(counts / counts.sum(), wanted, rtol=0, atol=0.02)
    (gradient,) = torch.autograd.grad(mixture["normal"][0, active["normal"][0][0]], gdas.alphas["normal"])
    assert (gradient[0] != 0).all()
    assert (gradient[1:] == 0).all()


def test_dirichlet_draws_have_the_mean_that_is_derived_and_gradients(tiny_space: Darts):
    drnas = made(Drnas, DrnasSection(kind="drnas"), tiny_space)
    drnas.alphas["reduce"].data.copy_(torch.tensor([-0.5, 0.0, 1.0, 2.0]).expand(5, 4))
    drnas.averages = drnas.alphas
    mean = torch.stack([drnas.sample()[0]["reduce"] for _ in range(1000)]).mean(dim=0)
    torch.testing.assert_close(mean, drnas.probabilities()["reduce"], rtol=0, atol=0.03)
    ours = torch.autograd.grad(mean[0, 3], drnas.alphas["reduce"])[0][0]
    exact = torch.autograd.grad(drnas.probabilities()["reduce"][0, 3], drnas.alphas["reduce"])[0][0]
    torch.testing.assert_close(ours, exact, rtol=0.2, atol=0.01)


def without_gradients(space: Darts, *, anchor: float) -> Any:
    """Return a search of 30 steps that learns nothing."""
    drnas = made(Drnas, DrnasSection(kind="drnas", anchor=anchor), space)
    drnas.alpha_optimizer = SimpleNamespace(step=lambda: None)
    drnas.data, drnas.batch_size = SimpleNamespace(train=range(100)), 10  # 30 steps in 3 epochs
    return drnas


def test_an_anchor_makes_alphas_forget_that_many_times_in_a_search(tiny_space: Darts):
    drnas = without_gradients(tiny_space, anchor=0.5)
    for alpha in drnas.alphas.values():
        alpha.data.fill_(1)
    for _ in range(30):
        drnas.follow_alpha_gradients()
    for alpha in drnas.alphas.values():
        torch.testing.assert_close(alpha.detach(), torch.full((5, 4), math.exp(-0.5)), rtol=1e-4, atol=0)


def test_dirichlet_means_look_back_on_a_fifth_of_the_search(tiny_space: Darts):
    drnas = without_gradients(tiny_space, anchor=0.0)
    drnas.averages = {group: torch.zeros_like(alpha) for group, alpha in drnas.alphas.items()}
    for alpha in drnas.alphas.values():
        alpha.data.fill_(1)
    for _ in range(6):
        drnas.follow_alpha_gradients()
    for average in drnas.averages.values():
        torch.testing.assert_close(average, torch.full((5, 4), 1 - (5 / 6) ** 6))


def test_partial_channels_share_one_weight_among_the_edges_into_a_node(tiny_space: Darts):
    pc = made(PcDarts, PcDartsSection(kind="pc-darts"), tiny_space)
    pc.alphas["normal/edges"].data.copy_(torch.tensor([1.0, 2.0, 3.0, 4.0, 5.0]))
    sums = pc.mixture()["normal"].sum(dim=1)
    expected = torch.cat([torch.tensor([1.0, 2.0]).softmax(0), torch.tensor([3.0, 4.0, 5.0]).softmax(0)])
    torch.testing.assert_close(sums, expected)


def test_a_child_has_what_its_parents_have(tiny_space: Darts, rng: random.Random):
    def parts(genotype: Genotype) -> set:
        return {
            (kind, node, edge)
            for kind, cell in genotype.cells.items()
            for node, edges in enumerate(cell.nodes)
            for edge in edges
        }

    for _ in range(50):
        mother, father = tiny_space.sample(rng), tiny_space.sample(rng)
        child = cross(tiny_space, mother, father, rng)
        tiny_space.check(child)
        assert parts(child) <= parts(mother) | parts(father)


def every_genotype(space: Darts) -> list[Genotype]:
    seen = {}
    rng = random.Random(0)
    for _ in range(30000):
        genotype = space.sample(rng)
        seen[genotype.to_line()] = genotype
    return list(seen.values())


def biased_controller(space: Darts) -> Controller:
    with seeded_initialisation(0):
        controller = Controller(space, hidden=4)
    for group in controller.keep:
        controller.keep[group].data.copy_(torch.linspace(-1, 1, len(space.edges)))
    return controller


def test_the_controllers_probabilities_sum_to_one_and_are_those_of_its_draws(small_space: Darts):
    genotypes = every_genotype(small_space)
    assert len(genotypes) == (4 * 3 * 4) ** 2
    controller = biased_controller(small_space)
    with torch.no_grad():
        probabilities = {g: controller.assess(g)[0].exp().item() for g in genotypes}
    assert sum(probabilities.values()) == pytest.approx(1, abs=1e-4)
    rng = random.Random(0)
    kept = Counter(small_space.choices(controller.draw(rng))["normal"][2] is None for _ in range(1500))
    dropped = sum(p for g, p in probabilities.items() if small_space.choices(g)["normal"][2] is None)
    assert kept[True] / 1500 == pytest.approx(dropped, abs=0.04)


def test_the_controller_learns_what_is_rewarded(tiny_space: Darts):
    enas = made(Enas, EnasSection(kind="enas", hidden=16), tiny_space)
    with seeded_initialisation(0):
        enas.controller = Controller(tiny_space, hidden=16)
    enas.controller_optimizer = torch.optim.Adam(enas.controller.parameters(), lr=0.02)

    def share(genotype: Genotype) -> float:
        edges = itertools.chain(*(node for cell in genotype.cells.values() for node in cell.nodes))
        return sum(edge.primitive == "sep_conv_3x3" for edge in edges) / 8

    rng = random.Random(0)
    for _ in range(80):
        genotypes = [enas.controller.draw(rng) for _ in range(4)]
        enas.reinforce(genotypes, [share(genotype) for genotype in genotypes])
    assert sum(share(enas.controller.draw(rng)) for _ in range(20)) / 20 > 0.8
