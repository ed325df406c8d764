"""Arguments and options that several commands share, and how a command is added."""

import inspect
import json
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer

Spec = Annotated[
    Path,
    typer.Argument(
        metavar="SPEC",
        show_default=False,
        help="A YAML file such as examples/digits.yaml, or - for standard input.",
    ),
]
Model = Annotated[
    str,
    typer.Argument(
        metavar="MODEL",
        show_default=False,
        help="The folder of a finished run, a spec that was run, or models:/NAME@ALIAS.",
    ),
]
Overrides = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="KEY=VALUE",
        show_default=False,
        help="Put a value over the spec's, as in --set seed=1 or --set budget.epochs=5. Paths count from the spec's "
        "folder. Can be given again.",
    ),
]
Runs = Annotated[
    Path, typer.Option("--runs", metavar="FOLDER", help="Where results go, in a folder named after the spec.")
]
Fresh = Annotated[
    bool,
    typer.Option(
        "--fresh", help="First delete what cellwright made in the spec's folder, and nothing else there."
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead, for programs.")]
RUNS = Path("runs")


def add(app: typer.Typer, name: str, command: Callable[..., None], example: str) -> None:
    """Add a command whose docstring is its help."""
    app.command(name, help=prose(command.__doc__ or ""), epilog=f"[bold]Example[/bold]  {example}")(command)


def print_json(value: Any) -> None:
    """Print a value as indented JSON, with times in ISO 8601."""
    typer.echo(json.dumps(value, indent=2, ensure_ascii=False, default=datetime.isoformat))


def prose(text: str) -> str:
    """Return the text with its paragraphs unwrapped; typer would keep the line ends of the source."""
    return "\n\n".join(" ".join(part.split()) for part in inspect.cleandoc(text).split("\n\n"))
