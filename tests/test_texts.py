"""Texts, from their spec to models that predict from bytes and from strings where there is no cellwright."""

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from cellwright.predicting import Predictor
from cellwright.results import EvaluationResult, RegistrationResult, SearchResult
from tests.example_runs import EXAMPLES, run_example
from tests.pages import ROOT, call, commands, python
from tests.without import without

TEXTS = [
    "I was charged twice for order 1234. Thanks",
    "",
    "Ψ",
    "Where is it? " * 500,
    "Where is my parcel?",
]
"""One that training could have had, one that is empty, one without a known word, one too long, and the page's."""


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Path]:
    return run_example(
        "text.yaml",
        "register",
        tmp_path_factory.mktemp("texts") / "runs",
        "space.channels=8",
        "retrain.epochs=20",
    )


def test_layers_are_searched_and_compared(done: Mapping[str, Path]):
    assert SearchResult.load(done["search"] / "search.json").genotype.space == "tokens"
    evaluation = EvaluationResult.load(done["evaluate"] / "evaluation.json")
    assert [score.name for score in evaluation.baselines] == ["random-0", "text-cnn", "tf-idf"]
    scores = {s.name: s.metrics["accuracy"].value for s in (evaluation.found, *evaluation.baselines)}
    assert scores["found"] > 0.8 and scores["tf-idf"] > 0.8


def test_models_predict_from_strings_and_bytes_as_the_page_says_without_cellwright(
    done: Mapping[str, Path], tmp_path: Path
):
    registered = RegistrationResult.load(done["register"] / "registered.json")
    (tmp_path / "texts.json").write_text(json.dumps(TEXTS))
    script = f"""{without("cellwright", "my_package")}
{python("text.md", "import numpy")}
of_page = logits.tolist()
{python("text.md", "import mlflow").replace("sqlite:///runs/mlflow.db", registered.tracking_uri)}
import json, torch
print(json.dumps(of_page))
texts = json.load(open({str(tmp_path / "texts.json")!r}))
print(model.predict(pandas.DataFrame({{"text": texts}})).to_json(orient="records"))
session = onnxruntime.InferenceSession({str(done["retrain"] / "model.onnx")!r})
(taken,) = session.get_inputs()
rows = numpy.zeros((len(texts), taken.shape[1]), numpy.uint8)
for row, text in zip(rows, texts):
    content = text.encode()[:len(row)]
    row[:len(content)] = numpy.frombuffer(content, numpy.uint8)
print(json.dumps(session.run(None, {{"text": rows}})[0].tolist()))
program = torch.export.load({str(done["retrain"] / "model.pt2")!r}).module()
print(json.dumps(program(torch.from_numpy(rows)).tolist()))
"""
    command = [sys.executable, "-I", "-W", "ignore", "-c", script]
    loaded = subprocess.run(
        command, cwd=done["retrain"], check=True, timeout=200, stdout=subprocess.PIPE, text=True
    )
    of_page, predicted, of_onnx, of_pt2 = map(json.loads, loaded.stdout.splitlines()[-4:])
    assert of_page == pytest.approx(of_onnx[-1], abs=1e-4)
    torch.testing.assert_close(torch.tensor(of_onnx), torch.tensor(of_pt2), atol=1e-4, rtol=0)
    assert predicted[0]["prediction"] == "billing"
    names = ("account", "billing", "delivery")
    shares = torch.tensor([[row[f"probability of {name}"] for name in names] for row in predicted])
    torch.testing.assert_close(shares, torch.tensor(of_onnx).softmax(dim=1), atol=1e-5, rtol=0)
    torch.testing.assert_close(shares[1], shares[2])


def test_onnx_gives_what_was_evaluated(done: Mapping[str, Path]):
    import onnxruntime

    test = load_file(done["prepare"] / "test.safetensors")["inputs/text"]
    session = onnxruntime.InferenceSession(done["retrain"] / "model.onnx")
    logits = session.run(None, {"text": test.numpy()})[0]
    expected = load_file(done["evaluate"] / "outputs.safetensors")["found"]
    torch.testing.assert_close(torch.from_numpy(logits), expected, atol=1e-4, rtol=0)


def test_files_lines_and_tables_are_predicted(done: Mapping[str, Path], tmp_path: Path):
    first, second = "Please refund order 1234", "Where is my parcel"
    (tmp_path / "a.txt").write_text(first)
    (tmp_path / "a.csv").write_text(f"id,text\n1,{first}\n2,{second}\n3,\n")
    (tmp_path / "a.jsonl").write_text(json.dumps({"text": first}) + "\n" + json.dumps({"text": second}))
    (tmp_path / "-").write_text(f"{first}\n{second}\n")
    predictor = Predictor(done["retrain"])
    found = {
        p.name: p for p in predictor.predict(tmp_path / name for name in ("a.txt", "a.csv", "a.jsonl", "-"))
    }
    names = ("a.txt", "a.csv[0]", "a.csv[1]", "a.csv[2]", "a.jsonl[0]", "a.jsonl[1]", "-[0]", "-[1]")
    assert list(found) == [str(tmp_path / name) for name in names]
    answers = [found[str(tmp_path / name)].answer["probabilities"] for name in names]
    for one, other in ((0, 1), (0, 4), (0, 6), (2, 5), (2, 7)):
        assert answers[one] == pytest.approx(answers[other], abs=1e-5)
    (problem,) = predictor.predict([EXAMPLES / "deliveries.csv"])
    assert "the column of texts must be one of its columns, " in str(problem.error)


def test_the_commands_of_the_page_predict(
    done: Mapping[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    Path("runs").mkdir()
    Path("runs/mail").symlink_to(done["retrain"])
    Path("letter.txt").write_text(TEXTS[0])
    Path("new-mail.csv").write_text(f"id,text\n1,{TEXTS[4]}\n")
    files, lines = (call(command).splitlines() for command in commands(ROOT / "docs/text.md"))
    assert [line.split()[0] for line in files] == ["letter.txt", "new-mail.csv[0]"]
    assert [line.split()[0] for line in lines] == ["-[0]", "-[1]"]
