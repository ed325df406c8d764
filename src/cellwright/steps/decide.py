"""What a scheduled run does: gathers what `cellwright.policy` decides by, and changes the spec accordingly.

Not a step with a folder: what it decides depends on the registry, the clock and the hours spent, which no key has.
"""

import json
import math
import tempfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal, TypeVar

import numpy as np
import torch

from cellwright.data.prepared import PreparedData
from cellwright.data.summary import split_targets, summarise
from cellwright.data.trained_on import example_hashes
from cellwright.drifting import (
    Features,
    compare_counts,
    compare_features,
    count_drop,
    resample_drop,
)
from cellwright.errors import CellwrightError
from cellwright.genotype import Genotype
from cellwright.policy import (
    DroppedScore,
    FeatureChange,
    PastVersion,
    PolicyDecision,
    PolicyFacts,
    data_reference,
    decide,
    reference,
)
from cellwright.progress import Progress, Silent
from cellwright.results import GENOTYPE, EvaluationResult
from cellwright.spec import SearchSpec, Start
from cellwright.spec.policy import Live, ScoreDrop, Served
from cellwright.steps.gate import load_champion
from cellwright.stores import S3Reader
from cellwright.tasks.base import read_task
from cellwright.tracking import (
    POLICY_TAG,
    REASONS_TAG,
    SUMMARY,
    TRAINED_ON,
    WAIT_SECONDS,
    Champion,
    Lifecycle,
    MlflowUnavailable,
    hours_of_month,
    mlflow_retry,
)
from cellwright.training.checkpoint import load_tensors
from cellwright.training.networks import use_device
from cellwright.training.precision import channels_last
from cellwright.training.retraining import predict

T = TypeVar("T")
MOST_SCORED = 2000
"""Validation examples that the champion is scored on."""


def decide_run(spec: SearchSpec, data: Path, progress: Progress) -> PolicyDecision:
    """Return what a run with this spec does now; changes nothing.

    Args:
        spec: with a policy, and with the registry in `tracking.uri`.
        data: the folder of `prepare`.
        progress: told what cannot be compared.

    Raises:
        CellwrightError: the registry or the live metric cannot be read.
    """
    uri, policy, prepared = spec.tracking.uri, spec.policy, PreparedData.open(data)
    assert uri is not None and policy is not None
    retry = mlflow_retry(seconds=WAIT_SECONDS, log=lambda message: progress.log(f"decide: {message}"))
    lifecycle = Lifecycle(uri=uri, name=spec.model_name, retry=retry)
    manifest, champion = prepared.manifest, lifecycle.champion()
    facts = PolicyFacts(
        data=manifest.content_hash,
        num_examples=sum(manifest.split_sizes.values()),
        champion=champion and champion.version,
        versions=lifecycle.past(spec.augment.objective) if champion else (),
    )
    if champion is None:
        return decide(policy, facts)
    known = data_reference(policy, champion.version, facts.versions)
    update: dict[str, Any] = {
        "live": _live(policy.live, lifecycle, champion) if policy.live else None,
        "served": _served(policy.served, lifecycle, champion, progress) if policy.served else None,
        "hours_spent": hours_of_month(uri, spec.tracking.experiment or spec.name),
    }
    if known is not None and known.data != facts.data:
        features, targets = _changes(prepared, lifecycle, known, progress)
        update |= {"features": features, "targets": targets}
    if facts.data != champion.data:
        try:
            dropped = _dropped(spec, policy.score, prepared, lifecycle, champion, facts)
            update |= {"dropped": dropped}
        except MlflowUnavailable:
            raise
        except CellwrightError as error:
            update |= {"unusable": str(error)}
    if spec.strategy.continues and "unusable" not in update:
        update |= {"seen": _seen(prepared, lifecycle, champion, progress)}
    return decide(policy, facts.model_copy(update=update))


def decided_spec(spec: SearchSpec, decision: PolicyDecision) -> SearchSpec:
    """Return the spec of the run that was decided on, with the sentence among its tags.

    A search tries the champion's architecture first; retraining tries nothing else. In the race of a search it has its
    weights, if these have seen no test example.
    """
    reasons = ", ".join(reason.name for reason in decision.reasons)
    tags = {POLICY_TAG: decision.sentence, **({REASONS_TAG: reasons} if reasons else {})}
    tracking = spec.tracking.model_copy(update={"tags": {**spec.tracking.tags, **tags}})
    update: dict[str, Any] = {"tracking": tracking, "policy": None}
    champion = decision.facts.champion
    address = f"models:/{spec.model_name}/{champion}"
    races = spec.strategy.continues
    if decision.action == "retrain":
        has_weights = spec.policy is not None and spec.policy.weights == "champion"
        update["start"] = Start(model=address, only=True, weights=races and has_weights)
        if has_weights and not races:
            update["retrain"] = spec.retrain.model_copy(update={"start": address})
    elif champion is not None and spec.is_sampled and spec.start.model is None:
        has_weights = races and decision.facts.seen == 0
        update["start"] = spec.start.model_copy(update={"model": address, "weights": has_weights})
    return spec.model_copy(update=update)


def _changes(
    prepared: PreparedData, lifecycle: Lifecycle, known: PastVersion, progress: Progress
) -> tuple[tuple[FeatureChange, ...] | None, FeatureChange | None]:
    """Return how features and targets differ from those of a version's data; None where it has no summary of them."""
    without = "decide: drift is not measured"
    summary = _registered(SUMMARY, load_tensors, lifecycle, known.version, progress, without)
    if summary is None:
        return None, None
    tensors, has_rows = summary
    if not has_rows:
        progress.log(
            "decide: features are compared one by one; with register.data_summary: rows, also together"
        )
    current = summarise(prepared.train, prepared.manifest.inputs, rows=bool(has_rows))
    both = [split_targets(tensors), split_targets(current)]
    (before, targets_before), (now, targets) = (tuple(map(_as_arrays, pair)) for pair in both)
    shifts = compare_features(targets_before, targets)
    return compare_features(before, now, rows=bool(has_rows)), min(
        shifts, key=lambda one: one.p_value, default=None
    )


def _as_arrays(tensors: dict[str, torch.Tensor]) -> Features:
    return {name: tensor.numpy() for name, tensor in tensors.items()}


def _dropped(
    spec: SearchSpec,
    rule: ScoreDrop | None,
    prepared: PreparedData,
    lifecycle: Lifecycle,
    champion: Champion,
    facts: PolicyFacts,
) -> DroppedScore | None:
    """Return the champion's score on new validation examples; the test examples stay unseen until the gate.

    Raises:
        CellwrightError: the champion takes other inputs, or has other classes.
    """
    best, task = reference(facts.versions), read_task(prepared.manifest.task)
    device = use_device(spec)
    with tempfile.TemporaryDirectory(prefix="cellwright-") as folder:
        copy = Path(folder)
        lifecycle.download(champion.version, [GENOTYPE], copy)
        genotype = Genotype.from_dict(json.loads((copy / GENOTYPE).read_bytes()))
        info = task.model_info(prepared.manifest.inputs, genotype)
        network = channels_last(load_champion(lifecycle, champion.version, info, copy).to(device))
    if rule is None or best is None:
        return None
    validation = prepared.validation.sample(MOST_SCORED, seed=0)
    with torch.inference_mode():
        outputs = predict(network, validation.to(device)).cpu()
    targets, least = validation.targets, best - rule.drop
    correct = task.correct(outputs, targets)
    if correct is not None:
        return count_drop(correct.numpy(), least)
    return resample_drop(task.scorer(outputs, targets), len(targets), least, rule.level)


def _seen(prepared: PreparedData, lifecycle: Lifecycle, champion: Champion, progress: Progress) -> int | None:
    """Return how many test examples the champion was trained on; None where its version has no list."""
    why = "decide: in a race the champion starts without its weights"
    trained_on = _registered(TRAINED_ON, load_tensors, lifecycle, champion.version, progress, why)
    if trained_on is None:
        return None
    tensors, _ = trained_on
    new = example_hashes(prepared.test)
    if seen := int(torch.isin(new, tensors["examples"]).sum()):
        progress.log(
            f"{why}, which have seen {seen} of {len(new)} test examples: data.test_path or a split by time keeps these "
            "apart"
        )
    return seen


def _live(live: Live, lifecycle: Lifecycle, champion: Champion) -> float:
    """Return the live metric.

    Raises:
        CellwrightError: there is none of that name, or what holds it cannot be read.
    """
    if live.read_from == "mlflow":
        value = lifecycle.metric(champion.version, live.metric)
        location = f"the run of version {champion.version}"
    else:
        found, location = _read_metrics(live.read_from), str(live.read_from)
        value = found.get(live.metric)
    if not isinstance(value, int | float) or not math.isfinite(value):
        raise CellwrightError(
            f"policy.live: {location} must have the metric {live.metric} as a finite number, got {value!r}"
        )
    return float(value)


def _served(
    served: Served, lifecycle: Lifecycle, champion: Champion, progress: Progress
) -> FeatureChange | None:
    """Return how the classes that the champion predicts in use differ from those on its test split.

    None where it has none, or where nothing of it is recorded.

    Raises:
        CellwrightError: what is recorded cannot be read.
    """
    without = "decide: predictions in use are not compared"
    evaluation = _registered(
        EvaluationResult.FILE, EvaluationResult.load, lifecycle, champion.version, progress, without
    )
    if evaluation is None:
        return None
    confusion = evaluation.confusion
    counts = _recorded(served.read_from, f"{lifecycle.name}/{champion.version}")
    if confusion is None or not counts:
        what = "it predicts no classes" if confusion is None else f"{served.read_from} has none of it"
        progress.log(f"decide: predictions of version {champion.version} in use are not compared: {what}")
        return None
    now = [counts[name] for name in confusion.names]
    return compare_counts("predictions", np.array([np.sum(confusion.counts, axis=0), now]))


def _registered(
    file: str,
    read: Callable[[Path], T],
    lifecycle: Lifecycle,
    version: int,
    progress: Progress,
    without: str,
) -> T | None:
    """Return what is read from a file of a version; None where that has none, and then logs what goes without it."""
    with tempfile.TemporaryDirectory(prefix="cellwright-") as folder:
        try:
            lifecycle.download(version, [file], Path(folder))
            return read(Path(folder) / file)
        except MlflowUnavailable:
            raise
        except CellwrightError as error:
            progress.log(f"{without}: {error}")
            return None


def _recorded(source: str | Path, version: str) -> Counter[str]:
    """Return how often a version predicted each class, as a server recorded it."""
    counts: Counter[str] = Counter()
    for number, line in enumerate(_content(source, "served").splitlines(), start=1):
        try:
            window = json.loads(line)
            if window["version"] == version:
                counts.update({str(name): int(count) for name, count in window.get("labels", {}).items()})
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise CellwrightError(
                f"policy.served: {source}, line {number} must be what `cellwright serve --record` writes: {error}"
            ) from error
    return counts


def _read_metrics(source: str | Path) -> dict[str, Any]:
    try:
        found = json.loads(_content(source, "live"))
    except ValueError as error:
        raise CellwrightError(f"policy.live: {source} must be a JSON object: {error}") from error
    if not isinstance(found, dict):
        raise CellwrightError(f"policy.live: {source} must be a JSON object, got {found!r:.80}")
    return found


def _content(source: str | Path, key: Literal["live", "served"]) -> bytes:
    """Return the content of a local file or an object in S3 that a section of the policy names."""
    with tempfile.TemporaryDirectory(prefix="cellwright-") as folder:
        path = Path(source)
        if isinstance(source, str):
            path, reader = Path(folder) / "content", S3Reader()
            reader.download({path: reader.find(source)}, Path(folder) / "parts", Silent())
        try:
            return path.read_bytes()
        except OSError as error:
            raise CellwrightError(f"policy.{key}: {source} cannot be read: {error.strerror}") from error
