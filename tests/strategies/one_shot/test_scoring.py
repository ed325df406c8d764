"""Scores owe nothing to the statistics that norms gathered in training, where maps were computed otherwise."""

import random

import pytest

from cellwright.data.split import Split
from cellwright.nn.initialising import seeded_initialisation
from cellwright.spaces.chain.section import ChainSection
from cellwright.spaces.nasbench201.section import NasBench201Section
from cellwright.spaces.networks import build_supernet
from cellwright.spaces.supernet import Supernet
from cellwright.spec import STRATEGIES, Budget
from cellwright.strategies.one_shot.base import SearchData, build_strategy
from cellwright.strategies.one_shot.scoring import restriction, score
from cellwright.tasks.images.section import ImagesSection
from cellwright.tasks.images.task import ImageClassification

CELLS = NasBench201Section(kind="nasbench201", num_cells=2, channels=4)
CHAIN = ChainSection(
    kind="chain", primitives=("nor_conv_1x1", "nor_conv_3x3"), widths=(50, 100), num_layers=2, channels=4
)


@pytest.fixture(params=[CELLS, CHAIN], ids=lambda space: space.kind)
def supernet(request: pytest.FixtureRequest, tiny_task: ImageClassification) -> Supernet:
    with seeded_initialisation(0):
        return build_supernet(request.param, tiny_task)


def spoil_statistics(supernet: Supernet) -> None:
    for name, buffer in supernet.named_buffers():
        if name.endswith("running_var"):
            buffer[::2] *= 100


@pytest.mark.parametrize("kind", ["darts", "gdas", "drnas"])
def test_what_is_watched(kind: str, supernet: Supernet, bars: Split):
    section = STRATEGIES.validate({"kind": kind, "batch_size": 20})
    data = SearchData(train=bars, validation=bars)
    strategy = build_strategy(section, supernet, data, Budget(), augment=ImagesSection(), seed=0)
    strategy.train_epoch(1)
    expected = strategy.watch()
    spoil_statistics(supernet)
    assert strategy.watch() == expected


def test_genotypes(supernet: Supernet, bars: Split):
    inputs, _ = next(bars.ordered_batches(30))
    for number in range(4):
        genotype = supernet.space.sample(random.Random(number))
        mixture, active = restriction(supernet.space, genotype, bars.targets.device)
        expected = score(supernet, bars, mixture, active, inputs)
        spoil_statistics(supernet)
        spoilt = {name: buffer.clone() for name, buffer in supernet.named_buffers()}
        assert score(supernet, bars, mixture, active, inputs) == expected
        assert all(buffer.equal(spoilt[name]) for name, buffer in supernet.named_buffers())
