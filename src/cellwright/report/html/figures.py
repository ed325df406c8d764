"""Figures as SVG. Text and axes use the page's text colour, so they are readable on light and dark pages."""

import io
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

if TYPE_CHECKING:
    from matplotlib.axes import Axes

INK = "#0a0b0c"
"""Placeholder for the page's text colour until the figure is rendered."""
COLOURS = ("#2f7ed8", "#e07b39", "#3a9d5d", "#b5488f", "#8a6fdf", "#c9a227", "#5aa9a6", "#d1495b")
MARKERS = "osD^vPX*"
SETTINGS: Any = {
    "svg.fonttype": "none",
    "svg.hashsalt": "cellwright",
    "font.family": "sans-serif",
    "font.size": 10,
    "text.color": INK,
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.alpha": 0.2,
    "grid.color": INK,
    "legend.frameon": False,
    "figure.facecolor": "none",
    "axes.facecolor": "none",
}

CELLS = """<style>
rect { fill: #f3f6f9; stroke: #1b1f24; } path { fill: none; stroke: #2f7ed8; stroke-width: 1.5; }
path.head { fill: #2f7ed8; stroke: none; } text { fill: #1b1f24; font: 12px sans-serif; text-anchor: middle; }
</style>"""
"""For drawings that take their style from the page's."""

Points = Mapping[str, Sequence[tuple[float, float]]]
"""Points (x, y) of each named series."""


def standalone(svg: Markup) -> str:
    """Return a figure of a page as a file of its own."""
    opening, rest = str(svg).split(">", 1)  # a Markup would escape what is added
    if "xmlns=" not in opening:
        opening, rest = opening.replace("<svg", '<svg xmlns="http://www.w3.org/2000/svg"', 1), CELLS + rest
    return f"{opening}>{rest}"


def lines(series: Points, x: str, y: str, title: str, *, integer: bool = True) -> Markup:
    """Draw a line for each series, by default over integers."""
    with _figure(title) as (axes, drawn):
        for (name, points), colour in zip(series.items(), _repeated(COLOURS), strict=False):
            xs, ys = zip(*points, strict=True)
            axes.plot(xs, ys, label=name, color=colour, marker="." if len(xs) < 40 else None)
        axes.locator_params(axis="x", integer=integer)
        _label(axes, x, y, legend=len(series) > 1)
    return drawn[0]


def scatter(
    series: Points, x: str, y: str, title: str, *, front: Sequence[tuple[float, float]] = ()
) -> Markup:
    """Draw named points, each with its own marker, and a line through the Pareto front."""
    with _figure(title) as (axes, drawn):
        if len(front) > 1:
            axes.step(
                *zip(*front, strict=True),
                where="post",
                color=INK,
                alpha=0.4,
                linewidth=1,
                label="Pareto front",
            )
        for (name, points), colour, marker in zip(
            series.items(), _repeated(COLOURS), _repeated(MARKERS), strict=False
        ):
            xs, ys = zip(*points, strict=True)
            axes.scatter(xs, ys, label=name, color=colour, marker=marker, s=45)
        _label(axes, x, y, legend=True)
    return drawn[0]


def reliability(bins: Sequence[tuple[float, float, int]], title: str) -> Markup:
    """Draw accuracy against confidence: a point for each bin (confidence, accuracy, examples), larger with more."""
    with _figure(title) as (axes, drawn):
        confidence, accuracy, counts = zip(*bins, strict=True)
        axes.plot([0, 1], [0, 1], color=INK, alpha=0.4, linewidth=1, label="perfect calibration")
        sizes = [15 + 150 * count / max(counts) for count in counts]
        axes.plot(confidence, accuracy, color=COLOURS[0], linewidth=1)
        axes.scatter(confidence, accuracy, s=sizes, color=COLOURS[0], alpha=0.8, label="test examples")
        axes.set(xlim=(0, 1.03), ylim=(0, 1.03))
        _label(axes, "confidence", "accuracy", legend=True)
    return drawn[0]


def progress(
    xs: Sequence[float], scores: Sequence[float], best: Sequence[float], x: str, y: str, title: str
) -> Markup:
    """Draw each evaluation's score, and the best so far."""
    with _figure(title) as (axes, drawn):
        axes.scatter(xs, scores, s=14, color=COLOURS[0], alpha=0.6, label="evaluation")
        axes.step(xs, best, where="post", color=COLOURS[1], label="best so far")
        _label(axes, x, y, legend=True)
    return drawn[0]


def bundles(bundles: Sequence[Sequence[Sequence[float]]], x: str, y: str, title: str) -> Markup:
    """Draw lines over the integers from 1; the lines of a bundle share a colour."""
    with _figure(title) as (axes, drawn):
        for bundle, colour in zip(bundles, _repeated(COLOURS), strict=False):
            for line in bundle:
                numbers = range(1, len(line) + 1)
                axes.plot(
                    numbers,
                    line,
                    color=colour,
                    alpha=0.5,
                    linewidth=0.8,
                    marker="." if len(line) == 1 else None,
                )
        axes.locator_params(axis="x", integer=True)
        _label(axes, x, y, legend=False)
    return drawn[0]


def timeline(
    groups: Mapping[str, Sequence[tuple[datetime, float, float]]],
    champion: Sequence[tuple[datetime, float]],
    marks: Sequence[datetime],
    y: str,
    title: str,
) -> Markup:
    """Draw points (time, score, half of the interval) by group, the champion's score over time, and marks of drift."""
    with _figure(title) as (axes, drawn):
        if champion:
            times, scores = zip(*champion, strict=True)
            axes.step(times, scores, where="post", color=INK, alpha=0.6, label="champion")
        for (name, points), colour, marker in zip(
            groups.items(), _repeated(COLOURS), _repeated(MARKERS), strict=False
        ):
            times, scores, halves = zip(*points, strict=True)
            axes.errorbar(
                times, scores, yerr=halves, label=name, color=colour, marker=marker, linestyle="", capsize=2
            )
        for number, time in enumerate(marks):
            axes.axvline(
                time,  # type: ignore[arg-type]
                color=COLOURS[-1],
                linestyle=":",
                linewidth=1,
                label=None if number else "drift",
            )
        _dates(axes)
        _label(axes, "", y, legend=True)
    return drawn[0]


def bars(groups: Mapping[str, Sequence[tuple[datetime, float]]], y: str, title: str) -> Markup:
    """Draw a vertical line from 0 at each time, coloured by group."""
    with _figure(title) as (axes, drawn):
        for (name, points), colour in zip(groups.items(), _repeated(COLOURS), strict=False):
            times, heights = zip(*points, strict=True)
            axes.vlines(times, 0, heights, color=colour, linewidth=3, label=name)
        axes.set_ylim(bottom=0)
        _dates(axes)
        _label(axes, "", y, legend=True)
    return drawn[0]


def _dates(axes: "Axes") -> None:
    from matplotlib.dates import AutoDateLocator, ConciseDateFormatter

    locator = AutoDateLocator(minticks=3, maxticks=7)  # type: ignore[no-untyped-call]
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(ConciseDateFormatter(locator))  # type: ignore[no-untyped-call]


@contextmanager
def _figure(title: str) -> Iterator[tuple["Axes", list[Markup]]]:
    """Yield axes to draw on, and a list that holds the SVG afterwards."""
    import matplotlib
    from matplotlib.figure import Figure

    drawn: list[Markup] = []
    with matplotlib.rc_context(SETTINGS):
        figure = Figure(figsize=(5.2, 3.1), layout="constrained")
        yield figure.add_subplot(), drawn
        file = io.StringIO()
        figure.savefig(file, format="svg", metadata={"Date": None, "Creator": None})
    svg = file.getvalue()
    svg = svg[svg.index("<svg") :].replace(INK, "currentColor")
    opening = Markup('<svg role="img" aria-label="{}"').format(title)
    drawn.append(opening + Markup(svg.removeprefix("<svg")))


def _label(axes: "Axes", x: str, y: str, *, legend: bool) -> None:
    axes.set_xlabel(x)
    axes.set_ylabel(y)
    if legend:
        axes.legend(fontsize=9)


def _repeated(things: Sequence[str]) -> Iterator[str]:
    while True:
        yield from things
