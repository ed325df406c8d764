from functools import partial

import numpy as np
import pytest

from cellwright.data.joined import Joined, joined

RNG = np.random.default_rng(0)
ARRAYS = [RNG.integers(0, 256, (length, 2, 3), np.uint8) for length in (3, 1, 5)]
WHOLE = np.concatenate(ARRAYS)


@pytest.fixture
def stored(tmp_path) -> Joined:
    parts = []
    for number, array in enumerate(ARRAYS):
        np.save(tmp_path / f"{number}.npy", array)
        parts.append(partial(np.load, tmp_path / f"{number}.npy", mmap_mode="r"))
    return Joined(parts, [len(array) for array in ARRAYS], (2, 3), np.dtype(np.uint8))


def test_it_is_the_whole_array(stored):
    assert (len(stored), stored.shape, stored.dtype) == (9, (9, 2, 3), np.uint8)
    assert np.array_equal(list(stored), WHOLE)


@pytest.mark.parametrize("rows", [slice(None), slice(2, 5), slice(8, 1, -3), slice(4, 4), slice(-2, 99)])
def test_slices(stored, rows):
    assert np.array_equal(stored[rows], WHOLE[rows])


@pytest.mark.parametrize("rows", [[0], [8, 0, 3, 3, 2], [], range(9)])
def test_rows_come_in_the_order_that_they_are_asked_for_in(stored, rows):
    rows = np.array(rows, np.int64)
    found = stored[rows]
    assert np.array_equal(found, WHOLE[rows])
    assert found.flags.writeable


def test_rows_beyond_the_end_are_an_error(stored):
    with pytest.raises(IndexError):
        stored[np.array([9])]


def test_arrays_on_disk_and_in_memory_are_joined(stored):
    assert isinstance(joined(*ARRAYS), np.ndarray)
    both = joined(ARRAYS[1], stored, ARRAYS[0])
    assert isinstance(both, Joined)
    assert np.array_equal(both[:], np.concatenate([ARRAYS[1], WHOLE, ARRAYS[0]]))
