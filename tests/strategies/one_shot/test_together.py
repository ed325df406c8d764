"""Several processes find what one finds, also where they go on from each other's checkpoints."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch

from cellwright.data.split import Split
from cellwright.nn.initialising import seeded_initialisation
from cellwright.progress import Silent
from cellwright.results import SearchResult
from cellwright.spaces.chain.section import ChainSection
from cellwright.spaces.darts.section import DartsSection
from cellwright.spaces.networks import build_supernet
from cellwright.spec import STRATEGIES, Budget
from cellwright.strategies.one_shot.base import SearchData, build_strategy
from cellwright.tasks.images.section import ImagesSection
from cellwright.tasks.images.task import ImageClassification
from cellwright.training.checkpoint import load_tensors
from tests.processes import do_together

TASK = ImageClassification(
    map_shape=(2, 8, 8), class_names=tuple(map(str, range(3))), mean=(0.5, 1.0), std=(1.0, 2.0)
)
CELLS = DartsSection(primitives=("skip_connect", "dil_conv_3x3"), num_nodes=1, num_cells=3, channels=4)
CHAIN = ChainSection(
    kind="chain", primitives=("nor_conv_1x1", "skip_connect"), widths=(50, 100), num_layers=2, channels=4
)
TWO_IN_A_BATCH = "two in a batch"
SECTIONS: Mapping[str, Mapping[str, Any]] = {
    "darts": {"kind": "darts"},
    "second order": {"kind": "darts", "order": "second"},
    "beta-darts": {"kind": "beta-darts", "guard": {"action": "regularise", "max_skip_fraction": 0}},
    "perturbation": {
        "kind": "pc-darts",
        "channel_fraction": 0.5,
        "derivation": "perturbation",
        "tuning_steps": 1,
    },
    "gdas": {"kind": "gdas"},
    "spos": {"kind": "spos", "population": 2, "generations": 1, "parents": 1, "score_examples": 2},
    "spos chain": {"kind": "spos", "population": 2, "generations": 1, "parents": 1},
    "enas": {"kind": "enas", "hidden": 4, "controller_steps": 1, "samples": 2, "candidates": 2},
    TWO_IN_A_BATCH: {"kind": "darts", "batch_size": 2},
}
ON_TWO = tuple(name for name in SECTIONS if name != TWO_IN_A_BATCH)
ON_THREE = ("darts", TWO_IN_A_BATCH)
RESUMED = ("beta-darts", "spos")


class Killed(BaseException):
    pass


class KillAfterAnEpoch(Silent):
    def advance(self, task: str, done: int, total: int, metrics: Mapping[str, float]) -> None:
        raise Killed


def search(folder: Path, name: str, progress: Silent) -> None:
    section = STRATEGIES.validate({"batch_size": 7} | SECTIONS[name])
    space = CHAIN if "chain" in name else CELLS
    with seeded_initialisation(0):
        supernet = build_supernet(space, TASK, channel_fraction=section.mixed_fraction)
    rng = torch.Generator().manual_seed(0)
    num_train = 4 if section.batch_size == 2 else 14
    train, validation = (
        Split((torch.rand(count, 2, 8, 8, generator=rng),), torch.arange(count) % 3)
        for count in (num_train, 8)
    )
    data = SearchData(train=train, validation=validation)
    strategy = build_strategy(section, supernet, data, Budget(epochs=2), augment=ImagesSection(), seed=5)
    strategy.fit(folder / name, progress).save(folder / f"{name}.json")


def work_through(folder: Path, searches: Mapping[str, tuple[str, ...]], begun: str) -> None:
    """Search in each folder what is said, and in `begun` until the first epoch is over."""
    for place, names in searches.items():
        for name in names:
            search(folder / place, name, Silent())
    for name in RESUMED if begun else ():
        with pytest.raises(Killed):
            search(folder / begun, name, KillAfterAnEpoch())


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Search alone, by two and by three, and go on: from two processes to one, from one to three."""
    folder = tmp_path_factory.mktemp("found")
    do_together(2, folder, work_through, folder, {"two": ON_TWO}, "from two")
    do_together(1, folder, work_through, folder, {"one": tuple(SECTIONS), "from two": RESUMED}, "from one")
    do_together(3, folder, work_through, folder, {"three": ON_THREE, "from one": RESUMED}, "")
    return folder


@pytest.mark.parametrize(
    ("processes", "name"),
    [("two", name) for name in ON_TWO]
    + [("three", name) for name in ON_THREE]
    + [(resumed, name) for resumed in ("from two", "from one") for name in RESUMED],
)
def test_alphas_and_weights_are_those_of_one_process(found: Path, processes: str, name: str):
    expected, _ = load_tensors(found / "one" / name)
    tensors, _ = load_tensors(found / processes / name)
    assert tensors.keys() == expected.keys()
    assert tensors["supernet/stem.0.weight"].dtype == torch.float64
    for key, tensor in tensors.items():
        torch.testing.assert_close(tensor, expected[key], rtol=1e-10, atol=1e-10)
    ours, theirs = (SearchResult.load(found / folder / f"{name}.json") for folder in ("one", processes))
    assert (ours.genotype, ours.epoch, ours.events) == (theirs.genotype, theirs.epoch, theirs.events)
    for our, their in zip(ours.history, theirs.history, strict=True):
        assert their.metrics == pytest.approx(our.metrics, rel=1e-10, abs=1e-10)
