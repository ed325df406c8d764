"""`search`: from prepared data to a genotype."""

from collections.abc import Callable
from pathlib import Path

from cellwright.errors import CellwrightError
from cellwright.files import write_text
from cellwright.progress import Progress
from cellwright.results import GENOTYPE, SearchResult
from cellwright.search.journal import TUNING
from cellwright.search.one_shot import one_shot_search
from cellwright.search.racing import race_search
from cellwright.search.sampled import sampled_search, tune
from cellwright.spec import SearchSpec
from cellwright.steps import Inputs
from cellwright.training import parallel


def search(spec: SearchSpec, inputs: Inputs, folder: Path, progress: Progress) -> None:
    """Search on the training and validation splits; write `search.json` and `genotype.json`."""
    if spec.has_trials and parallel.world_size() > 1:
        raise CellwrightError(
            "a search with trials (of a sampled strategy, or to tune) must be started once, since it starts them "
            f"itself, got {parallel.world_size()} processes"
        )
    result = _kind_of_search(spec)(spec, inputs["prepare"], folder, progress)
    if not parallel.is_first():
        return
    if spec.tune and spec.tune.when == "after":
        result = tune(spec, result, inputs["prepare"], folder / TUNING, progress)
    for remark in result.remarks:
        progress.log(f"search: {remark}")
    write_text(folder / GENOTYPE, result.genotype.to_json())
    result.save(folder / SearchResult.FILE)


def _kind_of_search(spec: SearchSpec) -> Callable[[SearchSpec, Path, Path, Progress], SearchResult]:
    if spec.strategy.continues:
        return race_search
    return sampled_search if spec.is_sampled else one_shot_search
