"""Visualisations of a step in KFP: the sections of the report that the step has results for, and metrics."""

from pathlib import Path
from typing import Any

from cellwright import __version__
from cellwright.data import DataManifest
from cellwright.report.html.page import render, sections
from cellwright.report.latest import REPORT
from cellwright.report.run_report import RunReport, answer, data_facts
from cellwright.results import EvaluationResult, RegistrationResult, SearchResult, TrainingResult


def prepare_page(folder: Path, seed: int) -> str:
    """Return the page of the data."""
    facts = data_facts(DataManifest.load(folder))
    return _page(folder, seed, f"The data is prepared: {facts['task']}.", **facts)


def search_page(folder: Path, seed: int) -> str:
    """Return the page of the search."""
    search = SearchResult.load(folder / SearchResult.FILE)
    found = "The search has ended." if search.score is None else f"The search found {search.score:.4f}."
    return _page(folder, seed, search.race.sentence if search.race else found, search=search)


def evaluate_page(folder: Path, seed: int) -> str:
    """Return the page of the scores."""
    evaluation = EvaluationResult.load(folder / EvaluationResult.FILE)
    return _page(folder, seed, answer(evaluation), evaluation=evaluation)


def register_page(folder: Path, seed: int) -> str:
    """Return the report of the whole run; where only a finished step's JSON files are, what was registered."""
    if (folder / REPORT).exists():
        return (folder / REPORT).read_text(encoding="utf-8")
    registration = RegistrationResult.load(folder / RegistrationResult.FILE)
    return _page(folder, seed, f"Registered as {registration.uri}.", registration=registration)


def _page(folder: Path, seed: int, sentence: str, **results: Any) -> str:
    step = folder.name.partition("-")[0]
    run = RunReport(name=step, seed=seed, version=__version__, answer=sentence, **results)
    return render(run, sections(run))


def search_metrics(folder: Path) -> dict[str, float]:
    """Return the score and duration of the search."""
    found = SearchResult.load(folder / SearchResult.FILE)
    score = {} if found.score is None else {"validation_score": found.score}
    return {**score, "seconds": found.seconds}


def training_metrics(folder: Path) -> dict[str, float]:
    """Return the size and final metrics of each trained network."""
    trained = [TrainingResult.load(path) for path in sorted(folder.rglob(TrainingResult.FILE))]
    return {
        f"{result.name}_{name}": value
        for result in trained
        for name, value in {"params": result.params, "macs": result.macs, **_last(result)}.items()
    }


def evaluate_metrics(folder: Path) -> dict[str, float]:
    """Return the objective and size of each network."""
    result = EvaluationResult.load(folder / EvaluationResult.FILE)
    scores = result.scores
    return {
        "num_test_examples": result.num_examples,
        **{
            f"{score.name}_test_{result.objective}": score.metrics[result.objective].value for score in scores
        },
        **{f"{score.name}_params": score.params for score in scores if score.params is not None},
    }


def _last(result: TrainingResult) -> dict[str, float]:
    return result.history[-1].metrics if result.history else {}
