"""How much a one-shot search decided: what its alphas say, and whether its network is better than random ones."""

import random

import torch

from cellwright.genotype import Genotype
from cellwright.results import Decidedness
from cellwright.seeds import derive_seed
from cellwright.strategies.one_shot.base import OneShotStrategy
from cellwright.strategies.one_shot.scoring import calibration_inputs, score_genotype, some_examples

NUM_RANDOM = 8
"""Architectures that the derived one is compared with: forward passes that a search's own steps outnumber by far."""


@torch.no_grad()
def decidedness(strategy: OneShotStrategy, derived: Genotype) -> Decidedness:
    """Return how much a search has decided that ended with the derived architecture.

    Random ones are scored on the same validation examples, all with the supernet's weights.
    """
    split = some_examples(strategy.data.validation, strategy.settings.score_examples, strategy.seed)
    calibration = calibration_inputs(strategy.data.train, strategy.seed)
    rng = random.Random(derive_seed(strategy.seed, "random architectures"))
    drawn = [strategy.space.sample(rng) for _ in range(NUM_RANDOM)]
    scores = [
        score_genotype(strategy.supernet, genotype, split, calibration)
        for genotype in (derived, *(one for one in drawn if one != derived))
    ]
    return Decidedness(alphas=strategy.deciding_alphas, derived=scores[0], random=tuple(scores[1:]))
