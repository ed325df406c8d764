"""Searches in which one choice of each decision is better than the others: the alphas must find it and say so."""

import pytest
import torch
from torch import Tensor, nn

from cellwright.data.split import Split
from cellwright.genotype import Genotype
from cellwright.results import UNDECIDED
from cellwright.spaces.nasbench201.space import NasBench201
from cellwright.spaces.supernet import Active, Mixture, Supernet
from cellwright.spec import STRATEGIES, Budget
from cellwright.strategies.one_shot.base import SearchData, build_strategy
from cellwright.tasks.images.section import ImagesSection
from cellwright.testing.images import numbered_images

PLANTED = (3, 2, 0, 4, 1, 3)
"""The better choice on each edge."""
SIGNAL = 0.35
"""Strength of what the better choices see, beside noise with a standard deviation of 1."""
EXAMPLES, EPOCHS = 1280, 40


class Planted(Supernet):
    """Each choice on each edge weights an input of its own, and only the better ones see the class."""

    def __init__(self) -> None:
        super().__init__()
        self.space, self.task = NasBench201(), numbered_images((len(PLANTED) * 5, 1, 1), 2)
        self.weights = nn.Parameter(torch.full((len(PLANTED), 5), 0.1))

    def forward(self, inputs: tuple[Tensor, ...], mixture: Mixture, active: Active | None = None) -> Tensor:
        """Return the logits of the mixture."""
        x_BEP = inputs[0].flatten(1).unflatten(1, self.weights.shape)
        logit_B = (mixture["cell"] * self.weights * x_BEP).sum(dim=(1, 2))
        return torch.stack([logit_B, -logit_B], dim=1)

    def network(self, genotype: Genotype) -> nn.Module:
        raise AssertionError("only the supernet is trained")


@pytest.fixture(scope="module")
def data() -> SearchData:
    rng = torch.Generator().manual_seed(0)
    labels = torch.arange(EXAMPLES) % 2
    x_BEP = torch.randn(EXAMPLES, len(PLANTED), 5, generator=rng)
    x_BEP[:, range(len(PLANTED)), PLANTED] += SIGNAL * (1.0 - 2.0 * labels)[:, None]
    split = Split((x_BEP.reshape(EXAMPLES, -1, 1, 1),), labels)
    return SearchData(train=split, validation=split)


@pytest.mark.parametrize("kind", ["drnas", "beta-darts"])
def test_alphas_find_the_better_choices_and_decide(kind: str, data: SearchData) -> None:
    section, augment = STRATEGIES.validate({"kind": kind}), ImagesSection(shift=0, rotate=0, scale=0)
    strategy = build_strategy(section, Planted(), data, Budget(epochs=EPOCHS), augment=augment, seed=0)
    for epoch in range(1, EPOCHS + 1):
        metrics = strategy.train_epoch(epoch)
    taken = strategy.space.taken(strategy.derive())["cell"]
    assert tuple(taken) == PLANTED
    assert metrics["entropy"] < UNDECIDED
