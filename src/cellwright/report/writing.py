"""Writes the HTML report of a run from its steps' folders."""

import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from cellwright.data.prepared import PreparedData
from cellwright.environment import ENVIRONMENT, read_environment
from cellwright.errors import CellwrightError
from cellwright.files import write_json, write_text
from cellwright.folders import claim
from cellwright.report.html import balance, calibration, pictures
from cellwright.report.html.figures import standalone
from cellwright.report.html.page import render, sections
from cellwright.report.html.parts import ReportSection
from cellwright.report.latest import REPORT, LatestRun
from cellwright.report.run_report import RunReport
from cellwright.results import OUTPUTS, ModelHistory, StepRecord
from cellwright.spec.section import Section
from cellwright.spec.view import parse_view
from cellwright.tasks.base import read_task
from cellwright.training.checkpoint import load_tensors

SHOWN = ("python", "system", "cpu", "gpu", "torch", "numpy", "onnxruntime", "mlflow", "kfp")
"""What the report says of the machine and of the versions of packages."""

GENERATOR, MOST_BYTES = b'<meta name="generator" content="cellwright">', 200
"""What a report has among its first bytes, by which it may be written over."""


def write_report(workspace: Path, path: Path | None = None) -> Path:
    """Write the HTML report of a workspace's latest run.

    Args:
        workspace: the run's folder.
        path: the output file, new or a report; by default, `report.html` in the workspace.

    Returns:
        The path of the file.

    Raises:
        CellwrightError: a result is missing or damaged, or something else is at `path`.
    """
    latest = LatestRun.read(workspace)
    folders = {step: workspace / folder for step, folder in latest.steps.items()}
    if path is None:
        path = workspace / REPORT
        claim(path)
    elif os.path.lexists(path) and not _is_report(path):
        raise CellwrightError(f"{path} must be a new file, or a report: choose another with --output")
    made = folders.get("register", workspace) / ENVIRONMENT
    environment = read_environment(made.read_text(encoding="utf-8")) if made.exists() else {}
    write_text(path, Report(latest.name, latest.seed, folders, environment).html())
    return path


def _is_report(path: Path) -> bool:
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return GENERATOR in file.read(MOST_BYTES)


class Report:
    """The report of finished steps.

    Args:
        name: the spec's name.
        seed: the spec's seed.
        folders: the folder of each finished step, including `prepare`.
        environment: facts about the machine, and versions of packages, by name.
        history: of the registered model, where the step that registers has not finished yet.

    Raises:
        CellwrightError: a result is missing or damaged.
    """

    def __init__(
        self,
        name: str,
        seed: int,
        folders: Mapping[str, Path],
        environment: Mapping[str, str],
        history: ModelHistory | None = None,
    ) -> None:
        facts: dict[str, Any] = {"environment": {n: environment[n] for n in SHOWN if n in environment}}
        if history is not None:
            facts["history"] = history
        self.run = RunReport.gather(name, seed, folders).model_copy(update=facts)
        self.sections = sections(self.run, _more(self.run, folders))

    def html(self) -> str:
        """Return the page."""
        return render(self.run, self.sections)

    def save_pictures(self, folder: Path) -> None:
        """Write each figure as an SVG file."""
        folder.mkdir(exist_ok=True)
        for section in self.sections:
            drawn = [figure for part in section.parts for figure in part.figures]
            for number, figure in enumerate(drawn, start=1):
                write_text(folder / f"{section.id}-{number}.svg", standalone(figure.svg))

    def save_leaderboard(self, path: Path) -> None:
        """Write the scores of all networks as a table, in the form of MLflow's `log_table`."""
        rows = self.run.rows()
        columns = list(dict.fromkeys(name for row in rows for name in row))
        write_json(path, {"columns": columns, "data": [[row.get(name) for name in columns] for row in rows]})


def _more(run: RunReport, folders: Mapping[str, Path]) -> Iterator[ReportSection]:
    """Yield the sections that need more than the run's results."""
    data = PreparedData.open(folders["prepare"])
    task = read_task(data.manifest.task)
    if run.evaluation is not None:
        outputs = load_tensors(folders["evaluate"] / OUTPUTS)[0][run.evaluation.found.name]
        yield from calibration.sections(task, outputs, data.test.targets)
        yield from pictures.mistakes(task, data, outputs)
    yield from balance.sections(task, data)
    yield from pictures.samples(task, data, _augmentation(folders))


def _augmentation(folders: Mapping[str, Path]) -> Section | None:
    """Return the augmentation that the found network was trained with."""
    if "retrain" not in folders:
        return None
    settings = StepRecord.load(folders["retrain"] / StepRecord.FILE).settings
    return parse_view(json.dumps({"augment": settings["augment"]})).augment
