"""`evaluate`: the test split, opened once, for the found network and its baselines."""

import platform
from pathlib import Path

import torch
from torch import Tensor

from cellwright.data.prepared import PreparedData
from cellwright.data.split import Split
from cellwright.nn.cost import measure_latency
from cellwright.progress import Progress
from cellwright.results import (
    OUTPUTS,
    TARGETS,
    Comparison,
    EvaluationResult,
    LatencyResult,
    ModelScore,
    TrainingResult,
)
from cellwright.spec import Evaluate, SearchSpec
from cellwright.steps import Inputs
from cellwright.tasks.base import Task, read_task
from cellwright.tasks.classical import ClassicalModel, ClassicalResult
from cellwright.training.checkpoint import save_tensors
from cellwright.training.networks import load_network, use_device
from cellwright.training.precision import channels_last
from cellwright.training.retraining import predict


def evaluate(spec: SearchSpec, inputs: Inputs, folder: Path, progress: Progress) -> None:
    """Score every trained network; write `evaluation.json` and all outputs on the test split."""
    data = PreparedData.open(inputs["prepare"])
    task = read_task(data.manifest.task)
    device = use_device(spec)
    test = data.test.to(device)
    cut = sorted(path.parent for path in inputs["retrain"].glob(f"{TARGETS}/*/{TrainingResult.FILE}"))
    trained = sorted(path.parent for path in inputs["baselines"].glob(f"*/{TrainingResult.FILE}"))
    scores, outputs = [], {}
    for path in (inputs["retrain"], *cut, *trained):
        score, of_network = _score(path, task, test, spec.evaluate, device)
        progress.log(
            f"evaluate: {score.name}: {score.metrics[task.objective].value:.4f} on {len(test)} test examples"
        )
        scores.append(score)
        outputs[score.name] = of_network
    for path in sorted(path.parent for path in inputs["baselines"].glob(f"*/{ClassicalResult.FILE}")):
        classical = ClassicalModel.load(path, task)
        of_model = classical.predict(tuple(tensor.cpu() for tensor in test[:].inputs))
        metrics = task.scores(of_model, test.targets.cpu())
        progress.log(
            f"evaluate: {classical.name}: {metrics[task.objective].value:.4f} on {len(test)} test examples"
        )
        scores.append(ModelScore(name=classical.name, genotype=None, metrics=metrics))
        outputs[classical.name] = of_model
    targets = test.targets.cpu()
    found, *others = scores[:1] + scores[1 + len(cut) :]
    EvaluationResult(
        num_examples=len(test),
        objective=task.objective,
        device=_describe(device),
        found=found,
        targets=tuple(scores[1 : 1 + len(cut)]),
        baselines=tuple(others),
        comparisons=tuple(
            _compare(task, other.name, outputs[found.name], outputs[other.name], targets) for other in others
        ),
        tables=task.tables(outputs[found.name], targets) + task.compared(outputs, targets),
        confusion=task.confusion(outputs[found.name], targets),
    ).save(folder / EvaluationResult.FILE)
    save_tensors(folder / OUTPUTS, outputs)


def _score(
    folder: Path, task: Task, test: Split, settings: Evaluate, device: torch.device
) -> tuple[ModelScore, Tensor]:
    trained = TrainingResult.load(folder / TrainingResult.FILE)
    network = channels_last(load_network(folder).to(device))
    outputs = predict(network, test).cpu()
    score = ModelScore(
        name=trained.name,
        genotype=trained.genotype,
        metrics=task.scores(outputs, test.targets.cpu()),
        params=trained.params,
        macs=trained.macs,
        latency=tuple(
            _latency(network, task, size, settings.latency_repeats) for size in settings.latency_batch_sizes
        ),
    )
    return score, outputs


def _latency(network: torch.nn.Module, task: Task, batch_size: int, repeats: int) -> LatencyResult:
    times = measure_latency(network, task.example(batch_size), repeats=repeats)
    return LatencyResult(
        batch_size=batch_size,
        median_ms=times[len(times) // 2],
        p95_ms=times[min(len(times) - 1, int(0.95 * len(times)))],
    )


def _compare(task: Task, baseline: str, found: Tensor, other: Tensor, targets: Tensor) -> Comparison:
    difference, interval = task.difference(found, other, targets)
    return Comparison(baseline=baseline, difference=difference, interval=interval)


def _describe(device: torch.device) -> str:
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    threads = torch.get_num_threads()
    return f"{platform.machine()} CPU, {threads} thread{'s' if threads > 1 else ''}"
