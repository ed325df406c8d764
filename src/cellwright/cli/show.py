"""The commands that show an architecture, or what a run found."""

import json
from os.path import exists, isdir  # Path raises where a line is too long for a name
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cellwright.cli import options

if TYPE_CHECKING:
    from cellwright.genotype import Genotype


def add_to(app: typer.Typer) -> None:
    """Add the commands to the application."""
    options.add(app, "show", show, "cellwright show runs/digits")
    options.add(app, "leaderboard", leaderboard, "cellwright leaderboard runs/digits --json")


def show(
    thing: Annotated[
        str,
        typer.Argument(
            metavar="GENOTYPE_OR_RUN",
            show_default=False,
            help="A genotype's line or file, a search.json, the folder of a run or search, or a spec.",
        ),
    ],
    runs: options.Runs = options.RUNS,
    as_json: options.AsJson = False,
) -> None:
    """Draw an architecture, or show what a finished run found.

    Of a run, shows the found cells, the scores of all networks on the test split, and the registered version.
    """
    from cellwright.cli.workspaces import named
    from cellwright.results import SearchResult

    path = Path(thing)
    if path.suffix in (".yaml", ".yml") or (isdir(path) and not (path / SearchResult.FILE).exists()):
        _show_run(named(thing, runs), as_json)
    else:
        _show_genotype(_read_genotype(path, thing), as_json)


def leaderboard(
    run: Annotated[
        str,
        typer.Argument(metavar="RUN", show_default=False, help="The folder of a run, or its spec."),
    ],
    runs: options.Runs = options.RUNS,
    as_json: options.AsJson = False,
) -> None:
    """List the networks of a finished run by their test scores, the best first.

    Each with its scores, their 95 % intervals, size and latency. From Python: cellwright.Run(RUN).leaderboard().
    """
    from rich.table import Table

    from cellwright.cli.display import print_rich
    from cellwright.cli.workspaces import named
    from cellwright.errors import CellwrightError
    from cellwright.report.run_report import RunReport
    from cellwright.report.summary import count
    from cellwright.report.terminal import visible

    info = RunReport.of(named(run, runs))
    if as_json:
        options.print_json(info.rows())
        return
    if info.evaluation is None:
        raise CellwrightError(f"{run} must be a run with scores, and is not evaluated yet")
    table = Table(box=None, pad_edge=False)
    for name in ("network", info.evaluation.objective, "95 % interval", "params", "MACs", "ms"):
        table.add_column(name)
    for score in info.leaderboard:
        metric = score.metrics[info.evaluation.objective]
        interval = f"{metric.interval.low:.4f} to {metric.interval.high:.4f}" if metric.interval else ""
        latency = f"{score.latency[0].median_ms:.2f}" if score.latency else ""
        row = (score.name, f"{metric.value:.4f}", interval, count(score.params), count(score.macs), latency)
        table.add_row(*map(visible, row))
    print_rich(table)


def _show_run(workspace: Path, as_json: bool) -> None:
    from cellwright.cli.display import print_run, results_of
    from cellwright.report.latest import LatestRun
    from cellwright.results import Result

    latest = LatestRun.read(workspace)
    if as_json:
        results = results_of(latest, workspace).items()
        found = {
            name: result.model_dump(mode="json") for name, result in results if isinstance(result, Result)
        }
        options.print_json({"name": latest.name, "seed": latest.seed, **found})
    else:
        print_run(latest, workspace)


def _show_genotype(genotype: "Genotype", as_json: bool) -> None:
    if as_json:
        line, digest = genotype.to_line(), genotype.digest
        options.print_json({"line": line, "digest": digest, "genotype": genotype.to_dict()})
        return
    from cellwright.cli.display import print_rich
    from cellwright.report.drawing import draw_genotype

    print_rich(draw_genotype(genotype))
    typer.echo(f"line    {genotype.to_line()}\ndigest  {genotype.digest}")


def _read_genotype(path: Path, thing: str) -> "Genotype":
    """Read a genotype from a file of ours where there is one, else from the line itself."""
    from cellwright.errors import CellwrightError
    from cellwright.genotype import Genotype
    from cellwright.results import SearchResult

    if isdir(path):
        path /= SearchResult.FILE
    elif not exists(path):
        if path.suffix == ".json" or "/" in thing:
            raise CellwrightError(f"{path} must exist, and does not")
        return Genotype.from_line(thing)
    try:
        value = json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise CellwrightError(f"{path} must hold JSON: {error}") from error
    if isinstance(value, dict) and "genotype" in value:
        return SearchResult.load(path).genotype
    return Genotype.from_dict(value)
