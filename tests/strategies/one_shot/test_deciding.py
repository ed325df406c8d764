"""How much a one-shot search decided, and whether people are warned where that was too little."""

import math

import pytest
import torch

from cellwright.data.split import Split
from cellwright.nn.initialising import seeded_initialisation
from cellwright.results import Alphas, Decidedness
from cellwright.spaces.nasbench201.section import NasBench201Section
from cellwright.spaces.networks import build_supernet
from cellwright.spec import STRATEGIES, Budget
from cellwright.strategies.one_shot.base import OneShotStrategy, SearchData, build_strategy
from cellwright.strategies.one_shot.deciding import NUM_RANDOM, decidedness
from cellwright.strategies.one_shot.scoring import score_genotype
from cellwright.tasks.images.section import ImagesSection
from cellwright.tasks.images.task import ImageClassification


@pytest.fixture
def strategy(request: pytest.FixtureRequest, tiny_task: ImageClassification, bars: Split) -> OneShotStrategy:
    with seeded_initialisation(0):
        supernet = build_supernet(NasBench201Section(kind="nasbench201", num_cells=2, channels=4), tiny_task)
    section = STRATEGIES.validate({"batch_size": 20, **request.param})
    data = SearchData(train=bars, validation=bars)
    return build_strategy(section, supernet, data, Budget(epochs=1), augment=ImagesSection(), seed=0)


@pytest.mark.parametrize("strategy", [{"kind": "beta-darts"}], indirect=True)
def test_alphas_are_noted_after_each_epoch(strategy: OneShotStrategy):
    (num_decisions, num_choices) = strategy.space.decisions["cell"]
    first = strategy.train_epoch(1)["entropy"]
    with torch.no_grad():
        strategy.alphas["cell"][:, 2] = 20.0
    last = strategy.end_epoch(2)["entropy"]
    (alphas,) = strategy.deciding_alphas
    assert torch.tensor(alphas.probabilities).shape == (2, num_decisions, num_choices)
    assert first > 0.95
    assert f"{last:.3f}" == "0.000"
    assert alphas.entropies(-1) == [0.0] * num_decisions


@pytest.mark.parametrize("strategy", [{"kind": "darts", "derivation": "perturbation"}], indirect=True)
def test_alphas_that_do_not_decide_are_left_out(strategy: OneShotStrategy):
    strategy.train_epoch(1)
    assert strategy.deciding_alphas == ()


@pytest.mark.parametrize("strategy", [{"kind": "darts"}, {"kind": "spos"}], indirect=True)
def test_the_derived_network_is_compared_with_random_ones(strategy: OneShotStrategy, bars: Split):
    inputs, _ = next(bars.ordered_batches(len(bars)))
    strategy.train_epoch(1)
    before = {name: tensor.clone() for name, tensor in strategy.supernet.state_dict().items()}
    derived = strategy.space.derive({"cell": [[0.0, 0.0, 0.0, 1.0, 0.0]] * 6})
    found = decidedness(strategy, derived)
    assert found.derived == score_genotype(strategy.supernet, derived, bars, inputs)
    assert 1 <= len(found.random) <= NUM_RANDOM
    assert decidedness(strategy, derived) == found
    assert all(tensor.equal(before[name]) for name, tensor in strategy.supernet.state_dict().items())


def told(likeliest: float, random: tuple[float, ...] = (0.1, 0.2, 0.3, 0.9)) -> str:
    """Return what is said of a search with one decision, after whose last epoch the likeliest choice is that likely."""
    rows = [[likeliest, *[(1 - likeliest) / 7] * 7]]
    alphas = Alphas(group="normal", probabilities=[[[0.125] * 8], rows])
    return "\n".join(Decidedness(alphas=(alphas,), derived=0.8, random=random).sentences())


@pytest.mark.parametrize(("likeliest", "warns"), [(0.14, True), (0.2, True), (0.5, False), (1.0, False)])
def test_alphas_that_stay_equal_are_warned_of(likeliest: float, warns: bool):
    assert ("warning: the alphas decided almost nothing" in told(likeliest)) == warns
    assert "normal 1.000 to " in told(likeliest)


@pytest.mark.parametrize(
    ("random", "warns"),
    [((0.1,) * 8, False), ((0.1,) * 7 + (0.8,), False), ((0.1,) * 6 + (0.8, 0.9), True), ((), False)],
)
def test_a_network_that_random_ones_equal_is_warned_of(random: tuple[float, ...], warns: bool):
    assert ("random architectures score at least as high" in told(1.0, random)) == warns


def test_an_entropy_is_that_of_its_definition():
    alphas = Alphas(group="cell", probabilities=[[[0.5, 0.25, 0.25], [1.0, 0.0, 0.0]]])
    assert alphas.entropies(0) == pytest.approx([1.5 * math.log(2) / math.log(3), 0.0])


def test_an_entropy_is_at_most_one_where_probabilities_are_rounded():
    assert Alphas(group="cell", probabilities=[[[0.3334] * 3, [0.2501] * 4, [1.0]]]).entropies(0) == [1, 1, 0]
