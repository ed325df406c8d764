"""Writing the report of a workspace's latest run."""

from pathlib import Path

from cellwright.files import write_text
from cellwright.folders import claim
from cellwright.report.html.page import render
from cellwright.report.html.pictures import sections
from cellwright.report.latest import LatestRun
from cellwright.report.run_report import RunReport

REPORT = "report.html"


def write_report(workspace: Path, path: Path | None = None) -> Path:
    """Write the HTML report of the latest run.

    Args:
        workspace: the run's folder.
        path: where to; `report.html` in the workspace by default.

    Returns:
        The file.

    Raises:
        CellwrightError: a result is missing or damaged.
    """
    from cellwright.training.checkpoint import load_tensors

    run, steps = RunReport.of(workspace), LatestRun.read(workspace).steps
    outputs = (
        load_tensors(workspace / steps["evaluate"] / "outputs.safetensors")[0] if "evaluate" in steps else {}
    )
    found = run.evaluation.found.name if run.evaluation else ""
    if path is None:
        path = workspace / REPORT
        claim(path)
    write_text(path, render(run, list(sections(workspace / steps["prepare"], outputs, found))))
    return path
