"""Other processes: one that has nothing but the wheel's dependencies, one that only loads, and a server."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from mlflow import MlflowClient

import cellwright
from cellwright.tracking import MlflowTracker, RunRecord
from tests.servers import MlflowServer

OFFLINE = """
import pathlib, socket, sys
sys.path.insert(0, {source!r})

def refuse(*args, **kwargs):
    raise AssertionError(f"the network was tried: {{args}}")

socket.getaddrinfo = socket.socket.connect = refuse

import cellwright.tracking
assert "mlflow" not in sys.modules and "torch" not in sys.modules

import numpy, torch
tracker = cellwright.tracking.MlflowTracker(uri="sqlite:///runs/mlflow.db", experiment="cells")
record = cellwright.tracking.RunRecord(
    key="k", name="k", params={{"a": "b"}}, tags={{}}, curves={{}}, metrics={{}}, artifacts={{}}
)
tracker.register_model(
    mlflow_run_id=tracker.log_run(record, status="FINISHED"),
    name="net",
    model=torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(3, 2)),
    inputs={{"images": numpy.ones((2, 3, 1, 1), numpy.float32)}},
    metadata={{"classes": ["a", "b"]}},
    tags={{}},
    extra_files={{}},
    key="k",
)
import mlflow.telemetry
assert mlflow.telemetry.get_telemetry_client() is None
"""

LOADING = """
import sys

class NoCellwright:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "cellwright":
            raise ModuleNotFoundError(name)

sys.meta_path.insert(0, NoCellwright())

import mlflow, numpy, torch
mlflow.set_tracking_uri({uri!r})
images = numpy.load("images.npy")
native = mlflow.pytorch.load_model("models:/net@champion")
torch.cuda.is_available = lambda: True
served = mlflow.pyfunc.load_model("models:/net@champion")
for batch in (1, 2, 5):
    expected = numpy.load(f"expected-{{batch}}.npy")
    with torch.no_grad():
        assert numpy.allclose(native(torch.from_numpy(images[:batch])).numpy(), expected, atol=1e-6)
    assert numpy.allclose(served.predict(images[:batch]), expected, atol=1e-6)
print("same")
"""


def run_isolated(code: str, folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-I", *options, "-c", code],
        cwd=folder,
        env={"HOME": str(folder), "PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
    )


def register(uri: str, record: RunRecord, network: torch.nn.Module, images: np.ndarray, folder: Path) -> None:
    tracker = MlflowTracker(uri=uri, experiment="cells")
    tracker.register_model(
        mlflow_run_id=tracker.log_run(record, status="FINISHED"),
        name="net",
        model=network,
        inputs={"images": images[:2]},
        metadata={"classes": ["a", "b"]},
        tags={"seed": "0"},
        extra_files={"spec.txt": folder / "spec.txt"},
        key=record.key,
    )


def save_expected(network: torch.nn.Module, images: np.ndarray, folder: Path) -> None:
    np.save(folder / "images.npy", images)
    with torch.no_grad():
        for batch in (1, 2, 5):
            np.save(
                folder / f"expected-{batch}.npy", network.eval()(torch.from_numpy(images[:batch])).numpy()
            )


def test_it_is_quiet_and_offline(tmp_path: Path):
    done = run_isolated(
        OFFLINE.format(source=str(Path(cellwright.__file__).parents[1])), tmp_path, "-W", "error"
    )

    assert (done.stdout, done.stderr, done.returncode) == ("", "", 0)
    assert [path.name for path in tmp_path.iterdir()] == ["runs"]
    seen = sorted(path.name for path in (tmp_path / "runs").iterdir() if not path.name.startswith("."))
    assert seen == ["artifacts", "mlflow.db"]


def test_a_model_is_loaded_without_cellwright(
    uri: str, record: RunRecord, network: torch.nn.Module, images: np.ndarray, tmp_path: Path
):
    register(uri, record, network, images, tmp_path)
    save_expected(network, images, tmp_path)

    done = run_isolated(LOADING.format(uri=uri), tmp_path)

    assert done.stdout.strip() == "same", done.stderr


def test_a_server_works_like_a_database(
    server: MlflowServer,
    record: RunRecord,
    network: torch.nn.Module,
    images: np.ndarray,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
):
    capfd.readouterr()
    register(server.address, record, network, images, tmp_path)
    register(server.address, record, network, images, tmp_path)
    assert capfd.readouterr() == ("", "")

    client = MlflowClient(server.address)
    (experiment,) = client.search_experiments(filter_string="name = 'cells'")
    (run,) = client.search_runs([experiment.experiment_id])
    assert len(client.get_metric_history(run.info.run_id, "search/train_loss")) == 1500
    (version,) = client.search_model_versions("name = 'net'")
    assert client.get_model_version_by_alias("net", "champion").version == version.version
    (model,) = client.search_logged_models([experiment.experiment_id])
    assert model.tags["mlflow.modelVersions"] == '[{"name": "net", "version": 1}]'
    assert list((tmp_path / "served").rglob("model.pt2"))
