"""Finds out whether mirrored images still show their class, so that training may mirror them."""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

from cellwright.tasks.images.section import Flip

SIDE = 16
"""Longest side, in pixels, at which images are compared."""
MOST = 4000
"""Images that are compared; more would not make the answer clearer."""
FOLDS = 4
RIDGE = 0.1
"""Weight of the penalty, where all pixels together have unit variance."""
MUST_KEEP = 0.8
"""Share of what a classifier gains over guessing that it must keep when images are mirrored."""
SURE = 2.0
"""Standard errors by which it must keep that share."""


def suitable_flip(x_NCHW: Tensor, labels_N: Tensor, num_classes: int) -> Flip:
    """Return how the images may be mirrored without losing their class.

    A linear classifier of pixels is fitted to some images and tested on others, as they are and mirrored. Where images
    show digits, letters or shoes that all face left, it fails on mirrored ones; where they are photos, it does not.

    Args:
        x_NCHW: raw images, all of which are used if there are at most `MOST`.
        labels_N: classes, counted from 0.
        num_classes: number of classes.
    """
    x_NCHW, labels_N = x_NCHW[:MOST].float(), labels_N[:MOST].long()
    scale = SIDE / max(x_NCHW.shape[2:])
    if scale < 1:
        height, width = (max(1, round(scale * side)) for side in x_NCHW.shape[2:])
        x_NCHW = functional.interpolate(x_NCHW, (height, width), mode="area")
    views = {"as is": x_NCHW, "horizontal": x_NCHW.flip(3), "vertical": x_NCHW.flip(2)}
    right = dict(zip(views, _recognised(list(views.values()), labels_N, num_classes), strict=True))
    guessing = labels_N.bincount().max().item() / len(labels_N)
    possible = [
        name for name in ("horizontal", "vertical") if _is_kept(right[name], right["as is"], guessing)
    ]
    match possible:
        case [_, _]:
            return "both"
        case ["horizontal"]:
            return "horizontal"
        case ["vertical"]:
            return "vertical"
    return "none"


def _is_kept(mirrored: Tensor, as_is: Tensor, guessing: float) -> bool:
    """Return whether images are surely recognised as mirrored almost as often as they are as is."""
    margin = mirrored - guessing - MUST_KEEP * (as_is - guessing)
    return bool(margin.mean() > SURE * margin.std() / len(margin) ** 0.5)


def _recognised(views: Sequence[Tensor], labels_N: Tensor, num_classes: int) -> Tensor:
    """Return (views, N), whether a classifier is right that was fitted to the other folds' images of the first view.

    Args:
        views: the images (N, C, H, W), first as they are and then as they are tested otherwise.
        labels_N: classes.
        num_classes: number of classes.
    """
    scale = views[0].std().clamp(min=1e-6)
    pixels = [(view / scale).flatten(1) for view in views]
    targets = functional.one_hot(labels_N, num_classes).float()
    fold = torch.arange(len(labels_N)) % FOLDS
    right = torch.zeros(len(views), len(labels_N))
    for number in range(FOLDS):
        others = fold != number
        mean, shares = pixels[0][others].mean(dim=0), targets[others].mean(dim=0)
        inputs = pixels[0][others] - mean
        covariance = inputs.T @ inputs + RIDGE * len(inputs) * torch.eye(inputs.shape[1])
        weights = torch.linalg.solve(covariance, inputs.T @ (targets[others] - shares))
        for view, found in zip(pixels, right, strict=True):
            guesses = ((view[~others] - mean) @ weights + shares).argmax(dim=1)
            found[~others] = (guesses == labels_N[~others]).float()
    return right
