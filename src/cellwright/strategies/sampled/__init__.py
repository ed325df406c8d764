"""Sampled strategies, which propose architectures that are evaluated one by one. Needs no torch."""

from collections.abc import Sequence

from cellwright.evaluation import Objective
from cellwright.importing import load_class
from cellwright.seeds import derive_seed
from cellwright.spaces import CandidateSpace
from cellwright.spec import SampledSection
from cellwright.strategies.sampled.asha import Asha
from cellwright.strategies.sampled.base import SampledStrategy, Suggesting
from cellwright.strategies.sampled.features import Features
from cellwright.strategies.sampled.refitting import refit_size
from cellwright.strategies.sampled.surrogate import Surrogate

__all__ = [
    "Asha",
    "Features",
    "SampledStrategy",
    "Suggesting",
    "Surrogate",
    "build_sampled",
    "build_strategy",
    "refit_size",
]


def build_sampled(
    section: SampledSection, space: CandidateSpace, objectives: Sequence[Objective], *, seed: int
) -> Suggesting:
    """Build the strategy of a spec's `strategy` section, inside its scheduler if it has one.

    Args:
        section: the section.
        space: the space of candidates.
        objectives: the objectives, the most important one first.
        seed: the spec's seed.
    """
    own_seed = derive_seed(seed, "search")

    def make() -> SampledStrategy:
        return build_strategy(section, space, objectives, seed=own_seed)

    return make() if section.scheduler is None else Asha(section.scheduler, make)


def build_strategy(
    section: SampledSection, space: CandidateSpace, objectives: Sequence[Objective], *, seed: int
) -> SampledStrategy:
    """Build the strategy without its scheduler."""
    strategy = load_class(section.implementation, SampledStrategy)  # type: ignore[type-abstract]
    return strategy(section, space, objectives, seed=seed)
