"""Trains a supernet: a one-shot search with one seed."""

from pathlib import Path

from cellwright.data.prepared import PreparedData
from cellwright.nn.initialising import seeded_initialisation
from cellwright.progress import Progress
from cellwright.results import SearchResult
from cellwright.search.warm_start import start_alphas
from cellwright.seeds import derive_seed
from cellwright.spaces import build_space
from cellwright.spaces.networks import build_supernet
from cellwright.spec import OneShotSection, SearchSpec
from cellwright.strategies.one_shot.base import SearchData, build_strategy
from cellwright.strategies.one_shot.deciding import decidedness
from cellwright.tasks.base import read_task
from cellwright.training import parallel
from cellwright.training.checkpoint import CHECKPOINT
from cellwright.training.networks import use_device


def train_supernet(spec: SearchSpec, data_folder: Path, folder: Path, progress: Progress) -> SearchResult:
    """Train a supernet, resuming from the folder's checkpoint if it exists, and return the result of the search."""
    assert isinstance(spec.strategy, OneShotSection)
    data = PreparedData.open(data_folder)
    device = use_device(spec, parallel.local_world_size())
    start = start_alphas(spec.start.search, build_space(spec.space)) if spec.start.search else {}
    with seeded_initialisation(derive_seed(spec.seed, "supernet")):
        task, fraction = read_task(data.manifest.task), spec.strategy.mixed_fraction
        supernet = build_supernet(spec.space, task, channel_fraction=fraction).to(device)
    strategy = build_strategy(
        spec.strategy,
        supernet,
        SearchData(train=data.train.to(device), validation=data.validation.to(device)),
        spec.budget,
        augment=spec.augment,
        seed=derive_seed(spec.seed, "search"),
        start=start,
    )
    found = strategy.fit(folder / CHECKPOINT, progress)
    found = found.model_copy(update={"decidedness": decidedness(strategy, found.genotype)})
    if not spec.start.search:
        return found
    began = f"began with the alphas {', '.join(sorted(start))} of {spec.start.search}"
    return found.model_copy(update={"events": (began, *found.events)})
