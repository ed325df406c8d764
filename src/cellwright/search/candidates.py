"""What a genotype of a search stands for where hyperparameters are searched too."""

from typing import Any

from cellwright.genotype import Genotype
from cellwright.spaces import TUNE, Space, TunedSpace, build_space, split_genotype
from cellwright.spec import SearchSpec


def tuned_space(spec: SearchSpec, space: Space) -> TunedSpace:
    """Return the space with the hyperparameters that the spec tunes."""
    assert spec.tune is not None
    return TunedSpace(space, {name: len(values) for name, values in spec.tune.values.items()})


def candidate_space(spec: SearchSpec) -> Space:
    """Return the space of a sampled search: with the hyperparameters, if they are searched with the architecture."""
    space = build_space(spec.space)
    return tuned_space(spec, space) if spec.tune and spec.tune.when == "with" else space


def split_candidate(spec: SearchSpec, genotype: Genotype) -> tuple[Genotype, dict[str, Any]]:
    """Return the architecture, and the values of the hyperparameters that the genotype names."""
    if spec.tune is None or TUNE not in genotype.cells:
        return genotype, {}
    architecture, numbers = split_genotype(genotype, tuple(spec.tune.values))
    return architecture, {name: spec.tune.values[name][number] for name, number in numbers.items()}
