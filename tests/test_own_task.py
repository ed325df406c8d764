"""A task that is not images, as a third party writes it, from `cellwright run` to a model that needs no cellwright."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from cellwright.results import EvaluationResult, ModelInfo, RegistrationResult
from tests.without import without

EXAMPLES = Path(__file__).parents[1] / "examples"
QUICK = (
    "runner={kind: 'my_package.runners:InProcessSection'}",
    "budget.evaluations=2",
    "budget.finalists=1",
    "retrain.epochs=20",
    "evaluate.latency_repeats=5",
)


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Path]:
    runs = tmp_path_factory.mktemp("runs")
    overrides = [part for override in QUICK for part in ("--set", override)]
    script = Path(sys.executable).with_name("cellwright")
    run = subprocess.run(
        [str(script), "run", str(EXAMPLES / "own_task.yaml"), "--runs", str(runs), *overrides],
        capture_output=True,
        text=True,
        timeout=280,
        env={**os.environ, "PYTHONPATH": str(EXAMPLES)},
    )
    assert run.returncode == 0, run.stdout + run.stderr
    records = (runs / "own-task").glob("*/step.json")
    return {json.loads(record.read_text())["step"]: record.parent for record in records}


def test_results_hold_the_metrics_of_a_regression(done: Mapping[str, Path]):
    evaluation = EvaluationResult.load(done["evaluate"] / "evaluation.json")
    assert evaluation.objective == "r2"
    assert {score.name for score in evaluation.baselines} == {"random-0", "mlp"}
    assert tuple(evaluation.found.metrics) == ("r2", "rmse", "mae")
    assert evaluation.found.metrics["r2"].value > 0.5
    assert evaluation.found.metrics["r2"].interval is not None
    assert evaluation.found.metrics["rmse"].direction == "minimize"
    assert [table.title for table in evaluation.tables] == ["residuals"]
    assert evaluation.confusion is None


def test_the_model_predicts_numbers_without_cellwright(done: Mapping[str, Path], tmp_path: Path):
    registered = RegistrationResult.load(done["register"] / "registered.json")
    test = load_file(next(done["prepare"].glob("test*.safetensors")))
    torch.save(test["inputs/spectra"], tmp_path / "spectra.pt")
    script = f"""{without("cellwright", "my_package")}
import mlflow, torch
mlflow.set_tracking_uri({registered.tracking_uri!r})
model = mlflow.pytorch.load_model({registered.uri!r})
print(mlflow.models.get_model_info({registered.uri!r}).metadata["class_names"])
torch.save(model(torch.load({str(tmp_path / "spectra.pt")!r})), {str(tmp_path / "outputs.pt")!r})
"""
    command = [sys.executable, "-I", "-W", "ignore", "-c", script]
    loaded = subprocess.run(command, check=True, timeout=120, stdout=subprocess.PIPE, text=True)
    assert loaded.stdout.split()[-1] == "None"
    info = ModelInfo.load(done["retrain"] / "model_info.json")
    assert [x.name for x in info.inputs] == ["spectra"] and info.from_file is None
    expected = load_file(done["evaluate"] / "outputs.safetensors")["found"]
    torch.testing.assert_close(torch.load(tmp_path / "outputs.pt"), expected, atol=1e-4, rtol=0)
