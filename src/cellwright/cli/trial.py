"""The entry points of the processes that run trials."""

import signal
import sys
import tempfile
from pathlib import Path
from typing import Annotated

import typer


def add_to(app: typer.Typer) -> None:
    """Add the commands, which runners call and people seldom do."""
    app.command("trial", hidden=True)(trial)
    app.command("trials", hidden=True)(trials)


def trial(
    folder: Annotated[
        Path | None, typer.Argument(help="Where trial.json is, and result.json will be, on this machine.")
    ] = None,
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
            location = open_store(store, kind=store_kind, log=progress.log)
            remote = RemoteTrial(location, search, trial, Path(scratch), parameters=parameters)
            evaluation = remote.run(progress)
            if report_to is not None:
                remote.report(evaluation, report_to, katib_trial)


def trials() -> None:
    """Run the trials whose folders standard input names (`cellwright.runners.forking`)."""
    import torch._dynamo  # noqa: F401 - optimizers import it at their first step

    from cellwright.report.lines import LineProgress
    from cellwright.report.user_errors import exit_on_user_error
    from cellwright.runners.forking import serve
    from cellwright.search.trial import run_trial

    def run(folder: Path) -> None:
        progress = LineProgress(sys.stdout)
        with exit_on_user_error(progress):
            run_trial(folder, progress)

    serve(run)


def _end_in_order(number: int, _: object) -> None:
    """Let what is open be closed: an evicted pod stores its last checkpoint."""
    raise SystemExit(128 + number)
