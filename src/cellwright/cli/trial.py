"""The entry point of a trial's process."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from cellwright.tether import die_with_peer


def add_to(app: typer.Typer) -> None:
    """Add the command, which runners call and people seldom do."""
    app.command("trial", hidden=True)(trial)


def trial(
    folder: Annotated[Path, typer.Argument(help="Where trial.json is, and evaluation.json will be.")],
    tethered: Annotated[bool, typer.Option(help="End as soon as standard input does.")] = False,
) -> None:
    """Evaluate the one architecture that a search asks for."""
    if tethered:
        die_with_peer(sys.stdin.fileno())
    from cellwright.report import LineProgress, ending_in_words
    from cellwright.steps.trial import run_trial

    progress = LineProgress(sys.stdout)
    with ending_in_words(progress):
        run_trial(folder, progress)
