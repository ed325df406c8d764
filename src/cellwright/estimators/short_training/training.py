"""Trains an architecture for a few epochs, possibly on less data, at a lower resolution or with fewer channels."""

import itertools
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from cellwright.data.split import Split
from cellwright.errors import CellwrightError, DivergedError
from cellwright.estimators.base import Setting
from cellwright.estimators.short_training.section import ShortTrainingSection
from cellwright.evaluation import Evaluation, Fidelity
from cellwright.genotype import Genotype
from cellwright.nn.initialising import seeded_initialisation
from cellwright.progress import Progress
from cellwright.seeds import derive_seed
from cellwright.spaces.networks import build_network
from cellwright.tasks.base import Resize, Task
from cellwright.training.retraining import Retraining, predict

CHECKPOINT = "checkpoint.safetensors"
SMALLEST_SIDE = 8


@dataclass(frozen=True, kw_only=True, slots=True)
class Training:
    """The result of a short training."""

    score: float | None
    """The task's validation objective after the last epoch; None if the training diverged."""
    curve: tuple[float, ...]
    """The validation objective after each epoch."""
    losses: tuple[float, ...]
    """The mean loss of the training batches in each epoch."""
    seconds: float
    pruned: str | None
    """Why the training was stopped early; None if it was not."""


def train_shortly(
    genotype: Genotype,
    fidelity: Fidelity,
    earlier: Sequence[Evaluation],
    settings: ShortTrainingSection,
    setting: Setting,
    *,
    seed: int,
    folder: Path,
    progress: Progress,
) -> Training:
    """Train the genotype's network on the training split, resuming from the folder's checkpoint if it exists.

    Args:
        genotype: a genotype of the setting's space.
        fidelity: fractions of the settings' epochs, data, resolution and channels.
        earlier: evaluations whose curves give the median.
        settings: length and size of the training.
        setting: task, data and settings.
        seed: seed of all randomness.
        folder: folder of the checkpoint.
        progress: receives one report per epoch.
    """
    train, validation, task = _at_fidelity(setting, settings, fidelity, seed)
    section = setting.space.narrowed(settings.channels * fidelity.channels)
    with seeded_initialisation(derive_seed(seed, "initial weights")):
        network = build_network(section, task, genotype).to(setting.device)
    epochs = max(1, round(settings.epochs * fidelity.epochs))
    training = Retraining(
        network,
        train,
        setting.retrain.model_copy(update={"epochs": epochs, "ema_decay": None, "drop_path": 0.0}),
        setting.augment,
        task=task,
        seed=derive_seed(seed, "train"),
        checkpoint=folder / CHECKPOINT,
    )
    training.report_within(progress, "train")
    name = f"validation_{task.objective}"
    medians = _medians(earlier, fidelity, settings.median_stopping)
    curve: list[float] = []
    losses: list[float] = []
    score: float | None
    pruned = None

    def watch(network: nn.Module) -> dict[str, float]:
        return {name: task.score(predict(network.eval(), validation), validation.targets)}

    try:
        for record in itertools.chain(tuple(training.history), training.epochs(watch)):
            curve.append(record.metrics[name])
            losses.append(record.metrics["train_loss"])
            progress.advance("train", record.epoch, epochs, record.metrics)
            if record.epoch in medians and curve[-1] < medians[record.epoch] and record.epoch < epochs:
                pruned = (
                    f"{task.objective} {curve[-1]:.4f} after epoch {record.epoch} of {epochs} is below the median "
                    f"of earlier architectures, {medians[record.epoch]:.4f}"
                )
                break
        score = curve[-1]
    except DivergedError as error:
        score, pruned = None, str(error)
    return Training(
        score=score, curve=tuple(curve), losses=tuple(losses), seconds=training.seconds, pruned=pruned
    )


def _medians(earlier: Sequence[Evaluation], fidelity: Fidelity, least: int | None) -> dict[int, float]:
    """Return the median score so far at the same fidelity, for each epoch, counted from 1."""
    curves = [evaluation.curve for evaluation in earlier if evaluation.fidelity == fidelity]
    if least is None:
        return {}
    columns = itertools.zip_longest(*curves)
    known = [[value for value in column if value is not None] for column in columns]
    return {
        epoch: statistics.median(values)
        for epoch, values in enumerate(known, start=1)
        if len(values) >= least
    }


def _at_fidelity(
    setting: Setting, settings: ShortTrainingSection, fidelity: Fidelity, seed: int
) -> tuple[Split, Split, Task]:
    """Return the reduced train and validation splits, and the task at their resolution."""
    train, validation = setting.train, setting.validation
    count = max(2, round(settings.data * fidelity.data * len(train)))
    if count < len(train):
        train = train.sample(count, seed=derive_seed(seed, "examples"))
    share = settings.resolution * fidelity.resolution
    if share == 1:
        return train, validation, setting.task

    def shrunk(side: int) -> int:
        return min(side, max(SMALLEST_SIDE, round(share * side)))

    smaller = setting.task.smaller(shrunk)
    if smaller is None:
        raise CellwrightError(f"resolution must be 1: the task {setting.task.kind} has none, got {share:g}")
    task, resize = smaller
    return _resized(train, resize), _resized(validation, resize), task


def _resized(split: Split, resize: Resize) -> Split:
    parts = [resize(inputs) for inputs, _ in split.ordered_batches(1024)]
    return Split(tuple(map(torch.cat, zip(*parts, strict=True))), split.targets)
