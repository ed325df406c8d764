"""What predictions on a split are worth, and how sure one can be of it."""

import math

import torch
from torch import Tensor

from cellwright.results import ClassScore, Interval

Z95 = 1.959963984540054


@torch.no_grad()
def accuracy(logits_BK: Tensor, labels_B: Tensor) -> float:
    """Return the share of rows whose largest logit is the label's."""
    return (logits_BK.argmax(dim=1) == labels_B).float().mean().item()


def wilson_interval(successes: int, trials: int) -> Interval:
    """Return the 95 % interval of a proportion: Wilson 1927, https://doi.org/10.2307/2276774."""
    share, spread = successes / trials, Z95**2 / trials
    centre = (share + spread / 2) / (1 + spread)
    half = Z95 * math.sqrt(share * (1 - share) / trials + spread / (4 * trials)) / (1 + spread)
    return Interval(low=max(0.0, centre - half), high=min(1.0, centre + half))


def paired_difference(correct: Tensor, other_correct: Tensor) -> tuple[float, Interval]:
    """Return how much more often the first is right on the same examples, with its 95 % interval.

    Agresti and Min 2005, https://doi.org/10.1002/sim.1781: half an example is added to each cell of the table.

    Args:
        correct: bool (N,).
        other_correct: bool (N,).
    """
    trials = len(correct)
    gains = int((correct & ~other_correct).sum())
    losses = int((~correct & other_correct).sum())
    centre = (gains - losses) / (trials + 2)
    half = Z95 * math.sqrt(gains + losses + 1 - (gains - losses) ** 2 / (trials + 2)) / (trials + 2)
    return (gains - losses) / trials, Interval(low=max(-1.0, centre - half), high=min(1.0, centre + half))


def calibration_error(probabilities_NK: Tensor, labels_N: Tensor, num_bins: int = 15) -> float:
    """Return the expected calibration error: Guo et al. 2017, https://arxiv.org/abs/1706.04599."""
    confidence, predicted = probabilities_NK.max(dim=1)
    correct = (predicted == labels_N).float()
    bins = (confidence * num_bins).long().clamp(max=num_bins - 1)
    gaps = torch.zeros(num_bins).index_add(0, bins, correct - confidence)
    return (gaps.abs().sum() / len(labels_N)).item()


def confusion_matrix(predicted_N: Tensor, labels_N: Tensor, num_classes: int) -> Tensor:
    """Return counts (classes, classes): rows are true classes, columns predicted ones."""
    return torch.bincount(labels_N * num_classes + predicted_N, minlength=num_classes**2).view(
        num_classes, num_classes
    )


def class_scores(confusion_KK: Tensor, names: tuple[str, ...]) -> tuple[ClassScore, ...]:
    """Return precision, recall and F1 of each class; 0 where a class is never predicted."""
    hits = confusion_KK.diagonal().double()
    precision = hits / confusion_KK.sum(dim=0).clamp(min=1)
    recall = hits / confusion_KK.sum(dim=1).clamp(min=1)
    f1 = 2 * precision * recall / (precision + recall).clamp(min=1e-12)
    rows = zip(names, precision, recall, f1, confusion_KK.sum(dim=1), strict=True)
    return tuple(
        ClassScore(name=n, precision=p.item(), recall=r.item(), f1=f.item(), num_examples=int(k))
        for n, p, r, f, k in rows
    )
