"""Images may be mirrored where a classifier recognises mirrored ones as well."""

import pytest
import torch
from sklearn.datasets import load_digits

from cellwright.tasks.images.mirroring import suitable_flip
from cellwright.tasks.images.section import Flip

NOISE = 0.3


def slopes(*directions: tuple[float, float]) -> tuple[torch.Tensor, torch.Tensor]:
    """Return images that get brighter in a direction (right, down), which is their class, under noise."""
    rng = torch.Generator().manual_seed(0)
    labels = torch.randint(len(directions), (400,), generator=rng)
    ramp = torch.linspace(-1, 1, 8)
    right, down = torch.tensor(directions)[labels].T
    images = right[:, None, None] * ramp[None, None, :] + down[:, None, None] * ramp[None, :, None]
    return (images + NOISE * torch.randn(400, 8, 8, generator=rng))[:, None], labels


@pytest.mark.parametrize(
    ("directions", "flip"),
    [
        (((0, 0), (0, 1)), "horizontal"),
        (((0, 1), (0, -1)), "horizontal"),
        (((1, 0), (-1, 0)), "vertical"),
        (((1, 1), (-1, -1)), "none"),
    ],
)
def test_a_class_that_is_a_direction_is_not_mirrored_in_it(
    directions: tuple[tuple[float, float], ...], flip: Flip
):
    assert suitable_flip(*slopes(*directions), len(directions)) == flip


def test_classes_that_differ_in_brightness_are_mirrored_in_both_directions():
    images, labels = slopes((0, 0), (0, 0))
    assert suitable_flip(images + labels[:, None, None, None], labels, 2) == "both"


def test_images_that_say_nothing_of_their_class_are_not_mirrored():
    assert suitable_flip(*slopes((0, 0), (0, 0)), 2) == "none"


def test_digits_are_not_mirrored():
    images, labels = load_digits(return_X_y=True)
    digits = torch.from_numpy(images).to(torch.uint8).reshape(-1, 1, 8, 8)
    assert suitable_flip(digits, torch.from_numpy(labels), 10) == "none"


def test_large_images_are_compared_as_small_ones():
    images, labels = slopes((0, 1), (0, -1))
    assert suitable_flip(images.repeat_interleave(20, 2).repeat_interleave(5, 3), labels, 2) == "horizontal"
