"""Commands that work: the whole pipeline, or one step and what it needs."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from cellwright.cli import options, processes
from cellwright.cli.loading import load
from cellwright.cli.starting import spec_of
from cellwright.cli.workspaces import opened
from cellwright.step_list import STEPS, Step

if TYPE_CHECKING:
    from cellwright.spec import SearchSpec

_REUSE = "What it needs is done first, or reused where it is finished. The last line names the step's folder."


def add_to(app: typer.Typer) -> None:
    """Add the commands to the application."""
    options.add(app, "run", run, "cellwright run examples/digits.yaml --set seed=1 --set retrain.epochs=20")
    for step in STEPS.values():
        options.add(app, step.name, _command(step), f"cellwright {step.name} examples/digits.yaml")


def run(
    spec: options.Spec,
    overrides: options.Overrides = None,
    runs: options.Runs = options.RUNS,
    fresh: options.Fresh = False,
) -> None:
    """Do everything, from the data to a registered model.

    Runs the Kubeflow pipeline on this machine, each step as a process, and ends with a table of what was
    found and how it compares. Finished steps are reused, and a search or training that was stopped
    resumes at its last epoch. All output is also in run.log in the spec's folder. SPEC may also be data, for which
    a spec is written first, as `init` does. A spec with a policy may find that there is nothing to do.
    """
    from cellwright.cli.display import progress_display
    from cellwright.errors import CellwrightError

    if processes.count() > 1:
        raise CellwrightError(
            f"run must be started once, since it starts its steps itself, got {processes.count()} processes; "
            "torchrun can start a single step, such as search"
        )
    location, spec = spec, spec_of(spec)
    if spec != location:
        print(f"{location}: running {spec}", flush=True)
    loaded = load(spec, overrides)
    with opened(loaded, runs, fresh=fresh, registers=True) as workspace:
        with progress_display() as progress:
            from cellwright_pipelines import run_locally

            folders = run_locally(loaded, workspace, progress)
        if "register" not in folders:  # the policy found nothing to do
            return
        report = _report_of(loaded, workspace, folders)
        _conclude(loaded, workspace, folders)
        if report is None:
            from cellwright.report.writing import write_report

            report = write_report(workspace)
        print(f"Report: {report}")


def _command(step: Step) -> Callable[..., None]:
    def command(
        spec: options.Spec,
        overrides: options.Overrides = None,
        runs: options.Runs = options.RUNS,
        fresh: options.Fresh = False,
    ) -> None:
        from cellwright.cli.display import progress_display
        from cellwright.report.user_errors import explain_full_disk

        loaded = load(spec, overrides)
        with opened(loaded, runs, fresh=fresh, registers=step.name == "register") as workspace:
            with progress_display() as progress, explain_full_disk(workspace):
                from cellwright.steps.running import run_until

                folders = run_until(step.name, loaded.completed(os.environ), workspace, progress)
            _conclude(loaded, workspace, folders)
        typer.echo(f"{step.name}: {folders[step.name]}")

    command.__doc__ = f"{options.prose(step.help)}\n\n{_REUSE}"
    return command


def _report_of(spec: "SearchSpec", workspace: Path, folders: dict[str, Path]) -> Path | None:
    """Return the report that is there, if it is of the same folders; to write it again imports torch."""
    from cellwright.report.latest import LATEST, REPORT, LatestRun

    report, latest = workspace / REPORT, workspace / LATEST
    if not (report.exists() and latest.exists()):
        return None
    is_newer = report.stat().st_mtime_ns >= latest.stat().st_mtime_ns
    return report if is_newer and LatestRun.read(workspace) == LatestRun.of(spec, folders) else None


def _conclude(spec: "SearchSpec", workspace: Path, folders: dict[str, Path]) -> None:
    """Remember which folders belong to this run, and print what it found."""
    from cellwright.cli.display import print_run
    from cellwright.report.latest import LatestRun
    from cellwright.report.user_errors import explain_full_disk

    if not processes.is_first():
        return
    latest = LatestRun.of(spec, folders)
    with explain_full_disk(workspace):
        latest.write(workspace)
    print_run(latest, workspace)
