"""What benchmarks keep: a line of JSON for each finished run, from which their pages are made."""

from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

from cellwright.results import Result

R = TypeVar("R", bound=Result)


def load_outcomes(path: Path, kind: type[R]) -> list[R]:
    """Return the finished runs; none where there is no file."""
    return [kind.model_validate_json(line) for line in path.read_text().splitlines()] if path.exists() else []


def append_outcome(path: Path, outcome: Result) -> None:
    """Add a finished run."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="utf-8") as file:
        file.write(outcome.model_dump_json() + "\n")


def markdown(rows: Sequence[Sequence[str]]) -> str:
    """Return the rows of a Markdown table."""
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)
