"""The model card of a registered version: https://arxiv.org/abs/1810.03993. As Markdown it is MLflow's description."""

import html
import re
from collections.abc import Iterator
from typing import Any, Self

from cellwright.credentials import without_credentials
from cellwright.report.checklist import Answer, checklist
from cellwright.report.run_report import RunReport
from cellwright.report.summary import count
from cellwright.report.terminal import visible
from cellwright.results import EvaluationResult, ModelInfo, ModelScore, Result, SearchResult
from cellwright.spec import SearchSpec

LONGEST = 5000
"""Characters that MLflow's databases keep of a description."""
FEW = 30
"""Test examples of a class, below which its scores say little."""
MOST_NAMES = 20
NO_PICKLE = "MLFLOW_ALLOW_PICKLE_DESERIALIZATION=false"
MARKUP = re.compile(r"([\\`*_{}\[\]#|~!])")


class ModelCard(Result):
    """`card.json`: what people should know who use a registered version."""

    FILE = "card.json"

    name: str
    cellwright: str
    """The version that trained it."""
    answer: str
    """In one sentence, what it reaches and what it was compared with."""
    source: str
    task: str
    content_hash: str
    split_sizes: dict[str, int]
    model: ModelInfo
    """What it takes and gives, with its classes."""
    space: str
    strategy: str
    budget: dict[str, Any]
    seed: int
    tried: str
    """What the search evaluated."""
    search_seconds: float
    evaluation: EvaluationResult
    """With intervals, beside random, hand-designed and classical models."""
    limits: tuple[str, ...]
    """What its scores do not say."""
    loading: tuple[str, ...]
    """Three lines of Python that predict with it, without cellwright."""
    digests: dict[str, str]
    """SHA-256 of its files, and digests of what it is from."""
    checklist: tuple[Answer, ...] = ()
    """Best practices for research on architecture search; empty in cards of older versions."""

    @classmethod
    def of(
        cls,
        spec: SearchSpec,
        run: RunReport,
        model: ModelInfo,
        *,
        tracking_uri: str,
        digests: dict[str, str],
    ) -> Self:
        """Gather the card of a run whose evaluation is done."""
        assert run.search and run.evaluation and run.source and run.task and run.content_hash
        return cls(
            name=spec.model_name,
            cellwright=run.version,
            answer=run.answer,
            source=run.source,
            task=run.task,
            content_hash=run.content_hash,
            split_sizes=run.split_sizes,
            model=model,
            space=spec.space.kind,
            strategy=spec.strategy.kind,
            budget=_budget(spec),
            seed=spec.seed,
            tried=_tried(run.search),
            search_seconds=run.search.seconds,
            evaluation=run.evaluation,
            limits=tuple(_limits(run.evaluation, run.source)),
            loading=loading(without_credentials(tracking_uri), f"models:/{spec.model_name}@champion"),
            digests=digests,
            checklist=checklist(spec, run),
        )


def loading(tracking_uri: str, address: str) -> tuple[str, ...]:
    """Return three lines of Python that predict the classes, or numbers, of `examples`."""
    return (
        "import mlflow",
        f'mlflow.set_tracking_uri("{tracking_uri}")',
        f'mlflow.pyfunc.load_model("{address}").predict(examples)',
    )


def _examples(model: ModelInfo) -> str:
    """Return what `examples` is in these lines."""
    if model.columns:
        return "a pandas data frame with these columns"
    if len(model.inputs) > 1:
        return "a dictionary of these arrays by name, N examples in each"
    return "an array of N of these"


def _answers(model: ModelInfo) -> str:
    if model.label_names:
        return "the labels, and the probability of each"
    return "the class, and the probability of each" if model.class_names else model.output.name


def markdown(card: ModelCard) -> str:
    """Return the card as Markdown, in which text of others is no markup, cut to what MLflow keeps."""
    text = "\n".join(_lines(card))
    if len(text) <= LONGEST:
        return text
    more = f"\n… the rest is in {ModelCard.FILE}"
    return text[: LONGEST - len(more)].rpartition("\n")[0] + more


def _lines(card: ModelCard) -> Iterator[str]:
    yield f"# {_text(card.name)}\n\n{_text(card.answer)}\n"
    yield "## Use\n\n```python"
    yield from (visible(line) for line in card.loading)
    yield f"```\n\n`examples` is {_examples(card.model)}; answers have {_answers(card.model)}."
    yield f"That is the champion; another version is `models:/{visible(card.name)}/VERSION`."
    yield f"With `{NO_PICKLE}` in the environment, a model that someone replaced by a pickle is refused.\n"
    for taken in card.model.raw_inputs:
        yield f"- takes {_text(taken.name)}, {taken.dtype} {list(taken.shape)}: {_text(taken.meaning)}"
    yield f"- gives {_text(card.model.output.name)}: {_text(card.model.output.meaning)}"
    for what, names in (("classes", card.model.class_names), ("labels", card.model.label_names)):
        if names:
            more = f" and {len(names) - MOST_NAMES} more" if len(names) > MOST_NAMES else ""
            yield f"- {what}: {_text(', '.join(names[:MOST_NAMES]))}{more}"
    yield "\n## Limits\n"
    yield from (f"- {_text(limit)}" for limit in card.limits)
    evaluation = card.evaluation
    yield f"\n## Results\n\nOn {evaluation.num_examples} test examples. Latency: {_text(evaluation.device)}.\n"
    yield f"| network | {_text(evaluation.objective)} | 95 % interval | params | MACs | ms |\n|---|---|---|---|---|---|"
    yield from (_row(score, evaluation.objective) for score in evaluation.scores)
    yield "\n## Data\n"
    yield f"{_text(card.source)}: {_text(card.task)}; " + ", ".join(
        f"{size} {split}" for split, size in card.split_sizes.items()
    )
    budget = ", ".join(f"{key} {value}" for key, value in card.budget.items())
    yield (
        f"\n## Search\n\nspace {_text(card.space)}, strategy {_text(card.strategy)}, budget {_text(budget)}, seed "
        f"{card.seed}: {_text(card.tried)} in {card.search_seconds:.0f} s, by cellwright {card.cellwright}\n"
    )
    yield f"    {visible(card.model.genotype.to_line())}\n"
    yield "## Digests\n"
    yield from (f"- {_text(name)}: {digest}" for name, digest in card.digests.items())


def _row(score: ModelScore, objective: str) -> str:
    metric = score.metrics[objective]
    interval = f"{metric.interval.low:.4f} to {metric.interval.high:.4f}" if metric.interval else ""
    latency = (
        f"{score.latency[0].median_ms:.2f} (batch {score.latency[0].batch_size})" if score.latency else ""
    )
    cells = (
        _text(score.name),
        f"{metric.value:.4f}",
        interval,
        count(score.params),
        count(score.macs),
        latency,
    )
    return f"| {' | '.join(cells)} |"


def _budget(spec: SearchSpec) -> dict[str, Any]:
    """Return the limits that such a search has."""
    if spec.strategy.continues or spec.strategy.cuts:
        names = {"minutes", "gpu_hours"}
    elif spec.is_sampled:
        names = {"evaluations", "finalists", "fresh_seeds", "max_seconds"}
    else:
        names = {"epochs", "seeds", "max_seconds"}
    return spec.budget.model_dump(mode="json", include=names, exclude_none=True)


def _tried(search: SearchResult) -> str:
    if search.race:
        number = len(search.race.leaderboard)
        return f"{number} networks raced" if number > 1 else "1 network, for which the budget was enough"
    if search.elastic:
        return f"{search.elastic.num_scored} parts of one network"
    if search.epoch is None:
        return f"{len(search.history)} architectures evaluated"
    return f"{len(search.history)} epochs of a supernet"


def _limits(evaluation: EvaluationResult, source: str) -> Iterator[str]:
    yield (
        f"The scores are of {evaluation.num_examples} examples of {source}. On data that differ from it they may be "
        "lower, and the model does not say when they do."
    )
    yield "Intervals cover the choice of test examples, not of training examples or seeds."
    if evaluation.confusion is None:
        return
    names = evaluation.confusion.names
    totals = [sum(row) for row in evaluation.confusion.counts]
    recalls = {
        name: row[i] / total
        for i, (name, row, total) in enumerate(zip(names, evaluation.confusion.counts, totals, strict=True))
        if total
    }
    worst = min(recalls, key=recalls.__getitem__)
    yield f"It is weakest on {worst}: {recalls[worst]:.1%} of its test examples are recognised."
    if few := [name for name, total in zip(names, totals, strict=True) if total < FEW]:
        more = f" and {len(few) - MOST_NAMES} more" if len(few) > MOST_NAMES else ""
        yield f"Fewer than {FEW} test examples, so scores say little: {', '.join(few[:MOST_NAMES])}{more}."


def _text(text: str) -> str:
    """Return text of others on one line, in which nothing is markup or HTML."""
    return MARKUP.sub(r"\\\1", html.escape(visible(" ".join(text.split())), quote=False))
