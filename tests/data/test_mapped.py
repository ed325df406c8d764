"""A split on disk gives the same as one in memory."""

import threading
from itertools import chain

import pytest
import torch

from cellwright.data.mapped import MappedTensor, fits
from cellwright.data.split import Split
from cellwright.data.summary import summarise
from cellwright.data.trained_on import hashes_in_order

IMAGES = torch.randint(0, 256, (600, 3, 8, 8), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
HELD = Split((IMAGES,), torch.arange(600))


def on_disk(split: Split) -> Split:
    return Split(tuple(MappedTensor.of(array.split(130)) for array in split.inputs), split.targets)


STORED = on_disk(HELD)


def equal(some, others) -> None:
    """Compare batches, bit for bit."""
    some, others = (list(chain(*((*inputs, targets) for inputs, targets in each))) for each in (some, others))
    assert len(some) == len(others) > 0
    for one, other in zip(some, others, strict=True):
        assert (one.dtype, one.stride(), one.device) == (other.dtype, other.stride(), other.device)
        assert torch.equal(one, other)


@pytest.mark.parametrize(
    "arguments",
    [
        {"batch_size": 7},
        {"batch_size": 7, "drop_last": False},
        {"batch_size": 7, "first": 80},
        {"batch_size": 700},
    ],
)
def test_the_same_batches(arguments):
    equal(STORED.batches(seed=3, epoch=2, **arguments), HELD.batches(seed=3, epoch=2, **arguments))


def test_the_same_batches_in_order():
    equal(STORED.ordered_batches(64), HELD.ordered_batches(64))
    equal(STORED.ordered_batches(64, slice(100, 301)), HELD[100:301].ordered_batches(64))


def test_passing_over_batches_gives_the_others():
    batches = list(HELD.batches(7, seed=0, epoch=0))
    equal(HELD.batches(7, seed=0, epoch=0, first=3), batches[3:])


def test_the_same_rows():
    rows = torch.tensor([599, 0, 130, 129, 0])
    for each in (rows, slice(120, 140)):
        equal([(STORED[each].inputs, STORED[each].targets)], [(HELD[each].inputs, HELD[each].targets)])
    assert torch.equal(STORED.inputs[0][131], IMAGES[131])
    assert torch.equal(STORED.inputs[0][[3, 1]], IMAGES[[3, 1]])


@pytest.mark.parametrize(
    ("count", "most", "stays"), [(5, 5 * 192, False), (5, 5 * 192 - 1, True), (600, 1 << 20, True)]
)
def test_the_same_samples_of_which_large_ones_stay_on_disk(count, most, stays, monkeypatch):
    monkeypatch.setattr("cellwright.data.split.MOST_IN_MEMORY", most)
    stored, held = STORED.sample(count, seed=1), HELD.sample(count, seed=1)
    assert isinstance(stored.inputs[0], MappedTensor) == stays
    equal(stored.batches(2, seed=0, epoch=0), held.batches(2, seed=0, epoch=0))
    equal(
        stored.sample(2, seed=0).ordered_batches(2), held.sample(2, seed=0).ordered_batches(2)
    )  # of a sample


def test_what_follows_is_joined_on_disk():
    for one, other in ((STORED, STORED), (STORED, HELD), (HELD, STORED)):
        both = one.followed_by(other)
        assert isinstance(both.inputs[0], MappedTensor)
        equal(both.ordered_batches(100), HELD.followed_by(HELD).ordered_batches(100))


def test_the_same_digest_hashes_and_summary():
    assert STORED.digest() == HELD.digest() != HELD[:599].digest()
    assert torch.equal(hashes_in_order(STORED), hashes_in_order(HELD))
    stored, held = (summarise(split, ["images"]) for split in (STORED, HELD))
    assert stored.keys() == held.keys()
    assert all(torch.equal(stored[name], held[name]) for name in held)


def test_an_epoch_that_is_left_midway_ends_its_threads():
    batches = STORED.batches(1, seed=0, epoch=0)
    next(batches)
    batches.close()
    assert not any(thread.name.startswith("cellwright-batches") for thread in threading.enumerate())


def test_only_a_gpu_gets_a_copy_and_only_of_what_fits(monkeypatch):
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (1000, 8000))
    assert fits(500, torch.device("cuda"))
    assert not fits(501, torch.device("cuda"))
    assert not fits(1, torch.device("cpu"))


def test_what_fits_is_copied_to_the_device(monkeypatch):
    assert isinstance(STORED.to("cpu").inputs[0], MappedTensor)
    sizes = []
    monkeypatch.setattr("cellwright.data.split.fits", lambda size, device: sizes.append(size) or True)
    assert torch.equal(STORED.to("cpu").inputs[0], IMAGES)
    assert sizes == [IMAGES.nbytes]


def test_batches_of_what_does_not_fit_are_moved_to_the_device():
    (images,), targets = next(STORED.to("meta").batches(4, seed=0, epoch=0))
    assert (images.device.type, targets.device.type) == ("meta", "meta")
