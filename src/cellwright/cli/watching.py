"""The command that follows a run, from another terminal."""

import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cellwright.cli import options
from cellwright.cli.connecting import with_kubeflow

if TYPE_CHECKING:
    from cellwright_pipelines.kubeflow import Kubeflow

_RUN_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
SECONDS = 0.5
"""Between two looks for new lines."""


def add_to(app: typer.Typer) -> None:
    """Add the command to the application."""
    options.add(app, "watch", watch, "cellwright watch runs/shoes")


@with_kubeflow
def watch(
    run: Annotated[
        str,
        typer.Argument(
            metavar="RUN",
            show_default=False,
            help="The folder of a run on this machine, or its spec; or the id of a run on Kubeflow.",
        ),
    ],
    runs: options.Runs = options.RUNS,
    *,
    connect: Callable[[], "Kubeflow"],
) -> None:
    """Follow a run from another terminal, until it ends.

    Shows what `cellwright run` shows: the steps, a table of the trials and the best so far, how far each task is, and
    the time left. Ctrl-C stops watching, not the run.
    """
    from cellwright.cli.display import progress_display
    from cellwright.cli.following import follow_run
    from cellwright.errors import CellwrightError
    from cellwright.report.latest import workspace_of
    from cellwright.report.lines import INDENT, RUN_LOG, read_line, show

    if _RUN_ID.fullmatch(run) and not Path(run).exists():
        follow_run(connect(), run)
        return
    workspace = workspace_of(run, runs)
    log = workspace / RUN_LOG
    if not log.is_file():
        raise CellwrightError(f"{workspace} must be the folder of a run: it holds no {RUN_LOG}")
    with progress_display(has_clock=False) as progress:
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
