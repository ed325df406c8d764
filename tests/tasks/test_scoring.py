import pytest
import torch

from cellwright.tasks.classification import (
    balanced_accuracy,
    calibration_error,
    class_scores,
    confusion_matrix,
    reliability_bins,
)
from cellwright.tasks.scoring import paired_difference, wilson_interval


@pytest.mark.parametrize(
    ("successes", "trials", "low", "high"),
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (29, 29, 0.8830, 1.0)],
)
def test_wilson_interval_equals_published_examples(successes, trials, low, high):
    """The first four examples of Newcombe 1998, https://doi.org/10.1002/(SICI)1097-0258(19980430)17:8<857."""
    interval = wilson_interval(successes, trials)
    assert (interval.low, interval.high) == pytest.approx((low, high), abs=6e-5)


def test_paired_difference_is_that_of_the_same_examples():
    correct = torch.tensor([True] * 90 + [False] * 10)
    other = torch.tensor([True] * 80 + [False] * 10 + [True] * 2 + [False] * 8)
    difference, interval = paired_difference(correct, other)
    assert difference == pytest.approx(0.08)
    assert interval.low < 0.08 < interval.high
    assert interval.low > 0


def test_equal_predictions_differ_by_nothing():
    correct = torch.rand(50) > 0.3
    difference, interval = paired_difference(correct, correct)
    assert difference == 0
    assert interval.low < 0 < interval.high


def test_calibration_error_by_hand():
    probabilities = torch.tensor([[0.8, 0.2], [0.8, 0.2], [0.4, 0.6], [0.4, 0.6]])
    labels = torch.tensor([0, 1, 1, 1])
    assert calibration_error(probabilities, labels) == pytest.approx((2 * 0.3 + 2 * 0.4) / 4)
    bins = reliability_bins(probabilities, labels)
    assert [number for bin_ in bins for number in bin_] == pytest.approx([0.6, 1.0, 2, 0.8, 0.5, 2])


def test_scores_of_classes_by_hand():
    predicted, labels = torch.tensor([0, 0, 1, 1, 1]), torch.tensor([0, 1, 1, 1, 2])
    assert confusion_matrix(predicted, labels, 3).tolist() == [[1, 0, 0], [1, 2, 0], [0, 1, 0]]
    table = class_scores(predicted, labels, ("a", "b", "c"))
    assert table.columns == ("class", "precision", "recall", "F1", "examples")
    assert table.rows == (
        ("a", 0.5, 1.0, pytest.approx(2 / 3), 1),
        ("b", pytest.approx(2 / 3), pytest.approx(2 / 3), pytest.approx(2 / 3), 3),
        ("c", 0.0, 0.0, 0.0, 1),
    )


def test_balanced_accuracy_by_hand():
    labels = torch.tensor([0] * 98 + [1] * 2)
    assert balanced_accuracy(torch.zeros(100, dtype=torch.long), labels) == 0.5
    assert balanced_accuracy(labels, labels) == 1
    assert balanced_accuracy(torch.tensor([0, 2, 1]), torch.tensor([0, 2, 2])) == 0.75
