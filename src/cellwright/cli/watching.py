"""The command that follows a run, from another terminal."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from cellwright.cli import options

SECONDS = 0.5
"""Between two looks for new lines."""


def add_to(app: typer.Typer) -> None:
    """Add the command to the application."""
    options.add(app, "watch", watch, "cellwright watch runs/shoes")


def watch(
    run: Annotated[
        str,
        typer.Argument(
            metavar="RUN", show_default=False, help="The folder of a run on this machine, or its spec."
        ),
    ],
    runs: options.Runs = options.RUNS,
) -> None:
    """Follow a run on this machine from another terminal, until it ends.

    Shows what `cellwright run` shows: each task, how far it is, its metrics and the time left. Ctrl-C stops watching,
    not the run. A run on Kubeflow is followed by `cellwright status --follow`.
    """
    from cellwright.cli.display import progress_display
    from cellwright.errors import CellwrightError
    from cellwright.report.latest import workspace_of
    from cellwright.report.lines import INDENT, RUN_LOG, read_line, show

    workspace = workspace_of(run, runs)
    log = workspace / RUN_LOG
    if not log.is_file():
        raise CellwrightError(f"{workspace} must be the folder of a run: it holds no {RUN_LOG}")
    with progress_display() as progress:
        for line in _lines(log, workspace):
            if event := read_line(line.removeprefix(INDENT)):
                show(event, progress)


def _lines(log: Path, workspace: Path) -> Iterator[str]:
    """Yield the lines of a log as they are written, until its run has ended."""
    from cellwright.folders import is_running

    with log.open(encoding="utf-8", errors="replace") as file:
        unfinished = ""
        while True:
            goes_on = is_running(workspace)
            *lines, unfinished = (unfinished + file.read()).split("\n")
            yield from lines
            if not goes_on:
                yield unfinished
                return
            time.sleep(SECONDS)
