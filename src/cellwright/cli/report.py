"""The command that writes a run's report."""

from pathlib import Path
from typing import Annotated

import typer

from cellwright.cli import options


def add_to(app: typer.Typer) -> None:
    """Add the command to the application."""
    options.add(app, "report", report, "cellwright report runs/shoes")


def report(
    run: Annotated[
        str,
        typer.Argument(metavar="RUN", show_default=False, help="The folder of a finished run, or its spec."),
    ],
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", metavar="FILE", show_default=False, help="By default RUN/report.html."
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print everything as JSON instead.")] = False,
    runs: options.Runs = options.RUNS,
) -> None:
    """Write the report of a run: one HTML file that needs nothing else.

    Shows what was found and how it compares, how the search went, learning curves, wrong predictions, samples of the
    data, and what is needed to repeat it. `cellwright run` writes it too.
    """
    from cellwright.cli.workspaces import named

    workspace = named(run, runs)
    if as_json:
        from cellwright.report.run_report import RunReport

        print(RunReport.of(workspace).model_dump_json(indent=2))
        return
    from cellwright.report.writing import write_report

    print(write_report(workspace, output))
