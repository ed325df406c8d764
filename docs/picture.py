"""Draws docs/digits.svg, the README's picture, from a finished run: `python docs/picture.py runs/digits`."""

import sys
from io import StringIO
from pathlib import Path

from rich.console import Console

from cellwright.report.latest import LatestRun
from cellwright.report.summary import summarise
from cellwright.results import EvaluationResult, RegistrationResult, SearchResult

workspace = Path(sys.argv[1])
latest = LatestRun.read(workspace)
folders = {step: workspace / name for step, name in latest.steps.items()}
console = Console(file=StringIO(), record=True, width=116)
console.print("[bold]$ make run[/bold]")
console.print(
    summarise(
        seed=latest.seed,
        search=SearchResult.load(folders["search"] / "search.json"),
        evaluation=EvaluationResult.load(folders["evaluate"] / "evaluation.json"),
        registration=RegistrationResult.load(folders["register"] / "registered.json"),
    )
)
console.save_svg(str(Path(__file__).with_name("digits.svg")), title="cellwright")
