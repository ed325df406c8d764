"""`search`: from prepared data to a genotype."""

from pathlib import Path

from cellwright.errors import CellwrightError
from cellwright.files import write_text
from cellwright.progress import Progress
from cellwright.results import GENOTYPE, SearchResult
from cellwright.search.elastic import elastic_search
from cellwright.search.journal import TUNING
from cellwright.search.one_shot import one_shot_search
from cellwright.search.racing import race_search
from cellwright.search.sampled import sampled_search, tune
from cellwright.search.warm_start import start_model
from cellwright.spaces import build_space
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
    result = _found(spec, inputs["prepare"], folder, progress)
    if not parallel.is_first():
        return
    if spec.tune and spec.tune.when == "after":
        result = tune(spec, result, inputs["prepare"], folder / TUNING, progress)
    for remark in result.remarks:
        progress.log(f"search: {remark}")
    write_text(folder / GENOTYPE, result.genotype.to_json())
    result.save(folder / SearchResult.FILE)


def _found(spec: SearchSpec, data: Path, folder: Path, progress: Progress) -> SearchResult:
    if spec.strategy.continues:
        return race_search(spec, data, folder, progress)
    if spec.start.only:
        model = start_model(spec, build_space(spec.space))
        assert model is not None
        event = f"nothing was searched: this is the architecture of {spec.start.model}"
        return SearchResult(genotype=model, score=None, seconds=0.0, history=(), events=(event,))
    if spec.strategy.cuts:
        return elastic_search(spec, data, folder, progress)
    return (sampled_search if spec.is_sampled else one_shot_search)(spec, data, folder, progress)
