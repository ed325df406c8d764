"""What `benchmarks.hand_designed` measured: the lines of its results, and the tables that are made of them."""

import itertools
import statistics
from collections.abc import Sequence
from typing import NamedTuple

from benchmarks.hand_shapes import SHAPES, TODAY
from benchmarks.outcomes import markdown
from cellwright.results import Result
from cellwright.spec import Precision

FORMATS: tuple[Precision, ...] = ("float32", "bfloat16")
NUM_LEADERS = 5


class Cell(NamedTuple):
    """One training run."""

    data: str
    shape: str
    precision: Precision
    seconds: float
    """CPU time of one thread."""
    seed: int


class Price(Result):
    """What a training step costs."""

    data: str
    shape: str
    precision: Precision
    seconds: float
    """CPU seconds of one thread."""
    versions: str


class Outcome(Result):
    """A finished cell: a line of the results."""

    data: str
    shape: str
    precision: Precision
    seconds: float
    seed: int
    test_accuracy: float
    price: float
    """CPU seconds of a training step, as measured before the first cell."""
    steps: int
    """As many as the budget holds at this price."""
    epochs: float
    cpu_seconds: float
    """That the steps took."""
    params: int
    macs: int
    latency_ms: float
    """Median CPU time of one image, in float32."""
    versions: str

    @property
    def cell(self) -> Cell:
        return Cell(self.data, self.shape, self.precision, self.seconds, self.seed)


def leaders(outcomes: Sequence[Outcome], data: str, seconds: float) -> list[str]:
    """Return the shapes that do best at a budget, and the baseline of the Fashion-MNIST benchmark."""
    best = _best(outcomes, data, seconds)
    leading = sorted(best, key=lambda shape: best[shape][0], reverse=True)[:NUM_LEADERS]
    return [*leading, *({TODAY} - set(leading))]


def report(
    outcomes: Sequence[Outcome],
    cells: Sequence[Cell],
    recipe: str,
    num_images: int,
    *,
    lines: str,
    prices: str,
) -> str:
    """Return the page.

    Args:
        outcomes: the finished cells.
        cells: all that there will be.
        recipe: how the networks are trained, in words.
        num_images: for training.
        lines: the name of the file of outcomes.
        prices: the name of the file of prices.
    """
    done = {run.cell for run in outcomes} & set(cells)
    parts = [
        f"# Networks designed by hand\n\n{len(done)} of {len(cells)} cells are done. A cell is one training run: a "
        "data set, a shape, a number format, a budget and a seed.\n"
    ]
    for data in dict.fromkeys(cell.data for cell in cells):
        runs = [run for run in outcomes if run.data == data]
        if runs:
            parts.append(f"## {data}\n\n{_findings(runs, data)}\n{_accuracies(runs)}\n{_costs(runs)}")
    parts.append(
        "## Does bfloat16 cost accuracy?\n\nTest accuracy in bfloat16 less that in float32, of the same shape, seed "
        "and budget. In equal time the faster format takes more steps, which is part of the difference.\n\n"
        f"{_formats(outcomes)}"
    )
    parts.append(
        f"`python -m benchmarks.hand_designed --write` makes this page; the runs are in [{lines}]({lines}), and the "
        "command resumes with the cells that are missing.\n\n"
        f"- **Recipe**, the same for all: {recipe}.\n"
        f"- **Budget**: CPU seconds of one thread, for the training steps. Prices of a step are measured before all "
        f"runs, and stored in\n  [{prices}]({prices}): the fastest of several rounds, minutes apart. The budget "
        "divided by the price is the number of steps.\n"
        f"- **Data**: {num_images:,} training images, evenly over the classes; accuracy on all 10,000 test images, "
        "mean ± standard deviation over seeds, the number\n  of seeds in brackets, the best of a column in bold. "
        "CIFAR-10's images are JPEGs, so accuracies are a little below those of the original.\n"
        "- **Latency**: median CPU time of one image in float32, one thread.\n"
        f"- **Versions**: {'; '.join(sorted({run.versions for run in outcomes}))}.\n"
    )
    return "\n".join(parts)


def _percent(runs: Sequence[Outcome]) -> list[float]:
    return [100 * run.test_accuracy for run in runs]


def _best(outcomes: Sequence[Outcome], data: str, seconds: float) -> dict[str, tuple[float, Precision]]:
    """Return each shape's mean accuracy in its better number format, and that format."""
    best: dict[str, tuple[float, Precision]] = {}
    for shape, precision in itertools.product(SHAPES, FORMATS):
        runs = _select(outcomes, data=data, seconds=seconds, shape=shape, precision=precision)
        if runs:
            best[shape] = max(best.get(shape, (0.0, precision)), (statistics.mean(_percent(runs)), precision))
    return best


def _select(outcomes: Sequence[Outcome], **fields: object) -> list[Outcome]:
    return [run for run in outcomes if all(getattr(run, name) == value for name, value in fields.items())]


def _budgets(outcomes: Sequence[Outcome]) -> list[float]:
    return sorted({run.seconds for run in outcomes})


def _findings(runs: Sequence[Outcome], data: str) -> str:
    """Return the best shape at each budget, and the shapes ahead of the one that wins at the smallest."""
    best = {seconds: _best(runs, data, seconds) for seconds in _budgets(runs)}
    lines, first = [], None
    for seconds, of in best.items():
        winner = max(of, key=lambda shape: of[shape][0])
        accuracy, precision = of[winner]
        line = f"- Best at {seconds:g} s, of {len(of)} shapes: **{winner}** in {precision}, {accuracy:.2f} %."
        if first is None:
            first = winner
        elif first in of:
            ahead = [shape for shape in of if of[shape][0] > of[first][0]]
            line += f" Ahead of {first}: {', '.join(ahead) or 'none'}."
        lines.append(line + "\n")
    return "".join(lines)


def _accuracies(runs: Sequence[Outcome]) -> str:
    columns = list(itertools.product(_budgets(runs), FORMATS))
    rows = []
    for shape in SHAPES:
        of = [
            _percent(_select(runs, shape=shape, seconds=seconds, precision=precision))
            for seconds, precision in columns
        ]
        if any(of):
            rows.append((shape, of))
    highest = [
        max((statistics.mean(of[index]) for _, of in rows if of[index]), default=0.0)
        for index in range(len(columns))
    ]
    headings = ["test accuracy, %", *(f"{seconds:g} s, {precision}" for seconds, precision in columns)]
    return _markdown(
        headings,
        [[shape, *map(_spelled, of, highest)] for shape, of in rows],
    )


def _spelled(scores: Sequence[float], highest: float) -> str:
    if not scores:
        return ""
    mean = statistics.mean(scores)
    spread = f" ± {statistics.stdev(scores):.2f}" if len(scores) > 1 else ""
    return f"{f'**{mean:.2f}**' if mean == highest else f'{mean:.2f}'}{spread} ({len(scores)})"


def _costs(runs: Sequence[Outcome]) -> str:
    budgets = _budgets(runs)
    headings = ["cost", "parameters", "million MACs", "latency, ms"]
    for precision in FORMATS:
        headings += [f"{precision}: ms/step", *(f"steps (epochs) in {seconds:g} s" for seconds in budgets)]
    rows = []
    for shape in SHAPES:
        of = _select(runs, shape=shape)
        if not of:
            continue
        latency = statistics.median(run.latency_ms for run in of)
        row = [shape, f"{of[0].params:,}", f"{of[0].macs / 1e6:.1f}", f"{latency:.2f}"]
        for precision in FORMATS:
            priced = _select(of, precision=precision)
            row.append(f"{1e3 * priced[0].price:.1f}" if priced else "")
            for seconds in budgets:
                timed = _select(priced, seconds=seconds)
                row.append(f"{timed[0].steps:,} ({timed[0].epochs:.1f})" if timed else "")
        rows.append(row)
    return _markdown(headings, rows)


def _formats(outcomes: Sequence[Outcome]) -> str:
    found = {run.cell: run for run in outcomes}
    rows = []
    for data, seconds in sorted({(run.data, run.seconds) for run in outcomes}):
        pairs = [
            (run, found[run.cell._replace(precision="float32")])
            for run in _select(outcomes, data=data, seconds=seconds, precision="bfloat16")
            if run.cell._replace(precision="float32") in found
        ]
        if pairs:
            differences = [100 * (half.test_accuracy - full.test_accuracy) for half, full in pairs]
            error = statistics.stdev(differences) / len(pairs) ** 0.5 if len(pairs) > 1 else None
            ratio = statistics.geometric_mean(half.steps / full.steps for half, full in pairs)
            rows.append(
                [
                    f"{data}, {seconds:g} s",
                    str(len(pairs)),
                    f"{statistics.mean(differences):+.2f}" + ("" if error is None else f" ± {error:.2f}"),
                    f"{min(differences):+.2f}, {max(differences):+.2f}",
                    f"{ratio:.2f}",
                ]
            )
    return _markdown(["", "pairs", "mean ± standard error", "from, to", "steps, bfloat16 / float32"], rows)


def _markdown(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    table = [headings, ["---", *["--:"] * (len(headings) - 1)], *rows]
    return markdown(table)
