"""The record of a pipeline run for logging, gathered from its steps' results, while they run and at the end."""

from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict
from itertools import count, takewhile
from pathlib import Path
from typing import Any

from cellwright.canonical import digest
from cellwright.data import DataManifest
from cellwright.errors import CellwrightError
from cellwright.evaluation import Evaluation, build_objectives
from cellwright.genotype import Genotype
from cellwright.results import EpochRecord, History, SearchResult, StepRecord, TrainingResult
from cellwright.search.journal import (
    EVALUATIONS,
    TUNING,
    evaluation_name,
    finished,
    history_of,
    read_evaluations,
)
from cellwright.search.one_shot import of_seed, seed_result
from cellwright.search.racing import Plan
from cellwright.spec import SearchSpec
from cellwright.steps.starting_weights import started_from
from cellwright.tracking import RunRecord, Status, TrialRecord
from cellwright.training.checkpoint import CHECKPOINT, load_facts

REASON_TAG = "cellwright.reason"
STATUS: Mapping[str, Status] = {"done": "FINISHED", "failed": "FAILED", "pruned": "KILLED"}
"""Status of a trial's MLflow run; a trial that was stopped early counts as killed."""


def run_key(spec: SearchSpec, search: Path) -> str:
    """Return a key that identifies the pipeline run, starting from its search.

    Args:
        spec: the whole spec.
        search: the folder of the search, finished or not.
    """
    done = search / StepRecord.FILE
    key = StepRecord.load(done).key if done.exists() else search.name.rpartition("-")[2]
    return digest([key, started_from(spec), what_matters(spec)])


def what_matters(spec: SearchSpec) -> dict[str, Any]:
    """Return the spec as JSON, without keys that only define where things run, are logged or are stored.

    Local paths change when a project is moved. The content of what they refer to is part of the search's key, and of
    `started_from`.
    """
    locations = {key for key, location in spec.data.locations.items() if isinstance(location, Path)}
    start = {"start"} if isinstance(spec.retrain.start, Path) else set()
    return spec.model_dump(
        mode="json",
        by_alias=True,
        exclude={
            "tracking": True,
            "resources": True,
            "pipeline": True,
            "profiles": True,
            "policy": True,
            "runner": {"labels"},
            "data": locations,
            "start": {"search"},
            "retrain": start,
        },
    )


def run_record(spec: SearchSpec, key: str, folders: Mapping[str, Path]) -> RunRecord:
    """Return the record of the pipeline run so far, including its trials.

    Args:
        spec: the whole spec.
        key: key of the pipeline run.
        folders: folders of the steps so far by name, including `prepare` and `search`; the last step may be running.
    """
    manifest = DataManifest.load(folders["prepare"])
    search = folders["search"]
    curves = _curves("search", _search_history(spec, search))
    tags = {
        **spec.tracking.tags,
        "cellwright.spec": spec.digest,
        "cellwright.data": manifest.content_hash,
        "cellwright.seed": str(spec.seed),
    }
    metrics = {}
    if (search / SearchResult.FILE).exists():
        found = SearchResult.load(search / SearchResult.FILE)
        tags["cellwright.genotype"] = found.genotype.digest
        metrics["search/seconds"] = found.seconds
    if "retrain" in folders:
        curves |= _curves("retrain", _training_history(folders["retrain"]))
    return RunRecord(
        key=key,
        name=f"{spec.name}-{key[:8]}",
        params=dict(_flatten(what_matters(spec))),
        tags=tags,
        curves=curves,
        metrics=metrics,
        artifacts={},
        trials=(
            *_trials(spec, search, "trial"),
            *_trials(spec, search / TUNING, TUNING),
            *_seeds(spec, search),
        ),
    )


def _search_history(spec: SearchSpec, folder: Path) -> tuple[EpochRecord, ...]:
    """Return the history of the search, from its result or so far."""
    if (folder / SearchResult.FILE).exists():
        return SearchResult.load(folder / SearchResult.FILE).history
    if not spec.is_sampled:
        return _checkpoint_history(folder) if spec.budget.seeds == 1 else ()
    entries = read_evaluations(folder / EVALUATIONS)
    in_order = takewhile(
        lambda number: (number, 0) in entries, count()
    )  # a later trial may end before an earlier one
    return history_of(
        finished({(number, 0): entries[number, 0] for number in in_order}),
        build_objectives(spec.objectives)[0],
    )


def _training_history(folder: Path) -> tuple[EpochRecord, ...]:
    result = folder / TrainingResult.FILE
    return TrainingResult.load(result).history if result.exists() else _checkpoint_history(folder)


def _checkpoint_history(folder: Path) -> tuple[EpochRecord, ...]:
    """Return the history in the folder's checkpoint; empty if there is no checkpoint."""
    with suppress(CellwrightError):
        return History.validate_python(load_facts(folder / CHECKPOINT)["history"])
    return ()


def _trials(spec: SearchSpec, folder: Path, name: str) -> Iterator[TrialRecord]:
    """Yield the trials of a search, including those on fresh seeds."""
    curve = f"curve/{spec.objectives[0].metric}"
    networks = _raced(folder)
    for (number, repeat), evaluation in sorted(read_evaluations(folder / EVALUATIONS).items()):
        if evaluation.state == "failed" or evaluation.seconds > 0:
            yield TrialRecord(
                key=f"{name}-{number}-{repeat}",
                name=f"{networks[evaluation.candidate.genotype]} at {evaluation.fidelity.epochs:.1%} of the budget"
                if networks
                else f"{name} {evaluation_name(number, repeat)}",
                params=_trial_params(evaluation),
                tags={REASON_TAG: evaluation.reason} if evaluation.reason else {},
                curves={curve: list(enumerate(evaluation.curve, start=1))} if evaluation.curve else {},
                metrics={**evaluation.metrics, "seconds": evaluation.seconds},
                status=STATUS[evaluation.state],
                seconds=evaluation.seconds,
            )


def _raced(folder: Path) -> dict[Genotype, str]:
    """Return the names of the networks of a race; empty for other searches."""
    if not (folder / Plan.FILE).exists():
        return {}
    return {network.genotype: network.name for network in Plan.load(folder / Plan.FILE).networks}


def _trial_params(evaluation: Evaluation) -> dict[str, str]:
    candidate = evaluation.candidate
    fidelity = {f"fidelity.{name}": str(value) for name, value in asdict(evaluation.fidelity).items()}
    tuned = {name: str(value) for name, value in candidate.values.items()}
    return {"genotype": candidate.genotype.to_line(), "repeat": str(evaluation.repeat)} | fidelity | tuned


def _seeds(spec: SearchSpec, folder: Path) -> Iterator[TrialRecord]:
    """Yield one trial for each seed of a one-shot search."""
    for number in range(spec.budget.seeds) if spec.budget.seeds > 1 else ():
        if not seed_result(folder, number).exists():
            continue
        found = SearchResult.load(seed_result(folder, number))
        score = {} if found.score is None else {f"validation_{spec.augment.objective}": found.score}
        yield TrialRecord(
            key=f"search-{number}",
            name=f"search {number}",
            params={"genotype": found.genotype.to_line(), "seed": str(of_seed(spec, number).seed)},
            tags={},
            curves=_curves("curve", found.history),
            metrics={"seconds": found.seconds} | score,
            status="FINISHED",
            seconds=found.seconds,
        )


def _curves(prefix: str, history: tuple[EpochRecord, ...]) -> dict[str, list[tuple[int, float]]]:
    names = history[0].metrics if history else {}
    return {f"{prefix}/{name}": [(r.epoch, r.metrics[name]) for r in history] for name in names}


def _flatten(values: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """Yield `section.key` and value of every leaf of the spec."""
    if isinstance(values, Mapping) and values:
        for key, value in values.items():
            yield from _flatten(value, f"{path}.{key}" if path else key)
    else:
        yield path, str(values)
