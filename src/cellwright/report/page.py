"""What KFP's page shows of a step: the terminal's tables as HTML, and numbers."""

import io
from pathlib import Path

from rich.console import Console, RenderableType
from rich.table import Table

from cellwright.data import DataManifest
from cellwright.report.summary import summarise
from cellwright.results import EvaluationResult, RegistrationResult, SearchResult, TrainingResult

WIDTH = 120


def page_of(step: str, folder: Path, *, seed: int) -> str:
    """Return an HTML page of what a finished step left in its folder."""
    console = Console(file=io.StringIO(), record=True, width=WIDTH)
    console.print(_renderable(step, folder, seed))
    return console.export_html()


def metrics_of(step: str, folder: Path) -> dict[str, float]:
    """Return the numbers that tell how a finished step went."""
    match step:
        case "search":
            found = SearchResult.load(folder / "search.json")
            accuracy = (
                {}
                if found.validation_accuracy is None
                else {"validation_accuracy": found.validation_accuracy}
            )
            return {**accuracy, "seconds": found.seconds}
        case "retrain" | "baselines":
            trained = [TrainingResult.load(path) for path in sorted(folder.rglob("training.json"))]
            return {
                f"{result.name}_{name}": value
                for result in trained
                for name, value in {"params": result.params, "macs": result.macs, **_last(result)}.items()
            }
        case "evaluate":
            result = EvaluationResult.load(folder / "evaluation.json")
            scores = (result.found, *result.baselines)
            return {
                "num_test_examples": result.num_examples,
                **{f"{score.name}_test_accuracy": score.accuracy for score in scores},
                **{f"{score.name}_params": score.params for score in scores},
            }
    return {}


def _last(result: TrainingResult) -> dict[str, float]:
    return result.history[-1].metrics if result.history else {}


def _renderable(step: str, folder: Path, seed: int) -> RenderableType:
    match step:
        case "prepare":
            return _splits(DataManifest.load(folder))
        case "search":
            return summarise(seed=seed, search=SearchResult.load(folder / "search.json"))
        case "evaluate":
            return summarise(seed=seed, evaluation=EvaluationResult.load(folder / "evaluation.json"))
        case "register":
            return summarise(seed=seed, registration=RegistrationResult.load(folder / "registered.json"))
    raise ValueError(f"step must be one that has a page, got {step!r}")


def _splits(manifest: DataManifest) -> Table:
    shape = "×".join(map(str, manifest.image_shape))
    table = Table(
        title=f"{manifest.source}: {manifest.num_classes} classes, images of {shape} ({manifest.dtype})",
        caption=f"Content {manifest.content_hash}",
        title_justify="left",
        caption_justify="left",
    )
    table.add_column("split")
    table.add_column("examples", justify="right")
    for split, size in manifest.split_sizes.items():
        table.add_row(split, str(size))
    return table
