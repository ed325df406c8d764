"""The main job, as a user starts it: one command from a spec to a registered model."""

import base64
import json
import os
import random
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from starlette.testclient import TestClient
from typer.testing import CliRunner

import cellwright
from cellwright.cli.app import app
from cellwright.finding import download_version
from cellwright.reproducing import compare, fetch
from cellwright.results import EvaluationResult, RegistrationResult, SearchResult
from cellwright.serving.model import ServedModel
from cellwright.serving.server import Server
from cellwright.steps.register import RETRAIN_TAG
from cellwright.steps.verifying import verify_workspace
from cellwright.tracking import connection as _connection
from cellwright.tracking import model_version
from tests.servers import MlflowServer
from tests.without import without

ROOT = Path(__file__).parents[1]
SPEC = """
name: small
data: {source: digits, limit: 300}
space: {kind: darts, num_nodes: 2, num_cells: 2, channels: 4, primitives: [skip_connect, max_pool_3x3, sep_conv_3x3]}
budget: {epochs: 4}
retrain: {epochs: 4}
evaluate: {latency_repeats: 5}
resources: {cpu: 1}
"""
KILLS = 5
CANARY = "c4n4ry-" * 3
"""A secret, which must be left nowhere."""
IN_BASE64 = (base64.b64encode(b"_" * offset + CANARY.encode()).decode()[4:20] for offset in range(3))
LEFT = re.compile("|".join(map(re.escape, ("c4n4ry", *IN_BASE64))))
"""Finds it, also in base64, whatever comes before it."""
SECRETS = ("AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "CELLWRIGHT_TOKEN")


def command(folder: Path, name: str = "run") -> list[str]:
    spec = folder / "small.yaml"
    spec.write_text(SPEC)
    script = Path(sys.executable).with_name("cellwright")
    return [str(script), name, str(spec), "--runs", str(folder / "runs")]


def run(folder: Path) -> str:
    done = subprocess.run(command(folder), capture_output=True, text=True, timeout=250)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def steps(folder: Path) -> Mapping[str, Path]:
    return steps_of(folder / "runs/small")


def steps_of(workspace: Path) -> Mapping[str, Path]:
    records = workspace.glob("*/step.json")
    return {json.loads(record.read_text())["step"]: record.parent for record in records}


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    folder = tmp_path_factory.mktemp("undisturbed")
    return folder, run(folder)


def test_ends_with_a_registered_model_and_a_table(undisturbed: tuple[Path, str]):
    folder, output = undisturbed
    done = steps(folder)
    assert done.keys() == {"prepare", "search", "retrain", "baselines", "evaluate", "register"}
    registered = RegistrationResult.load(done["register"] / "registered.json")
    assert (registered.name, registered.version, registered.alias) == ("small", 1, "champion")
    evaluation = EvaluationResult.load(done["evaluate"] / "evaluation.json")
    assert [score.name for score in evaluation.baselines] == ["random-0", "resnet"]
    assert evaluation.num_examples == sum(map(sum, evaluation.confusion.counts)) == 359
    for wanted in (
        "found",
        "random-0",
        "resnet",
        f"{evaluation.found.metrics['accuracy'].value:.4f}",
        "models:/small@champion",
        "mlflow ui",
    ):
        assert wanted in output


def test_baselines_are_trained_as_the_found_network_is(undisturbed: tuple[Path, str]):
    done = steps(undisturbed[0])
    results = [done["retrain"] / "training.json", *done["baselines"].glob("*/training.json")]
    epochs = [len(json.loads(path.read_text())["history"]) for path in results]
    assert epochs == [4, 4, 4]
    found, resnet = (
        json.loads(path.read_text())["params"]
        for path in (done["retrain"] / "training.json", done["baselines"] / "resnet/training.json")
    )
    assert resnet == pytest.approx(found, rel=0.5)


def test_what_the_card_and_the_page_say_predicts_without_cellwright(
    undisturbed: tuple[Path, str], tmp_path: Path
):
    """The card in the registry is all that is taken from there; the page is docs/predict.md."""
    folder, _ = undisturbed
    done = steps(folder)
    registered = RegistrationResult.load(done["register"] / "registered.json")
    version = _connection.connect(registered.tracking_uri).get_model_version("small", "1")
    *before, last = re.search(r"```python\n(.*?)\n```", version.description, re.DOTALL)[1].splitlines()
    assert len(before) == 2
    page = (ROOT / "docs/predict.md").read_text()
    code = re.search(r"```python\n(import os\n\nimport mlflow\n.*?)```", page, re.DOTALL)[1]
    test = load_file(next(done["prepare"].glob("test*.safetensors")))
    np.save(tmp_path / "examples.npy", test["inputs/images"].numpy())
    script = f"""{without("cellwright")}
import json, numpy, torch
examples = numpy.load({str(tmp_path / "examples.npy")!r})
{chr(10).join(before)}
answer = {last}
answer.to_json({str(tmp_path / "answer.json")!r}, orient="records")
{code.replace("shoes", "small")}
torch.save(model(torch.from_numpy(examples)), {str(tmp_path / "outputs.pt")!r})
print(json.dumps(info))
"""
    loaded = subprocess.run(
        [sys.executable, "-I", "-W", "ignore", "-c", script],
        cwd=folder, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert loaded.returncode == 0, loaded.stderr
    expected = load_file(done["evaluate"] / "outputs.safetensors")["found"]
    torch.testing.assert_close(torch.load(tmp_path / "outputs.pt"), expected, atol=1e-4, rtol=0)
    answers = json.loads((tmp_path / "answer.json").read_text())
    names = list("0123456789")
    assert [answer["prediction"] for answer in answers] == [names[at] for at in expected.argmax(1)]
    shares = torch.tensor([[answer[f"probability of {name}"] for name in names] for answer in answers])
    torch.testing.assert_close(shares, expected.softmax(1), atol=1e-5, rtol=0)
    info = json.loads((done["retrain"] / "model_info.json").read_text())
    assert info["class_names"] == names
    assert info["inputs"] == [
        {"name": "images", "shape": [1, 8, 8], "dtype": "uint8", "meaning": info["inputs"][0]["meaning"]}
    ]
    assert json.loads(loaded.stdout.splitlines()[-1]) == info


def test_from_python_it_has_a_leaderboard_a_model_predictions_and_a_report(undisturbed: tuple[Path, str]):
    folder, output = undisturbed
    finished = cellwright.Run(folder / "runs/small")
    evaluation = EvaluationResult.load(steps(folder)["evaluate"] / "evaluation.json")
    board = finished.leaderboard()
    assert set(board["network"]) == {"found", "random-0", "resnet"}
    assert board["accuracy"].is_monotonic_decreasing
    shown = CliRunner().invoke(app, ["leaderboard", str(folder / "runs/small"), "--json"])
    expected = json.loads(board.to_json(orient="records", double_precision=15))
    assert json.loads(shown.stdout) == [pytest.approx(row, abs=1e-12) for row in expected]
    assert board.set_index("network")["accuracy"]["found"] == evaluation.found.metrics["accuracy"].value
    images = load_file(steps(folder)["prepare"] / "test.safetensors")["inputs/images"]
    np.save(folder / "images.npy", images.numpy())
    outputs = load_file(steps(folder)["evaluate"] / "outputs.safetensors")["found"]
    predicted = finished.predict(folder / "images.npy")
    assert predicted["label"].astype(int).tolist() == outputs.argmax(1).tolist()
    assert evaluation.found.name in finished._repr_html_()
    assert f"Report: {folder / 'runs/small/report.html'}" in output
    assert evaluation.found.genotype.to_line() in (folder / "runs/small/report.html").read_text()


def test_mlflows_pages_have_what_people_look_for(undisturbed: tuple[Path, str]):
    """A description, the report, pictures, a table, curves with steps, and the model with its card."""
    folder, _ = undisturbed
    registered = RegistrationResult.load(steps(folder)["register"] / "registered.json")
    client = _connection.connect(registered.tracking_uri)
    run_id = registered.mlflow_run_id
    evaluation = EvaluationResult.load(steps(folder)["evaluate"] / "evaluation.json")
    tags = client.get_run(run_id).data.tags
    assert f"{evaluation.found.metrics['accuracy'].value:.4f} on" in tags["mlflow.note.content"]
    files = {file.path for file in client.list_artifacts(run_id)}
    assert {"report.html", "leaderboard.json", "pictures", "card.json"} <= files
    pictures = client.list_artifacts(run_id, "pictures")
    names = {Path(picture.path).name for picture in pictures}
    assert {"leaderboard-1.svg", "architecture-1.svg", "training-1.svg", "calibration-1.svg"} <= names
    for name in names:
        content = Path(client.download_artifacts(run_id, f"pictures/{name}")).read_text()
        assert ElementTree.fromstring(content).tag == "{http://www.w3.org/2000/svg}svg"
    table = json.loads(Path(client.download_artifacts(run_id, "leaderboard.json")).read_text())
    assert {row[0] for row in table["data"]} == {"found", "random-0", "resnet"}
    assert json.loads(tags["mlflow.loggedArtifacts"]) == [{"path": "leaderboard.json", "type": "table"}]
    loss = client.get_metric_history(run_id, "retrain/train_loss")
    assert [point.step for point in loss] == [1, 2, 3, 4]
    version = client.get_model_version(registered.name, str(registered.version))
    assert "## Limits" in version.description
    assert "`champion`" in client.get_registered_model(registered.name).description


def test_given_again_it_reuses_everything_without_torch_and_kfp(undisturbed: tuple[Path, str]):
    folder, _ = undisturbed
    before = {path: path.stat().st_mtime_ns for path in (folder / "runs/small").glob("*-*/*")}
    report = (folder / "runs/small/report.html").stat().st_mtime_ns
    for _ in range(2):
        script = f"{without('torch', 'kfp', 'sklearn')}\nfrom cellwright.cli import main\nmain()"
        done = subprocess.run(
            [sys.executable, "-c", script, *command(folder)[1:]], capture_output=True, text=True, timeout=250
        )
        assert done.returncode == 0, done.stdout + done.stderr
        assert "register: reusing" in done.stdout
    after = {path: path.stat().st_mtime_ns for path in (folder / "runs/small").glob("*-*/*")}
    assert after == before
    assert (folder / "runs/small/report.html").stat().st_mtime_ns == report
    (folder / "runs/small/report.html").unlink()
    assert "report.html" in run(folder) and (folder / "runs/small/report.html").exists()


def test_verify_finds_each_changed_byte_of_a_finished_run(undisturbed: tuple[Path, str]):
    workspace = undisturbed[0] / "runs/small"
    verify = [sys.executable, "-m", "cellwright", "verify", str(workspace)]
    done = subprocess.run(verify, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    assert [line.split()[0] for line in done.stdout.splitlines()] == ["ok"] * 6
    files = [file for step in steps(undisturbed[0]).values() for file in sorted(step.rglob("*"))]
    files = [file for file in files if file.is_file() and file.stat().st_size]
    rng = random.Random(0)
    for _ in range(20):
        file = rng.choice(files)
        whole = file.read_bytes()
        place = rng.randrange(len(whole))
        changed = bytes([whole[place] ^ 1 << rng.randrange(8)])
        file.write_bytes(whole[:place] + changed + whole[place + 1 :])
        problems = [problem for found in verify_workspace(workspace) for problem in found.problems]
        file.write_bytes(whole)
        assert any(str(file) in problem for problem in problems), file


@pytest.fixture
def server(tmp_path: Path) -> Iterator[MlflowServer]:
    """An MLflow server that is away until a test starts it."""
    server = MlflowServer(f"sqlite:///{tmp_path}/server.db", tmp_path)
    yield server
    server.kill()


@pytest.mark.timeout(600)
def test_killed_five_times_it_gives_the_result_of_an_undisturbed_run(
    undisturbed: tuple[Path, str], tmp_path: Path, server: MlflowServer
):
    """Two runs of one spec and seed give the same results, bit for bit, and log the same to MLflow.

    What is killed is the whole pipeline, or the command that does all steps in one process, which starts faster.
    The server answers when a run starts, or that would be refused, and is then away until the registration has begun to
    wait for it. The login in its address and the secrets of the environment are left nowhere: in no file of the run, of
    MLflow or of the compiled pipeline, no line, no process's arguments, as they are or in base64.
    """
    server.start()
    address = server.address.replace("://", f"://alice:{CANARY}@")
    environment = os.environ | {"MLFLOW_TRACKING_URI": address} | dict.fromkeys(SECRETS, CANARY)
    rng = random.Random(0)
    duration = sum(
        json.loads((f / "step.json").read_text())["seconds"] for f in steps(undisturbed[0]).values()
    )
    for attempt in range(KILLS):
        killed = command(tmp_path, "run" if attempt % 2 else "register")
        started = subprocess.Popen(killed, env=environment, stdout=subprocess.DEVNULL, start_new_session=True)
        deadline = time.monotonic() + rng.uniform(0.1, 0.6) * duration
        while time.monotonic() < deadline and not list(tmp_path.glob("runs/small/register-*")):
            time.sleep(0.02)
        assert started.poll() is None, "must be killed, at the latest where it starts to register"
        os.killpg(started.pid, signal.SIGKILL)
        started.wait()
        time.sleep(0.2)
    with subprocess.Popen(command(tmp_path), env=environment, stdout=subprocess.PIPE, text=True) as last:
        assert last.stdout
        said, arguments = [], set[Path]()
        for line in last.stdout:
            if not said:
                server.kill()
            said.append(line)
            arguments |= {path for path in Path("/proc").glob("[0-9]*/cmdline") if LEFT.search(_text(path))}
            if "register: MLflow at" in line and "waiting for it" in line:
                server.start()
    assert last.returncode == 0, said
    assert sum("waiting for it" in line for line in said) == 1
    assert_same_results(steps(undisturbed[0]), steps(tmp_path))
    local = RegistrationResult.load(steps(undisturbed[0])["register"] / "registered.json")
    assert logged(server.address) == logged(local.tracking_uri)
    compiled = [*command(tmp_path, "compile")[:3], "-o", str(tmp_path / "pipeline.yaml")]
    subprocess.run(compiled, env=environment, check=True, capture_output=True, timeout=120)
    assert not arguments
    assert not [line for line in said if LEFT.search(line)]
    left = {path for path in tmp_path.rglob("*") if path.is_file()}
    names = {path.name for path in left}
    assert names >= {
        *("run.log", "step.json", "spec.json", "registered.json", "report.html"),
        *("server.db", "server.log", "MLmodel", "pipeline.yaml"),
    }
    assert not [path for path in left if LEFT.search(_text(path))]


def _text(path: Path) -> str:
    try:
        return path.read_bytes().decode(errors="replace")
    except OSError:  # a process that has ended, or another user's
        return ""


def logged(uri: str) -> dict[str, object]:
    """Return what MLflow has of the one run there, without what a clock measured."""
    client = _connection.connect(uri)
    experiment = client.get_experiment_by_name("small")
    assert experiment
    (run,) = client.search_runs([experiment.experiment_id])
    points = {
        name: [(point.step, point.value) for point in client.get_metric_history(run.info.run_id, name)]
        for name in run.data.metrics
    }
    files = {file.path for file in client.list_artifacts(run.info.run_id)}
    measured = {
        name: "measured" for name in points if any(word in name for word in ("latency", "seconds", "cost"))
    }
    (version,) = client.search_model_versions("name = 'small'")
    digests = {version.tags.pop(tag) for tag in ("cellwright.files", RETRAIN_TAG)}
    assert len(digests) == 2  # of files that say how long things took
    return {
        "name": run.info.run_name,
        "status": run.info.status,
        "params": run.data.params,
        "tags": run.data.tags,
        "points": points | measured,
        "files": files,
        "version": (int(version.version), version.run_id == run.info.run_id, version.tags),
    }


def assert_same_results(one: Mapping[str, Path], other: Mapping[str, Path]) -> None:
    searches = [SearchResult.load(done["search"] / "search.json") for done in (one, other)]
    assert searches[0].history == searches[1].history
    assert searches[0].genotype == searches[1].genotype
    outputs = [load_file(done["evaluate"] / "outputs.safetensors") for done in (one, other)]
    assert outputs[0].keys() == outputs[1].keys()
    assert all(outputs[0][name].equal(outputs[1][name]) for name in outputs[0])
    scores = [EvaluationResult.load(done["evaluate"] / "evaluation.json") for done in (one, other)]
    assert scores[0].found.metrics == scores[1].found.metrics
    assert scores[0].comparisons == scores[1].comparisons
    registered = [RegistrationResult.load(done["register"] / "registered.json") for done in (one, other)]
    assert registered[0].version == registered[1].version == 1


def test_the_registered_version_is_served_with_the_answers_of_evaluate(
    undisturbed: tuple[Path, str], tmp_path: Path
):
    folder, _ = undisturbed
    uri = f"sqlite:///{folder}/runs/mlflow.db"
    place = download_version(uri, model_version(uri, "models:/small@champion"), ["model.onnx"], tmp_path)
    server = Server(model=ServedModel(place, name="small", version="small/1", threads=1), threads=1)
    images = load_file(steps(folder)["prepare"] / "test.safetensors")["inputs/images"]
    with TestClient(server.app()) as client:
        answer = client.post("/v1/models/small:predict", json={"instances": images.tolist()})
    expected = load_file(steps(folder)["evaluate"] / "outputs.safetensors")["found"].softmax(1)
    rows = [list(each["probabilities"].values()) for each in answer.json()["predictions"]]
    torch.testing.assert_close(torch.tensor(rows), expected, atol=1e-5, rtol=0)
    labels = [int(each["label"]) for each in answer.json()["predictions"]]
    assert labels == expected.argmax(1).tolist()


def test_the_registry_alone_reproduces_a_version_to_the_last_digit(
    undisturbed: tuple[Path, str], tmp_path: Path
):
    uri = f"sqlite:///{undisturbed[0]}/runs/mlflow.db"
    script = Path(sys.executable).with_name("cellwright")
    done = subprocess.run(
        [str(script), "reproduce", "models:/small@champion", "--tracking-uri", uri, "--runs", "here"],
        cwd=tmp_path, capture_output=True, text=True, timeout=250,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.splitlines()[-1] == "small/1: all 20 results are the same to the last digit"
    folders = steps_of(tmp_path / "here/reproduced/small-1/small")
    _, registered = fetch(uri, "models:/small/1", tmp_path)
    others = registered.model_copy(
        update={"data": "0" * 64, "environment": {**registered.environment, "torch": "2.0"}, "genotype": "x"}
    )
    found = compare(others, folders)
    assert [each.what for each in found.differences] == ["architecture"]
    assert (
        "what was not as in the first run: data; " in found.sentence and "torch (2.0 then" in found.sentence
    )
