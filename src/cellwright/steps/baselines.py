"""`baselines`: what the found network must beat, trained in the same way and as long."""

import random
from collections.abc import Iterator
from pathlib import Path

from cellwright.data import PreparedData
from cellwright.nn.cost import count_params
from cellwright.progress import Progress
from cellwright.results import SearchResult
from cellwright.seeds import derive_seed
from cellwright.spaces import build_space
from cellwright.spaces.building import NetworkConfig, ResNetConfig
from cellwright.spec import SearchSpec
from cellwright.steps import Inputs
from cellwright.tasks.images.resnet import resnet_channels
from cellwright.training.networks import genotype_network, task_of, train_network


def baselines(spec: SearchSpec, inputs: Inputs, folder: Path, progress: Progress) -> None:
    """Train random architectures of the space, and a ResNet of the found network's size, a folder for each."""
    data = PreparedData.open(inputs["prepare"])
    found = SearchResult.load(inputs["search"] / SearchResult.FILE)
    spec = spec.tuned(found.tuned)
    for name, config in _configs(spec, data, found):
        train_network(name, config, data, spec, folder / name, progress)


def _configs(
    spec: SearchSpec, data: PreparedData, found: SearchResult
) -> Iterator[tuple[str, NetworkConfig]]:
    for index in range(spec.evaluate.baseline.random_architectures):
        rng = random.Random(derive_seed(spec.seed, "random architecture", index))
        genotype = build_space(spec.space).sample(rng).to_line()
        yield f"random-{index}", genotype_network(spec, data.manifest, genotype)
    if spec.evaluate.baseline.hand_designed == "resnet":
        params = count_params(genotype_network(spec, data.manifest, found.genotype).build(seed=0))
        task = task_of(data.manifest)
        yield (
            "resnet",
            NetworkConfig(network=ResNetConfig(task=task, channels=resnet_channels(task.build(), params))),
        )
