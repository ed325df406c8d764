import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cellwright.data.examples import Examples, Source
from cellwright.data.splitting import draw_evenly, hold_out, split
from cellwright.errors import DataError
from cellwright.tasks.images.sources.digits import DigitsSection

CLASS_COUNTS = st.lists(st.integers(3, 40), min_size=2, max_size=6)
FRACTIONS = st.floats(0.01, 0.99)


def source(counts: list[int]) -> Source:
    labels = np.random.default_rng(0).permutation(np.repeat(np.arange(len(counts)), counts))
    images = np.zeros((len(labels), 1, 8, 8), np.uint8)
    return Source(examples=Examples(origin="somewhere", inputs={"images": images}, targets=labels))


@given(CLASS_COUNTS, FRACTIONS, FRACTIONS, st.integers(0, 9))
def test_splits_are_disjoint_complete_and_have_every_class(counts, test_fraction, validation_fraction, seed):
    section = DigitsSection(
        source="digits", test_fraction=test_fraction, validation_fraction=validation_fraction, split_seed=seed
    )
    parts = split(whole := source(counts), section, whole.examples.targets)
    indices = np.concatenate([part.indices for part in parts.values()])
    assert sorted(indices) == list(range(sum(counts)))
    assert all(set(part.targets) == set(range(len(counts))) for part in parts.values())


@given(CLASS_COUNTS, FRACTIONS, st.integers(0, 9))
def test_held_out_shares_are_within_one_of_the_fraction(counts, fraction, seed):
    labels = source(counts).examples.targets
    held, rest = hold_out(labels, fraction, 1, np.random.default_rng(seed))
    shares = np.bincount(labels[held])
    exact = np.array(counts) * fraction
    assert np.all((np.abs(shares - exact) < 1) | (shares == 1) | (shares == np.array(counts) - 1))
    assert len(held) + len(rest) == len(labels)


def test_remainders_go_to_the_largest():
    labels = np.repeat([0, 1, 2], [11, 14, 13])
    held, _ = hold_out(labels, 0.25, 1, np.random.default_rng(0))
    assert np.bincount(labels[held]).tolist() == [3, 4, 3]


@given(CLASS_COUNTS, st.integers(1, 300), st.integers(0, 9))
def test_limit_draws_evenly(counts, limit, seed):
    labels = source(counts).examples.targets
    drawn = np.bincount(
        labels[draw_evenly(labels, limit, np.random.default_rng(seed))], minlength=len(counts)
    )
    assert drawn.sum() == min(limit, sum(counts))
    assert np.all((drawn == counts) | (drawn >= drawn.max() - 1))


def test_the_test_split_depends_on_its_seed_and_fraction_alone():
    def test_indices(**settings):
        whole = source([30, 40])
        parts = split(whole, DigitsSection(source="digits", **settings), whole.examples.targets)
        return parts["test"].indices.tolist()

    assert test_indices() == test_indices(limit=12) == test_indices(validation_fraction=0.5)
    assert test_indices() != test_indices(split_seed=1)


def test_limit_must_leave_two_of_each_class():
    whole = source([30, 40])
    with pytest.raises(
        DataError, match="data.limit must be at least 4, two examples for each of 2 groups of targets, got 3"
    ):
        split(whole, DigitsSection(source="digits", limit=3), whole.examples.targets)
