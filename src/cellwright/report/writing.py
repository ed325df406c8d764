"""Writes the HTML report of a run from its steps' folders."""

import json
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from cellwright.data.prepared import PreparedData
from cellwright.environment import ENVIRONMENT, read_environment
from cellwright.files import write_text
from cellwright.folders import claim
from cellwright.report.html import balance, calibration, pictures
from cellwright.report.html.page import render
from cellwright.report.latest import REPORT, LatestRun
from cellwright.report.run_report import RunReport
from cellwright.results import OUTPUTS, ModelHistory, StepRecord
from cellwright.spec.section import Section
from cellwright.spec.view import parse_view
from cellwright.tasks.base import read_task
from cellwright.training.checkpoint import load_tensors

SHOWN = ("python", "system", "cpu", "gpu", "torch", "numpy", "onnxruntime", "mlflow", "kfp")
"""What the report says of the machine and of the versions of packages."""


def write_report(workspace: Path, path: Path | None = None) -> Path:
    """Write the HTML report of a workspace's latest run.

    Args:
        workspace: the run's folder.
        path: the output file; by default, `report.html` in the workspace.

    Returns:
        The path of the file.

    Raises:
        CellwrightError: a result is missing or damaged.
    """
    latest = LatestRun.read(workspace)
    folders = {step: workspace / folder for step, folder in latest.steps.items()}
    if path is None:
        path = workspace / REPORT
        claim(path)
    made = folders.get("register", workspace) / ENVIRONMENT
    environment = read_environment(made.read_text(encoding="utf-8")) if made.exists() else {}
    write_text(path, report_html(latest.name, latest.seed, folders, environment))
    return path


def report_html(
    name: str,
    seed: int,
    folders: Mapping[str, Path],
    environment: Mapping[str, str] = MappingProxyType({}),
    history: ModelHistory | None = None,
) -> str:
    """Return the HTML report of the finished steps.

    Args:
        name: the spec's name.
        seed: the spec's seed.
        folders: the folder of each finished step, including `prepare`.
        environment: facts about the machine, and versions of packages, by name.
        history: of the registered model, where the step that registers has not finished yet.

    Raises:
        CellwrightError: a result is missing or damaged.
    """
    shown = {name: environment[name] for name in SHOWN if name in environment}
    run = RunReport.gather(name, seed, folders).model_copy(update={"environment": shown})
    if history is not None:
        run = run.model_copy(update={"history": history})
    data = PreparedData.open(folders["prepare"])
    task = read_task(data.manifest.task)
    more = [*balance.sections(task, data), *pictures.samples(task, data, _augmentation(folders))]
    if run.evaluation is None:
        return render(run, more)
    outputs = load_tensors(folders["evaluate"] / OUTPUTS)[0][run.evaluation.found.name]
    return render(
        run,
        [
            *calibration.sections(task, outputs, data.test.targets),
            *pictures.mistakes(task, data, outputs),
            *more,
        ],
    )


def _augmentation(folders: Mapping[str, Path]) -> Section | None:
    """Return the augmentation that the found network was trained with."""
    if "retrain" not in folders:
        return None
    settings = StepRecord.load(folders["retrain"] / StepRecord.FILE).settings
    return parse_view(json.dumps({"augment": settings["augment"]})).augment
