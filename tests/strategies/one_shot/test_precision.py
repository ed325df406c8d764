"""Searches in bfloat16, which GPUs that are faster with it are given."""

import pytest
import torch
from pydantic import ValidationError

from cellwright.data.split import Split
from cellwright.nn.initialising import seeded_initialisation
from cellwright.spaces.networks import build_supernet
from cellwright.spec import STRATEGIES, Budget
from cellwright.strategies.one_shot.base import OneShotStrategy, SearchData, build_strategy
from cellwright.tasks.images.section import ImagesSection
from cellwright.tasks.images.task import ImageClassification
from tests.contracts.sections import SECTIONS


def strategy(
    kind: str, space: str, precision: str, task: ImageClassification, bars: Split
) -> OneShotStrategy:
    section = {"kind": kind, "precision": precision, "batch_size": 16}
    if kind == "drnas":
        section["alpha_learning_rate"] = 1e-30  # other alphas, however close, can be given other draws
    settings = STRATEGIES.validate(section)
    with seeded_initialisation(0):
        supernet = build_supernet(SECTIONS[space], task, channel_fraction=settings.mixed_fraction)
    data, augment = SearchData(train=bars, validation=bars), ImagesSection(shift=0, rotate=0, scale=0)
    return build_strategy(settings, supernet, data, Budget(epochs=2), augment=augment, seed=0)


@pytest.mark.parametrize("space", ["darts", "nasbench201", "chain"])
@pytest.mark.parametrize("kind", ["darts", "beta-darts", "pc-darts", "drnas", "gdas", "spos", "enas"])
def test_bfloat16_learns_what_float32_does(kind, space, tiny_task, bars):
    if (kind, space) == ("pc-darts", "chain"):
        pytest.skip("partial channels are for cells")
    exact, rounded = (
        strategy(kind, space, precision, tiny_task, bars) for precision in ("float32", "bfloat16")
    )
    losses, computed = [], []
    for each in (exact, rounded):
        each.supernet.register_forward_hook(lambda *given: computed.append(given[2].dtype))
        each.supernet.train()
        each.begin_epoch(1)
        losses.append([each.step(batch)[0].item() for batch in each.training_batches(1)])
    assert set(computed) == {torch.float32, torch.bfloat16}
    assert losses[1][0] == pytest.approx(losses[0][0], rel=0.02)
    assert all(weight.dtype == torch.float32 and weight.isfinite().all() for weight in rounded.weights)


def test_second_order_stays_in_float32(tiny_task, bars):
    with pytest.raises(ValidationError, match="precision must not be 'bfloat16' where order is 'second'"):
        STRATEGIES.validate({"kind": "darts", "order": "second", "precision": "bfloat16"})
    settings = STRATEGIES.validate({"kind": "darts", "order": "second"})
    supernet = build_supernet(SECTIONS["darts"], tiny_task)
    data = SearchData(train=bars, validation=bars)
    strategy = build_strategy(settings, supernet, data, Budget(), augment=ImagesSection(), seed=0)
    assert strategy.precision == "float32"
