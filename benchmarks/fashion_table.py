"""What `benchmarks.fashion_mnist` measured: the lines of its results, and the table that is made of them."""

import statistics
from collections.abc import Sequence

from benchmarks.outcomes import difference_of_means, markdown
from cellwright.genotype import GenotypeLine
from cellwright.results import Result


class Outcome(Result):
    """One run: a line of the results."""

    contender: str
    seed: int
    test_accuracy: float
    genotype: GenotypeLine | None
    params: int
    macs: int
    search_epochs: int
    search_seconds: float
    retrain_epochs: int
    retrain_seconds: float
    versions: dict[str, str]


def table(outcomes: Sequence[Outcome], contenders: Sequence[str], reference: str) -> str:
    """Return a Markdown table with a row for each contender that has runs.

    Args:
        outcomes: all runs.
        contenders: in the order of the rows.
        reference: the contender that the others are compared with.
    """
    runs = {name: [run for run in outcomes if run.contender == name] for name in contenders}
    headings = (
        "contender",
        "seeds",
        "test accuracy, %",
        "from, to",
        f"less {reference} (95 % interval)",
        "parameters",
        "million MACs",
        "search: epochs",
        "CPU s",
        "retraining: epochs",
        "CPU s",
    )
    rows = [headings, ("---", "---", *["--:"] * (len(headings) - 2))]
    rows += [_row(name, of, runs[reference]) for name, of in runs.items() if of]
    return markdown(rows)


def _row(name: str, runs: Sequence[Outcome], reference: Sequence[Outcome]) -> tuple[str, ...]:
    scores = _percent(runs)
    spread = f" ± {statistics.stdev(scores):.2f}" if len(scores) > 1 else ""
    return (
        name,
        ", ".join(map(str, sorted(run.seed for run in runs))),
        f"{statistics.mean(scores):.2f}{spread}",
        f"{min(scores):.2f}, {max(scores):.2f}",
        "" if runs == reference else difference_of_means(scores, _percent(reference)),
        f"{statistics.mean(run.params for run in runs):,.0f}",
        f"{statistics.mean(run.macs for run in runs) / 1e6:.1f}",
        _range([run.search_epochs for run in runs]),
        _range([run.search_seconds for run in runs]),
        _range([run.retrain_epochs for run in runs]),
        _range([run.retrain_seconds for run in runs]),
    )


def _percent(runs: Sequence[Outcome]) -> list[float]:
    return [100 * run.test_accuracy for run in runs]


def _range(values: Sequence[float]) -> str:
    """Spell whole numbers; nothing for what did not take place."""
    low, high = f"{min(values):.0f}", f"{max(values):.0f}"
    if high == "0":
        return ""
    return low if low == high else f"{low} to {high}"
