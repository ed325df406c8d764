"""Every command and snippet of README and docs is run: here, page by page and in order, or by the test that is named.

Commands are run as the pages have them, in a folder with the files that they name. Only budgets are smaller.
"""

import argparse
import ast
import importlib
import json
import re
import shutil
import subprocess
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
import yaml
from mlflow import MlflowClient
from PIL import Image
from starlette.testclient import TestClient

import cellwright
import cellwright_pipelines
from cellwright.data.prepared import PreparedData
from cellwright.results import SearchResult
from cellwright.spaces import build_space
from cellwright.spaces.networks import build_network
from cellwright.spec import load_spec
from cellwright.stores import open_store
from cellwright.tasks.base import read_task
from cellwright.tracking.models import assign_alias
from tests.pages import (
    NAMES,
    PAGES,
    ROOT,
    blocks,
    call,
    commands,
    python,
    run_in_this_process,
    with_settings,
    words_of,
)

PIPELINES, LIFECYCLE = "tests/cluster/test_pipelines.py", "tests/cluster/test_lifecycle.py"
PREFLIGHT = "tests/cluster/test_preflight.py"
LABELS = "tests/test_several_labels.py"
ANY = r"\S+: "
ELSEWHERE = {
    ANY + "make test": (".ci/run", "make test"),
    ANY + "(make images|kubectl apply -k .*|cellwright register-suggestions|kubectl set env .*)": (
        "tests/cluster/conftest.py:installing",
        "cluster.md",
    ),
    "docs/cluster.md: (kubectl port-forward .*|export .*)": (
        "tests/cluster/conftest.py:mlflow_uri",
        '"mlflow-users"',
    ),
    ANY + "kubectl create rolebinding .*": (
        f"{PREFLIGHT}:test_a_person_and_a_notebook_may_search_as_the_page_says",
        "cluster.md",
    ),
    r"docs/(tutorials/)?cluster.md: cellwright validate .*": (
        "tests/cluster/test_s3_data.py:test_each_source_is_prepared_as_from_local_files",
        '"validate"',
    ),
    ANY + r"cellwright doctor \S+": (f"{PREFLIGHT}:doctor", '"doctor"'),
    ANY + r"cellwright doctor \S+ --inside kubeflow": (
        f"{PREFLIGHT}:test_a_pod_looks_as_a_step_does_and_is_gone",
        '"--inside", "kubeflow"',
    ),
    ANY + "kubectl create -n cellwright -f experiment.yaml": (
        "tests/cluster/test_searches.py:test_a_trial_that_ends_at_once_loses_no_metrics",
        'kubectl("create", "-n", namespace, "-f", "-"',
    ),
    ANY + "cellwright search search.yaml": ("tests/cluster/searching.py:Search", '"search"'),
    ANY + "cellwright submit .*": (f"{PIPELINES}:submitting", "cellwright submit"),
    ANY + "cellwright (status|logs) RUN.*|docs/pipelines.md: cellwright runs": (
        f"{PIPELINES}:test_runs_can_be_looked_at",
        '"logs"',
    ),
    ANY + "cellwright stop RUN": (
        f"{PIPELINES}:test_a_stopped_run_leaves_nothing_and_its_pods_carry_the_profile",
        '"stop"',
    ),
    ANY + "cellwright schedule .*": (f"{PIPELINES}:schedule", '"schedule"'),
    ANY + "cellwright (schedules|unschedule .*)": (
        f"{PIPELINES}:stop_two",
        '"unschedule"',
    ),
    ANY + "cellwright run-now search.yaml": ("tests/cluster/scheduling.py:three_runs", '"run-now"'),
    ANY + "kubectl (.*mlflow-login.*|apply --kustomize manifests/serving)": (
        f"{LIFECYCLE}:server",
        "mlflow-login",
    ),
    ANY + "PYTHONPATH=examples cellwright run examples/own_task.yaml": (
        "tests/test_own_task.py:done",
        "own_task.yaml",
    ),
    ANY + "torchrun .*": ("tests/processes.py", "torchrun"),
    "docs/lifecycle.md: cellwright (promote|rollback|history|compare) .*": (
        "tests/cli/test_lifecycle.py:test_the_commands_of_the_page_give_the_output_of_the_page",
        "PAGE",
    ),
    ANY + "cellwright reproduce .*": (
        "tests/test_whole_pipeline.py:test_the_registry_alone_reproduces_a_version_to_the_last_digit",
        '"reproduce"',
    ),
    "docs/forecasting.md: cellwright predict .*": (
        "tests/test_forecasts.py:test_the_command_of_the_page_continues_a_table",
        "forecasting.md",
    ),
    "docs/text.md: .*cellwright predict .*": (
        "tests/test_texts.py:test_the_commands_of_the_page_predict",
        "text.md",
    ),
    "docs/labels.md: .*cellwright predict .*": (
        f"{LABELS}:test_the_command_of_the_page_predicts_and_all_probabilities_can_be_had",
        "labels.md",
    ),
}
"""PAGE: COMMAND as a pattern, the file that runs it (after a colon: what in it), and what must be written there."""
HERE = {
    *("README.md", "docs/cluster.md", "docs/extending.md", "docs/lifecycle.md", "docs/predict.md"),
    "docs/serving.md",
    *("docs/tutorials/limits.md", "docs/tutorials/own-images.md", "docs/tutorials/own-space.md"),
}
"""Pages with commands that are run here."""
TEXTS = "tests/test_texts.py:test_models_predict_from_strings_and_bytes_as_the_page_says_without_cellwright"
SNIPPETS = {
    ("docs/predict.md", "import json\n"): ("tests/test_predict_page.py:snippet", "predict.md"),
    ("docs/predict.md", "import mlflow\n"): (
        "tests/test_whole_pipeline.py:test_what_the_card_and_the_page_say_predicts_without_cellwright",
        "version.description",
    ),
    ("docs/predict.md", "import os\n"): (
        "tests/test_whole_pipeline.py:test_what_the_card_and_the_page_say_predicts_without_cellwright",
        "predict.md",
    ),
    ("docs/audio.md", "import wave\n"): (
        "tests/test_audio.py:test_onnx_predicts_from_a_file_as_the_page_says_without_cellwright",
        'python("audio.md", "import wave")',
    ),
    ("docs/text.md", "import mlflow\n"): (TEXTS, 'python("text.md", "import mlflow")'),
    ("docs/text.md", "import numpy\n"): (TEXTS, 'python("text.md", "import numpy")'),
    ("docs/forecasting.md", "import mlflow\n"): (
        "tests/test_forecasts.py:test_models_forecast_as_the_page_says_without_cellwright",
        'python("forecasting.md", "import mlflow")',
    ),
    ("docs/labels.md", "import mlflow\n"): (
        f"{LABELS}:test_the_model_predicts_as_the_page_says_without_cellwright",
        'python("labels.md", "import mlflow")',
    ),
    ("docs/tables.md", "import mlflow\n"): (
        "tests/test_tables.py:test_models_predict_from_columns_as_the_page_says_without_cellwright",
        'python("tables.md", "import mlflow")',
    ),
    ("docs/python.md", "import cellwright\n"): ("tests/test_pages.py:test_the_page_of_python", "python.md"),
    ("docs/sampled.md", "from cellwright"): (
        "tests/test_pages.py:test_a_strategy_is_used_alone",
        "sampled.md",
    ),
    ("docs/extending.md", "import pytest\n"): (
        "tests/test_pages.py:test_the_contracts_of_the_page",
        "extending.md",
    ),
}
"""Code of pages, by how it begins, and what runs it, as above. All other blocks are excerpts of the examples."""
TINY = ("budget.minutes=0.02", "resources.cpu=1", "evaluate.latency_repeats=5")
ONE_SHOT = ("data.limit=200", "budget.epochs=1", "retrain.epochs=1", *TINY[1:])
LESS = {
    "examples/constrained.yaml": (
        *(
            "runner={kind: 'my_package.runners:InProcessSection'}",
            "data.limit=200",
            "retrain.epochs=3",
            *TINY[1:],
        ),
        "budget={evaluations: 2, finalists: 2, fresh_seeds: 1}",
        "estimators=[{kind: zero-cost, keep: 0.5, reference: 4}, {kind: latency, networks: 10, rounds: 5},"
        " {kind: short-training, epochs: 1}]",
    ),
    "examples/own_space.yaml": ONE_SHOT,
    "examples/own_primitive.yaml": ONE_SHOT,
}
"""What `run` is given as well, where it is not TINY."""
PORT = "18080"


def part(place: str) -> str:
    """Return the text of a file, or of the function or class in it that is named after a colon."""
    path, _, name = place.partition(":")
    text = (ROOT / path).read_text()
    if not name:
        return text
    (found,) = (node for node in ast.parse(text).body if getattr(node, "name", None) == name)
    return ast.get_source_segment(text, found) or ""


def elsewhere(page: str, command: str) -> list[str]:
    return [pattern for pattern in ELSEWHERE if re.fullmatch(pattern, f"{page}: {command}")]


def test_every_command_is_run_here_or_by_one_test_that_is_named():
    used = set()
    for name, page in zip(NAMES, PAGES, strict=True):
        for command in commands(page) if name != "CONTRIBUTING.md" else ():
            found = elsewhere(name, command)
            assert len(found) == 1 or (not found and name in HERE), f"{name}: {command}: {found}"
            used |= {*found}
    assert ELSEWHERE.keys() == used


def test_every_snippet_is_run_or_an_excerpt_of_the_examples():
    classes = {
        line
        for file in (ROOT / "examples").rglob("*.py")
        for line in file.read_text().splitlines()
        if "class " in line
    }
    used = set()
    for name, page in zip(NAMES, PAGES, strict=True):
        for block in blocks(page, "python") if name != "ARCHITECTURE.md" else ():
            found = [(of, start) for of, start in SNIPPETS if of == name and block.startswith(start)]
            used |= {*found}
            if not found:
                (first, *more) = re.findall(r"^class \w+\(\w+\):", block, re.MULTILINE) or re.findall(
                    "class .*", block
                )
                assert {first, *more} <= classes, f"{name}: {first}"
    assert SNIPPETS.keys() == used


@pytest.mark.parametrize("place", [*ELSEWHERE.values(), *SNIPPETS.values()], ids=" has ".join)
def test_what_is_named_runs_it(place: tuple[str, str]):
    assert place[1] in part(place[0])


@pytest.mark.parametrize("name", NAMES)
def test_benchmarks_take_the_options_of_the_page(name: str, monkeypatch: pytest.MonkeyPatch):
    """They take hours, so each is started no further than its options."""

    class Taken(Exception):
        pass

    def parse(parser: argparse.ArgumentParser, *given: Any) -> None:
        parser.parse_known_args()
        raise Taken

    monkeypatch.setattr(argparse.ArgumentParser, "parse_args", parse)
    for found in re.finditer(r"`python -m (benchmarks\.\w+)([^`]*)`", (ROOT / name).read_text()):
        module = importlib.import_module(found[1])
        if "argparse" in vars(module):
            words = found[2].replace("BUDGET", "9").split()
            monkeypatch.setattr(sys, "argv", [found[1], *words])
            with pytest.raises(Taken):
                module.main()


@pytest.fixture(scope="module")
def home(migrated: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with what pages name: photos of three kinds of shoes, and the specs of README and of lifecycle.md."""
    home = tmp_path_factory.mktemp("pages") / "home"
    rng = np.random.default_rng(0)
    for kind, tint in (("ankle boot", 40), ("sandal", 120), ("sneaker", 200)):
        (home.parent / "photos" / kind).mkdir(parents=True)
        for number in range(20):
            pixels = rng.integers(tint - 40, tint + 40, (12, 16, 3), np.uint8)
            Image.fromarray(pixels).save(home.parent / "photos" / kind / f"{number}.jpg")
    shutil.copytree(home.parent / "photos", home / "photos of shoes")
    for place in (
        "photo.jpg",
        "new.jpg",
        "new/a b.jpg",
        "new/c.png",
        "more/d.jpg",
        "more-photos/e/f.jpg",
        "bucket/photos/g.jpg",
    ):
        (home / place).parent.mkdir(exist_ok=True, parents=True)
        Image.fromarray(pixels).save(home / place)
    (spec,) = blocks(ROOT / "README.md", "yaml")
    (home / "search.yaml").write_text(spec)
    (policy,) = (block for block in blocks(ROOT / "docs/lifecycle.md", "yaml") if block.startswith("policy:"))
    (home / "shoes.yaml").write_text(spec + policy)
    shutil.copytree(ROOT / "examples", home / "examples", ignore=shutil.ignore_patterns("__pycache__"))
    (home / "runs").mkdir()
    shutil.copy(migrated, home / "runs/mlflow.db")
    return home


@pytest.fixture(scope="module")
def patched(home: Path) -> Iterator[pytest.MonkeyPatch]:
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.chdir(home)
        monkeypatch.syspath_prepend(ROOT / "examples")
        monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
        monkeypatch.setattr(cellwright_pipelines, "run_locally", run_in_this_process)
        yield monkeypatch


def follow(name: str) -> dict[str, str]:
    """Run the commands of a page that no other test runs, in order, and return what each prints."""
    said = {}
    for command in commands(ROOT / name):
        if elsewhere(name, command):
            continue
        for start, prepare in BEFORE.items():
            if command.startswith(start):
                prepare()
        (way,) = [way for start, way in OTHERWISE.items() if command.startswith(start)] or [plainly]
        said[command] = way(command)
    return said


def plainly(command: str) -> str:
    words = words_of(command.rpartition(" | ")[2].removeprefix("PYTHONPATH=examples "))
    less = LESS.get(words[2], TINY) if words[1] == "run" else ()
    return call(command.removeprefix("PYTHONPATH=examples "), *with_settings(*less))


def of_make(command: str) -> str:
    dry = subprocess.run(
        ["make", "-n", *command.split()[1:]], cwd=ROOT, capture_output=True, text=True, check=True
    )
    (line,) = (line for line in dry.stdout.splitlines() if "cellwright" in line)
    return plainly(line.removeprefix(".venv/bin/"))


def in_processes(command: str) -> str:
    """Run a command that does not train as it is, with the processes of a pipeline."""
    words = [str(Path(sys.executable).with_name("cellwright")), *words_of(command)[1:]]
    done = subprocess.run(words, capture_output=True, text=True, timeout=200)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def served(command: str) -> str:
    """Start the server, and ask it what docs/serving.md asks."""
    server, ask = (line for line in commands(ROOT / "docs/serving.md")[:2])
    assert command == server
    words = [
        str(Path(sys.executable).with_name("cellwright")),
        *words_of(server)[1:],
        "--port",
        "0",
        "--threads",
        "1",
    ]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as running:
        assert running.stdout
        try:
            address = running.stdout.readline().split()[-1]
            asked = ask.replace("http://127.0.0.1:8080", address.partition("/v1")[0])
            return subprocess.run(["bash", "-c", asked], capture_output=True, text=True, check=True).stdout
        finally:
            running.kill()


def of_mlflow(command: str) -> str:
    """Let MLflow's command read its options, and its server's application answer what the page asks."""
    with warnings.catch_warnings(action="ignore"):  # of MLflow about itself
        from mlflow.models.cli import commands as mlflow_models
        from mlflow.pyfunc import load_model, scoring_server
    setting, *words = words_of(f"env {command}")[1:]
    uri = setting.partition("=")[2]
    assert words[:3] == ["mlflow", "models", "serve"]
    options = mlflow_models.commands["serve"].make_context("serve", words[3:]).params
    ask = commands(ROOT / "docs/serving.md")[-1]
    body = json.loads(words_of(ask)[2])
    body["inputs"] = np.resize(body["inputs"], (1, 3, 32, 32)).tolist()
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
        with TestClient(scoring_server.init(load_model(options["model_uri"]))) as client:
            answer = client.post(f"/{ask.rpartition('/')[2]}", json=body)
    assert answer.status_code == 200, answer.text
    return answer.text


def second_version() -> None:
    """Register the model once more, as the challenger."""
    client = MlflowClient("sqlite:///runs/mlflow.db")
    first = client.get_model_version("shoes", "1")
    new = client.create_model_version("shoes", first.source, first.run_id, tags=first.tags)
    assign_alias(client, "shoes", int(new.version))


def for_katib(command: str) -> str:
    """Have the manifest of a spec with a store on a volume made; a cluster is not asked."""
    line, _, file = command.partition(" > ")
    spec = {
        **{
            "name": "by-hand",
            "data": {"source": "digits"},
            "runner": {"kind": "katib", "namespace": "cellwright"},
        },
        "store": {"uri": str(Path("volume").resolve()), "claim": "my-claim"},
    }
    Path("katib.yaml").write_text(yaml.safe_dump(spec))
    text = call(line.replace("search.yaml", "katib.yaml"))
    assert yaml.safe_load(text)["kind"] == "Experiment"
    assert Path("volume").exists() == bool(file)
    return text


BEFORE = {"cellwright promote shoes": second_version, "cellwright verify models:/": second_version}
"""What commands need to be there, by how they begin."""
OTHERWISE = {
    "make run": of_make,
    "cellwright serve": served,
    "curl": lambda command: "",  # `served` and `of_mlflow` have asked
    "MLFLOW_TRACKING_URI=": of_mlflow,
    "cellwright run shoes.yaml": in_processes,
    "cellwright manifest": for_katib,
}
"""Commands that need more than a call, by how they begin."""


@pytest.fixture(scope="module")
def readme(patched: pytest.MonkeyPatch) -> dict[str, str]:
    return follow("README.md")


def test_the_commands_of_the_readme(readme: dict[str, str], home: Path):
    said = {command.removeprefix("cellwright ").split()[0]: text for command, text in readme.items()}
    assert "found" in said["make"] and (home / "runs/race/report.html").exists()
    assert (
        "photos.yaml" in said["init"]
        and load_spec(home / "photos.yaml").data.path.resolve() == home.parent / "photos"
    )
    assert "register: done" in said["watch"]
    assert "models:/shoes@champion" in said["show"]
    assert "runs/shoes/report.html" in said["report"]
    assert "new/a b.jpg" in said["predict"]
    assert json.loads(said["serve"])["predictions"][0]["probabilities"].keys() == {
        "ankle boot",
        "sandal",
        "sneaker",
    }
    assert [line.split()[0] for line in said["verify"].splitlines()] == ["ok"] * 6
    assert "version 2 is the champion, in place of version 1" in said["promote"]


def test_the_page_of_predictions(readme: dict[str, str], patched: pytest.MonkeyPatch, home: Path):
    patched.setattr("cellwright.predicting.open_store", lambda uri, endpoint: open_store(str(home / uri[5:])))
    files, bucket, piped = follow("docs/predict.md").values()
    assert [line.split("  ")[0] for line in files.splitlines()] == [
        "photo.jpg",
        "more-photos/e/f.jpg",
        "new/c.png",
    ]
    assert json.loads(bucket)["file"] == "bucket/photos/g.jpg"
    assert piped.splitlines()[1].startswith("-,")


def test_the_page_of_serving(readme: dict[str, str], patched: pytest.MonkeyPatch):
    said = follow("docs/serving.md")
    (answer,) = (json.loads(text) for command, text in said.items() if "mlflow models serve" in command)
    assert answer["predictions"][0].keys() >= {"prediction", "probability of sandal"}


def test_the_page_of_clusters(readme: dict[str, str], patched: pytest.MonkeyPatch):
    said = follow("docs/cluster.md")
    assert "is the champion, in place of version 2" in said['cellwright promote shoes --why "accepted"']


def test_the_page_of_lifecycles(readme: dict[str, str], patched: pytest.MonkeyPatch):
    for text in follow("docs/lifecycle.md").values():
        assert "nothing" in text


def test_the_page_of_python(readme: dict[str, str], patched: pytest.MonkeyPatch):
    """The run is that of README, so it is not done again."""
    code = python("python.md", "import cellwright")
    less = 'budget={"minutes": 0.02}, resources={"cpu": 1}, evaluate={"latency_repeats": 5}'
    assert 'budget={"minutes": 10}' in code
    names: dict[str, Any] = {}
    exec(code.replace('budget={"minutes": 10}', less), names)
    assert isinstance(names["run"], cellwright.Run) and isinstance(names["run"].leaderboard(), pd.DataFrame)
    assert len(list(Path("runs/shoes").glob("search-*"))) == 1


def test_photos_in_a_folder_with_a_space_in_its_name(patched: pytest.MonkeyPatch, home: Path):
    said = follow("docs/tutorials/own-images.md")
    assert [*said.values()][-1].splitlines()[0].startswith("new.jpg")
    assert (home / "runs/photos-of-shoes/report.html").exists()


@pytest.mark.parametrize("data", ["Scans 2024.npz", "labels.csv"])
def test_other_data_becomes_predictions_by_four_commands(
    data: str, patched: pytest.MonkeyPatch, tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch
):
    """Arrays under names of their own, and a table of labels beside the photos; no spec is written by hand."""
    (tmp_path / "runs").mkdir()
    shutil.copy(home / "runs/mlflow.db", tmp_path / "runs")
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    scans, found = rng.integers(0, 256, (60, 10, 10), np.uint8), np.arange(60) % 3
    if data.endswith("npz"):
        np.savez(data, scan=scans, diagnosis=np.array(["healthy", "ill", "unclear"])[found])
        np.save("new", scans[:2])
    else:
        rows = [f"{number}.png,{label}" for number, label in enumerate(found)]
        Path(data).write_text("\n".join(["picture,label", *rows, ""]))
        for number, scan in enumerate(scans):
            Image.fromarray(scan).save(f"{number}.png")
    name = "scans-2024" if data.endswith("npz") else "labels"
    new = "new.npy" if data.endswith("npz") else "0.png"
    call(f"cellwright init '{data}'")
    call(f"cellwright run {name}.yaml", *with_settings(*TINY))
    call(f"cellwright report runs/{name}")
    answers = call(f"cellwright predict runs/{name} {new} --json").splitlines()
    classes = {"healthy", "ill", "unclear"} if data.endswith("npz") else {"0", "1", "2"}
    assert all(json.loads(answer)["probabilities"].keys() == classes for answer in answers)
    assert len(answers) == (2 if data.endswith("npz") else 1)


def test_the_page_of_limits(patched: pytest.MonkeyPatch, home: Path):
    follow("docs/tutorials/limits.md")
    (search,) = home.glob("runs/constrained/search-*/search.json")
    limit = load_spec(home / "examples/constrained.yaml").constraints.params
    front = SearchResult.load(search).front
    assert front
    for member in front:
        assert member.metrics["params"] <= limit
        assert {"accuracy", "latency_ms", "zero_cost"} <= member.metrics.keys()


@pytest.mark.parametrize("page", ["docs/tutorials/own-space.md", "docs/extending.md"])
def test_pages_with_code_of_ones_own_find_a_network_with_it(
    page: str, patched: pytest.MonkeyPatch, home: Path
):
    ran = [words_of(command)[-1] for command in follow(page) if " run " in command]
    assert ran
    for file in ran:
        spec = load_spec(home / file)
        (search,) = home.glob(f"runs/{spec.name}/search-*/search.json")
        genotype = SearchResult.load(search).genotype
        assert build_space(spec.space).contains(genotype)
        (prepared,) = home.glob(f"runs/{spec.name}/prepare-*")
        task = read_task(PreparedData.open(prepared).manifest.task)
        network = build_network(spec.final_space, task, genotype)
        assert network(torch.rand(3, *task.map_shape)).shape == (3, task.num_outputs)


def test_a_strategy_is_used_alone(capsys: pytest.CaptureFixture[str]):
    exec(
        python("sampled.md", "from cellwright"),
        {"train": lambda genotype, values: values["retrain.learning_rate"]},
    )
    assert "learning_rate" in capsys.readouterr().out


def test_the_contracts_of_the_page(patched: pytest.MonkeyPatch):
    """The block is code that works; tests/contracts and tests/examples have the same kinds keep the same contracts."""
    code = python("extending.md", "import pytest")
    names: dict[str, Any] = {}
    exec(code, names)
    assert sum(name.startswith("Test") for name in names) == code.count("\nclass Test") == 8
    files = [*(ROOT / "tests/contracts").glob("*.py"), *(ROOT / "tests/examples").glob("*.py")]
    tested = "".join(file.read_text() for file in files)
    for kind in re.findall(r"(?:my_package|custom_strategy)[\w.]*:\w+|\w+Contract\b", code):
        assert kind in tested, kind
