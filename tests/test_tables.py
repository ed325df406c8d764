"""A table, from its spec to models that predict from columns where there is no cellwright."""

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from mlflow import MlflowClient
from safetensors.torch import load_file

from cellwright.report.card import ModelCard, markdown
from cellwright.results import EvaluationResult, GateDecision, ModelInfo, RegistrationResult, SearchResult
from cellwright.tasks.base import read_task
from cellwright.tasks.classical import ClassicalResult
from tests.example_runs import EXAMPLES, run_example
from tests.pages import python
from tests.without import without

SMALL = ("space.members=2", "space.channels=8")
ROWS = pd.DataFrame(
    {
        "distance_km": [12.5, np.nan, np.nan],
        "weight_kg": [3.0, 8.25, np.nan],
        "service": ["express", "drone", None],
        "ordered": pd.to_datetime(["2024-02-04T10:59:30", "2031-01-01T00:00:00", None]),
    }
)
"""One row that is whole, one with a level that training has not seen, and one in which all is missing."""


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Path]:
    return run_example("table.yaml", "register", tmp_path_factory.mktemp("runs"), *SMALL)


def test_architecture_and_hyperparameters_are_searched_together(done: Mapping[str, Path]):
    found = SearchResult.load(done["search"] / "search.json")
    assert found.genotype.space == "dense"
    assert set(found.tuned) == {"retrain.learning_rate", "retrain.weight_decay", "augment.blank"}


def test_classical_models_are_among_the_baselines(done: Mapping[str, Path]):
    evaluation = EvaluationResult.load(done["evaluate"] / "evaluation.json")
    assert [score.name for score in evaluation.baselines] == ["mlp", "random-0", "boosted-trees", "linear"]
    assert {comparison.baseline for comparison in evaluation.comparisons} >= {"boosted-trees", "linear"}
    assert (done["baselines"] / "linear" / ClassicalResult.FILE).exists()
    scores = {s.name: s.metrics["accuracy"].value for s in (evaluation.found, *evaluation.baselines)}
    assert scores[evaluation.winner.name] == max(scores.values())


def test_a_gate_compares_what_is_registered_next_with_the_champion(done: Mapping[str, Path]):
    """The version is the same network, so it is refused; nothing but `register` runs again."""
    again = run_example("table.yaml", "register", done["register"].parent, *SMALL, "gate={}")
    assert {name for name in done if done[name] != again[name]} == {"register"}
    registered = RegistrationResult.load(again["register"] / "registered.json")
    decision = GateDecision.load(again["register"] / "gate.json")
    assert (registered.version, registered.alias, registered.gate) == (2, "challenger", decision.sentence)
    assert (decision.champion, decision.comparison.difference, decision.passed) == (1, 0, False)
    client = MlflowClient(registered.tracking_uri)
    files = {file.path for file in client.list_artifacts(registered.mlflow_run_id)}
    assert files >= {"gate.json", "card.json"}
    card = ModelCard.load(again["register"] / "card.json")
    assert client.get_model_version("deliveries", "2").description == markdown(card)
    assert 'mlflow.pyfunc.load_model("models:/deliveries@champion")' in markdown(card)


def test_models_predict_from_columns_as_the_page_says_without_cellwright(
    done: Mapping[str, Path], tmp_path: Path
):
    registered = RegistrationResult.load(done["register"] / "registered.json")
    ROWS.to_parquet(tmp_path / "rows.parquet")
    script = f"""{without("cellwright", "my_package")}
import json, numpy, onnxruntime
{python("tables.md", "import mlflow").replace("sqlite:///runs/mlflow.db", registered.tracking_uri)}
assert len(model.predict(rows)) == len(rows)
rows = pandas.read_parquet({str(tmp_path / "rows.parquet")!r})
print(json.dumps(model.metadata.signature.inputs.input_names()))
predicted = model.predict(rows)
print(predicted.to_json(orient="records"))
session = onnxruntime.InferenceSession({str(done["retrain"] / "model.onnx")!r})
seconds = rows["ordered"].to_numpy("datetime64[s]").view(numpy.int64)
feeds = {{
    "distance_km": rows["distance_km"].to_numpy(), "weight_kg": rows["weight_kg"].to_numpy(),
    "service": numpy.array(["express", "drone", ""], object), "ordered": seconds,
}}
print(json.dumps(session.run(None, feeds)[0].tolist()))
feeds["service"][2] = "?"
print(json.dumps(session.run(None, feeds)[0].tolist()))
"""
    command = [sys.executable, "-I", "-W", "ignore", "-c", script]
    loaded = subprocess.run(command, cwd=EXAMPLES, check=True, timeout=200, stdout=subprocess.PIPE, text=True)
    names, predicted, logits, other_spelling = map(json.loads, loaded.stdout.splitlines()[-4:])
    assert names == list(ROWS.columns)
    assert [row["prediction"] in ("no", "yes") for row in predicted] == [True] * 3
    for row, pair in zip(predicted, logits, strict=True):
        shares = np.exp(pair) / np.exp(pair).sum()
        assert [row["probability of no"], row["probability of yes"]] == pytest.approx(shares, abs=1e-5)
    assert other_spelling == logits


def test_onnx_gives_what_was_evaluated(done: Mapping[str, Path]):
    import onnxruntime

    test = load_file(done["prepare"] / "test.safetensors")
    info = ModelInfo.load(done["retrain"] / "model_info.json")
    task: Any = read_task(info.task)
    inputs = tuple(test[f"inputs/{name}"] for name in task.input_names)
    session = onnxruntime.InferenceSession(done["retrain"] / "model.onnx")
    logits = session.run(None, dict(task.front().raw(inputs)))[0]
    expected = load_file(done["evaluate"] / "outputs.safetensors")["found"]
    torch.testing.assert_close(torch.from_numpy(logits), expected, atol=1e-4, rtol=0)
