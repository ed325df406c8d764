"""`cellwright serve` as a process of its own, while people move the alias that it follows."""

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from mlflow import MlflowClient

from cellwright.tracking import Lifecycle
from cellwright.tracking.models import assign_alias
from tests.serving.asking import Client
from tests.serving.toys import CLASSES, register

SCALES = (1.0, -1.0)
BODY = json.dumps({"instances": [[[[255, 255], [255, 255]]]]}).encode()


@pytest.fixture
def registry(uri: str, tmp_path: Path) -> MlflowClient:
    """Two versions of a model, the first of which is the champion."""
    client = MlflowClient(uri)
    for scale in SCALES:
        register(client, "toy", scale, tmp_path)
    assign_alias(client, "toy", 1)
    return client


@pytest.fixture
def process(registry: MlflowClient, uri: str, tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    command = [
        str(Path(sys.executable).with_name("cellwright")), "serve", "models:/toy@champion",
        "--runs", str(tmp_path), "--port", "0", "--every", "0.1", "--threads", "1",
    ]  # fmt: skip
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as running:
        yield running
        running.kill()


def test_a_client_sees_no_error_through_a_promotion_and_a_rollback(
    process: subprocess.Popen[str], uri: str, tmp_path: Path
):
    toy = Lifecycle(uri=uri, name="toy")
    client = Client(process.stdout.readline().split()[-1], BODY)
    client.thread.start()
    client.wait_for("toy/1")
    toy.promote(2, expected=1, who="ann", why="", evidence=None, owner="promotion")
    client.wait_for("toy/2")
    toy.rollback(who="ben", why="complaints", owner="rollback")
    client.wait_for("toy/1")
    damaged = tmp_path / "toy-1.0" / "extra_files" / "model.onnx"
    good = damaged.read_bytes()
    toy.promote(2, expected=1, who="ann", why="", evidence=None, owner="again", force=True)
    client.wait_for("toy/2")
    damaged.write_bytes(good + b" ")
    toy.rollback(who="ben", why="", owner="last")
    assert "toy/1: extra_files/model.onnx must have the SHA-256" in next(
        line for line in process.stderr if "continues to answer" in line
    )
    damaged.write_bytes(good)
    client.wait_for("toy/1")
    client.stopped.set()
    client.thread.join()
    assert client.errors == []
    assert set(client.answers) == {("toy/1", CLASSES[0]), ("toy/2", CLASSES[1])}
    moves = [
        after
        for (before, _), (after, _) in zip(client.answers, client.answers[1:], strict=False)
        if after != before
    ]
    assert moves == ["toy/2", "toy/1", "toy/2", "toy/1"]
    process.send_signal(signal.SIGTERM)
    assert process.wait(60) == 0
