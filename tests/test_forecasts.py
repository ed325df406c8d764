"""Forecasts, from their spec to models that forecast where there is no cellwright."""

import csv
import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from cellwright.report.html.page import sections
from cellwright.report.run_report import RunReport
from cellwright.results import EvaluationResult, RegistrationResult
from tests.example_runs import EXAMPLES, run_example
from tests.pages import ROOT, call, commands, python
from tests.without import without

SMALL = (
    "space={kind: kernels, channels: 4, num_blocks: 1}",
    "data.stride=12",
    "evaluate.baseline.random_architectures=0",
)


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Path]:
    return run_example("forecast.yaml", "register", tmp_path_factory.mktemp("runs"), *SMALL)


@pytest.fixture
def now(tmp_path: Path) -> Path:
    """Return a file with the last window of the test split, as the page says."""
    header, *rows = csv.reader((EXAMPLES / "bikes.csv").read_text().splitlines())
    known = [[hour, "", "", holiday] for hour, _, _, holiday in rows[-24:]]
    with (tmp_path / "now.csv").open("w", newline="") as file:
        csv.writer(file).writerows([header, *rows[-192:-24], *known])
    return tmp_path / "now.csv"


def test_networks_are_compared_with_naive_and_linear_forecasts(done: Mapping[str, Path]):
    evaluation = EvaluationResult.load(done["evaluate"] / "evaluation.json")
    names = ["dlinear", "last-value", "nlinear", "seasonal-naive"]
    assert [score.name for score in evaluation.baselines] == names
    assert evaluation.baselines[1].metrics["skill"].value < evaluation.found.metrics["skill"].value
    table = evaluation.tables[-1]
    assert (table.columns, len(table.rows)) == (("step ahead", "found", *names), 24)
    details = next(s for s in sections(RunReport.gather("bikes", 0, done)) if s.id == "details")
    [drawn] = [part for part in details.parts if part.kind == "figures"]
    assert "seasonal-naive" in drawn.figures[0].svg


def test_models_forecast_as_the_page_says_without_cellwright(
    done: Mapping[str, Path], now: Path, tmp_path: Path
):
    registered = RegistrationResult.load(done["register"] / "registered.json")
    script = f"""{without("cellwright", "my_package")}
{python("forecasting.md", "import mlflow").replace("sqlite:///runs/mlflow.db", registered.tracking_uri)}
import onnxruntime, torch
feeds = {{"past": values[:, :, :168], "future": values[:, 2:, 168:]}}
session = onnxruntime.InferenceSession({str(done["retrain"] / "model.onnx")!r})
network = torch.export.load({str(done["retrain"] / "model.pt2")!r}).module()
of_torch = network(*map(torch.from_numpy, feeds.values())).detach()
found = [forecast, session.run(None, feeds)[0], of_torch.numpy()]
torch.save(torch.from_numpy(numpy.stack(found)), "outputs.pt")
"""
    command = [
        sys.executable,
        "-I",
        "-W",
        "ignore",
        "-c",
        script.replace("import mlflow", "import mlflow, numpy"),
    ]
    subprocess.run(command, cwd=tmp_path, check=True, timeout=200)
    expected = load_file(done["evaluate"] / "outputs.safetensors")["found"][-1:]
    for found in torch.load(tmp_path / "outputs.pt"):
        torch.testing.assert_close(found, expected, atol=1e-2, rtol=1e-4)


def test_the_command_of_the_page_continues_a_table(
    done: Mapping[str, Path], now: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    Path("runs").mkdir()
    Path("runs/bikes").symlink_to(done["retrain"])
    [command] = commands(ROOT / "docs/forecasting.md")
    expected = load_file(done["evaluate"] / "outputs.safetensors")["found"][-1, 0].tolist()
    assert json.loads(call(command))["rented"] == pytest.approx(expected, abs=1e-2)
    columns = call(command.replace("--json", "--csv")).splitlines()[0].split(",")
    assert columns == ["file", *(f"rented.{step}" for step in range(24))]
    assert call(command.replace("--json", "")).count(",") == 23
