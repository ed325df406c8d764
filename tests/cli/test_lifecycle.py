"""`promote`, `rollback`, `history` and `compare`, as docs/lifecycle.md gives them, on a real registry."""

import json
import re
import shlex
import shutil
from pathlib import Path

import pytest
from mlflow import MlflowClient
from mlflow.entities import Metric

from cellwright.results import GateCheck, GateDecision
from cellwright.tracking import Lifecycle
from cellwright.tracking.models import assign_alias

PAGE = Path(__file__).parents[2] / "docs/lifecycle.md"


def decision(champion: int | None, *, passed: bool = True) -> GateDecision:
    check = GateCheck(passed=passed, sentence="better by 0.02" if passed else "worse by 0.02")
    return GateDecision(
        passed=passed,
        champion=champion,
        test_set="0" * 64,
        num_examples=100,
        look=1,
        level=0.025,
        checks=(check,),
    )


@pytest.fixture(scope="module")
def registry(migrated: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database with four versions: 1 is the champion, 2 was refused, 3 passed against 1, and 4 is the challenger."""
    folder = tmp_path_factory.mktemp("registry")
    shutil.copy(migrated, folder / "mlflow.db")
    uri = f"sqlite:///{folder}/mlflow.db"
    client = MlflowClient(uri)
    experiment = client.create_experiment("shoes", artifact_location=(folder / "files").as_uri())
    client.create_registered_model("shoes")
    for number in range(1, 5):
        run = client.create_run(experiment)
        metrics = {"found/test_accuracy": 0.8 + 0.02 * number, "resnet/test_accuracy": 0.5}
        client.log_batch(run.info.run_id, [Metric(name, value, 0, 0) for name, value in metrics.items()])
        tags = {"cellwright.data": "old" if number == 1 else "new"}
        client.create_model_version("shoes", source=str(folder), run_id=run.info.run_id, tags=tags)
        assign_alias(client, "shoes", number)
    lifecycle = Lifecycle(uri=uri, name="shoes")
    lifecycle.record(2, decision(1, passed=False))
    lifecycle.record(3, decision(1))
    return folder / "mlflow.db"


@pytest.fixture
def shoes(cellwright, registry: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lifecycle:
    monkeypatch.setenv("USER", "ann")
    monkeypatch.setenv("LOGNAME", "ann")
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    (tmp_path / "runs").mkdir()
    shutil.copy(registry, tmp_path / "runs/mlflow.db")
    return Lifecycle(uri=f"sqlite:///{tmp_path}/runs/mlflow.db", name="shoes")


def test_the_commands_of_the_page_give_the_output_of_the_page(cellwright, shoes: Lifecycle):
    block = re.search(r"```sh\n(cellwright promote.*?)```", PAGE.read_text(), re.DOTALL)[1]
    commands = [shlex.split(line, comments=True) for line in block.splitlines()]
    assert {words[1] for words in commands} == {"promote", "rollback", "history", "compare"}
    results = [cellwright(*words[1:]) for words in commands]
    assert [result.exit_code for result in results] == [0] * len(commands), [r.output for r in results]


def test_a_promotion_and_a_rollback_are_in_the_history(cellwright, shoes: Lifecycle):
    assert cellwright("promote", "shoes", "3", "--why", "new season").stdout == (
        "shoes: version 3 is the champion, in place of version 1\n"
    )
    assert (
        cellwright("promote", "shoes").stdout == "shoes: version 4 is the champion, in place of version 3\n"
    )
    assert (
        cellwright("rollback", "shoes").stdout == "shoes: version 3 is the champion, in place of version 4\n"
    )
    moves = json.loads(cellwright("history", "shoes", "--json").stdout)
    assert [(move["kind"], move["from_version"], move["to_version"]) for move in moves] == [
        ("first", None, 1),
        ("promotion", 1, 3),
        ("promotion", 3, 4),
        ("rollback", 4, 3),
    ]
    assert (moves[1]["why"], moves[1]["evidence"]) == ("new season", "passed: better by 0.02")
    assert moves[1]["who"].startswith("ann@")
    assert moves[2]["evidence"] is None
    shown = cellwright("history", "shoes").stdout
    assert "new season" in shown and "elsewhere" not in shown


def test_a_move_made_elsewhere_is_shown_as_such(cellwright, shoes: Lifecycle):
    MlflowClient(shoes.uri).set_registered_model_alias("shoes", "champion", "4")
    last = cellwright("history", "shoes").stdout.splitlines()[-1].split()
    assert last == ["elsewhere", "1", "4"]


@pytest.mark.parametrize(
    ("version", "message"),
    [
        ("2", "shoes version 2 must pass the gate, and was refused: worse by 0.02; --force promotes it"),
        ("1", "shoes version 1 is the champion already"),
        ("9", "registered model 'shoes'"),
    ],
)
def test_what_may_not_be_promoted_is_refused(cellwright, shoes: Lifecycle, version: str, message: str):
    result = cellwright("promote", "shoes", version)
    assert result.exit_code == 1
    assert message in result.stderr
    assert shoes.champion().version == 1


def test_evidence_against_another_champion_does_not_count(cellwright, shoes: Lifecycle):
    cellwright("promote", "shoes", "4")
    refused = cellwright("promote", "shoes", "3")
    assert "passed the gate against version 1, and the champion is version 4 now" in refused.stderr
    assert cellwright("promote", "shoes", "3", "--force").exit_code == 0
    assert shoes.champion().version == 3


def test_two_versions_are_compared_by_what_was_measured(cellwright, shoes: Lifecycle):
    shown = cellwright("compare", "shoes/3", "models:/shoes@champion").stdout
    row = next(line.split() for line in shown.splitlines() if "test_accuracy" in line)
    assert row == ["test_accuracy", "0.86", "0.82", "+0.04"]
    assert "not from the same data" in shown
    assert "The gate compared shoes/3 with shoes/1: passed: better by 0.02" in shown
    same = cellwright("compare", "shoes/3", "shoes/4").stdout
    assert "Both are from the same data" in same and "The gate" not in same


@pytest.mark.parametrize(
    "words",
    [
        ("history", "shoes"),
        ("promote", "shoes", "1"),
        ("rollback", "shoes"),
        ("compare", "shoes/1", "shoes/2"),
        ("predict", "models:/shoes@champion", "photo.jpg"),
        ("serve", "models:/shoes@champion"),
        ("verify", "models:/shoes@champion"),
        ("reproduce", "models:/shoes@champion"),
    ],
    ids=lambda words: words[0],
)
@pytest.mark.parametrize(
    ("uri", "message"),
    [
        ("", "runs/mlflow.db must be the MLflow database of registered models, and does not exist"),
        ("./mlruns", "MLFLOW_TRACKING_URI must be "),
        ("http://[::1", "MLFLOW_TRACKING_URI must be an address: Invalid IPv6 URL"),
    ],
)
def test_asking_for_a_model_makes_no_registry(
    cellwright, tmp_path, monkeypatch, words: tuple[str, ...], uri: str, message: str
):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    result = cellwright(*words)
    assert result.exit_code == 1
    assert message in result.stderr
    assert not any(tmp_path.iterdir())
