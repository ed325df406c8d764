"""The results of a run for the terminal; every number says what it was measured on."""

from collections.abc import Iterator, Mapping

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from cellwright.report.drawing import draw_genotype
from cellwright.results import (
    Comparison,
    ElasticResult,
    EvaluationResult,
    Interval,
    ModelScore,
    RaceResult,
    RegistrationResult,
    SearchResult,
)


def summarise(
    *,
    seed: int,
    search: SearchResult | None = None,
    evaluation: EvaluationResult | None = None,
    registration: RegistrationResult | None = None,
) -> RenderableType:
    """Return the available results of a run: found cells, scores, differences, and the registered version."""
    parts: list[RenderableType] = []
    if search:
        parts += [draw_genotype(search.genotype), *_search_lines(search)]
    if evaluation:
        parts += [Text(), _winner_line(evaluation), _scores(evaluation, seed), *_difference_lines(evaluation)]
    if registration:
        name, version, alias = registration.name, registration.version, registration.alias
        parts += [Text(), Text(f"Registered as {name} version {version}, alias {alias}: {registration.uri}")]
        if registration.gate:
            parts.append(Text(f"The gate {registration.gate}"))
    return Group(*parts)


def _search_lines(search: SearchResult) -> Iterator[RenderableType]:
    yield Text(search.genotype.to_line(), style="dim", no_wrap=True, overflow="ignore")
    if search.race:
        yield _leaderboard(search.race)
    elif search.elastic:
        yield _targets(search.elastic)
    elif search.epoch is None:
        yield Text(
            f"Best of {len(search.history)} evaluations, {search.seconds:.0f} s; metrics are means over fresh seeds "
            "on the validation split."
        )
        yield from (
            Text(f"  {_format_metrics(member.metrics)}  {member.genotype.to_line()}", style="dim")
            for member in search.front
        )
    else:
        yield Text(
            f"Found in epoch {search.epoch} of {len(search.history)}, {search.seconds:.0f} s; the supernet scores "
            f"{search.score:.4f} there on the validation split."
        )
    yield from map(Text, search.remarks)


LEADING_METRICS = 2
"""Of a leaderboard: the objective and one more. The report's details have all."""
RACE_COLUMNS = ("network", "ms/step", "budget", "loss", "score", "P", "outcome")
RACE_TITLE = "The race: averaged weights on the validation split, when they were compared last"
RACE_CAPTION = "P: the probability of ending better than the winner."


def race_rows(race: RaceResult) -> Iterator[tuple[str, ...]]:
    """Yield a row for each network of a race, the winner first."""
    for network in race.leaderboard:
        yield (
            network.name,
            f"{network.step_ms:.3g}",
            f"{network.share:.1%}",
            "" if network.loss is None else f"{network.loss:.4f}",
            "" if network.score is None else f"{network.score:.4f}",
            "" if network.p_better is None else f"{network.p_better:.2f}",
            network.outcome,
        )


def _leaderboard(race: RaceResult) -> Table:
    table = Table(title=RACE_TITLE, caption=RACE_CAPTION, title_justify="left", caption_justify="left")
    for title in RACE_COLUMNS:
        words = title in ("network", "outcome")
        table.add_column("" if title == "outcome" else title, justify="left" if words else "right")
    for row in race_rows(race):
        table.add_row(*row)
    return table


ELASTIC_COLUMNS = ("network", "limit", "cost", "loss", "score")


def elastic_title(elastic: ElasticResult) -> str:
    """Return what was cut out of what, and what it was chosen by."""
    return (
        f"Cut out of {elastic.name}: the best of {elastic.num_scored} parts within each limit of {elastic.metric}, on "
        f"{elastic.num_examples} validation examples"
    )


def elastic_rows(elastic: ElasticResult) -> Iterator[tuple[str, ...]]:
    """Yield a row for the network of each target, in the spec's order."""
    for network in elastic.networks:
        limit, cost = (
            f"{value:.3g}" if elastic.metric == "latency_ms" else count(value)
            for value in (network.limit, network.cost)
        )
        yield network.name, limit, cost, f"{network.loss:.4f}", f"{network.score:.4f}"


def _targets(elastic: ElasticResult) -> Table:
    table = Table(title=elastic_title(elastic), title_justify="left")
    for title in ELASTIC_COLUMNS:
        table.add_column(title, justify="left" if title == "network" else "right")
    for row in elastic_rows(elastic):
        table.add_row(*row)
    return table


def _winner_line(evaluation: EvaluationResult) -> Text:
    """Return a sentence about the best network, even if it is not the found one."""
    winner, objective = evaluation.winner, evaluation.objective
    what = "the found network" if winner is evaluation.found else f"{winner.name}, not the found network"
    return Text(f"Best by {objective}: {what}, {winner.metrics[objective].value:.4f}")


def _scores(evaluation: EvaluationResult, seed: int) -> Table:
    batch_sizes = [latency.batch_size for latency in evaluation.found.latency]
    table = Table(
        title=f"On the {evaluation.split} split: {evaluation.num_examples} examples, one seed ({seed})",
        caption="Intervals cover the choice of examples, not of seeds. Latency: median / 95th percentile of "
        f"warm forward passes on {evaluation.device}.",
        title_justify="left",
        caption_justify="left",
    )
    table.add_column("network")
    names = list(evaluation.found.metrics)[:LEADING_METRICS]
    for title in (
        names[0],
        "95 % interval",
        *names[1:],
        "params",
        "MACs",
        *(f"ms, batch {b}" for b in batch_sizes),
    ):
        table.add_column(title, justify="right")
    for score in evaluation.scores:
        table.add_row(*_row(score), style="bold" if score is evaluation.found else None)
    return table


def _row(score: ModelScore) -> Iterator[str]:
    yield score.name
    first, *others = list(score.metrics.values())[:LEADING_METRICS]
    yield f"{first.value:.4f}"
    yield _format_interval(first.interval, ".4f") if first.interval else ""
    for metric in others:
        yield f"{metric.value:.4g}"
    yield count(score.params)
    yield count(score.macs)
    for latency in score.latency:
        yield f"{latency.median_ms:.2f} / {latency.p95_ms:.2f}"


def _difference_lines(evaluation: EvaluationResult) -> Iterator[Text]:
    for comparison in evaluation.comparisons:
        yield Text(
            f"found less {comparison.baseline}: {comparison.difference:+.4f} "
            f"{_format_interval(comparison.interval, '+.4f')}: {_verdict(comparison)}"
        )


def _verdict(comparison: Comparison) -> str:
    if not comparison.excludes_zero:
        return "the interval includes zero, so these examples do not tell the two apart"
    return f"the interval excludes zero, found is {'better' if comparison.difference > 0 else 'worse'}"


def _format_metrics(metrics: Mapping[str, float]) -> str:
    return " ".join(f"{name}={value:.4g}" for name, value in metrics.items())


def _format_interval(interval: Interval, form: str) -> str:
    return f"[{interval.low:{form}}, {interval.high:{form}}]"


def count(number: float | None) -> str:
    """Return a count with three digits and its unit; empty for None."""
    if number is None:
        return ""
    for unit in ("", " k", " M", " G"):
        if number < 999.5:
            return f"{number:.3g}{unit}"
        number /= 1000
    return f"{number:.3g} T"
