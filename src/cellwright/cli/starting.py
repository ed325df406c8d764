"""The command that looks at data and writes a spec for it."""

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cellwright.cli import options

if TYPE_CHECKING:
    from cellwright.data.reading import SpecSuggestion

SPEC_SUFFIXES = (".yaml", ".yml")
_SECONDS_PER_PIXEL = 3.6e-5
"""What training a small network on one pixel of one image for some 40 epochs takes one CPU core."""
_MINUTES = (2, 240)


def add_to(app: typer.Typer) -> None:
    """Add the command to the application."""
    options.add(app, "init", init, "cellwright init ../photos")


def init(
    path: Annotated[
        Path,
        typer.Argument(
            metavar="DATA",
            show_default=False,
            help="A folder with a folder of images per class (or of audio clips), an .npz archive, a table (.csv, "
            ".tsv, .parquet; of image or audio files and labels, too), texts (.jsonl), or time series (.ts).",
        ),
    ],
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE",
            show_default=False,
            help="By default, named after the data, here.",
        ),
    ] = None,
) -> None:
    """Look at data and write a spec for it, with a comment for each choice.

    Nothing is written over: an existing file is refused. `cellwright run DATA` writes the spec and runs it.
    """
    target = output or spec_file(path)
    write_spec(path, target)
    typer.echo(f"wrote {target}; change what you like, then: cellwright run {target}")


def spec_file(data: Path) -> Path:
    """Return the default place of the spec of data: in the current folder, with a name that specs can have."""
    name = data.resolve().name.lower()
    if (suffix := Path(name).suffix) in _data_suffixes():
        name = name.removesuffix(suffix).removesuffix("_train")
    name = re.sub(r"[^a-z0-9]+", "-", name).strip("-")
    return Path(f"{name or 'search'}.yaml")


def spec_of(location: Path) -> Path:
    """Return the spec itself, or for data, the spec that `init` writes, after writing it if it is missing."""
    if location.suffix in ("", *SPEC_SUFFIXES) and not location.is_dir():
        return location
    if not (location.is_dir() or location.suffix in _data_suffixes()):
        return location
    spec = spec_file(location)
    if not spec.exists():
        write_spec(location, spec)
    return spec


def _data_suffixes() -> set[str]:
    from cellwright.spec import SOURCES

    return {suffix for section in SOURCES.section_types() for suffix in section.SUFFIXES}


def write_spec(data: Path, target: Path) -> None:
    """Look at the data and write a spec that is valid.

    Raises:
        CellwrightError: the data is of no known kind or broken, or the file exists.
    """
    from cellwright.data.reading import suggest_data
    from cellwright.errors import CellwrightError
    from cellwright.files import write_text
    from cellwright.spec import SOURCES, load_spec

    if target.exists():
        raise CellwrightError(
            f"{target} exists, and is not written over: delete it, or name another file with -o"
        )
    if not data.exists():
        raise CellwrightError(f"{data}: there is no such file or folder")
    found = suggest_data(data, {kind: SOURCES.section_type(kind) for kind in SOURCES.kinds})
    if found is None:
        raise CellwrightError(
            f"{data}: must be a folder with a folder of images per class (or of audio clips), an .npz archive, a table "
            "(.csv, .tsv, .parquet), texts (.jsonl) or time series (.ts); docs/data.md says how other data are given"
        )
    source, suggestion = found
    keys = {key: _value(value, target.parent) for key, value in suggestion.keys.items()}
    lines = [f"# {remark}" for remark in suggestion.remarks]
    lines += [f"name: {spec_file(data).stem}", "seed: 0", "", "data:", f"  source: {source}"]
    lines += [f"  {key}: {value}" for key, value in keys.items()]
    lines += [
        "",
        *(suggestion.search or _race(suggestion)),
        "resources:",
        f"  cpu: {os.cpu_count() or 1}",
        "",
    ]
    write_text(target, "\n".join(lines))
    load_spec(target)


def _race(suggestion: "SpecSuggestion") -> list[str]:
    return [
        "space:",
        "  kind: stages            # hand-designed networks, and what is between them",
        "strategy:",
        "  kind: race              # trains the most promising side by side, and continues the best",
        "budget:",
        f"  minutes: {_minutes(suggestion.num_examples, suggestion.shape):<15} # of search and training together",
    ]


def _value(value: object, folder: Path) -> str:
    """Return a value as YAML on one line; a path as seen from the spec's folder."""
    import json

    if isinstance(value, Path):
        value = os.path.relpath(value, folder.resolve())
    return json.dumps(value, ensure_ascii=False)


def _minutes(num_examples: int, shape: tuple[int, ...]) -> int:
    """Return a budget that suits the data and the number of cores."""
    height, width = shape[-2:]
    seconds = num_examples * height * width * _SECONDS_PER_PIXEL / (os.cpu_count() or 1)
    least, most = _MINUTES
    return max(least, min(most, round(seconds / 60)))
