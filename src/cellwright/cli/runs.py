"""Commands that work: the whole pipeline, or one step and what it needs."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from cellwright.cli import options, processes
from cellwright.cli.loading import load
from cellwright.cli.workspaces import opened

if TYPE_CHECKING:
    from cellwright.spec import SearchSpec

_STEPS = {
    "prepare": """Read the data, check it, split it and normalise it.

    Leaves a folder with a manifest and three disjoint splits: train, validation and test.""",
    "search": """Search for an architecture.

    Uses the training and the validation split, saves a checkpoint each epoch, and leaves the genotype that it
    found with the curves of the search.""",
    "retrain": """Train the found architecture from scratch.

    Uses the training and validation splits together. Leaves the weights as safetensors, and the model as ONNX
    and pt2, which are checked to give the same logits.""",
    "baselines": """Train what the found architecture is compared with.

    Random architectures of the same space and a hand-designed network, trained in the same way and as
    long.""",
    "evaluate": """Measure the found network and its baselines on the test split.

    Gives accuracy with its 95 % interval, scores of each class, calibration, parameters,
    multiply-accumulates and latency, and how far the networks are apart.""",
    "register": """Register the model in MLflow.

    Logs the run with its parameters, curves and files, and registers a version of the model: the first
    becomes the champion, later ones challengers.""",
}
_REUSE = "What it needs is done first, or reused where it is finished. The last line names the step's folder."


def add_to(app: typer.Typer) -> None:
    """Add the commands to the application."""
    options.add(app, "run", run, "cellwright run examples/digits.yaml --set seed=1 --set retrain.epochs=20")
    for step in _STEPS:
        options.add(app, step, _command(step), f"cellwright {step} examples/digits.yaml")


def run(
    spec: options.Spec,
    overrides: options.Overrides = None,
    runs: options.Runs = options.RUNS,
    fresh: options.Fresh = False,
) -> None:
    """Do everything, from the data to a registered model.

    Runs the Kubeflow pipeline on this machine, each step as a process, and ends with a table of what was
    found and how it compares. Finished steps are reused, and a search or training that was stopped goes on
    at its last epoch. Everything that was printed on the way is in run.log in the spec's folder.
    """
    from cellwright.cli.display import progress_display
    from cellwright.errors import CellwrightError

    if processes.count() > 1:
        raise CellwrightError(
            f"run must be started once, since it starts its steps itself, got {processes.count()} processes; "
            "torchrun can start a single step, such as search"
        )
    loaded = load(spec, overrides)
    with opened(loaded, runs, fresh=fresh, registers=True) as workspace:
        with progress_display() as progress:
            from cellwright_pipelines import run_locally

            folders = run_locally(loaded, workspace, progress)
        _conclude(loaded, workspace, folders)


def _command(step: str) -> Callable[..., None]:
    def command(
        spec: options.Spec,
        overrides: options.Overrides = None,
        runs: options.Runs = options.RUNS,
        fresh: options.Fresh = False,
    ) -> None:
        from cellwright.cli.display import progress_display
        from cellwright.report import naming

        loaded = load(spec, overrides)
        with opened(loaded, runs, fresh=fresh, registers=step == "register") as workspace:
            with progress_display() as progress, naming(workspace):
                from cellwright.steps import run_until

                folders = run_until(step, loaded.completed(os.environ), workspace, progress)
            _conclude(loaded, workspace, folders)
        typer.echo(f"{step}: {folders[step]}")

    command.__doc__ = f"{options.prose(_STEPS[step])}\n\n{_REUSE}"
    return command


def _conclude(spec: "SearchSpec", workspace: Path, folders: dict[str, Path]) -> None:
    """Remember which folders belong to this run, and print what it found."""
    from cellwright.cli.display import print_run
    from cellwright.report import LatestRun, naming

    if not processes.is_first():
        return
    latest = LatestRun.of(spec, folders)
    with naming(workspace):
        latest.write(workspace)
    print_run(latest, workspace)
