"""Several labels, from their spec to a model that predicts from texts where there is no cellwright."""

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
import torch

from cellwright.predicting import Predictor
from cellwright.results import EvaluationResult, RegistrationResult
from tests.example_runs import run_example
from tests.pages import ROOT, call, commands, python
from tests.without import without


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Path]:
    return run_example(
        "several_labels.yaml",
        "register",
        tmp_path_factory.mktemp("labels") / "runs",
        "space.channels=8",
        "retrain.epochs=10",
    )


def test_labels_are_learnt_and_compared(done: Mapping[str, Path]):
    evaluation = EvaluationResult.load(done["evaluate"] / "evaluation.json")
    assert [score.name for score in evaluation.baselines] == ["random-0", "text-cnn", "tf-idf"]
    scores = {s.name: s.metrics["average_precision"].value for s in (evaluation.found, *evaluation.baselines)}
    assert scores["found"] > 0.8 and scores["tf-idf"] > 0.9
    [table] = evaluation.tables
    assert [row[0] for row in table.rows] == ["account", "billing", "delivery", "returns"]


def test_the_report_has_the_labels(done: Mapping[str, Path]):
    report = (done["register"] / "report.html").read_text()
    assert "Examples of each label" in report and "average precision" in report


def test_the_model_predicts_as_the_page_says_without_cellwright(done: Mapping[str, Path]):
    registered = RegistrationResult.load(done["register"] / "registered.json")
    snippet = python("labels.md", "import mlflow").replace(
        "sqlite:///runs/mlflow.db", registered.tracking_uri
    )
    script = f"{without('cellwright')}\n{snippet}\nprint(model.predict(texts).to_json(orient='records'))"
    command = [sys.executable, "-I", "-W", "ignore", "-c", script]
    shown = subprocess.run(command, cwd=done["retrain"], check=True, timeout=200, stdout=subprocess.PIPE)
    of_mlflow = json.loads(shown.stdout.splitlines()[-1])
    predictor = Predictor(done["retrain"])
    outputs = [inputs for _, inputs in predictor.task.examples_in(_texts(done), predictor.info)]
    answers = [predictor.task.answer(predictor.outputs(inputs)[0]) for inputs in outputs]
    for row, answer in zip(of_mlflow, answers, strict=True):
        assert row["prediction"] == "|".join(answer["labels"])
        shares = {f"probability of {name}": share for name, share in answer["probabilities"].items()}
        assert {"prediction": row["prediction"], **shares} == pytest.approx(row, abs=1e-5)


def _texts(done: Mapping[str, Path]) -> Path:
    path = done["retrain"].parent / "texts.csv"
    path.write_text("text,id\nWhere is my parcel?,1\n,2\n")
    return path


def test_the_command_of_the_page_predicts_and_all_probabilities_can_be_had(
    done: Mapping[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    Path("runs").mkdir()
    Path("runs/requests").symlink_to(done["retrain"])
    [command] = commands(ROOT / "docs/labels.md")
    shown, as_json, as_csv = call(command), json.loads(call(command, "--json")), call(command, "--csv")
    names = list(as_json["probabilities"])
    assert as_json["labels"] == [name for name in names if as_json["probabilities"][name] > 0.5]
    assert (", ".join(as_json["labels"]) or "none") in shown
    header, row = as_csv.splitlines()
    assert header == ",".join(["file", "labels", *(f"probabilities.{name}" for name in names)])
    assert row.split(",")[1] == "|".join(as_json["labels"])


def test_exports_agree(done: Mapping[str, Path]):
    import onnxruntime

    text = b"Please refund the lamp. I cannot log in"
    session = onnxruntime.InferenceSession(done["retrain"] / "model.onnx")
    rows = torch.zeros(1, session.get_inputs()[0].shape[1], dtype=torch.uint8)
    rows[0, : len(text)] = torch.tensor(list(text))
    of_pt2 = torch.export.load(done["retrain"] / "model.pt2").module()(rows)
    of_onnx = session.run(None, {"text": rows.numpy()})[0]
    torch.testing.assert_close(torch.from_numpy(of_onnx), of_pt2.detach(), atol=1e-4, rtol=0)
    assert json.loads(session.get_modelmeta().custom_metadata_map["label_names"])[0] == "account"
