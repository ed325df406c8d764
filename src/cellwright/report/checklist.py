"""The checklist of Lindauer and Hutter for research on architecture search, answered for a run.

Best Practices for Scientific Research on Neural Architecture Search, JMLR 21 (2020), https://arxiv.org/abs/1909.02453.
"""

from collections.abc import Iterator
from typing import Literal

from cellwright.report.run_report import RunReport
from cellwright.results import Result
from cellwright.spec import SearchSpec

RANDOM = "random-"
"""Begins the name of a network of a random architecture."""


class Answer(Result):
    """One question of the checklist."""

    question: str
    met: Literal["yes", "no", "partly"]
    answer: str


def checklist(spec: SearchSpec, run: RunReport) -> tuple[Answer, ...]:
    """Answer every question for a run whose evaluation is done."""
    return tuple(
        Answer(question=question, met=met, answer=answer)
        for question, met, answer in (*_released(spec), *_compared(spec, run), *_reported(spec, run))
    )


Answered = Iterator[tuple[str, Literal["yes", "no", "partly"], str]]


def _released(spec: SearchSpec) -> Answered:
    package = "cellwright, in the version that environment.txt names"
    own = ", ".join(spec.imports)
    code = f"{package}, and code of your own, which the registry does not have: {own}" if own else package
    met: Literal["yes", "partly"] = "partly" if own else "yes"
    yield "Is the code of the training pipeline for the final architectures released?", met, code
    yield "Is the code of the search space released?", met, f"{spec.space.kind}: {code}"
    yield (
        "Are the hyperparameters and seeds of the final evaluation released?",
        "yes",
        f"retrain and augment in spec.json; seed {spec.seed}",
    )
    yield "Is the code of the search method released?", met, f"{spec.strategy.kind}: {code}"
    yield (
        "Are the hyperparameters and seeds of the search method released?",
        "yes",
        f"strategy, budget and estimators in spec.json; seed {spec.seed}",
    )


def _compared(spec: SearchSpec, run: RunReport) -> Answered:
    assert run.evaluation is not None
    names = [score.name for score in run.evaluation.baselines]
    rivals = f"beside {', '.join(names)}" if names else "nothing was compared"
    met: Literal["yes", "no"] = "yes" if names else "no"
    yield (
        "Were all methods compared on the same data, split, search space and training code?",
        met,
        f"{rivals}; one data set of the hash {run.content_hash}, one split, and for networks one training",
    )
    yield (
        "Were confounding factors controlled, such as hardware, versions and run times?",
        met,
        f"one run on {run.evaluation.device}, with the packages of environment.txt; {rivals}",
    )
    yield "Were there ablation studies?", "no", "one run has none; run other specs and compare them"
    yield (
        "Was the same evaluation protocol used for all methods?",
        met,
        f"the test split of {run.evaluation.num_examples} examples, opened by evaluate alone; {rivals}",
    )
    yield (
        "Was performance compared over time?",
        "partly",
        "the curve of the search is in MLflow and in the report; rivals have only their final scores",
    )
    random = [name for name in names if name.startswith(RANDOM)]
    yield (
        "Was there a comparison with random search?",
        "partly" if random else "no",
        f"with {len(random)} random architecture{'s' if len(random) > 1 else ''} trained as the found one; a search "
        "with strategy random and the same budget is the full comparison"
        if random
        else "none was trained: evaluate.baseline.random_architectures",
    )
    repeated = spec.budget.seeds if not spec.is_sampled else 1
    yield (
        "Were there several runs, with their seeds?",
        "partly" if repeated > 1 else "no",
        f"{repeated} searches from seed {spec.seed} on" if repeated > 1 else f"one, with seed {spec.seed}",
    )
    yield (
        "Were tabular or surrogate benchmarks used for in-depth evaluation?",
        "yes" if "tabular" in [section.kind for section in spec.estimators] else "no",
        "docs/benchmarks/nasbench201.md has the strategies on NAS-Bench-201",
    )


def _reported(spec: SearchSpec, run: RunReport) -> Answered:
    yield (
        "Is it reported how hyperparameters were tuned, and at what cost?",
        "yes" if spec.tune else "partly",
        "tune in spec.json; its trials are in MLflow, each with its seconds"
        if spec.tune
        else "they are those of spec.json; the run cannot know how they were chosen",
    )
    seconds = ", ".join(f"{step} {time:.0f}" for step, time in run.seconds.items())
    yield "Is the time of the whole method reported, not of the search alone?", "yes", f"seconds: {seconds}"
    yield (
        "Are all details of the experimental setup reported?",
        "yes",
        "spec.json, environment.txt with the machine, and the digests of data and files; cellwright reproduce compares",
    )
