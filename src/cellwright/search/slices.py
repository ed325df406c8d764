"""One slice of a race: a network is trained a little further, and its averaged weights are scored."""

import shutil
from dataclasses import replace
from pathlib import Path

from cellwright.data.prepared import PreparedData
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
"""Validation examples by whose losses networks are compared; all, where there are fewer."""
DIGITS = 5
"""Of losses, after the point: they are kept as text."""


class Slice(Result):
    """How far a network is trained."""

    course: Course
    """At a constant rate."""
    steps: int
    """That are taken in all, with those of earlier slices."""


def train_slice(
    spec: SearchSpec,
    request: Slice,
    evaluation: Evaluation,
    data: PreparedData,
    folder: Path,
    progress: Progress,
) -> Evaluation:
    """Train from the checkpoint that the folder has, of an earlier slice or of this one, and leave another.

    Args:
        spec: whose recipe and seed are used, those of the final training.
        request: how far.
        evaluation: what the search knows of the network.
        data: whose validation split scores the averaged weights.
        folder: where the checkpoints are.
        progress: told of each epoch.
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
        selection = data.validation.sample(NUM_SELECTION, seed=0).to(device)
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
