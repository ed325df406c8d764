"""Training a supernet: a one-shot search from one seed."""

from pathlib import Path

from cellwright.data.prepared import PreparedData
from cellwright.errors import CellwrightError
from cellwright.nn.initialising import seeded_initialisation
from cellwright.progress import Progress
from cellwright.results import SearchResult
from cellwright.search.warm_start import start_alphas
from cellwright.seeds import derive_seed
from cellwright.spaces import build_space
from cellwright.spaces.networks import build_supernet
from cellwright.spec import OneShotSection, SearchSpec
from cellwright.strategies.one_shot.base import SearchData, build_strategy
from cellwright.strategies.one_shot.differentiable import Differentiable
from cellwright.tasks.base import read_task
from cellwright.training import parallel
from cellwright.training.checkpoint import CHECKPOINT
from cellwright.training.networks import use_device


def train_supernet(spec: SearchSpec, data_folder: Path, folder: Path, progress: Progress) -> SearchResult:
    """Train a supernet, from the folder's checkpoint on if it is there, and return what it is best at."""
    assert isinstance(spec.strategy, OneShotSection)
    data = PreparedData.open(data_folder)
    device = use_device(spec, parallel.local_count())
    strategy = build_strategy(spec.strategy, spec.augment, seed=derive_seed(spec.seed, "search"))
    if spec.start.search:
        if not isinstance(strategy, Differentiable):
            raise CellwrightError(
                f"start.search must be left out: strategy.kind {spec.strategy.kind} has no alphas to begin with"
            )
        strategy.start = start_alphas(spec.start.search, build_space(spec.space))
    with seeded_initialisation(derive_seed(spec.seed, "supernet")):
        task = read_task(data.manifest.task)
        supernet = build_supernet(spec.space, task, channel_fraction=strategy.channel_fraction).to(device)
    found = strategy.fit(
        supernet,
        SearchData(train=data.train.to(device), validation=data.validation.to(device)),
        spec.budget,
        folder / CHECKPOINT,
        progress,
    )
    if not spec.start.search:
        return found
    began = f"began with the alphas {', '.join(sorted(strategy.start))} of {spec.start.search}"
    return found.model_copy(update={"events": (began, *found.events)})
