"""`evaluate`: the test split, opened once, for the found network and its baselines alike."""

import platform
from pathlib import Path

import torch
from torch import Tensor

from cellwright.data import PreparedData, Split
from cellwright.nn.cost import measure_latency
from cellwright.progress import Progress
from cellwright.results import Comparison, EvaluationResult, Latency, ModelScore, TrainingResult
from cellwright.spec import Evaluate, SearchSpec
from cellwright.steps import Inputs
from cellwright.tasks.images.scoring import (
    calibration_error,
    class_scores,
    confusion_matrix,
    paired_difference,
    wilson_interval,
)
from cellwright.training.checkpoint import save_tensors
from cellwright.training.networks import load_network, use_device
from cellwright.training.precision import channels_last
from cellwright.training.retraining import predict

LOGITS = "logits.safetensors"


def evaluate(spec: SearchSpec, inputs: Inputs, folder: Path, progress: Progress) -> None:
    """Score every trained network; write `evaluation.json` and all logits on the test split."""
    data = PreparedData.open(inputs["prepare"])
    device = use_device(spec)
    test = data.test.to(device)
    trained = sorted(path.parent for path in inputs["baselines"].glob(f"*/{TrainingResult.FILE}"))
    scores, logits = [], {}
    for path in (inputs["retrain"], *trained):
        score, logits_NK = _score(path, test, spec.evaluate, device)
        progress.say(f"evaluate: {score.name}: {score.accuracy:.4f} on {len(test)} test examples")
        scores.append(score)
        logits[score.name] = logits_NK
    labels_N = test.labels.cpu()
    found, *others = scores
    confusion_KK = confusion_matrix(logits[found.name].argmax(dim=1), labels_N, data.manifest.num_classes)
    EvaluationResult(
        num_examples=len(test),
        device=_describe(device),
        found=found,
        baselines=tuple(others),
        comparisons=tuple(_compare(found, other, logits, labels_N) for other in others),
        classes=class_scores(confusion_KK, data.manifest.class_names),
        confusion=tuple(tuple(row) for row in confusion_KK.tolist()),
    ).save(folder / EvaluationResult.FILE)
    save_tensors(folder / LOGITS, logits)


def _score(folder: Path, test: Split, settings: Evaluate, device: torch.device) -> tuple[ModelScore, Tensor]:
    trained = TrainingResult.load(folder / TrainingResult.FILE)
    network = channels_last(load_network(folder).to(device))
    logits_NK, labels_N = predict(network, test).cpu(), test.labels.cpu()
    successes = int((logits_NK.argmax(dim=1) == labels_N).sum())
    image_shape = tuple(test.images.shape[1:])
    score = ModelScore(
        name=trained.name,
        genotype=trained.genotype,
        accuracy=successes / len(test),
        interval=wilson_interval(successes, len(test)),
        calibration_error=calibration_error(logits_NK.softmax(dim=1), labels_N),
        params=trained.params,
        macs=trained.macs,
        latency=tuple(
            _latency(network, image_shape, size, settings.latency_repeats)
            for size in settings.latency_batch_sizes
        ),
    )
    return score, logits_NK


def _latency(
    network: torch.nn.Module, image_shape: tuple[int, ...], batch_size: int, repeats: int
) -> Latency:
    channels, height, width = image_shape
    times = measure_latency(network, (channels, height, width), batch_size=batch_size, repeats=repeats)
    return Latency(
        batch_size=batch_size,
        median_ms=times[len(times) // 2],
        p95_ms=times[min(len(times) - 1, int(0.95 * len(times)))],
    )


def _compare(found: ModelScore, other: ModelScore, logits: dict[str, Tensor], labels_N: Tensor) -> Comparison:
    difference, interval = paired_difference(
        logits[found.name].argmax(dim=1) == labels_N, logits[other.name].argmax(dim=1) == labels_N
    )
    return Comparison(baseline=other.name, difference=difference, interval=interval)


def _describe(device: torch.device) -> str:
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    threads = torch.get_num_threads()
    return f"{platform.machine()} CPU, {threads} thread{'s' if threads > 1 else ''}"
