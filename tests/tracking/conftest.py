import os
import signal
from collections.abc import Callable, Iterator
from multiprocessing import get_context
from pathlib import Path

import mlflow
import numpy as np
import pytest
import torch

from cellwright.tracking import MlflowTracker, RunRecord, TrialRecord
from tests.servers import MlflowServer


@pytest.fixture
def tracker(uri: str) -> MlflowTracker:
    return MlflowTracker(uri=uri, experiment="cells")


@pytest.fixture
def tracking_at_uri(uri: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """MLflow's own functions use the registry, and later tests find no trace of that in the environment."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    mlflow.set_tracking_uri(uri)
    yield
    mlflow.set_tracking_uri(None)


@pytest.fixture
def record(tmp_path: Path) -> RunRecord:
    (tmp_path / "spec.txt").write_text("name: cells")
    (tmp_path / "plots" / "deep").mkdir(parents=True)
    (tmp_path / "plots" / "deep" / "front.svg").write_text("<svg/>")
    return RunRecord(
        key="cells-7f3a",
        name="cells",
        params={f"space.part.{index}": str(index) for index in range(250)} | {"data.labels": "x" * 7000},
        tags={"seed": "0", "server": "https://bob:secret@mlflow.test/x"},
        curves={
            "search/train_loss": [(step, 1 / (1 + step)) for step in range(1500)],
            "search/gap": [(0, 1.0)],
        },
        metrics={"test/accuracy": 0.5, "test/ece": float("nan"), "test/loss": float("inf")},
        artifacts={"spec/search.yaml": tmp_path / "spec.txt", "report": tmp_path / "plots"},
    )


@pytest.fixture
def server(uri: str, tmp_path: Path) -> Iterator[MlflowServer]:
    server = MlflowServer(uri, tmp_path)
    server.start()
    yield server
    server.kill()


@pytest.fixture
def trials() -> tuple[TrialRecord, ...]:
    """One of each end."""
    common = {"curves": {"curve/accuracy": [(1, 0.25), (2, 0.5)]}, "metrics": {"accuracy": 0.5, "macs": 1e6}}
    return (
        TrialRecord(
            key="trial-0-0",
            name="trial 0",
            params={"genotype": "a~b", "fidelity.epochs": "1.0"},
            tags={},
            status="FINISHED",
            seconds=3.5,
            **common,
        ),
        TrialRecord(
            key="trial-1-0",
            name="trial 1",
            params={"genotype": "b~a"},
            tags={"reason": "below the median"},
            status="KILLED",
            seconds=1.0,
            **common,
        ),
        TrialRecord(
            key="trial-2-0",
            name="trial 2",
            params={"genotype": "c~a"},
            tags={"reason": "out of memory"},
            status="FAILED",
            seconds=2.0,
            curves={},
            metrics={},
        ),
    )


@pytest.fixture
def network() -> torch.nn.Module:
    torch.manual_seed(0)
    return torch.nn.Sequential(
        torch.nn.Conv2d(3, 4, 3, padding=1),
        torch.nn.BatchNorm2d(4),
        torch.nn.ReLU(),
        torch.nn.AdaptiveAvgPool2d(1),
        torch.nn.Flatten(),
        torch.nn.Dropout(0.5),
        torch.nn.Linear(4, 10),
    )


@pytest.fixture
def images() -> np.ndarray:
    return np.random.default_rng(0).normal(size=(5, 3, 8, 8)).astype(np.float32)


@pytest.fixture
def killed_at() -> Callable[[object, str, int, Callable[[], object]], None]:
    """Run `work` in another process, which dies by SIGKILL as it makes the nth call of a method."""

    def run(owner: object, method: str, nth: int, work: Callable[[], object]) -> None:
        def child() -> None:
            torch.set_num_threads(1)
            original, calls = getattr(owner, method), []

            def deadly(*args: object, **kwargs: object) -> object:
                calls.append(method)
                if len(calls) == nth:
                    os.kill(os.getpid(), signal.SIGKILL)
                return original(*args, **kwargs)

            setattr(owner, method, deadly)
            work()

        process = get_context("fork").Process(target=child)
        process.start()
        process.join(60)
        assert process.exitcode == -signal.SIGKILL

    return run
