"""One slice of a race: trains a network further, and scores its averaged weights."""

import shutil
from dataclasses import replace
from pathlib import Path

import torch

from cellwright.data.prepared import PreparedData
from cellwright.data.split import Split
from cellwright.errors import DivergedError
from cellwright.evaluation import Evaluation
from cellwright.files import atomic_path
from cellwright.progress import Progress
from cellwright.results import Result
from cellwright.runners import SLICE, START
from cellwright.spec import SearchSpec
from cellwright.training.course import Course
from cellwright.training.networks import genotype_network, start_course
from cellwright.training.precision import best_device

NUM_SELECTION = 2000
"""Maximum number of validation examples whose losses are compared."""
DIGITS = 5
"""Number of decimal places of stored losses."""


class Slice(Result):
    """The target of a slice of training."""

    course: Course
    """The learning rate schedule, without the decay."""
    steps: int
    """Total number of steps, including earlier slices."""
    rows: tuple[int, ...] | None = None
    """The validation examples that it is scored on; None for a sample of all."""


def selected(validation: Split, rows: tuple[int, ...] | None) -> Split:
    """Return the validation examples that networks are scored on."""
    return validation.sample(NUM_SELECTION, seed=0) if rows is None else validation[torch.tensor(rows)]


def train_slice(
    spec: SearchSpec,
    request: Slice,
    evaluation: Evaluation,
    data: PreparedData,
    folder: Path,
    progress: Progress,
) -> Evaluation:
    """Train from the folder's checkpoint, which is from an earlier slice or this one, and write a new checkpoint.

    Args:
        spec: the spec, with the settings and the seed of the final training.
        request: the target of the slice.
        evaluation: the evaluation of the network so far.
        data: the prepared data; the validation split scores the averaged weights.
        folder: the folder of the checkpoints.
        progress: receives one report per epoch.
    """
    spec = spec.tuned(evaluation.candidate.values)
    device = best_device()
    config = genotype_network(spec, data.manifest, evaluation.candidate.genotype)
    checkpoint = folder / SLICE
    if (folder / START).exists() and not checkpoint.exists():
        with atomic_path(checkpoint) as temporary:
            shutil.copyfile(folder / START, temporary)
    training = start_course(spec, config, data.train.to(device), request.course, checkpoint)
    try:
        training.train_to(
            request.steps,
            lambda record: progress.advance("train", training.steps, request.steps, record.metrics),
        )
        selection = selected(data.validation, request.rows).to(device)
        outputs, targets = training.outputs(selection).float(), selection.targets
    except DivergedError as error:
        return replace(evaluation, state="pruned", seconds=training.seconds, reason=str(error))
    losses = training.task.losses(outputs, targets).double().cpu()
    return replace(
        evaluation,
        state="done",
        metrics={
            **evaluation.metrics,
            training.task.objective: training.task.score(outputs, targets),
            "loss": losses.mean().item(),
        },
        losses=tuple(round(loss, DIGITS) for loss in losses.tolist()),
        seconds=training.seconds,
    )
