"""`search`: from prepared data to a genotype."""

from pathlib import Path
from typing import Any

from cellwright.errors import CellwrightError
from cellwright.files import file_digest, write_text
from cellwright.genotype import Genotype
from cellwright.progress import Progress
from cellwright.search import warm_start as _starting
from cellwright.search.journal import TUNING
from cellwright.search.networks import CHECKPOINT
from cellwright.search.one_shot import one_shot_search
from cellwright.search.sampled import sampled_search, tune
from cellwright.spaces import build_space
from cellwright.spec import Retrain, SearchSpec
from cellwright.steps.live import logged_live
from cellwright.steps.step import Inputs, Step
from cellwright.training import parallel

GENOTYPE, RESULT = _starting.GENOTYPE, _starting.RESULT


@logged_live
def search(spec: SearchSpec, inputs: Inputs, folder: Path, progress: Progress) -> None:
    """Search on the training and validation splits; write `search.json` and `genotype.json`."""
    if spec.has_trials and parallel.count() > 1:
        raise CellwrightError(
            "a search with trials (of a sampled strategy, or to tune) must be started once, since it starts them "
            f"itself, got {parallel.count()} processes"
        )
    find = sampled_search if spec.is_sampled else one_shot_search
    result = find(spec, inputs["prepare"], folder, progress)
    if not parallel.is_first():
        return
    if spec.tune and spec.tune.when == "after":
        result = tune(spec, result, inputs["prepare"], folder / TUNING, progress)
    for event in result.events:
        progress.say(f"search: {event}")
    write_text(folder / GENOTYPE, Genotype.from_line(result.genotype).to_json())
    result.save(folder / RESULT)


def _settings(spec: SearchSpec) -> Any:
    sections: dict[str, Any] = dict.fromkeys(("seed", "augment", "space", "strategy", "budget"), True)
    settings = {"start": _started_from(spec)}
    if spec.has_trials:
        sections |= dict.fromkeys(("estimators", "objectives", "pick", "constraints", "tune"), True)
        sections["retrain"] = set(Retrain.model_fields) - {"start"}
        limits = ("parallel", "max_seconds", "max_memory")
        settings["runner"] = {name: getattr(spec.runner, name, None) for name in limits}
    return spec.model_dump(mode="json", include=sections) | settings


def _started_from(spec: SearchSpec) -> Any:
    """Return the content of what the search starts from, wherever it lies."""
    if not spec.is_sampled:
        return file_digest(spec.start.search / CHECKPOINT) if spec.start.search else None
    return [genotype.to_line() for genotype in _starting.start_genotypes(spec, build_space(spec.space))]


SEARCH = Step(name="search", inputs=("prepare",), settings=_settings, run=search, is_shared=True)
