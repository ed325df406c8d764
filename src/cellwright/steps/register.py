"""`register`: the pipeline run in MLflow, and its model in the registry."""

from collections.abc import Iterator, Mapping
from importlib.metadata import distributions
from pathlib import Path
from typing import Any

from cellwright.canonical import digest
from cellwright.data import DataManifest, PreparedData
from cellwright.files import write_text
from cellwright.genotype import Genotype
from cellwright.progress import Progress
from cellwright.results import (
    EpochRecord,
    EvaluationResult,
    ModelScore,
    RegistrationResult,
    SearchResult,
    TrainingResult,
)
from cellwright.spec import SearchSpec
from cellwright.steps import _networks, _weights, evaluate, retrain, search
from cellwright.steps._models import default_tracking_uri
from cellwright.steps._step import Inputs, Step
from cellwright.tracking import MlflowTracker, RunRecord

RESULT, SPEC, ENVIRONMENT = "registered.json", "spec.json", "environment.txt"
EXAMPLES = 2


def register(spec: SearchSpec, inputs: Inputs, folder: Path, progress: Progress) -> None:
    """Log the whole run to MLflow, register the found model, and write `registered.json`."""
    data = PreparedData.open(inputs["prepare"])
    record = _record(spec, inputs, folder, data.manifest)
    uri = spec.tracking.uri or default_tracking_uri(folder.parent)
    tracker = MlflowTracker(uri=uri, experiment=spec.tracking.experiment or spec.name)
    mlflow_run_id = tracker.log_run(record, status="RUNNING")
    progress.say(f"register: logged to {uri}")
    model = tracker.register_model(
        mlflow_run_id=mlflow_run_id,
        name=spec.model_name,
        model=_networks.load_network(inputs["retrain"]),
        input_example=data.train.images[:EXAMPLES].float().numpy(),
        tags=record.tags,
        extra_files={
            name: inputs["retrain"] / name for name in (search.GENOTYPE, _weights.WEIGHTS, _networks.NETWORK)
        },
        key=record.key,
    )
    tracker.log_run(record, status="FINISHED")
    RegistrationResult(
        name=model.name,
        version=model.version,
        alias=model.alias,
        uri=model.uri,
        tracking_uri=uri,
        mlflow_run_id=mlflow_run_id,
    ).save(folder / RESULT)


def _record(spec: SearchSpec, inputs: Inputs, folder: Path, manifest: DataManifest) -> RunRecord:
    found = SearchResult.load(inputs["search"] / search.RESULT)
    trained = TrainingResult.load(inputs["retrain"] / _networks.RESULT)
    evaluation = EvaluationResult.load(inputs["evaluate"] / evaluate.RESULT)
    genotype = Genotype.from_line(found.genotype)
    write_text(folder / SPEC, spec.model_dump_json(by_alias=True, indent=2))
    write_text(folder / ENVIRONMENT, _environment())
    return RunRecord(
        key=folder.name,
        name=f"{spec.name}-{folder.name.rpartition('-')[2][:8]}",
        params=dict(_flatten(_what_matters(spec))),
        tags={
            **spec.tracking.tags,
            "cellwright.spec": spec.digest,
            "cellwright.data": manifest.content_hash,
            "cellwright.genotype": genotype.digest,
            "cellwright.seed": str(spec.seed),
        },
        curves=_curves("search", found.history) | _curves("retrain", trained.history),
        metrics=_metrics(found, evaluation),
        artifacts={
            SPEC: folder / SPEC,
            ENVIRONMENT: folder / ENVIRONMENT,
            "manifest.json": inputs["prepare"] / "manifest.json",
            **{name: inputs["search"] / name for name in (search.RESULT, search.GENOTYPE)},
            **{
                name: inputs["retrain"] / name for name in (retrain.ONNX, _weights.WEIGHTS, _networks.NETWORK)
            },
            evaluate.RESULT: inputs["evaluate"] / evaluate.RESULT,
        },
    )


def _what_matters(spec: SearchSpec) -> dict[str, Any]:
    """Return the spec as JSON, less what says only where things run and are logged."""
    return spec.model_dump(mode="json", by_alias=True, exclude={"tracking", "resources"})


def _flatten(values: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """Yield `section.key` and its value for every leaf of the spec."""
    if isinstance(values, Mapping) and values:
        for key, value in values.items():
            yield from _flatten(value, f"{path}.{key}" if path else key)
    else:
        yield path, str(values)


def _curves(prefix: str, history: tuple[EpochRecord, ...]) -> dict[str, list[tuple[int, float]]]:
    names = history[0].metrics if history else {}
    return {f"{prefix}/{name}": [(r.epoch, r.metrics[name]) for r in history] for name in names}


def _metrics(found: SearchResult, evaluation: EvaluationResult) -> dict[str, float]:
    scores = {"search/seconds": found.seconds}
    for score in (evaluation.found, *evaluation.baselines):
        scores |= {f"{score.name}/{name}": value for name, value in _score_metrics(score).items()}
    for comparison in evaluation.comparisons:
        scores[f"found_minus_{comparison.baseline}/test_accuracy"] = comparison.difference
    return scores


def _score_metrics(score: ModelScore) -> dict[str, float]:
    return {
        "test_accuracy": score.accuracy,
        "test_accuracy_low": score.interval.low,
        "test_accuracy_high": score.interval.high,
        "test_calibration_error": score.calibration_error,
        "params": score.params,
        "macs": score.macs,
        **{f"latency_ms_batch_{timed.batch_size}": timed.median_ms for timed in score.latency},
    }


def _environment() -> str:
    """Return what is installed, as pip would freeze it."""
    packages = {(d.metadata["Name"].lower(), d.version) for d in distributions()}
    return "".join(f"{name}=={version}\n" for name, version in sorted(packages))


REGISTER = Step(
    name="register",
    inputs=("prepare", "search", "retrain", "baselines", "evaluate"),
    settings=lambda spec: {
        "name": spec.model_name,
        "uri": spec.tracking.uri,
        "experiment": spec.tracking.experiment or spec.name,
        "spec": digest(_what_matters(spec)),
    },
    run=register,
)
