"""The command that says what a trained model thinks of files."""

import csv
import glob
import json
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cellwright.cli import options
from cellwright.tasks.facts import LABEL_SEPARATOR

if TYPE_CHECKING:
    from cellwright.predicting import Prediction

_SHOWN = 3
"""Classes in the table's last column."""


def add_to(app: typer.Typer) -> None:
    """Add the command to the application."""
    options.add(app, "predict", predict, "cellwright predict runs/shoes photo.jpg")


def predict(
    model: options.Model,
    files: Annotated[
        list[str],
        typer.Argument(
            metavar="FILES...",
            show_default=False,
            help="Files, folders, patterns such as 'photos/*.jpg', s3://BUCKET/PREFIX, or - for standard input.",
        ),
    ],
    runs: options.Runs = options.RUNS,
    as_json: Annotated[bool, typer.Option("--json", help="Print a line of JSON for each example.")] = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print comma-separated values.")] = False,
    endpoint: Annotated[
        str | None, typer.Option(metavar="URL", help="Of an S3 server other than Amazon's.")
    ] = None,
) -> None:
    """Predict what is in files with a trained model.

    Files are read as they were in training: turned upright, converted and resized. An .npz or .npy file holds many
    examples, and a .csv lists images. A file that cannot be read gets a line, the others are predicted, and the exit
    code is 1.
    """
    import tempfile

    from cellwright.errors import CellwrightError
    from cellwright.report.terminal import visible

    if as_json and as_csv:
        raise CellwrightError("--json and --csv exclude each other")
    with tempfile.TemporaryDirectory(prefix="cellwright-") as name:
        temporary = Path(name)
        from cellwright.finding import find_model
        from cellwright.predicting import MODEL_FILES, Predictor

        predictor = Predictor(find_model(model, runs, temporary, MODEL_FILES))
        paths = [path for named in files for path in _expand(named, temporary, endpoint)]
        show = _json if as_json else _csv if as_csv else _table
        broken = 0

        def answered() -> Iterator["Prediction"]:
            nonlocal broken
            for prediction in predictor.predict(paths):
                prediction = replace(prediction, name=prediction.name.removeprefix(f"{temporary}/"))
                if prediction.error is None:
                    yield prediction
                else:
                    broken += 1
                    print(f"error: {visible(prediction.name)}: {visible(prediction.error)}", file=sys.stderr)

        show(answered())
    if broken:
        raise typer.Exit(1)


def _expand(named: str, temporary: Path, endpoint: str | None) -> list[Path]:
    """Return the files that an argument stands for, in the order of their names."""
    from cellwright.errors import CellwrightError

    if named == "-":
        piped = temporary / "-"
        piped.write_bytes(sys.stdin.buffer.read())
        return [piped]
    if named.startswith("s3://"):
        from cellwright.predicting import fetch

        return fetch(named, endpoint, temporary)
    path = Path(named).expanduser()
    found = (
        [path] if path.exists() else [Path(match) for match in sorted(glob.glob(str(path), recursive=True))]
    )
    if not found:
        raise CellwrightError(f"{named}: there is no such file, and the pattern fits none")
    return [
        file
        for location in found
        for file in ([location] if not location.is_dir() else _files_below(location))
    ]


def _files_below(folder: Path) -> list[Path]:
    files = (file for file in folder.rglob("*") if file.is_file())
    return sorted(
        file for file in files if not any(part.startswith(".") for part in file.relative_to(folder).parts)
    )


def _table(predictions: Iterator["Prediction"]) -> None:
    from rich.table import Table

    from cellwright.cli.display import print_rich

    rows = [(prediction.name, *map(_words, prediction.answer.values())) for prediction in predictions]
    if not rows:
        return
    table = Table("file", *(["answer"] * (len(rows[0]) - 1)), box=None, show_header=False, pad_edge=False)
    for row in rows:
        table.add_row(*row)
    print_rich(table)


def _words(value: Any) -> str:
    match value:
        case float():
            return f"{value:.4g}"
        case dict():
            most = sorted(value, key=value.__getitem__, reverse=True)[:_SHOWN]
            return ", ".join(f"{name} {value[name]:.3f}" for name in most)
        case list():
            return ", ".join(map(_words, value)) or "none"
        case _:
            return str(value)


def _json(predictions: Iterator["Prediction"]) -> None:
    for prediction in predictions:
        print(json.dumps({"file": prediction.name, **prediction.answer}, ensure_ascii=False))


def _csv(predictions: Iterator["Prediction"]) -> None:
    writer = csv.writer(sys.stdout, lineterminator="\n")
    for index, prediction in enumerate(predictions):
        row = {"file": prediction.name, **_flat(prediction.answer)}
        if index == 0:
            writer.writerow(row)
        writer.writerow(row.values())


def _flat(answer: dict[str, Any]) -> dict[str, Any]:
    """Return the answer with a column for each member of what is in it."""
    flat: dict[str, Any] = {}
    for name, value in answer.items():
        if isinstance(value, list) and all(isinstance(part, str) for part in value):
            flat[name] = LABEL_SEPARATOR.join(value)
            continue
        parts = (
            value.items()
            if isinstance(value, dict)
            else enumerate(value)
            if isinstance(value, list)
            else None
        )
        flat |= {name: value} if parts is None else {f"{name}.{part}": each for part, each in parts}
    return flat
