"""How well the supernet does with given weights of its choices, or restricted to one genotype."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.nn import functional

from cellwright.data import Split
from cellwright.genotype import Genotype
from cellwright.seeds import derive_seed
from cellwright.spaces import Space
from cellwright.spaces.supernet import Active, Mixture, Supernet
from cellwright.tasks.images.scoring import accuracy
from cellwright.training import parallel

EVALUATION_BATCH = 256


def restriction(space: Space, genotype: Genotype, device: torch.device) -> tuple[Mixture, Active]:
    """Return what makes a supernet compute the genotype alone."""
    mixture, active = {}, {}
    choices = space.choices(genotype)
    for group, shape in space.decisions.items():
        mixture[group] = torch.zeros(shape)
        for decision, choice in enumerate(choices[group]):
            if choice is not None:
                mixture[group][decision, choice] = 1
        mixture[group] = mixture[group].to(device)
        active[group] = [() if choice is None else (choice,) for choice in choices[group]]
    return mixture, active


@torch.no_grad()
def score(
    supernet: Supernet, split: Split, mixture: Mixture, active: Active | None, calibration_BCHW: Tensor
) -> tuple[float, float]:
    """Return accuracy and loss on the split; leaves the supernet in eval mode.

    Feature maps have statistics of their own where the mixture is not the one that was trained: it may be drawn anew
    for each batch, or be a part of it. So norms are given the statistics of the calibration images, which should
    be training images, and get their old ones back.
    """
    with _statistics_of_the_next_batch(supernet):
        supernet.train()
        with parallel.share(len(calibration_BCHW)) as share:
            supernet(calibration_BCHW[share.rows], mixture, active)
        supernet.eval()
        with parallel.share(len(split)) as share:
            batches = Split(split.images[share.rows], split.labels[share.rows]).ordered_batches(
                EVALUATION_BATCH
            )
            part_BK = torch.cat([supernet(x_BCHW, mixture, active) for x_BCHW, _ in batches])
    logits_BK = parallel.gather(part_BK, len(split))
    loss = functional.cross_entropy(logits_BK, split.labels).item()
    return accuracy(logits_BK, split.labels), loss


def score_genotype(supernet: Supernet, genotype: Genotype, split: Split, calibration_BCHW: Tensor) -> float:
    """Return the accuracy on the split of the supernet restricted to the genotype."""
    restricted = restriction(supernet.space, genotype, calibration_BCHW.device)
    return score(supernet, split, *restricted, calibration_BCHW)[0]


def some_examples(split: Split, count: int, seed: int) -> Split:
    """Return examples drawn without replacement, or the split if it has no more."""
    return split.sample(count, seed=derive_seed(seed, "examples"))


def calibration_images(train: Split, seed: int) -> Tensor:
    """Return training images that give norms their statistics."""
    images_BCHW, _ = next(some_examples(train, EVALUATION_BATCH, seed).ordered_batches(EVALUATION_BATCH))
    return images_BCHW


@contextmanager
def _statistics_of_the_next_batch(supernet: nn.Module) -> Iterator[None]:
    norms = [module for module in supernet.modules() if isinstance(module, nn.BatchNorm2d)]
    momenta = [norm.momentum for norm in norms]
    buffers = list(supernet.buffers())
    kept = [buffer.clone() for buffer in buffers]
    for norm in norms:
        norm.momentum = 1.0
    try:
        yield
    finally:
        for norm, momentum in zip(norms, momenta, strict=True):
            norm.momentum = momentum
        for buffer, old in zip(buffers, kept, strict=True):
            buffer.copy_(old)
