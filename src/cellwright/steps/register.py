"""`register`: the pipeline run in MLflow, and its model in the registry."""

from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from pathlib import Path

import torch
from torch import nn

from cellwright.canonical import digest
from cellwright.data.manifest import MANIFEST
from cellwright.data.prepared import PreparedData
from cellwright.data.split import Inputs as Examples
from cellwright.data.summary import summarise
from cellwright.data.trained_on import example_hashes
from cellwright.environment import ENVIRONMENT, environment, read_environment
from cellwright.errors import CellwrightError
from cellwright.files import write_text
from cellwright.progress import Progress
from cellwright.report.card import ModelCard, markdown
from cellwright.report.latest import REPORT
from cellwright.report.run_report import RunReport
from cellwright.report.writing import Report
from cellwright.results import (
    GENOTYPE,
    NETWORK,
    ONNX,
    PT2,
    TARGETS,
    WEIGHTS,
    EvaluationResult,
    GateDecision,
    ModelHistory,
    ModelInfo,
    ModelScore,
    RegistrationResult,
    SearchResult,
    StepRecord,
)
from cellwright.search.warm_start import trained_examples
from cellwright.spec import SearchSpec
from cellwright.steps import Inputs
from cellwright.steps.gate import Gatekeeper
from cellwright.steps.record import run_key, run_record
from cellwright.stores import LEASES, leased, store_of
from cellwright.tasks.base import Task, read_task
from cellwright.tracking import (
    ACTION_TAG,
    EXAMPLES_TAG,
    GATE_TAG,
    HOURS,
    SEARCH_HOURS,
    SUMMARY,
    TRAINED_ON,
    WAIT_SECONDS,
    Lifecycle,
    LoggedColumns,
    MlflowTracker,
    RunRecord,
    mlflow_retry,
)
from cellwright.tracking.starting_models import with_tracking_uri
from cellwright.tracking.uri import default_tracking_uri
from cellwright.training.checkpoint import save_tensors
from cellwright.training.networks import load_network

RETRAIN_TAG = "cellwright.retrain"
"""The tag of a registered version that has the seal of the record of the retraining that its weights are from."""
SPEC = "spec.json"
PICTURES, LEADERBOARD = "pictures", "leaderboard.json"
"""Among the artifacts of the run: the report's figures, and the scores of all networks as a table."""
EXAMPLES = 2


def register(spec: SearchSpec, inputs: Inputs, folder: Path, progress: Progress) -> None:
    """Log the whole run to MLflow, register the found model, and write `registered.json`."""
    require_better(
        EvaluationResult.load(inputs["evaluate"] / EvaluationResult.FILE), spec.register_.only_if_better_than
    )
    data = PreparedData.open(inputs["prepare"])
    record = _record(spec, inputs, folder)
    uri = spec.tracking.uri or default_tracking_uri(folder.parent)
    retry = mlflow_retry(seconds=WAIT_SECONDS, log=lambda message: progress.log(f"register: {message}"))
    tracker = MlflowTracker(
        uri=uri,
        experiment=spec.tracking.experiment or spec.name,
        run_id=spec.tracking.run_id,
        retry=retry,
    )
    mlflow_run_id = tracker.log_run(record, status="RUNNING")
    network, examples = load_network(inputs["retrain"]), data.train[:EXAMPLES].inputs
    progress.log(f"register: logged to {uri}")
    gatekeeper = spec.gate and Gatekeeper(
        spec=spec,
        gate=spec.gate,
        inputs=inputs,
        folder=folder,
        lifecycle=Lifecycle(uri=uri, name=spec.model_name, retry=retry),
        key=record.key,
    )
    rows = spec.register_.data_summary == "rows"
    save_tensors(folder / SUMMARY, summarise(data.train, data.manifest.inputs, rows=rows), rows)
    known = _save_trained_on(with_tracking_uri(spec, folder.parent), data, folder / TRAINED_ON)
    card = _card(spec, inputs, uri)
    card.save(folder / ModelCard.FILE)
    made = {ModelCard.FILE: folder / ModelCard.FILE}
    with _alone(spec, uri, record.key, progress):
        decision = gatekeeper.judge() if gatekeeper else None
        model = tracker.register_model(
            mlflow_run_id=mlflow_run_id,
            name=spec.model_name,
            model=network,
            inputs={name: array.numpy() for name, array in zip(data.manifest.inputs, examples, strict=True)},
            metadata=ModelInfo.load(inputs["retrain"] / ModelInfo.FILE).model_dump(mode="json"),
            tags={
                **record.tags,
                ACTION_TAG: "retrain" if spec.start.only else "search",
                EXAMPLES_TAG: str(sum(data.manifest.split_sizes.values())),
                RETRAIN_TAG: StepRecord.load(inputs["retrain"] / StepRecord.FILE).seal,
                **({GATE_TAG: decision.model_dump_json()} if decision else {}),
            },
            extra_files={
                **{
                    name: inputs["retrain"] / name
                    for name in (GENOTYPE, WEIGHTS, NETWORK, ONNX, ModelInfo.FILE)
                },
                SUMMARY: folder / SUMMARY,
                EvaluationResult.FILE: inputs["evaluate"] / EvaluationResult.FILE,
                **({TRAINED_ON: folder / TRAINED_ON} if known else {}),
            },
            key=record.key,
            columns=_columns_model(
                read_task(data.manifest.task), network, examples, inputs["retrain"] / ONNX
            ),
            description=markdown(card),
            has_gate=gatekeeper is not None,
        )
        if gatekeeper and decision:
            model, decision = gatekeeper.promote(model, decision, progress)
            decision.save(folder / GateDecision.FILE)
            made[GateDecision.FILE] = folder / GateDecision.FILE
    history = Lifecycle(uri=uri, name=spec.model_name, retry=retry).history(spec.augment.objective)
    history.save(folder / ModelHistory.FILE)
    facts = read_environment((folder / ENVIRONMENT).read_text(encoding="utf-8"))
    report = Report(spec.name, spec.seed, inputs, facts, history)
    write_text(folder / REPORT, report.html())
    report.save_pictures(folder / PICTURES)
    report.save_leaderboard(folder / LEADERBOARD)
    made |= {name: folder / name for name in (ModelHistory.FILE, REPORT, PICTURES, LEADERBOARD)}
    note = f"{report.run.answer}\n\n`{REPORT}`, among the artifacts, has all of it."
    tracker.log_run(
        replace(record, artifacts=made, note=note, tables=(LEADERBOARD,)),
        status="FINISHED",
    )
    progress.log(f"register: the model is {model.uri}, version {model.version}, at {uri}")
    if gatekeeper is None and not model.has_champion:
        progress.log(
            f"register: {model.name} has no champion, which this login may not make: version {model.version} waits as "
            "challenger"
        )
    RegistrationResult(
        name=model.name,
        version=model.version,
        alias=model.alias,
        uri=model.uri,
        tracking_uri=uri,
        mlflow_run_id=mlflow_run_id,
        gate=decision.sentence if decision else None,
    ).save(folder / RegistrationResult.FILE)


def _save_trained_on(spec: SearchSpec, data: PreparedData, path: Path) -> bool:
    """Write which examples the weights were trained on; return whether that is known."""
    hashes = example_hashes(data.train, data.validation)
    start = spec.retrain.start or (spec.start.model if spec.start.weights else None)
    if isinstance(start, Path):
        return False
    if start is not None:
        if (earlier := trained_examples(spec, start)) is None:
            return False
        hashes = torch.unique(torch.cat([hashes, earlier]))
    save_tensors(path, {"examples": hashes})
    return True


def require_better(evaluation: EvaluationResult, than: str) -> None:
    """Require that no baseline of a kind, as `register.only_if_better_than` names it, beats the found network.

    Raises:
        CellwrightError: one does, or there is none of the kind.
    """
    if than == "none":
        return
    baselines = [score for score in evaluation.baselines if than in ("any", _kind(score))]
    if not baselines:
        raise CellwrightError(f"register.only_if_better_than is {than}, but evaluate has no such baseline")
    best = max(baselines, key=lambda score: score.metrics[evaluation.objective].value)
    theirs, ours = (score.metrics[evaluation.objective].value for score in (best, evaluation.found))
    if theirs > ours:
        raise CellwrightError(
            f"the model is not registered: {best.name} has {evaluation.objective} {theirs:.4f} on the test split, "
            f"the found network {ours:.4f} (register.only_if_better_than: {than})"
        )


def _kind(score: ModelScore) -> str:
    """Return of what kind a baseline is: only networks have parameters, and random ones are numbered."""
    if score.params is None:
        return "classical"
    return "random" if score.name.startswith("random-") else "hand-designed"


def _alone(spec: SearchSpec, uri: str, owner: str, progress: Progress) -> AbstractContextManager[None]:
    """Have no other run that shares the store register a model of that name, so that one becomes the champion."""
    if spec.store is None:
        return nullcontext()
    name = f"{LEASES}/register-{digest([uri, spec.model_name])}"
    return leased(store_of(spec.store), name, owner, lambda text: progress.log(f"register: {text}"))


def _card(spec: SearchSpec, inputs: Inputs, uri: str) -> ModelCard:
    run = RunReport.gather(spec.name, spec.seed, inputs)
    trained = StepRecord.load(inputs["retrain"] / StepRecord.FILE)
    digests = {
        "spec": spec.digest,
        "data": str(run.content_hash),
        **{name: trained.files[name].sha256 for name in (WEIGHTS, ONNX, PT2)},
        "record of retrain": trained.seal,
    }
    return ModelCard.of(
        spec, run, ModelInfo.load(inputs["retrain"] / ModelInfo.FILE), tracking_uri=uri, digests=digests
    )


def _columns_model(task: Task, network: nn.Module, examples: Examples, onnx: Path) -> LoggedColumns | None:
    """Return the model of named columns, where people have those."""
    columns = task.as_columns(examples)
    if columns is None:
        return None
    with torch.inference_mode():
        outputs = network(*examples)
    return LoggedColumns(onnx=onnx, example=columns, predictions=task.predictions(outputs))


def _record(spec: SearchSpec, inputs: Inputs, folder: Path) -> RunRecord:
    write_text(folder / SPEC, spec.model_dump_json(by_alias=True, indent=2, exclude={"tracking": {"run_id"}}))
    write_text(folder / ENVIRONMENT, environment())
    record = run_record(spec, run_key(spec, inputs["search"]), inputs)
    return replace(
        record,
        metrics={
            **record.metrics,
            **_metrics(EvaluationResult.load(inputs["evaluate"] / EvaluationResult.FILE)),
            HOURS: sum(StepRecord.load(inputs[name] / StepRecord.FILE).hours for name in inputs),
            SEARCH_HOURS: StepRecord.load(inputs["search"] / StepRecord.FILE).hours,
        },
        artifacts={
            SPEC: folder / SPEC,
            ENVIRONMENT: folder / ENVIRONMENT,
            MANIFEST: inputs["prepare"] / MANIFEST,
            **({TARGETS: inputs["retrain"] / TARGETS} if (inputs["retrain"] / TARGETS).exists() else {}),
            **{name: inputs["search"] / name for name in (SearchResult.FILE, GENOTYPE)},
            **{name: inputs["retrain"] / name for name in (ONNX, WEIGHTS, NETWORK, ModelInfo.FILE)},
            EvaluationResult.FILE: inputs["evaluate"] / EvaluationResult.FILE,
        },
    )


def _metrics(evaluation: EvaluationResult) -> dict[str, float]:
    scores: dict[str, float] = {}
    for score in evaluation.scores:
        scores |= {f"{score.name}/{name}": value for name, value in _score_metrics(score).items()}
    for comparison in evaluation.comparisons:
        scores[f"found_minus_{comparison.baseline}/test_{evaluation.objective}"] = comparison.difference
    return scores


def _score_metrics(score: ModelScore) -> dict[str, float]:
    bounds = {
        f"test_{name}_{bound}": value
        for name, metric in score.metrics.items()
        if metric.interval
        for bound, value in (("low", metric.interval.low), ("high", metric.interval.high))
    }
    return {
        **{f"test_{name}": metric.value for name, metric in score.metrics.items()},
        **bounds,
        **{name: size for name, size in (("params", score.params), ("macs", score.macs)) if size is not None},
        **{f"latency_ms_batch_{timed.batch_size}": timed.median_ms for timed in score.latency},
    }
