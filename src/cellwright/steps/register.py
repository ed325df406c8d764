"""`register`: the pipeline run in MLflow, and its model in the registry."""

from dataclasses import replace
from importlib.metadata import distributions
from pathlib import Path

from cellwright.canonical import digest
from cellwright.data import PreparedData
from cellwright.files import write_text
from cellwright.progress import Progress
from cellwright.results import EvaluationResult, ModelScore, RegistrationResult
from cellwright.search import networks as _networks
from cellwright.search import weights as _weights
from cellwright.spec import SearchSpec
from cellwright.steps import evaluate, retrain, search
from cellwright.steps.record import run_key, run_record, what_matters
from cellwright.steps.step import Inputs, Step
from cellwright.tracking import MlflowTracker, Patience, RunRecord
from cellwright.tracking.addresses import default_tracking_uri

RESULT, SPEC, ENVIRONMENT = "registered.json", "spec.json", "environment.txt"
EXAMPLES = 2
PATIENCE = 300.0
"""Seconds to wait for an MLflow that is away."""


def register(spec: SearchSpec, inputs: Inputs, folder: Path, progress: Progress) -> None:
    """Log the whole run to MLflow, register the found model, and write `registered.json`."""
    data = PreparedData.open(inputs["prepare"])
    record = _record(spec, inputs, folder)
    uri = spec.tracking.uri or default_tracking_uri(folder.parent)
    tracker = MlflowTracker(
        uri=uri,
        experiment=spec.tracking.experiment or spec.name,
        run_id=spec.tracking.run_id,
        patience=Patience(seconds=PATIENCE, say=lambda message: progress.say(f"register: {message}")),
    )
    mlflow_run_id = tracker.log_run(record, status="RUNNING")
    progress.say(f"register: logged to {uri}")
    model = tracker.register_model(
        mlflow_run_id=mlflow_run_id,
        name=spec.model_name,
        model=_networks.load_network(inputs["retrain"]),
        input_example=data.train.images[:EXAMPLES].numpy(),
        tags=record.tags,
        extra_files={
            name: inputs["retrain"] / name for name in (search.GENOTYPE, _weights.WEIGHTS, _networks.NETWORK)
        },
        key=record.key,
    )
    tracker.log_run(replace(record, artifacts={}), status="FINISHED")
    RegistrationResult(
        name=model.name,
        version=model.version,
        alias=model.alias,
        uri=model.uri,
        tracking_uri=uri,
        mlflow_run_id=mlflow_run_id,
    ).save(folder / RESULT)


def _record(spec: SearchSpec, inputs: Inputs, folder: Path) -> RunRecord:
    write_text(folder / SPEC, spec.model_dump_json(by_alias=True, indent=2, exclude={"tracking": {"run_id"}}))
    write_text(folder / ENVIRONMENT, _environment())
    record = run_record(spec, run_key(spec, inputs["search"]), inputs)
    return replace(
        record,
        metrics={**record.metrics, **_metrics(EvaluationResult.load(inputs["evaluate"] / evaluate.RESULT))},
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


def _metrics(evaluation: EvaluationResult) -> dict[str, float]:
    scores: dict[str, float] = {}
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
        "run": spec.tracking.run_id,
        "spec": digest(what_matters(spec)),
    },
    run=register,
)
