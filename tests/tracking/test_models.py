import json
import random
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pytest
import torch
from mlflow import MlflowClient

from cellwright.errors import CellwrightError
from cellwright.retrying import Retry
from cellwright.tracking import MlflowTracker, RegisteredModel, RunRecord, mlflow_retry, verify_model
from cellwright.tracking.models import assign_alias

Register = Callable[..., RegisteredModel]


@pytest.fixture
def register(uri: str, tmp_path: Path, network: torch.nn.Module, images: np.ndarray) -> Register:
    """Log a run and register its model, as the `register` step does."""
    (tmp_path / "found.json").write_text('{"edges": []}')

    def call(
        key: str,
        name: str = "net",
        inputs: Mapping[str, np.ndarray] | None = None,
        model: torch.nn.Module = network,
        retry: Retry | None = None,
        metadata: Mapping[str, Any] | None = None,
    ) -> RegisteredModel:
        tracker = MlflowTracker(uri=uri, experiment="cells", retry=retry)
        metrics = {"test/accuracy": 0.5, "test/ece": float("nan")}
        record = RunRecord(
            key=key,
            name=key,
            params={},
            tags={},
            curves={"loss": [(0, 2.0), (1, 1.0)]},
            metrics=metrics,
            artifacts={},
        )
        return tracker.register_model(
            mlflow_run_id=tracker.log_run(record, status="FINISHED"),
            name=name,
            model=model,
            inputs=inputs or {"images": images[:2]},
            metadata=metadata or {"classes": ["a", "b"]},
            tags={"primary": "accuracy", "source": "http://a:b@host"},
            extra_files={"genotype.json": tmp_path / "found.json"},
            key=key,
        )

    return call


def logged_models(client: MlflowClient) -> list[Any]:
    return client.search_logged_models([client.get_experiment_by_name("cells").experiment_id])


def test_a_version_holds_model_files_and_numbers(uri: str, register: Register, network: torch.nn.Module):
    registered = register("first")

    assert registered == RegisteredModel(name="net", version=1, alias="champion")
    assert registered.uri == "models:/net@champion"
    assert network.training
    client = MlflowClient(uri)
    version = client.get_model_version_by_alias("net", "champion")
    files = json.loads(version.tags.pop("cellwright.files"))
    assert files.keys() >= {"MLmodel", "data/model.pt2", "extra_files/genotype.json"}
    assert version.tags == {"primary": "accuracy", "source": "http://host", "cellwright.run": "first"}
    (logged,) = logged_models(client)
    assert version.run_id == logged.source_run_id
    assert {metric.key: metric.value for metric in logged.metrics} == {"test/accuracy": 0.5}
    assert len(client.get_metric_history(logged.source_run_id, "test/accuracy")) == 1
    assert [output.model_id for output in client.get_run(version.run_id).outputs.model_outputs] == [
        logged.model_id
    ]
    files = Path(client.get_model_version_download_uri("net", "1").removeprefix("file://"))
    assert mlflow.models.Model.load(str(files)).metadata == {"classes": ["a", "b"]}
    assert (files / "extra_files/genotype.json").read_text() == '{"edges": []}'
    assert not list(files.rglob("*.pth")) + list(files.rglob("*.pkl"))
    requirements = (files / "requirements.txt").read_text().split()
    assert [line.split("==")[0] for line in requirements] == ["mlflow", "torch", "numpy", "pandas"]
    assert "+" not in "".join(requirements)


def test_each_changed_byte_of_a_registered_model_is_named(uri: str, register: Register):
    registered = register("first")
    num_files, problems = verify_model(uri, registered.uri)
    assert (num_files > 5, problems) == (True, ())
    folder = Path(MlflowClient(uri).get_model_version_download_uri("net", "1").removeprefix("file://"))
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    rng = random.Random(0)
    for _ in range(20):
        file = rng.choice(files)
        whole = file.read_bytes()
        place = rng.randrange(len(whole))
        file.write_bytes(whole[:place] + bytes([whole[place] ^ 1 << rng.randrange(8)]) + whole[place + 1 :])
        (problem,) = verify_model(uri, registered.uri)[1]
        assert f"models:/net/1: {file.relative_to(folder)} must have the SHA-256" in problem
        file.write_bytes(whole)
    (folder / "data/model.pt2").unlink()
    (folder / "more.pkl").touch()
    assert len(verify_model(uri, registered.uri)[1]) == 2


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_served_models_take_the_pixels_they_were_trained_on_alone(
    register: Register, images: np.ndarray, dtype: type, tracking_at_uri: None
):
    raw = (255 * images).astype(dtype)
    registered = register("first", inputs={"images": raw[:2]})

    served = mlflow.pyfunc.load_model(registered.uri)
    (column,) = served.metadata.signature.inputs
    assert (column.type, column.shape) == (np.dtype(dtype), (-1, *images.shape[1:]))
    assert served.predict(raw).shape == (5, 10)
    native = mlflow.pytorch.load_model(registered.uri)
    for other in {np.uint8, np.float32, np.float64, np.int64} - {dtype}:
        with pytest.raises(mlflow.MlflowException, match="Failed to enforce schema"):
            served.predict(raw.astype(other))
        with pytest.raises(RuntimeError, match="dtype mismatch"):
            native(torch.from_numpy(raw.astype(other)))


def test_served_models_of_classes_name_them_with_their_probabilities(
    register: Register, images: np.ndarray, network: torch.nn.Module, uri: str, tracking_at_uri: None
):
    names = [f"class {number}" for number in range(10)]
    registered = register("first", metadata={"class_names": names})

    served = mlflow.pyfunc.load_model(registered.uri).predict(images)
    with torch.no_grad():
        expected = network.eval()(torch.from_numpy(images)).softmax(dim=1)
        logits = mlflow.pytorch.load_model(registered.uri)(torch.from_numpy(images))
    assert list(served) == ["prediction", *(f"probability of {name}" for name in names)]
    np.testing.assert_allclose(served.iloc[:, 1:].to_numpy(float), expected, atol=1e-6)
    assert list(served["prediction"]) == [names[place] for place in expected.argmax(dim=1)]
    np.testing.assert_allclose(logits.softmax(dim=1), expected, atol=1e-6)


def test_of_two_first_registrations_at_once_one_is_the_champion(
    uri: str, register: Register, monkeypatch: pytest.MonkeyPatch
):
    """Each is told what the registry has, whatever comes between reading and writing an alias."""
    set_alias = MlflowClient.set_registered_model_alias
    real_sleep = time.sleep

    def slow(client: MlflowClient, *arguments: str) -> None:
        real_sleep(0.3)
        set_alias(client, *arguments)

    register("first", name="other")  # makes the experiment
    monkeypatch.setattr(MlflowClient, "set_registered_model_alias", slow)
    with ThreadPoolExecutor(2) as pool:
        both = [pool.submit(register, key, retry=mlflow_retry(seconds=60)) for key in ("one", "two")]
        found = [future.result() for future in both]
    aliases = MlflowClient(uri).get_registered_model("net").aliases
    assert {alias: int(version) for alias, version in aliases.items()} == {m.alias: m.version for m in found}
    assert {model.alias for model in found} == {"champion", "challenger"}


@pytest.mark.parametrize(("version", "free"), [(1, ("champion", "challenger")), (2, ("challenger",))])
def test_an_alias_that_another_process_took_meanwhile_is_not_reported(
    uri: str, register: Register, version: int, free: tuple[str, ...]
):
    """As on a server, which nothing locks."""
    for key in ("one", "two", "three"):
        register(key)
    client = MlflowClient(uri)
    for alias in free:
        client.delete_registered_model_alias("net", alias)
    set_alias = client.set_registered_model_alias

    def taken(name: str, alias: str, version: str) -> None:
        set_alias(name, alias, version)
        set_alias(name, alias, "3")

    client.set_registered_model_alias = taken
    assert assign_alias(client, "net", version) is None


class FromTwoInputs(torch.nn.Module):
    """Scales an embedding of a place by a signal's mean."""

    def __init__(self) -> None:
        super().__init__()
        self.locations = torch.nn.Embedding(4, 3)

    def forward(self, signal: torch.Tensor, place: torch.Tensor) -> torch.Tensor:
        return self.locations(place) * signal.mean(dim=1, keepdim=True)


def test_a_model_with_several_inputs_takes_them_by_name(register: Register, uri: str, tracking_at_uri: None):
    rng, model = np.random.default_rng(0), FromTwoInputs()
    inputs = {"signal": rng.random((5, 7), np.float32), "place": np.array([3, 0, 2, 2, 1])}
    registered = register("first", inputs={name: array[:2] for name, array in inputs.items()}, model=model)

    loaded = mlflow.pyfunc.load_model(registered.uri)
    assert [(spec.name, spec.shape, spec.type) for spec in loaded.metadata.signature.inputs] == [
        ("signal", (-1, 7), np.float32),
        ("place", (-1,), np.int64),
    ]
    backwards = dict(reversed(inputs.items()))
    expected = model(*map(torch.from_numpy, inputs.values())).detach().numpy()
    np.testing.assert_allclose(loaded.predict(backwards), expected, rtol=1e-5)
    with pytest.raises(mlflow.MlflowException, match="place"):
        loaded.predict({"signal": inputs["signal"]})
    files = Path(MlflowClient(uri).get_model_version_download_uri("net", "1").removeprefix("file://"))
    assert (files / "extra_files/genotype.json").read_text() == '{"edges": []}'
    assert not list(files.rglob("*.pkl"))


def test_a_second_call_returns_the_first_version(uri: str, register: Register):
    first = register("first")

    assert register("first") == first
    assert len(logged_models(MlflowClient(uri))) == 1


def test_later_versions_challenge(register: Register):
    register("first")

    assert register("second") == RegisteredModel(name="net", version=2, alias="challenger")
    assert register("third") == RegisteredModel(name="net", version=3, alias="challenger")
    superseded = register("second")
    assert superseded == RegisteredModel(name="net", version=2, alias=None)
    assert superseded.uri == "models:/net/2"
    assert register("third", name="other").alias == "champion"


@pytest.mark.parametrize(
    "method",
    [
        "log_outputs",
        "log_model_artifacts",
        "finalize_logged_model",
        "create_model_version",
        "set_logged_model_tags",
        "set_registered_model_alias",
    ],
)
def test_a_killed_registration_is_completed(
    uri: str,
    register: Register,
    images: np.ndarray,
    killed_at: Callable[[object, str, int, Callable[[], object]], None],
    method: str,
):
    killed_at(MlflowClient, method, 1, lambda: register("first"))

    assert register("first") == RegisteredModel(name="net", version=1, alias="champion")
    client = MlflowClient(uri)
    (logged,) = logged_models(client)
    assert str(logged.status) == "READY"
    assert logged.tags["mlflow.modelVersions"] == '[{"name": "net", "version": 1}]'
    assert len(client.get_run(logged.source_run_id).outputs.model_outputs) == 1
    assert len(client.search_model_versions("name = 'net'")) == 1
    assert mlflow.pyfunc.load_model(logged.artifact_location).predict(images).shape == (5, 10)


def test_an_export_that_predicts_otherwise_is_refused(tracker: MlflowTracker, uri: str, images: np.ndarray):
    class Drifting(torch.nn.Module):
        """Adds what it had counted when it was exported."""

        calls = 0

        def forward(self, x_BCHW: torch.Tensor) -> torch.Tensor:
            self.calls += 1
            return x_BCHW.mean((2, 3)) + self.calls

    run_id = tracker.log_run(
        RunRecord(key="k", name="k", params={}, tags={}, curves={}, metrics={}, artifacts={}),
        status="RUNNING",
    )
    with pytest.raises(CellwrightError, match="must predict what the network predicts"):
        tracker.register_model(
            mlflow_run_id=run_id,
            name="net",
            model=Drifting(),
            inputs={"images": images},
            metadata={"classes": ["a", "b"]},
            tags={},
            extra_files={},
            key="k",
        )
    assert not MlflowClient(uri).search_registered_models()


def test_an_example_of_one_is_refused(tracker: MlflowTracker, network: torch.nn.Module, images: np.ndarray):
    with pytest.raises(ValueError, match="at least 2 examples, got 1 of images"):
        tracker.register_model(
            mlflow_run_id="r",
            name="net",
            model=network,
            inputs={"images": images[:1]},
            metadata={"classes": ["a", "b"]},
            tags={},
            extra_files={},
            key="k",
        )
