"""MLflow's server as the image starts it: who may log in, and what they may do."""

import importlib.util
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

from cellwright.errors import CellwrightError
from cellwright.tracking import (
    Lifecycle,
    MlflowTracker,
    Move,
    NotAllowed,
    RunRecord,
    check_server,
    verify_model,
)
from tests.servers import APPS, MlflowServer

PASSWORDS = {user: f"{user}, and no default" for user in ("viewer", "steps", "promotion")}
API = "api/2.0/mlflow"


@pytest.fixture(scope="module")
def server(migrated: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[MlflowServer]:
    folder = tmp_path_factory.mktemp("server")
    shutil.copy(migrated, folder / "mlflow.db")
    server = MlflowServer(f"sqlite:///{folder}/mlflow.db", folder, PASSWORDS)
    server.start()
    yield server
    server.kill()


@pytest.fixture
def as_user(server: MlflowServer, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], MlflowClient]:
    """Log in, as this package's clients do: from the environment."""

    def log_in(user: str) -> MlflowClient:
        monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", user)
        monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", PASSWORDS[user])
        return MlflowClient(server.address, server.address)

    return log_in


@pytest.fixture
def register(server, as_user, record: RunRecord, network, images) -> Callable[[str], Any]:
    """Register a network under a name, as the steps of a pipeline do."""

    def register(name: str) -> Any:
        as_user("steps")
        tracker = MlflowTracker(uri=server.address, experiment="cells")
        return tracker.register_model(
            mlflow_run_id=tracker.log_run(record, status="FINISHED"),
            name=name,
            model=network,
            inputs={"images": images[:2]},
            metadata={},
            tags={},
            extra_files={},
            key=record.key,
        )

    return register


def refused(work: Callable[[], object]) -> bool:
    try:
        work()
    except MlflowException as error:
        return error.error_code == "PERMISSION_DENIED"
    return False


def test_steps_register_and_promotion_alone_moves_the_champion(server, as_user, register):
    model = register("net")
    assert (model.alias, model.version, model.has_champion) == ("challenger", 1, False)
    assert register("net") == model

    steps = as_user("steps")
    for alias in ("champion", "Challenger", "latest"):
        assert refused(lambda alias=alias: steps.set_registered_model_alias("net", alias, "1"))
    assert refused(lambda: steps.delete_registered_model_alias("net", "challenger"))

    as_user("promotion").set_registered_model_alias("net", "champion", "1")
    assert register("net").alias == "champion"
    assert steps.get_model_version_by_alias("net", "champion").version == "1"
    assert refused(lambda: steps.delete_registered_model_alias("net", "champion"))


def test_a_version_that_passed_the_gate_waits_for_the_login_that_may_promote(server, as_user, register):
    register("passed")
    lifecycle = Lifecycle(uri=server.address, name="passed")

    def promote() -> Move:
        return lifecycle.promote(1, expected=None, who="ann", why="", evidence=None, owner="ann")

    with pytest.raises(NotAllowed, match="steps may not POST"):
        promote()
    assert (lifecycle.champion(), lifecycle.moves()) == (None, ())
    as_user("promotion")
    assert (promote().to_version, lifecycle.champion().version) == (1, 1)
    assert [move.kind for move in lifecycle.moves()] == ["promotion"]


def test_what_is_registered_stays_as_it_is(server, as_user, register):
    register("kept")
    steps = as_user("steps")
    version = steps.get_model_version("kept", "1")
    place = version.source.removeprefix("mlflow-artifacts:/")
    model_id = place.split("/")[2]
    login = ("steps", PASSWORDS["steps"])
    for name in (
        "MLmodel",
        "new",
        "data/%2e%2e/MLmodel",
        "data//MLmodel",
        f"x/models/{model_id}/artifacts/y",
    ):
        url = f"{server.address}/api/2.0/mlflow-artifacts/artifacts/{place}/{name}"
        assert requests.put(url, b"code", auth=login).status_code == 403, name
        assert requests.delete(url, auth=login).status_code == 403, name
    open_model = steps.create_logged_model(steps.get_run(version.run_id).info.experiment_id, name="open")
    status = {"model_id": model_id, "status": "LOGGED_MODEL_PENDING"}
    url = f"{server.address}/{API}/logged-models/{open_model.model_id}"
    assert requests.patch(url, json=status, auth=login).status_code == 403
    url = f"{server.address}/api/2.0/mlflow-artifacts/mpu/create/{place}/MLmodel"
    assert requests.post(url, json={"path": "MLmodel", "num_parts": 1}, auth=login).status_code == 403
    for work in (
        lambda: steps.finalize_logged_model(model_id, "PENDING"),
        lambda: steps.delete_logged_model(model_id),
        lambda: steps.delete_model_version("kept", "1"),
        lambda: steps.delete_registered_model("kept"),
        lambda: steps.rename_registered_model("kept", "other"),
        lambda: steps.set_model_version_tag("kept", "1", "cellwright.files", "{}"),
        lambda: steps.set_registered_model_tag("kept", "cellwright.move.000001", "{}"),
        lambda: steps.delete_model_version_tag("kept", "1", "cellwright.gate"),
        lambda: steps.delete_run(version.run_id),
        lambda: steps.create_experiment("elsewhere", artifact_location="file:///etc"),
    ):
        assert refused(work)
    steps.set_model_version_tag("kept", "1", "cellwright.gate", "{}")
    assert verify_model(server.address, "models:/kept/1")[1] == ()


def test_a_version_is_of_a_model_that_is_complete(server, as_user):
    steps = as_user("steps")
    experiment = steps.create_experiment("incomplete")
    logged = steps.create_logged_model(experiment, name="model")
    steps.create_registered_model("incomplete")

    def create(**words: str) -> Any:
        return steps.create_model_version("incomplete", run_id=None, **words)

    assert refused(lambda: create(source=logged.artifact_location, model_id=logged.model_id))
    steps.finalize_logged_model(logged.model_id, "READY")
    assert refused(lambda: create(source="mlflow-artifacts:/0/elsewhere", model_id=logged.model_id))
    assert refused(lambda: create(source=logged.artifact_location))
    assert create(source=logged.artifact_location, model_id=logged.model_id).version == "1"


def test_an_upload_does_not_outlast_the_model_that_it_belongs_to(server, as_user):
    steps = as_user("steps")
    logged = steps.create_logged_model(steps.create_experiment("slow"), name="model")
    place = logged.artifact_location.removeprefix("mlflow-artifacts:/")
    url = f"{server.address}/api/2.0/mlflow-artifacts/artifacts/{place}"
    login = ("steps", PASSWORDS["steps"])

    def slowly() -> Iterator[bytes]:
        yield b"first"
        steps.finalize_logged_model(logged.model_id, "READY")
        yield b"last"

    assert requests.put(f"{url}/early", b"bytes", auth=login).status_code == 200
    assert requests.put(f"{url}/late", slowly(), auth=login).status_code == 500
    assert [file.name for file in (server.folder / "served" / place).iterdir()] == ["early"]


@pytest.mark.parametrize(
    "login", [None, ("steps", ""), ("nobody", PASSWORDS["steps"]), ("steps", PASSWORDS["viewer"])]
)
def test_nobody_else_is_let_in(server, login):
    for path in ("", "version", f"{API}/experiments/search?max_results=1", "static-files/index.html"):
        assert requests.get(f"{server.address}/{path}", auth=login).status_code == 401, path
    alias = {"name": "net", "alias": "champion", "version": "1"}
    assert (
        requests.post(f"{server.address}/{API}/registered-models/alias", json=alias, auth=login).status_code
        == 401
    )
    assert requests.get(f"{server.address}/health", auth=login).status_code == 200


def test_viewers_read(server, as_user):
    viewer = as_user("viewer")
    assert viewer.get_experiment("0").name == "Default"
    assert viewer.search_runs(["0"]) == []
    assert refused(lambda: viewer.create_run("0"))
    assert refused(lambda: viewer.set_registered_model_alias("net", "challenger", "1"))


def test_a_body_that_two_readers_may_read_in_two_ways_is_refused(server):
    url = f"{server.address}/{API}/registered-models/alias"
    for body in (
        b'{"name": "net", "alias": "challenger", "alias": "champion", "version": "1"}',
        b'"{\\"name\\": \\"net\\", \\"alias\\": \\"challenger\\", \\"version\\": \\"1\\"}"',
        b'{"name": "net", "alias": "challenger", "version": "1", "Alias": "champion"}',
        b'{"name": "net", "alias": "challenger", "version": "1"}' + b" " * (1 << 20),
        b"",
    ):
        assert requests.post(url, body, auth=("steps", PASSWORDS["steps"])).status_code == 403, body[:80]


def test_clients_say_what_they_need(server, as_user, record, monkeypatch):
    as_user("steps")
    check_server(server.address)
    as_user("viewer")
    with pytest.raises(CellwrightError, match=r"viewer may not POST /api/2.0/mlflow/experiments/create$"):
        MlflowTracker(uri=server.address, experiment="of a viewer")
    monkeypatch.delenv("MLFLOW_TRACKING_USERNAME")
    monkeypatch.delenv("MLFLOW_TRACKING_PASSWORD")
    with pytest.raises(CellwrightError, match=r"refuses \(401\): its user and password are"):
        check_server(server.address)
    with pytest.raises(CellwrightError, match="needs MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD$"):
        MlflowTracker(uri=server.address, experiment="cells")


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"STEPS_PASSWORD": None}, "STEPS_PASSWORD must have at least 16 characters"),
        ({"PROMOTION_PASSWORD": ""}, "PROMOTION_PASSWORD must have at least 16 characters"),
        ({"VIEWER_PASSWORD": "password1234"}, "VIEWER_PASSWORD must have at least 16 characters"),
        ({"VIEWER_PASSWORD": PASSWORDS["steps"]}, "must have a password of its own"),
    ],
)
def test_there_is_no_default_password(changed, said):
    spec = importlib.util.spec_from_file_location("logins", APPS / "logins.py")
    logins = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(logins)
    environ = {f"{user.upper()}_PASSWORD": word for user, word in PASSWORDS.items()}
    assert logins.passwords(environ) == PASSWORDS
    assert logins.passwords({name: environ[name] for name in ("STEPS_PASSWORD", "PROMOTION_PASSWORD")})
    with pytest.raises(ValueError, match=said):
        logins.passwords({name: word for name, word in (environ | changed).items() if word is not None})
