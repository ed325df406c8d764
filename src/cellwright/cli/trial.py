"""The entry point of a trial's process."""

import signal
import sys
import tempfile
from pathlib import Path
from typing import Annotated

import typer

from cellwright.exit_with_parent import exit_with_peer


def add_to(app: typer.Typer) -> None:
    """Add the command, which runners call and people seldom do."""
    app.command("trial", hidden=True)(trial)


def trial(
    folder: Annotated[
        Path | None, typer.Argument(help="Where trial.json is, and result.json will be, on this machine.")
    ] = None,
    tethered: Annotated[bool, typer.Option(help="End as soon as standard input does.")] = False,
    store: Annotated[
        str | None, typer.Option(help="Where they are elsewhere: s3://BUCKET/PREFIX, or a volume's path.")
    ] = None,
    store_kind: Annotated[str | None, typer.Option(help="Import path of a store of your own.")] = None,
    search: Annotated[str, typer.Option(help="Name of the search that the trial belongs to.")] = "",
    trial: Annotated[str, typer.Option(help="Which it is: NUMBER-REPEAT.")] = "0-0",
    genotype: Annotated[str | None, typer.Option(help="What Katib's suggestion service proposes.")] = None,
    fidelity: Annotated[str, typer.Option(help="How thoroughly that is evaluated.")] = "full",
    report_to: Annotated[str | None, typer.Option(help="Address of Katib's DB manager.")] = None,
    katib_trial: Annotated[str, typer.Option(help="What Katib calls the trial.")] = "",
) -> None:
    """Evaluate the one architecture that a search asks for, or do one whole one-shot search."""
    if tethered:
        exit_with_peer(sys.stdin.fileno())
    signal.signal(signal.SIGTERM, _end_in_order)
    from cellwright.report.lines import LineProgress
    from cellwright.report.user_errors import exit_on_user_error

    progress = LineProgress(sys.stdout)
    with exit_on_user_error(progress):
        if folder is not None:
            from cellwright.search.trial import run_trial

            run_trial(folder, progress)
        if store is None:
            return
        from cellwright.search.remote_trial import RemoteTrial
        from cellwright.stores import open_store

        parameters = {} if genotype is None else {"genotype": genotype, "fidelity": fidelity}
        with tempfile.TemporaryDirectory() as scratch:
            place = open_store(store, kind=store_kind, log=progress.log)
            remote = RemoteTrial(place, search, trial, Path(scratch), parameters=parameters)
            evaluation = remote.run(progress)
            if report_to is not None:
                remote.report(evaluation, report_to, katib_trial)


def _end_in_order(number: int, _: object) -> None:
    """Let what is open be closed: an evicted pod stores its last checkpoint."""
    raise SystemExit(128 + number)
