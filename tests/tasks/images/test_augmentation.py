import pytest
import torch

from cellwright.tasks.images.augmentation import augment_images
from cellwright.tasks.images.section import ImagesSection

NOTHING = ImagesSection(shift=0, rotate=0, scale=0)


def rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.fixture
def corner() -> torch.Tensor:
    """Images that are dark but for a bright patch near the upper left corner."""
    images = torch.zeros(200, 1, 9, 9)
    images[:, :, 1:4, 1:4] = 1
    return images


def centre(images: torch.Tensor) -> torch.Tensor:
    """Return the bright patch's (row, column) in each image."""
    weights = images[:, 0] / images[:, 0].sum(dim=(1, 2), keepdim=True)
    steps = torch.arange(9.0)
    return torch.stack(((weights.sum(2) * steps).sum(1), (weights.sum(1) * steps).sum(1)), dim=1)


def test_nothing_asked_for_changes_nothing(corner: torch.Tensor):
    assert augment_images(corner, NOTHING, rng()).equal(corner)


def test_the_defaults_never_mirror_or_turn_upside_down(corner: torch.Tensor):
    moved = centre(augment_images(corner, ImagesSection(), rng()))
    assert (moved < 4.5).all()


@pytest.mark.parametrize(
    ("flip", "places"),
    [
        ("horizontal", {(2, 2), (2, 6)}),
        ("vertical", {(2, 2), (6, 2)}),
        ("both", {(2, 2), (2, 6), (6, 2), (6, 6)}),
    ],
)
def test_flips_mirror_half_of_the_images_each_way(corner: torch.Tensor, flip: str, places: set):
    settings = NOTHING.model_copy(update={"flip": flip})
    found = centre(augment_images(corner, settings, rng())).round().int().tolist()
    assert {tuple(place) for place in found} == places


def test_shifts_reach_the_share_asked_for_and_no_further(corner: torch.Tensor):
    moved = centre(augment_images(corner, NOTHING.model_copy(update={"shift": 1 / 9}), rng()))
    offset = (moved - 2).abs()
    assert 0.7 < offset.max() < 1.3


def test_erasing_blanks_a_square_of_the_share_asked_for():
    images = torch.rand(50, 2, 10, 10, generator=rng(1))
    erased = augment_images(images, NOTHING.model_copy(update={"erase": 0.4}), rng())
    changed = (erased != images).all(dim=1).sum(dim=(1, 2))
    assert changed.max() == 16
    assert changed.min() >= 4


def test_the_same_generator_gives_the_same_images(corner: torch.Tensor):
    settings = ImagesSection(flip="both", erase=0.3)
    assert augment_images(corner, settings, rng()).equal(augment_images(corner, settings, rng()))
