"""The command that compares a run, a store or a registered model with what was recorded of it."""

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import typer

from cellwright.cli import options


def add_to(app: typer.Typer) -> None:
    """Add the command to the application."""
    options.add(app, "verify", verify, "cellwright verify runs/digits")


def verify(
    thing: Annotated[
        str,
        typer.Argument(
            metavar="RUN_OR_STORE_OR_MODEL",
            show_default=False,
            help="The folder of a run, or its spec; a store, s3://BUCKET/PREFIX or a volume's path; or "
            "models:/NAME@ALIAS or models:/NAME/VERSION.",
        ),
    ],
    runs: options.Runs = options.RUNS,
    tracking_uri: Annotated[
        str | None,
        typer.Option(
            show_default=False,
            help="MLflow, where a model is registered; by default MLFLOW_TRACKING_URI, or that of --runs.",
        ),
    ] = None,
    endpoint: Annotated[
        str | None, typer.Option(show_default=False, help="Of an S3 server other than Amazon's.")
    ] = None,
    store_kind: Annotated[
        str | None, typer.Option(show_default=False, help="Import path of a store of your own.")
    ] = None,
) -> None:
    """Compare every file with the digest that was recorded when it was made.

    Of a run and a store, checks each finished step, the chain of inputs from the data to the registered version, and
    the trials; of a model, its files. Names each file that was changed, lost or added, and then exits with 1.
    """
    from cellwright.tracking.uri import REGISTRY, registry_uri

    path = Path(thing)
    if thing.startswith(REGISTRY):
        from cellwright.tracking import verify_model

        _report([(thing, *verify_model(registry_uri(runs, os.environ, tracking_uri), thing))])
        return
    from cellwright.steps.verifying import verify_store, verify_workspace

    if "://" in thing or (path / "steps").is_dir():
        from cellwright.stores import open_store

        location = thing if "://" in thing else str(path.resolve())
        _report(verify_store(open_store(location, endpoint, kind=store_kind)))
    elif path.suffix in (".yaml", ".yml"):
        from cellwright.spec import load_spec

        _report(verify_workspace(runs / load_spec(path).name))
    else:
        _report(verify_workspace(path))


def _report(found: Iterable[tuple[str, int, tuple[str, ...]]]) -> None:
    """Print what was verified: place, number of files, problems. Exit with 1 if there are any of these."""
    from cellwright.errors import CellwrightError
    from cellwright.report.terminal import visible

    count = 0
    for location, num_files, problems in found:
        if not problems:
            typer.echo(visible(f"ok       {location}: {num_files} files"))
        for problem in problems:
            count += 1
            typer.echo(visible(f"damaged  {problem}"))
    if count:
        raise CellwrightError(f"{count} of the things above must be what was recorded, and are not")
