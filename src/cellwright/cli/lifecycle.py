"""The commands that move a registered model's alias `champion`, and that show how it moved."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cellwright.cli import options

if TYPE_CHECKING:
    from cellwright.tracking import Lifecycle, Move, VersionFacts

Name = Annotated[
    str, typer.Argument(metavar="NAME", show_default=False, help="The name of a registered model.")
]
TrackingUri = Annotated[
    str | None,
    typer.Option(
        show_default=False, help="MLflow; by default MLFLOW_TRACKING_URI, or the database of --runs."
    ),
]
Why = Annotated[str, typer.Option(metavar="TEXT", help="Why; it is recorded with the move.")]


def add_to(app: typer.Typer) -> None:
    """Add the commands to the application."""
    options.add(app, "promote", promote, "cellwright promote shoes 4")
    options.add(app, "rollback", rollback, "cellwright rollback shoes --why 'complaints of customers'")
    options.add(app, "history", history, "cellwright history shoes")
    options.add(app, "compare", compare, "cellwright compare shoes@champion shoes/4")


def promote(
    name: Name,
    version: Annotated[
        str,
        typer.Argument(metavar="VERSION", help="The number of a version, or its @ALIAS."),
    ] = "@challenger",
    why: Why = "",
    force: Annotated[
        bool, typer.Option("--force", help="Promote what the gate refused, or what was rolled back.")
    ] = False,
    runs: options.Runs = options.RUNS,
    tracking_uri: TrackingUri = None,
) -> None:
    """Make a version of a registered model the champion.

    A version that the gate refused, or compared with another champion than there is now, is refused, and so is one that
    was rolled back. Of several promotions at once one wins. Who, when, from, to, why and the gate's decision are
    recorded with the model.
    """
    from cellwright.errors import CellwrightError

    model = _lifecycle(name, runs, tracking_uri)
    number, champion = model.version(version), model.champion()
    decision = model.decision(number)
    now = None if champion is None else champion.version
    if now == number:
        raise CellwrightError(f"{name} version {number} is the champion already")
    if decision is not None and not force:
        if not decision.passed:
            raise CellwrightError(
                f"{name} version {number} must pass the gate, and was {decision.sentence}; --force promotes it"
            )
        if decision.champion != now:
            raise CellwrightError(
                f"{name} version {number} passed the gate against {_format(decision.champion)}, and the champion is "
                f"{_format(now)} now; --force promotes it"
            )
    move = model.promote(
        number, expected=now, who=_who(), why=why, evidence=decision, owner=_owner(), force=force
    )
    _print_move(name, move)


def rollback(
    name: Name,
    why: Why = "",
    runs: options.Runs = options.RUNS,
    tracking_uri: TrackingUri = None,
) -> None:
    """Make the version the champion that was it before.

    A version that was rolled back itself is not returned to, and not skipped either: then name the version to return to
    with `cellwright promote`.
    """
    _print_move(name, _lifecycle(name, runs, tracking_uri).rollback(who=_who(), why=why, owner=_owner()))


def history(
    name: Name,
    as_json: options.AsJson = False,
    runs: options.Runs = options.RUNS,
    tracking_uri: TrackingUri = None,
) -> None:
    """Show which versions were the champion, and who made them that.

    Each move of the alias is a line, with its time, its reason, and what the gate had decided.
    """
    from rich.table import Table

    from cellwright.cli.display import print_rich
    from cellwright.report.terminal import visible

    model = _lifecycle(name, runs, tracking_uri)
    champion, moves = model.champion(), model.moves()
    if as_json:
        options.print_json([move.model_dump(mode="json") for move in moves])
        return
    table = Table("when", "move", "from", "to", "who", "why", "the gate", box=None, pad_edge=False)
    at: int | None = None
    for move in moves:
        if move.from_version != at:
            table.add_row("", "elsewhere", str(at or ""), str(move.from_version or ""), "", "", "")
        table.add_row(
            move.when,
            move.kind,
            str(move.from_version or ""),
            str(move.to_version),
            *map(visible, (move.who, move.why, move.evidence or "")),
        )
        at = move.to_version
    now = None if champion is None else champion.version
    if now != at:
        table.add_row("", "elsewhere", str(at or ""), str(now or ""), "", "", "")
    print_rich(table)


def compare(
    one: Annotated[
        str, typer.Argument(metavar="A", show_default=False, help="NAME@ALIAS or NAME/VERSION, registered.")
    ],
    other: Annotated[str, typer.Argument(metavar="B", show_default=False, help="Another one.")],
    as_json: options.AsJson = False,
    runs: options.Runs = options.RUNS,
    tracking_uri: TrackingUri = None,
) -> None:
    """Compare what was measured of two registered versions.

    Shows the metrics of each on the test split that it was evaluated on, and says whether that was of the same data. If
    the gate compared the two, on the same examples, it shows what was decided.
    """
    from cellwright.report.terminal import visible
    from cellwright.tracking import version_facts
    from cellwright.tracking.uri import REGISTRY, registry_uri

    uri = registry_uri(runs, os.environ, tracking_uri)
    both = [version_facts(uri, address.removeprefix(REGISTRY)) for address in (one, other)]
    if as_json:
        options.print_json([facts.model_dump(mode="json") for facts in both])
        return
    _print_facts(*both)
    for first, second in (both, both[::-1]):
        decision = first.gate
        if decision is not None and first.name == second.name and decision.champion == second.version:
            typer.echo(
                visible(f"The gate compared {first.address} with {second.address}: {decision.sentence}")
            )


def _print_facts(one: "VersionFacts", other: "VersionFacts") -> None:
    from rich.table import Table

    from cellwright.cli.display import print_rich

    table = Table(box=None, pad_edge=False)
    for title in ("", one.address, other.address, "difference"):
        table.add_column(title, justify="left" if not title else "right")
    for metric in sorted(one.metrics.keys() | other.metrics.keys()):
        first, second = one.metrics.get(metric), other.metrics.get(metric)
        gap = "" if first is None or second is None else f"{first - second:+.4g}"
        table.add_row(metric, *("" if x is None else f"{x:.4g}" for x in (first, second)), gap)
    print_rich(table)
    same = one.data == other.data and one.data is not None
    typer.echo(
        "Both are from the same data, so from the same test examples."
        if same
        else "They are not from the same data: the difference may be one of the test examples."
    )


def _print_move(name: str, move: "Move") -> None:
    before = f", in place of version {move.from_version}" if move.from_version else ""
    typer.echo(f"{name}: version {move.to_version} is the champion{before}")


def _lifecycle(name: str, runs: Path, tracking_uri: str | None) -> "Lifecycle":
    from cellwright.tracking import Lifecycle
    from cellwright.tracking.uri import registry_uri

    return Lifecycle(uri=registry_uri(runs, os.environ, tracking_uri), name=name)


def _who() -> str:
    """Return who moves the alias: the login at the server, or the account here."""
    import getpass
    import socket

    return os.environ.get("MLFLOW_TRACKING_USERNAME") or f"{getpass.getuser()}@{socket.gethostname()}"


def _owner() -> str:
    import secrets

    return secrets.token_hex(8)


def _format(version: int | None) -> str:
    return "no champion" if version is None else f"version {version}"
