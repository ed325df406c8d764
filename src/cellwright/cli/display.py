"""Choosing the display for where the output goes, and printing what a run found."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypedDict, TypeVar

from rich.console import RenderableType

from cellwright.progress import Progress
from cellwright.report.latest import LatestRun
from cellwright.report.live import LiveProgress, NotebookProgress, PlainProgress
from cellwright.report.summary import summarise
from cellwright.report.terminal import PlainConsole, visible
from cellwright.results import EvaluationResult, RegistrationResult, Result, SearchResult

R = TypeVar("R", bound=Result)

_PIPE_WIDTH = 120


@contextmanager
def progress_display(*, has_clock: bool = True) -> Iterator[Progress]:
    """Give a live display on a terminal or in a notebook, short lines elsewhere.

    It keeps to that when standard output is redirected.

    Args:
        has_clock: whether lines begin with the time since the start.
    """
    console = PlainConsole(file=sys.stdout)
    if console.is_jupyter:
        with NotebookProgress() as notebook:
            yield notebook
    elif console.is_terminal:
        with LiveProgress(console) as live:
            yield live
    else:
        yield PlainProgress(sys.stdout, has_clock=has_clock)


class RunResults(TypedDict):
    """The results of a run's steps, None for those that have not run."""

    search: SearchResult | None
    evaluation: EvaluationResult | None
    registration: RegistrationResult | None


def results_of(latest: LatestRun, workspace: Path) -> RunResults:
    """Read the results of the latest run in the workspace; raises CellwrightError naming a damaged file."""
    folders = {step: workspace / name for step, name in latest.steps.items()}
    return RunResults(
        search=_result(SearchResult, folders, "search"),
        evaluation=_result(EvaluationResult, folders, "evaluate"),
        registration=_result(RegistrationResult, folders, "register"),
    )


def print_run(latest: LatestRun, workspace: Path) -> None:
    """Print what the latest run in the workspace found, and how to look further."""
    results = results_of(latest, workspace)
    registration = results["registration"]
    print_rich(summarise(seed=latest.seed, **results))
    if registration:
        from cellwright.tracking import follow_move, present_uri, ui_command

        uri = present_uri(registration.tracking_uri, workspace)
        follow_move(uri)
        print(visible(f"MLflow's page: {ui_command(uri)}"))


def print_rich(renderable: RenderableType) -> None:
    """Print to standard output, in colour on a terminal and wide enough for a table elsewhere."""
    console = PlainConsole(file=sys.stdout)
    if not console.is_terminal:
        console.width = _PIPE_WIDTH
    console.print(renderable, crop=False)


def _result(kind: type[R], folders: dict[str, Path], step: str) -> R | None:
    return kind.load(folders[step] / kind.FILE) if step in folders else None
