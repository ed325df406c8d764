"""What benchmarks keep: a line of JSON for each finished run, from which their pages are made."""

import platform
import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

import torch
from scipy.stats import ttest_ind

import cellwright
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


def mean_and_spread(percents: Sequence[float]) -> str:
    """Return the mean, the standard deviation of several, and the number in brackets; nothing of none."""
    if not percents:
        return ""
    spread = f" ± {statistics.stdev(percents):.2f}" if len(percents) > 1 else ""
    return f"{statistics.mean(percents):.2f}{spread} ({len(percents)})"


def difference_of_means(scores: Sequence[float], others: Sequence[float]) -> str:
    """Say by how much the mean is higher, with Welch's interval where there are runs enough."""
    if not others:
        return ""
    difference = statistics.mean(scores) - statistics.mean(others)
    if min(len(scores), len(others)) < 2:
        return f"{difference:+.2f}"
    low, high = ttest_ind(scores, others, equal_var=False).confidence_interval(0.95)
    return f"{difference:+.2f} ({low:+.2f} to {high:+.2f})"


def versions() -> str:
    """Say with what a run was measured."""
    return (
        f"cellwright {cellwright.__version__}, torch {torch.__version__}, Python {platform.python_version()}, "
        f"{platform.machine()}"
    )
