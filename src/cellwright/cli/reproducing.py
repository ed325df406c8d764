"""The command that runs again what a registered version is from."""

import os
from typing import Annotated

import typer

from cellwright.cli import options


def add_to(app: typer.Typer) -> None:
    """Add the command to the application."""
    options.add(app, "reproduce", reproduce, "cellwright reproduce models:/shoes@champion")


def reproduce(
    model: Annotated[
        str,
        typer.Argument(
            metavar="MODEL", show_default=False, help="models:/NAME@ALIAS or models:/NAME/VERSION."
        ),
    ],
    overrides: options.Overrides = None,
    as_json: options.AsJson = False,
    runs: options.Runs = options.RUNS,
    tracking_uri: Annotated[
        str | None,
        typer.Option(
            show_default=False, help="MLflow; by default MLFLOW_TRACKING_URI, or the database of --runs."
        ),
    ] = None,
) -> None:
    """Run a registered version's spec again, and compare to the last digit.

    Needs the registry and the data alone: the spec is that of the registered run, and --set says where data is that has
    moved, as in --set data.path=photos. Prepares, searches, trains and evaluates in a folder of its own below --runs,
    and registers nothing. Compares architecture, weights and all metrics; if they differ, says what else was not as in
    the first run: data, versions, machine. Then the exit code is 1.
    """
    import tempfile
    from contextlib import nullcontext
    from pathlib import Path

    from cellwright.cli.display import progress_display
    from cellwright.cli.workspaces import opened
    from cellwright.errors import CellwrightError
    from cellwright.progress import Silent
    from cellwright.report.terminal import visible
    from cellwright.report.user_errors import explain_full_disk
    from cellwright.reproducing import Reproduction, compare, fetch
    from cellwright.tracking.uri import registry_uri

    with tempfile.TemporaryDirectory(prefix="cellwright-") as folder:
        spec, registered = fetch(
            registry_uri(runs, os.environ, tracking_uri), model, Path(folder), overrides or ()
        )
    location = runs / "reproduced" / registered.address.replace("/", "-")
    with opened(spec, location) as workspace:
        shown = nullcontext(Silent()) if as_json else progress_display()
        with shown as progress, explain_full_disk(workspace):
            from cellwright.steps.running import run_until

            folders = run_until("evaluate", spec, workspace, progress)
        found = compare(registered, folders)
        found.save(workspace / Reproduction.FILE)
    if as_json:
        options.print_json(found.model_dump(mode="json"))
    else:
        for each in (*found.differences, *found.causes):
            typer.echo(visible(f"{each.what}: {each.registered} in the registry, {each.reproduced} here"))
    if found.differences:
        raise CellwrightError(found.sentence)
    if not as_json:
        typer.echo(visible(found.sentence))
