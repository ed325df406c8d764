from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch.func import functional_call
from torch.nn import functional

from cellwright.data import Split
from cellwright.nn.skeleton import ImageTask, seeded_initialisation
from cellwright.nn.supernet import Supernet
from cellwright.spaces import Darts as DartsSpace
from cellwright.spec import Augment, Budget, DartsStrategy
from cellwright.strategies import Batch, Darts, SearchData


@pytest.fixture
def search(tiny_space: DartsSpace, tiny_task: ImageTask, bars: Split, tmp_path: Path) -> Darts:
    """Return a second-order search in float64 that has taken a few steps."""
    with seeded_initialisation(0):
        supernet = Supernet(tiny_task, tiny_space, num_cells=3, channels=2).double()
    darts = Darts(DartsStrategy(kind="darts", order="second", batch_size=10), Augment(), seed=0)
    darts.difference = 1e-7  # small enough to cross no kink of a ReLU
    darts._set_up(supernet, SearchData(train=bars, validation=bars), Budget())
    rng = torch.Generator().manual_seed(0)
    for group, alpha in darts.alphas.items():
        darts.alphas[group] = torch.nn.Parameter(torch.randn(alpha.shape, generator=rng).double())
    for weight in darts.weights:
        buffer = 0.01 * torch.randn(weight.shape, generator=rng).double()
        darts.weight_optimizer.state[weight]["momentum_buffer"] = buffer
    return darts


@pytest.fixture
def batches(bars: Split) -> tuple[Batch, Batch]:
    images = bars.images.double()
    return (images[:10], bars.labels[:10]), (images[10:20], bars.labels[10:20])


def double_backward(search: Darts, training: Batch, validation: Batch) -> tuple[Tensor, ...]:
    """Return the gradients of the validation loss after a weight step by differentiating through the step."""
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


def test_second_order_equals_differentiation_through_the_weight_step(
    search: Darts, batches: tuple[Batch, Batch]
):
    expected = double_backward(search, *batches)
    first_order = torch.autograd.grad(
        functional.cross_entropy(search.supernet(batches[1][0], search.mixture()), batches[1][1]),
        list(search.alphas.values()),
    )
    for ours, twin, first in zip(search.unrolled_gradients(*batches), expected, first_order, strict=True):
        torch.testing.assert_close(ours, twin, rtol=1e-6, atol=1e-6 * twin.abs().max().item())
        assert (first - twin).abs().max() > 1e-2 * twin.abs().max()


def test_second_order_leaves_weights_and_momentum_as_they_were(search: Darts, batches: tuple[Batch, Batch]):
    before = {name: tensor.clone() for name, tensor in search.state().items() if "running" not in name}
    search.unrolled_gradients(*batches)
    after = search.state()
    changed = [name for name, tensor in before.items() if not tensor.equal(after[name])]
    assert all("num_batches" in name for name in changed)
    assert all(weight.grad is None for weight in search.weights)
