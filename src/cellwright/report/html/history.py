"""The section on a registered model over its versions: scores, gates, promotions, drift and cost."""

from collections.abc import Iterator
from datetime import datetime

from cellwright.report.html import figures
from cellwright.report.html.parts import Figure, ReportPart, ReportSection
from cellwright.results import ModelHistory, PastModel

DRIFT = ("drift", "label_shift")
"""The reasons of a policy that say that data is distributed otherwise."""
COLUMNS = (
    "version",
    "registered (UTC)",
    "by",
    "asked for by",
    "score",
    "95 % interval",
    "gate",
    "hours",
    "champion",
)
GATE = {True: "passed", False: "refused", None: ""}


def sections(history: ModelHistory | None) -> Iterator[ReportSection]:
    """Yield the section, where the model has had more than one version."""
    if history is not None and len(history.versions) > 1:
        yield ReportSection(id="history", title=f"{history.name} over time", parts=tuple(_parts(history)))


def _parts(history: ModelHistory) -> Iterator[ReportPart]:
    drawn = []
    scored = {version.version: version for version in history.versions if version.score is not None}
    if scored:
        title = f"test {history.objective.replace('_', ' ')} of each version, and which one was the champion"
        svg = figures.timeline(
            _groups(history),
            _champion(history),
            [_time(version) for version in history.versions if not set(DRIFT).isdisjoint(version.reasons)],
            history.objective.replace("_", " "),
            title,
        )
        caption = f"{title}; each on the test examples of its own data, with the 95 % interval"
        drawn.append(Figure(svg=svg, caption=caption))
    costs: dict[str, list[tuple[datetime, float]]] = {}
    for version in history.versions:
        if version.hours is not None:
            costs.setdefault(version.action, []).append((_time(version), version.hours))
    if costs:
        title = "hours of each version's run"
        drawn.append(Figure(svg=figures.bars(costs, "hours", title), caption=title))
    yield ReportPart(kind="figures", figures=drawn)
    rows = [_row(history, version) for version in history.versions]
    yield ReportPart(kind="table", caption="Versions", columns=COLUMNS, rows=rows)


def _groups(history: ModelHistory) -> dict[str, list[tuple[datetime, float, float]]]:
    """Return the points of versions that were promoted, that passed the gate, that it refused, and that had none."""
    promoted = {move.version for move in history.moves}
    groups: dict[str, list[tuple[datetime, float, float]]] = {}
    for version in history.versions:
        if version.score is not None:
            waiting = {True: "passed the gate", False: "refused by the gate", None: "challenger"}[
                version.passed
            ]
            name = "promoted" if version.version in promoted else waiting
            half = 0.0 if version.low is None or version.high is None else (version.high - version.low) / 2
            groups.setdefault(name, []).append((_time(version), version.score, half))
    return groups


def _champion(history: ModelHistory) -> list[tuple[datetime, float]]:
    """Return the champion's score from each move on, until the last version."""
    scores = {version.version: version.score for version in history.versions}
    steps = [
        (datetime.fromisoformat(move.when), score)
        for move in history.moves
        if (score := scores.get(move.version)) is not None
    ]
    last = _time(history.versions[-1])
    return [*steps, (last, steps[-1][1])] if steps and steps[-1][0] < last else steps


def _row(history: ModelHistory, version: PastModel) -> list[str]:
    interval = (
        "" if version.low is None or version.high is None else f"{version.low:.4f} to {version.high:.4f}"
    )
    moves = [f"{move.kind} {move.when[:10]}" for move in history.moves if move.version == version.version]
    return [
        str(version.version),
        version.when[:16].replace("T", " "),
        version.action,
        ", ".join(version.reasons),
        "" if version.score is None else f"{version.score:.4f}",
        interval,
        GATE[version.passed],
        "" if version.hours is None else f"{version.hours:.2g}",
        ", ".join(moves),
    ]


def _time(version: PastModel) -> datetime:
    return datetime.fromisoformat(version.when)
