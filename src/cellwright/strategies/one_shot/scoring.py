"""Scores of the supernet with given weights of the choices, or restricted to one genotype."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn

from cellwright.data.split import Inputs, Split
from cellwright.genotype import Genotype
from cellwright.seeds import derive_seed
from cellwright.spaces import Space
from cellwright.spaces.supernet import Active, Mixture, Supernet
from cellwright.training import parallel

EVALUATION_BATCH = 256


def restriction(space: Space, genotype: Genotype, device: torch.device) -> tuple[Mixture, Active]:
    """Return the mixture and active choices that restrict a supernet to the genotype."""
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
    supernet: Supernet, split: Split, mixture: Mixture, active: Active | None, calibration: Inputs
) -> tuple[float, float]:
    """Return the task's objective and the loss on the split. The supernet is left in eval mode.

    The norms' statistics depend on the mixture, and this mixture may not be the one that was trained. Therefore the
    norms temporarily use the statistics of the calibration inputs, which should be training inputs.
    """
    with _statistics_of_the_next_batch(supernet):
        supernet.train()
        with parallel.share(len(calibration[0])) as share:
            supernet(tuple(tensor[share.rows] for tensor in calibration), mixture, active)
        supernet.eval()
        with parallel.share(len(split)) as share:
            batches = split.ordered_batches(EVALUATION_BATCH, share.rows)
            part = torch.cat([supernet(inputs, mixture, active) for inputs, _ in batches])
    outputs = parallel.gather(part, len(split))
    loss = supernet.task.loss(outputs, split.targets).item()
    return supernet.task.score(outputs, split.targets), loss


def score_genotype(supernet: Supernet, genotype: Genotype, split: Split, calibration: Inputs) -> float:
    """Return the objective of the supernet, restricted to the genotype, on the split."""
    restricted = restriction(supernet.space, genotype, calibration[0].device)
    return score(supernet, split, *restricted, calibration)[0]


def some_examples(split: Split, count: int, seed: int) -> Split:
    """Return `count` examples drawn without replacement, or the split itself if it has no more."""
    return split.sample(count, seed=derive_seed(seed, "examples"))


def calibration_inputs(train: Split, seed: int) -> Inputs:
    """Return training inputs for the calibration of norms."""
    inputs, _ = next(some_examples(train, EVALUATION_BATCH, seed).ordered_batches(EVALUATION_BATCH))
    return inputs


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
