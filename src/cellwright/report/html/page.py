"""The HTML page: sections of texts, tables, figures and pictures, rendered by one template with autoescaping."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from importlib.resources import files
from itertools import accumulate
from typing import Any

from markupsafe import Markup

from cellwright.genotype import Genotype
from cellwright.report import stages
from cellwright.report.html import blocks, cells, figures, history
from cellwright.report.html.parts import Figure, ReportPart, ReportSection
from cellwright.report.run_report import RunReport
from cellwright.report.summary import (
    ELASTIC_COLUMNS,
    LEADING_METRICS,
    RACE_CAPTION,
    RACE_COLUMNS,
    RACE_TITLE,
    count,
    elastic_rows,
    elastic_title,
    race_rows,
)
from cellwright.results import (
    Alphas,
    EpochRecord,
    EvaluationResult,
    RaceResult,
    ScoreTable,
    SearchResult,
    TrialSummary,
)
from cellwright.spaces.stages.design import SPACE

MOST_TRIALS = 300
"""Maximum number of trials in the table of all trials."""
DUPLICATES = {
    "train_validation": "train examples that are in validation too",
    "train_test": "train examples that are in test too",
    "validation_test": "validation examples that are in test too",
    "dropped": "examples dropped as duplicates",
}
MOST_CLASSES = 40
"""Maximum number of classes of a confusion matrix that is shown in full."""


def sections(run: RunReport, more: Iterable[ReportSection] = ()) -> list[ReportSection]:
    """Return the sections of a report, without empty ones.

    Args:
        run: the results to show.
        more: sections that need more than the run's results, such as pictures of the data.
    """
    last = ReportSection(id="reproduce", title="Time, and how to repeat it", parts=tuple(_reproducing(run)))
    return [section for section in (*_sections(run), *more, last) if section.parts]


def render(run: RunReport, sections: Sequence[ReportSection]) -> str:
    """Return the HTML of the page."""
    from jinja2 import Environment

    here = files(__package__)
    template = Environment(autoescape=True, trim_blocks=True).from_string(
        here.joinpath("page.html.jinja").read_text(encoding="utf-8")
    )
    style = Markup(here.joinpath("page.css").read_text(encoding="utf-8"))
    return template.render(run=run, sections=sections, style=style)


def _sections(run: RunReport) -> Iterator[ReportSection]:
    if run.evaluation:
        yield ReportSection(
            id="leaderboard", title="Leaderboard", parts=tuple(_leaderboard(run, run.evaluation))
        )
    if run.search:
        yield ReportSection(id="architecture", title="Architecture", parts=tuple(_architecture(run.search)))
        yield ReportSection(id="search", title="How the search went", parts=tuple(_search(run.search)))
    if run.trainings:
        yield ReportSection(id="training", title="Learning curves", parts=tuple(_training(run)))
    if run.evaluation:
        yield ReportSection(
            id="details", title="Scores in detail", parts=tuple(_details(run, run.evaluation))
        )
    yield from history.sections(run.history)
    if run.source:
        yield ReportSection(id="data", title="Data", parts=tuple(_data(run)))


def _leaderboard(run: RunReport, evaluation: EvaluationResult) -> Iterator[ReportPart]:
    board, objective = run.leaderboard, evaluation.objective
    sizes = [latency.batch_size for latency in evaluation.found.latency]
    names = [objective, *(name for name in evaluation.found.metrics if name != objective)][:LEADING_METRICS]
    rows = []
    for score in board:
        interval = score.metrics[objective].interval
        rows.append(
            [
                score.name,
                f"{score.metrics[objective].value:.4f}",
                f"{interval.low:.4f} to {interval.high:.4f}" if interval else "",
                *(f"{score.metrics[name].value:.4g}" for name in names[1:]),
                count(score.params),
                count(score.macs),
                *([f"{latency.median_ms:.2f}" for latency in score.latency] or [""] * len(sizes)),
            ]
        )
    titles = [name.replace("_", " ") for name in names]
    yield ReportPart(
        kind="table",
        caption=f"On {evaluation.num_examples} test examples, which nothing else has seen; seed {run.seed}. "
        f"Latency: median of warm forward passes on {evaluation.device}.",
        columns=[
            "network",
            titles[0],
            "95 % interval",
            *titles[1:],
            "params",
            "MACs",
            *(f"ms, batch {n}" for n in sizes),
        ],
        rows=rows,
        marked=next(index for index, score in enumerate(board) if score is evaluation.found),
    )
    networks = [score for score in board if score.params is not None]
    costs = [("parameters", {score.name: float(score.params or 0) for score in networks})]
    if sizes:
        costs.append(
            (f"ms, batch {sizes[0]}", {score.name: score.latency[0].median_ms for score in networks})
        )
    if len(networks) < 2:
        return
    drawn = []
    for what, cost in costs:
        points = {score.name: [(cost[score.name], score.metrics[objective].value)] for score in networks}
        title = f"{titles[0]} against {what}"
        front = _front([points[score.name][0] for score in networks])
        drawn.append(
            Figure(
                svg=figures.scatter(points, what, titles[0], title, front=front),
                caption=f"{title}: up and left is better.",
            )
        )
    yield ReportPart(kind="figures", figures=drawn)


def _front(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Return the Pareto front of points (cost, score), the cheapest first."""
    front: list[tuple[float, float]] = []
    for cost, score in sorted(points, key=lambda point: (point[0], -point[1])):
        if not front or score > front[-1][1]:
            front.append((cost, score))
    return front


def _architecture(search: SearchResult) -> Iterator[ReportPart]:
    if search.genotype.space == SPACE:
        drawing = Figure(svg=blocks.draw(search.genotype, "The found network"), caption="The found network")
        yield ReportPart(kind="figures", figures=[drawing])
        rows = list(stages.rows(search.genotype))
        yield ReportPart(
            kind="table", caption="Stages; sides are shares of the image's", columns=stages.COLUMNS, rows=rows
        )
    else:
        yield _cells(search.genotype)
    yield ReportPart(kind="code", caption="Genotype in one line", text=search.genotype.to_line())
    if search.tuned:
        yield _pairs("Hyperparameters that were found", search.tuned)


def _cells(genotype: Genotype) -> ReportPart:
    return ReportPart(
        kind="figures",
        figures=[
            Figure(
                svg=cells.draw(cell, f"The found {name}"), caption=name if name == "cell" else f"{name} cell"
            )
            for name, cell in genotype.cells.items()
        ],
    )


def _search(search: SearchResult) -> Iterator[ReportPart]:
    sampled = search.epoch is None and search.elastic is None
    what = "evaluation" if sampled else "epoch"
    number = len(search.history)
    if number:
        yield ReportPart(kind="text", text=f"{number} {what}{'s' * (number != 1)} in {search.seconds:.0f} s.")
    yield from (ReportPart(kind="text", text=remark) for remark in search.remarks)
    drawn: list[Figure] = []
    if search.race:
        yield ReportPart(
            kind="table",
            caption=f"{RACE_TITLE}. {RACE_CAPTION}",
            columns=RACE_COLUMNS,
            rows=list(race_rows(search.race)),
            marked=0,
        )
        drawn += _race_curves(search.race)
    elif search.elastic:
        yield ReportPart(
            kind="table",
            caption=elastic_title(search.elastic),
            columns=ELASTIC_COLUMNS,
            rows=list(elastic_rows(search.elastic)),
            marked=0,
        )
    else:
        drawn += _scores(search, what)
    if not sampled:
        drawn += _curves({"": search.history}, "of the supernet")
    if search.decidedness:
        drawn += [_alphas(one) for one in search.decidedness.alphas]
    drawn += _trial_curves(search.trials)
    yield ReportPart(kind="figures", figures=drawn)
    if search.trials:
        yield _trials(search.trials)


def _race_curves(race: RaceResult) -> Iterator[Figure]:
    """Draw the curves that the race was decided by."""
    curves = {
        network.name: [(100 * share, loss) for share, loss in network.curve]
        for network in race.leaderboard
        if network.curve
    }
    if curves:
        title = "validation loss over the share of the budget"
        svg = figures.lines(curves, "% of the budget", "loss", title, integer=False)
        yield Figure(svg=svg, caption=f"{title}; a line ends where the network was dropped, or won")


def _scores(search: SearchResult, what: str) -> Iterator[Figure]:
    """Draw each score and the best so far, by number and by the time that was spent."""
    best = {name.removeprefix("best_"): name for name in _names(search.history) if name.startswith("best_")}
    spent = _minutes_spent(search)
    for name, column in best.items():
        measured = [r for r in search.history if name in r.metrics and column in r.metrics]
        scores, leading = ([r.metrics[key] for r in measured] for key in (name, column))
        axes: list[tuple[str, Sequence[float]]] = [(what, [r.epoch for r in measured])]
        if spent:
            axes.append(("minutes of the search", [spent[str(r.epoch - 1)] for r in measured]))
        for x, xs in axes:
            title = f"{name.replace('_', ' ')} by {x}"
            yield Figure(svg=figures.progress(xs, scores, leading, x, name, title), caption=title)


def _minutes_spent(search: SearchResult) -> dict[str, float]:
    """Return by name of each trial the minutes of the search until its end, as if all trials took turns."""
    total = sum(trial.seconds for trial in search.trials)
    ends = accumulate(trial.seconds for trial in search.trials)
    share = search.seconds / total / 60 if total else 0.0
    return {trial.name: end * share for trial, end in zip(search.trials, ends, strict=True)} if total else {}


def _trial_curves(trials: Sequence[TrialSummary]) -> Iterator[Figure]:
    """Draw the learning curve of each trial."""
    curves = [trial.curve for trial in trials if len(trial.curve) > 1]
    if curves:
        title = "validation score of each trial over its epochs"
        svg = figures.bundles([curves], "epoch", "score", title)
        yield Figure(svg=svg, caption=f"{title}; those that end early were stopped")


def _trials(trials: Sequence[TrialSummary]) -> ReportPart:
    names = list(dict.fromkeys(name for trial in trials for name in trial.metrics))
    counts = Counter(trial.state for trial in trials)
    more = f"; the first {MOST_TRIALS} are shown" if len(trials) > MOST_TRIALS else ""
    return ReportPart(
        kind="table",
        is_folded=True,
        caption=f"All trials: {', '.join(f'{number} {state}' for state, number in counts.items())}{more}",
        columns=["trial", "state", *(name.replace("_", " ") for name in names), "seconds", "why"],
        rows=[
            [
                trial.name,
                trial.state,
                *(f"{trial.metrics[name]:.4g}" if name in trial.metrics else "" for name in names),
                f"{trial.seconds:.1f}",
                trial.reason or "",
            ]
            for trial in trials[:MOST_TRIALS]
        ],
    )


def _alphas(alphas: Alphas) -> Figure:
    """Draw the probability of each choice over the epochs; the lines separate as decisions are made."""
    by_decision = [list(zip(*epochs, strict=True)) for epochs in zip(*alphas.probabilities, strict=True)]
    title = f"alphas of {alphas.group}: the probability of each choice"
    return Figure(
        svg=figures.bundles(by_decision, "epoch", "probability", title),
        caption=f"{title}; a colour for each of the {len(by_decision)} decisions",
    )


def _training(run: RunReport) -> Iterator[ReportPart]:
    drawn = _curves({training.name: training.history for training in run.trainings}, "of each network")
    if drawn:
        yield ReportPart(kind="figures", figures=drawn)
    else:
        yield ReportPart(
            kind="text", text="No network was trained for more than one epoch: there is no curve."
        )


def _curves(histories: dict[str, tuple[EpochRecord, ...]], of: str) -> list[Figure]:
    """Return a figure for each metric, with a line for each network."""
    names = dict.fromkeys(name for history in histories.values() for name in _names(history))
    drawn = []
    for name in names:
        series = {
            network or name: [
                (record.epoch, record.metrics[name]) for record in history if name in record.metrics
            ]
            for network, history in histories.items()
        }
        series = {network: points for network, points in series.items() if points}
        if max(map(len, series.values())) > 1:
            title = f"{name.replace('_', ' ')} {of}"
            drawn.append(
                Figure(svg=figures.lines(series, "epoch", name.replace("_", " "), title), caption=title)
            )
    return drawn


def _names(history: Sequence[EpochRecord]) -> list[str]:
    return list(dict.fromkeys(name for record in history for name in record.metrics))


def _details(run: RunReport, evaluation: EvaluationResult) -> Iterator[ReportPart]:
    metrics = list(evaluation.found.metrics)
    yield ReportPart(
        kind="table",
        caption="All metrics",
        columns=["network", *(name.replace("_", " ") for name in metrics)],
        rows=[[s.name, *(f"{s.metrics[name].value:.4g}" for name in metrics)] for s in run.leaderboard],
        marked=next(index for index, score in enumerate(run.leaderboard) if score is evaluation.found),
    )
    for comparison in evaluation.comparisons:
        verdict = "the two differ" if comparison.excludes_zero else "the examples cannot tell the two apart"
        low, high = comparison.interval.low, comparison.interval.high
        yield ReportPart(
            kind="text",
            text=f"Found less {comparison.baseline}: {comparison.difference:+.4f}, 95 % interval {low:+.4f} to "
            f"{high:+.4f}: {verdict}.",
        )
    for table in evaluation.tables:
        yield from _score_table(table)
    confusion = evaluation.confusion
    if confusion and len(confusion.names) <= MOST_CLASSES:
        totals = [max(sum(row), 1) for row in confusion.counts]
        yield ReportPart(
            kind="table",
            caption="What is taken for what: rows are true, columns predicted.",
            columns=["true", *confusion.names],
            rows=[
                [name, *map(str, row)] for name, row in zip(confusion.names, confusion.counts, strict=True)
            ],
            shades=[
                [round(number / total, 3) for number in row]
                for row, total in zip(confusion.counts, totals, strict=True)
            ],
        )


def _score_table(table: ScoreTable) -> Iterator[ReportPart]:
    if table.is_curve and len(table.rows) > 1:
        xs, *columns = zip(*table.rows, strict=True)
        x, *names = table.columns
        lines = {
            name: [(float(a), float(b)) for a, b in zip(xs, ys, strict=True)]
            for name, ys in zip(names, columns, strict=True)
        }
        drawn = Figure(svg=figures.lines(lines, x, "error", table.title), caption=table.title)
        yield ReportPart(kind="figures", figures=[drawn])
    rows = [[value if isinstance(value, str) else f"{value:.4g}" for value in row] for row in table.rows]
    yield ReportPart(
        kind="table", caption=table.title, columns=table.columns, rows=rows, is_folded=table.is_curve
    )


def _data(run: RunReport) -> Iterator[ReportPart]:
    yield _pairs(
        "What the networks learn from",
        {
            "source": run.source,
            "task": run.task,
            **{f"input {name}": form for name, form in run.inputs.items()},
            **{f"{split} examples": size for split, size in run.split_sizes.items()},
            **{DUPLICATES[name]: number for name, number in run.duplicates.items()},
            "content (SHA-256)": run.content_hash,
        },
    )


def _reproducing(run: RunReport) -> Iterator[ReportPart]:
    total = sum(run.seconds.values())
    if run.seconds:
        yield ReportPart(
            kind="table",
            caption="Where the time went, and the digest of all that each step's result depends on",
            columns=["step", "seconds", "share", "key"],
            rows=[
                [step, f"{seconds:.1f}", f"{seconds / max(total, 1e-9):.0%}", run.keys[step]]
                for step, seconds in run.seconds.items()
            ],
        )
    if run.trainings:
        yield ReportPart(
            kind="table",
            caption="Where the training went",
            columns=["network", "seconds", "params", "MACs"],
            rows=[[t.name, f"{t.seconds:.1f}", count(t.params), count(t.macs)] for t in run.trainings],
        )
    if run.registration:
        yield _pairs(
            "Registered",
            {
                "model": run.registration.uri,
                "version": run.registration.version,
                "alias": run.registration.alias,
            },
        )
    yield _pairs(
        "What the numbers depend on", {"cellwright": run.version, "seed": run.seed, **run.environment}
    )
    if not run.keys:
        return
    yield ReportPart(kind="text", text="Commands that check and repeat it:")
    commands = [f"cellwright verify runs/{run.name}", f"cellwright show runs/{run.name}"]
    if run.registration:
        commands.append(f"cellwright reproduce models:/{run.registration.name}/{run.registration.version}")
    yield from (ReportPart(kind="command", text=command) for command in commands)


def _pairs(caption: str, pairs: dict[str, Any]) -> ReportPart:
    rows = [[name, str(value)] for name, value in pairs.items() if value is not None]
    return ReportPart(kind="table", caption=caption, columns=["what", "value"], rows=rows)
