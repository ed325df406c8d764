"""`baselines`: trains the networks that the found one must beat, in the same way and for as long."""

import random
from collections.abc import Iterator
from pathlib import Path

from cellwright.data.prepared import PreparedData
from cellwright.nn.cost import count_params
from cellwright.progress import Progress
from cellwright.results import SearchResult
from cellwright.seeds import derive_seed
from cellwright.spaces import build_space
from cellwright.spaces.building import NetworkConfig, hand_designed_network
from cellwright.spec import SearchSpec
from cellwright.steps import Inputs
from cellwright.tasks.base import read_task
from cellwright.tasks.classical import ClassicalModel, ClassicalResult
from cellwright.training import parallel
from cellwright.training.networks import genotype_network, train_network


def baselines(spec: SearchSpec, inputs: Inputs, folder: Path, progress: Progress) -> None:
    """Train random architectures and a hand-designed network of the found one's size, and fit classical models."""
    data = PreparedData.open(inputs["prepare"])
    found = SearchResult.load(inputs["search"] / SearchResult.FILE)
    spec = spec.tuned(found.tuned)
    for name, config in _configs(spec, data, found):
        train_network(name, config, data, spec, folder / name, progress)
    if not parallel.is_first():
        return
    for name in spec.evaluate.baseline.classical or ():
        if not (folder / name / ClassicalResult.FILE).exists():
            progress.log(f"baselines: fitting {name}")
            ClassicalModel.fit(
                name,
                read_task(data.manifest.task),
                data.train_and_validation(),
                folder / name,
                seed=derive_seed(spec.seed, "rival"),
            )


def _configs(
    spec: SearchSpec, data: PreparedData, found: SearchResult
) -> Iterator[tuple[str, NetworkConfig]]:
    for index in range(spec.evaluate.baseline.random_architectures):
        rng = random.Random(derive_seed(spec.seed, "random architecture", index))
        genotype = build_space(spec.space).sample(rng)
        yield f"random-{index}", genotype_network(spec, data.manifest, genotype)
    if name := spec.evaluate.baseline.hand_designed:
        params = count_params(genotype_network(spec, data.manifest, found.genotype).build(seed=0))
        yield name, hand_designed_network(read_task(data.manifest.task), name, params)
