"""The results of a finished run, gathered from its steps' folders. Programs can read them as JSON."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self, TypeVar

from cellwright.data import DataManifest
from cellwright.report.latest import LatestRun
from cellwright.results import (
    Comparison,
    EvaluationResult,
    ModelHistory,
    ModelScore,
    RaceResult,
    RegistrationResult,
    Result,
    SearchResult,
    StepRecord,
    TrainingResult,
)
from cellwright.tasks.base import read_task

R = TypeVar("R", bound=Result)


class RunReport(Result):
    """The results of a run. Results of steps that the latest command did not reach are None or empty."""

    name: str
    seed: int
    version: str
    """The version of cellwright."""
    answer: str
    """The result in one sentence."""
    source: str | None = None
    task: str | None = None
    split_sizes: dict[str, int] = {}
    inputs: dict[str, str] = {}
    """Type and shape of each input."""
    duplicates: dict[str, int] = {}
    """How many examples are in two splits, and how many were dropped."""
    content_hash: str | None = None
    environment: dict[str, str] = {}
    """Facts about the machine and versions of packages, of the step that registered the model."""
    search: SearchResult | None = None
    trainings: tuple[TrainingResult, ...] = ()
    """Trainings of the found network and of its baselines."""
    evaluation: EvaluationResult | None = None
    registration: RegistrationResult | None = None
    history: ModelHistory | None = None
    """Of the registered model; None in what earlier versions registered."""
    seconds: dict[str, float] = {}
    """Duration of each step."""
    keys: dict[str, str] = {}
    """Key of each step: the digest of everything that its result depends on."""

    @classmethod
    def of(cls, workspace: Path) -> Self:
        """Gather the results of the latest run in the workspace.

        Raises:
            CellwrightError: a result is missing or damaged; the message names the file.
        """
        latest = LatestRun.read(workspace)
        return cls.gather(
            latest.name, latest.seed, {step: workspace / at for step, at in latest.steps.items()}
        )

    @classmethod
    def gather(cls, name: str, seed: int, folders: Mapping[str, Path]) -> Self:
        """Gather the results from the folders of steps."""
        records = {step: StepRecord.load(folder / StepRecord.FILE) for step, folder in folders.items()}
        manifest = DataManifest.load(folders["prepare"])
        search = _load(SearchResult, folders.get("search"))
        evaluation = _load(EvaluationResult, folders.get("evaluate"))
        trained = [folders[step] for step in ("retrain", "baselines") if step in folders]
        return cls(
            name=name,
            seed=seed,
            version=records["prepare"].version,
            answer=answer(evaluation, search.race if search else None),
            **data_facts(manifest),
            search=search,
            trainings=tuple(
                TrainingResult.load(path)
                for folder in trained
                for path in sorted(folder.rglob(TrainingResult.FILE))
            ),
            evaluation=evaluation,
            registration=_load(RegistrationResult, folders.get("register")),
            history=_load(ModelHistory, _with_history(folders.get("register"))),
            seconds={step: record.seconds for step, record in records.items()},
            keys={step: record.key for step, record in records.items()},
        )

    @property
    def leaderboard(self) -> list[ModelScore]:
        """Return all networks with scores, the best by the objective first."""
        if self.evaluation is None:
            return []
        objective = self.evaluation.objective
        return sorted(
            self.evaluation.scores,
            key=lambda score: score.metrics[objective].value,
            reverse=True,
        )

    def rows(self) -> list[dict[str, Any]]:
        """Return the test scores, size and latency of each network, the best first, for tables."""
        rows = []
        for score in self.leaderboard:
            row: dict[str, Any] = {"network": score.name}
            for name, metric in score.metrics.items():
                row[name] = metric.value
                if metric.interval:
                    row |= {f"{name}_low": metric.interval.low, f"{name}_high": metric.interval.high}
            row |= {"params": score.params, "macs": score.macs}
            row |= {f"ms_batch_{latency.batch_size}": latency.median_ms for latency in score.latency}
            rows.append(row)
        return rows


def data_facts(manifest: DataManifest) -> dict[str, Any]:
    """Return what a report says of prepared data."""
    return {
        "source": manifest.source,
        "task": read_task(manifest.task).summary,
        "split_sizes": dict(manifest.split_sizes),
        "inputs": {name: f"{form.dtype} {list(form.shape)}" for name, form in manifest.inputs.items()},
        "duplicates": {name: number for name, number in manifest.duplicates.model_dump().items() if number},
        "content_hash": manifest.content_hash,
    }


def answer(evaluation: EvaluationResult | None, race: RaceResult | None = None) -> str:
    """Return one sentence that says whether the search was worth it."""
    if evaluation is None:
        return "Nothing was evaluated yet."
    score = evaluation.found.metrics[evaluation.objective]
    objective = evaluation.objective.replace("_", " ")
    reached = (
        f"The found network reaches {objective} {score.value:.4f} on {evaluation.num_examples} test examples"
    )
    if not evaluation.comparisons:
        return f"{reached}; {race.sentence if race else 'it was compared with nothing'}."
    closest = min(evaluation.comparisons, key=lambda comparison: comparison.difference)
    return f"{reached}, and {_compared(closest)}."


def _compared(closest: Comparison) -> str:
    interval = f"95 % interval {closest.interval.low:+.4f} to {closest.interval.high:+.4f}"
    difference = f"{closest.difference:+.4f}, {interval}"
    if not closest.excludes_zero:
        return f"was not shown to differ from its strongest baseline, {closest.baseline} ({difference})"
    verdict = "beats every baseline; the closest is" if closest.difference > 0 else "loses against"
    return f"{verdict} {closest.baseline} ({difference})"


def _with_history(folder: Path | None) -> Path | None:
    return folder if folder and (folder / ModelHistory.FILE).exists() else None


def _load(kind: type[R], folder: Path | None) -> R | None:
    return kind.load(folder / kind.FILE) if folder else None
