"""The notebook of the docs runs from its first cell to its last."""

import json
from pathlib import Path
from typing import Any

import pytest

import cellwright_pipelines
from cellwright.steps.running import run_until

NOTEBOOK = Path(__file__).parents[1] / "docs/quickstart.ipynb"
BUDGET = 'budget={"minutes": 1}'
LESS = 'budget={"minutes": 0.02}, resources={"cpu": 1}, evaluate={"latency_repeats": 5}, data={"limit": 200}'


def test_each_cell_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Steps run in this process; `test_whole_pipeline` has them as those of a pipeline."""
    monkeypatch.setattr(
        cellwright_pipelines,
        "run_locally",
        lambda spec, workspace, progress: run_until("register", spec, workspace, progress),
    )
    monkeypatch.chdir(tmp_path)
    cells = json.loads(NOTEBOOK.read_text())["cells"]
    code = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
    assert sum(BUDGET in cell for cell in code) == 1
    names: dict[str, Any] = {}
    for cell in code:
        exec(cell.replace(BUDGET, LESS).replace("load_digits()", "load_digits(n_class=4)"), names)
    run, answers = names["run"], names["answers"]
    assert "found" in set(run.leaderboard()["network"])
    assert len(answers) == 5 and answers["label"].str.startswith("digit ").all()
    assert run.report() == Path("runs/some-digits/report.html") and run.report().exists()
    assert "accuracy" in run._repr_html_()
    assert "name: some-digits" in Path("some-digits.yaml").read_text()
