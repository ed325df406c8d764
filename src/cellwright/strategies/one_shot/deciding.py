"""Measures how much a one-shot search decided: by its alphas, and by comparing its genotype with random ones."""

import random

import torch

from cellwright.genotype import Genotype
from cellwright.results import Decidedness
from cellwright.seeds import derive_seed
from cellwright.strategies.one_shot.base import OneShotStrategy
from cellwright.strategies.one_shot.scoring import calibration_inputs, score_genotype, some_examples

NUM_RANDOM = 8
"""Number of random genotypes. Scoring them takes about 1 % of a search of ten epochs, and less of a longer one."""


@torch.no_grad()
def decidedness(strategy: OneShotStrategy, derived: Genotype) -> Decidedness:
    """Return how much a finished search decided.

    The derived genotype and random ones are scored with the supernet's weights, on the same validation examples.
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
