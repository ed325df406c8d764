"""Visualisations of a step in KFP: the terminal's tables as HTML, and metrics."""

import io
from pathlib import Path

from rich.console import RenderableType
from rich.table import Table

from cellwright.data import DataManifest
from cellwright.report.summary import summarise
from cellwright.report.terminal import PlainConsole
from cellwright.results import EvaluationResult, RegistrationResult, SearchResult, TrainingResult
from cellwright.tasks.base import read_task

WIDTH = 120


def html(shown: RenderableType) -> str:
    """Return an HTML page with the same content as on the terminal."""
    console = PlainConsole(file=io.StringIO(), record=True, width=WIDTH)
    console.print(shown)
    return console.export_html()


def prepare_page(folder: Path, seed: int) -> RenderableType:
    """Return the table of splits."""
    return _splits(DataManifest.load(folder))


def search_page(folder: Path, seed: int) -> RenderableType:
    """Return the found cells."""
    return summarise(seed=seed, search=SearchResult.load(folder / SearchResult.FILE))


def evaluate_page(folder: Path, seed: int) -> RenderableType:
    """Return the table of scores."""
    return summarise(seed=seed, evaluation=EvaluationResult.load(folder / EvaluationResult.FILE))


def register_page(folder: Path, seed: int) -> RenderableType:
    """Return the location of the model."""
    return summarise(seed=seed, registration=RegistrationResult.load(folder / RegistrationResult.FILE))


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
    scores = (result.found, *result.baselines)
    return {
        "num_test_examples": result.num_examples,
        **{
            f"{score.name}_test_{result.objective}": score.metrics[result.objective].value for score in scores
        },
        **{f"{score.name}_params": score.params for score in scores if score.params is not None},
    }


def _last(result: TrainingResult) -> dict[str, float]:
    return result.history[-1].metrics if result.history else {}


def _splits(manifest: DataManifest) -> Table:
    types = ", ".join(f"{name} {form.dtype}" for name, form in manifest.inputs.items())
    table = Table(
        title=f"{manifest.source}: {read_task(manifest.task).summary} ({types})",
        caption=f"Content {manifest.content_hash}",
        title_justify="left",
        caption_justify="left",
    )
    table.add_column("split")
    table.add_column("examples", justify="right")
    for split, size in manifest.split_sizes.items():
        table.add_row(split, str(size))
    return table
