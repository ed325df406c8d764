"""The server beside `mlflow models serve` and ONNX Runtime in a loop: examples a second and the slowest per cent.

One registered network of random weights, the default size of `darts` on 3×32×32. The three take turns, so that what
else the machine does reaches each of them. Clients hold a connection each and send the next request when they have the
answer; ONNX Runtime answers the same requests one after another, without HTTP.
"""

import argparse
import http.client
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import numpy as np
import onnxruntime
import torch

from cellwright.data.manifest import ArrayForm
from cellwright.nn.export import export_onnx
from cellwright.results import ONNX, ModelInfo
from cellwright.spaces import build_space
from cellwright.spaces.darts.section import DartsSection
from cellwright.spaces.networks import build_network
from cellwright.testing.images import numbered_images
from cellwright.tracking import MlflowTracker, RunRecord

RESULT = Path("docs/benchmarks/serving.md")
SHAPE = (3, 32, 32)
OURS, MLFLOW, PLAIN = "cellwright serve", "mlflow models serve", "ONNX Runtime in a loop"
BARS = "Bars: at least 5 times `mlflow models serve`, and at least 0.8 of ONNX Runtime."


class Request(NamedTuple):
    path: str
    body: bytes
    headers: dict[str, str]


class Measured(NamedTuple):
    seconds: float
    latencies: list[float]

    def throughput(self, rows: int) -> float:
        """Return examples a second."""
        return rows * len(self.latencies) / self.seconds

    @property
    def p99(self) -> float:
        return float(np.quantile(self.latencies, 0.99))


def register(folder: Path) -> None:
    """Make a version of the model `bench`, which becomes the champion."""
    task, size = numbered_images(SHAPE, 10), DartsSection()
    genotype = build_space(size).sample(random.Random(0))
    network = build_network(size, task, genotype).eval()
    images = torch.zeros(2, *SHAPE, dtype=torch.uint8)
    info = task.model_info({"images": ArrayForm(shape=SHAPE, dtype="uint8")}, genotype)
    export_onnx(network, (images,), folder / ONNX, info)
    info.save(folder / ModelInfo.FILE)
    tracker = MlflowTracker(uri=f"sqlite:///{folder}/mlflow.db", experiment="bench")
    record = RunRecord(
        key="bench", name="bench", params={}, tags={}, curves={}, metrics={}, artifacts={}, trials=()
    )
    tracker.register_model(
        mlflow_run_id=tracker.log_run(record, status="FINISHED"),
        name="bench",
        model=network,
        inputs={"images": images.numpy()},
        metadata={},
        tags={},
        extra_files={ONNX: folder / ONNX},
        key="bench",
    )


@contextmanager
def running(command: list[str], port: int, folder: Path, health: str) -> Iterator[None]:
    environment = os.environ | {
        "MLFLOW_TRACKING_URI": f"sqlite:///{folder}/mlflow.db",
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
    }
    with (folder / f"{port}.log").open("wb") as log:
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
    try:
        for _ in range(1200):
            try:
                connection = http.client.HTTPConnection("127.0.0.1", port)
                connection.request("GET", health)
                if connection.getresponse().status == 200:
                    break
            except OSError:
                time.sleep(0.25)
        else:
            raise TimeoutError((folder / f"{port}.log").read_text())
        yield
    finally:
        process.terminate()
        process.wait()


def by_http(port: int, request: Request, seconds: float, clients: int) -> Measured:
    """Ask from as many connections, for as long."""
    latencies: list[float] = []

    def ask() -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port)
        while time.perf_counter() < end:
            began = time.perf_counter()
            connection.request("POST", request.path, request.body, request.headers)
            answer = connection.getresponse()
            content = answer.read()
            if answer.status != 200:
                raise RuntimeError(content.decode())
            latencies.append(time.perf_counter() - began)
        connection.close()

    threads = [threading.Thread(target=ask) for _ in range(clients)]
    began = time.perf_counter()
    end = began + seconds
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return Measured(time.perf_counter() - began, latencies)


def in_a_loop(session: onnxruntime.InferenceSession, images: np.ndarray, seconds: float) -> Measured:
    latencies: list[float] = []
    began = time.perf_counter()
    while time.perf_counter() < began + seconds:
        start = time.perf_counter()
        session.run(None, {"images": images})
        latencies.append(time.perf_counter() - start)
    return Measured(time.perf_counter() - began, latencies)


def binary(images: np.ndarray) -> Request:
    tensor = {
        "name": "images",
        "datatype": "UINT8",
        "shape": images.shape,
        "parameters": {"binary_data_size": images.nbytes},
    }
    head = json.dumps({"inputs": [tensor], "parameters": {"binary_data_output": True}}).encode()
    headers = {"Inference-Header-Content-Length": str(len(head))}
    return Request("/v2/models/bench/infer", head + images.tobytes(), headers)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, nargs="+", default=[1, 32], help="examples of a request")
    parser.add_argument("--clients", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=3.0, help="of each turn")
    parser.add_argument("--write", action="store_true", help=f"write {RESULT}")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="cellwright-") as name:
        folder = Path(name)
        register(folder)
        session = onnxruntime.InferenceSession(folder / ONNX, providers=["CPUExecutionProvider"])
        ours = [str(Path(sys.executable).with_name("cellwright")), "serve", "models:/bench@champion"]
        theirs = ["mlflow", "models", "serve", "--model-uri", "models:/bench@champion"]
        with (
            running([*ours, "--port", "5801"], 5801, folder, "/health/ready"),
            running([*theirs, "--env-manager", "local", "--port", "5802"], 5802, folder, "/ping"),
        ):
            text = "\n".join(table(rows, session, given) for rows in given.rows)
    print(text)
    if given.write:
        RESULT.write_text(
            f"# Serving\n\n`python -m benchmarks.serving`: {given.rounds} rounds of {given.seconds:g} s, "
            f"{given.clients} clients, {len(os.sched_getaffinity(0))} CPUs that they share with the server. {BARS}\n"
            f"\n{text}"
        )


def table(rows: int, session: onnxruntime.InferenceSession, given: argparse.Namespace) -> str:
    images = np.random.default_rng(0).integers(0, 256, (rows, *SHAPE), np.uint8)
    as_json = {"Content-Type": "application/json"}
    values = images.tolist()
    turns: dict[str, Callable[[], Measured]] = {
        f"{OURS}, binary": lambda: by_http(5801, binary(images), given.seconds, given.clients),
        f"{OURS}, JSON": lambda: by_http(
            5801,
            Request("/v1/models/bench:predict", json.dumps({"instances": values}).encode(), as_json),
            given.seconds,
            given.clients,
        ),
        MLFLOW: lambda: by_http(
            5802,
            Request("/invocations", json.dumps({"inputs": values}).encode(), as_json),
            given.seconds,
            given.clients,
        ),
        PLAIN: lambda: in_a_loop(session, images, given.seconds),
    }
    found: dict[str, list[Measured]] = {name: [] for name in turns}
    for _ in range(given.rounds):
        for name, turn in turns.items():
            found[name].append(turn())
    lines = [
        f"## {rows} {'example' if rows == 1 else 'examples'} a request\n",
        "| | examples a second | slowest per cent, ms | times MLflow | times ONNX Runtime |",
        "|---|---|---|---|---|",
    ]
    for name, measured in found.items():
        speeds = [each.throughput(rows) for each in measured]
        ratios = [
            statistics.median(
                speed / other.throughput(rows) for speed, other in zip(speeds, found[rival], strict=True)
            )
            for rival in (MLFLOW, PLAIN)
        ]
        p99 = 1000 * statistics.median(each.p99 for each in measured)
        lines.append(
            f"| {name} | {statistics.median(speeds):.0f} | {p99:.1f} | {ratios[0]:.2f} | {ratios[1]:.2f} |"
        )
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
