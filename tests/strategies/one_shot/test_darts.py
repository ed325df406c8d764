from pathlib import Path
from unittest.mock import patch

import pytest
import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn import functional

from cellwright.data.split import Batch, Split
from cellwright.nn import primitives
from cellwright.nn.depthwise import Separable
from cellwright.nn.halving import halve
from cellwright.nn.initialising import seeded_initialisation
from cellwright.spaces.darts.space import Darts as DartsSection
from cellwright.spaces.darts.supernet import DartsSupernet
from cellwright.spec import Budget
from cellwright.strategies.one_shot.base import SearchData
from cellwright.strategies.one_shot.darts.section import DartsStrategySection
from cellwright.strategies.one_shot.darts.strategy import Darts
from cellwright.tasks.images.section import ImagesSection
from cellwright.tasks.images.task import ImageClassification


@pytest.fixture
def search(tiny_space: DartsSection, tiny_task: ImageClassification, bars: Split, tmp_path: Path) -> Darts:
    """Return a second-order search in float64 that has taken a few steps."""
    with seeded_initialisation(0):
        supernet = DartsSupernet(tiny_task, tiny_space, num_cells=3, channels=2).double()
    section = DartsStrategySection(kind="darts", order="second", batch_size=10)
    data = SearchData(train=bars, validation=bars)
    darts = Darts(section, supernet, data, Budget(), augment=ImagesSection(), seed=0)
    darts.difference = 1e-7  # small enough to cross no kink of a ReLU
    rng = torch.Generator().manual_seed(0)
    for group, alpha in darts.alphas.items():
        darts.alphas[group] = torch.nn.Parameter(torch.randn(alpha.shape, generator=rng).double())
    for weight in darts.weights:
        buffer = 0.01 * torch.randn(weight.shape, generator=rng).double()
        darts.weight_optimizer.state[weight]["momentum_buffer"] = buffer
    return darts


@pytest.fixture
def batches(bars: Split) -> tuple[Batch, Batch]:
    images = bars.inputs[0].double()
    return ((images[:10],), bars.targets[:10]), ((images[10:20],), bars.targets[10:20])


@patch.object(Separable, "forward", nn.Sequential.forward)
@patch.object(primitives, "halve", lambda *arguments: halve(*arguments[:3], learns=False))
def double_backward(search: Darts, training: Batch, validation: Batch) -> tuple[Tensor, ...]:
    """Return the gradients of the validation loss after a weight step by differentiating through the step.

    What has faster gradients of its own gives way to plain twins, which can be differentiated twice.
    """
    weights = dict(search.supernet.named_parameters())
    settings, optimizer = search.settings, search.weight_optimizer

    def loss(weights: dict[str, Tensor], batch: Batch) -> Tensor:
        return functional.cross_entropy(
            functional_call(search.supernet, weights, (batch[0], search.mixture())), batch[1]
        )

    gradients = torch.autograd.grad(loss(weights, training), list(weights.values()), create_graph=True)
    ahead = {
        name: weight
        - settings.learning_rate
        * (
            gradient
            + settings.weight_decay * weight
            + settings.momentum * optimizer.state[weight]["momentum_buffer"]
        )
        for (name, weight), gradient in zip(weights.items(), gradients, strict=True)
    }
    return torch.autograd.grad(loss(ahead, validation), list(search.alphas.values()))


def backward(search: Darts, batch: Batch) -> None:
    search.weight_optimizer.zero_grad(set_to_none=True)
    with torch.no_grad():
        mixture = search.mixture()
    functional.cross_entropy(search.supernet(batch[0], mixture), batch[1]).backward()


def test_second_order_equals_differentiation_through_the_weight_step(
    search: Darts, batches: tuple[Batch, Batch]
):
    training, validation = batches
    expected = double_backward(search, training, validation)
    first_order = torch.autograd.grad(
        functional.cross_entropy(search.supernet(validation[0], search.mixture()), validation[1]),
        list(search.alphas.values()),
    )
    backward(search, training)
    ours = search.unrolled_gradients(training, validation)
    for our, twin, first in zip(ours, expected, first_order, strict=True):
        torch.testing.assert_close(our, twin, rtol=1e-6, atol=1e-6 * twin.abs().max().item())
        assert (first - twin).abs().max() > 1e-2 * twin.abs().max()


def test_looking_ahead_leaves_weights_gradients_and_momentum_as_they_were(
    search: Darts, batches: tuple[Batch, Batch]
):
    def tensors() -> dict[str, Tensor]:
        weights = dict(search.supernet.named_parameters())
        gradients = {f"{name} gradient": weight.grad for name, weight in weights.items()}
        momenta = search.weight_optimizer.state.values()
        return weights | gradients | {str(i): m["momentum_buffer"] for i, m in enumerate(momenta)}

    backward(search, batches[0])
    before = {name: tensor.clone() for name, tensor in tensors().items()}
    search.unrolled_gradients(*batches)
    assert all(tensor.equal(before[name]) for name, tensor in tensors().items())
