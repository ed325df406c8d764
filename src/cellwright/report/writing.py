"""Writes the HTML report of a run from its steps' folders."""

from collections.abc import Mapping
from pathlib import Path

from cellwright.data.prepared import PreparedData
from cellwright.files import write_text
from cellwright.folders import claim
from cellwright.report.html import calibration, pictures
from cellwright.report.html.page import render
from cellwright.report.latest import REPORT, LatestRun
from cellwright.report.run_report import RunReport
from cellwright.results import OUTPUTS
from cellwright.tasks.base import read_task
from cellwright.training.checkpoint import load_tensors


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
    write_text(path, report_html(latest.name, latest.seed, folders))
    return path


def report_html(name: str, seed: int, folders: Mapping[str, Path]) -> str:
    """Return the HTML report of the finished steps.

    Args:
        name: the spec's name.
        seed: the spec's seed.
        folders: the folder of each finished step, including `prepare`.

    Raises:
        CellwrightError: a result is missing or damaged.
    """
    run = RunReport.gather(name, seed, folders)
    data = PreparedData.open(folders["prepare"])
    task = read_task(data.manifest.task)
    if run.evaluation is None:
        return render(run, list(pictures.samples(task, data)))
    outputs = load_tensors(folders["evaluate"] / OUTPUTS)[0][run.evaluation.found.name]
    return render(
        run,
        [
            *calibration.sections(task, outputs, data.test.targets),
            *pictures.samples(task, data),
            *pictures.mistakes(task, data, outputs),
        ],
    )
