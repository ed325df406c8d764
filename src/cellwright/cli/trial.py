"""The entry point of a trial's process."""

import os
import signal
import sys
import threading
from pathlib import Path
from typing import Annotated

import typer


def add_to(app: typer.Typer) -> None:
    """Add the command, which runners call and people seldom do."""
    app.command("trial", hidden=True)(trial)


def trial(
    folder: Annotated[Path, typer.Argument(help="Where trial.json is, and evaluation.json will be.")],
    tethered: Annotated[bool, typer.Option(help="End as soon as standard input does.")] = False,
) -> None:
    """Evaluate the one architecture that a search asks for."""
    if tethered:
        threading.Thread(target=_die_with_input, daemon=True).start()
    from cellwright.report import LineProgress, explain
    from cellwright.steps.trial import run_trial

    progress = LineProgress(sys.stdout)
    try:
        run_trial(folder, progress)
    except Exception as error:
        mistake = explain(error)
        if mistake is None:
            raise
        progress.fail(mistake)
        raise typer.Exit(1) from error


def _die_with_input() -> None:
    while os.read(sys.stdin.fileno(), 4096):
        pass
    os.kill(os.getpid(), signal.SIGKILL)
