"""The server beside `mlflow models serve` and ONNX Runtime in a loop: examples a second and the slowest per cent.

A registered network of random weights: the default size of `darts` on 3×32×32, or a small one on 1×8×8. The three take
turns, so that what else the machine does reaches each of them; where that is much, compare examples a CPU second, of
the server's process. Clients hold a connection each and send the next request when they have the answer. ONNX Runtime
answers the same requests one after another, without HTTP.
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
import psutil
import torch

from cellwright.data.manifest import ArrayForm
from cellwright.nn.export import export_onnx
from cellwright.results import ONNX, ModelInfo
from cellwright.spaces import build_space
from cellwright.spaces.darts.section import DartsSection
from cellwright.spaces.networks import build_network
from cellwright.testing.images import numbered_images
from cellwright.tracking import MlflowTracker, RunRecord

NETWORKS = {
    "default": ((3, 32, 32), DartsSection()),
    "small": ((1, 8, 8), DartsSection(num_cells=2, channels=4, num_nodes=2)),
}
OURS, MLFLOW, PLAIN = "cellwright serve", "mlflow models serve", "ONNX Runtime in a loop"


class Request(NamedTuple):
    path: str
    body: bytes
    headers: dict[str, str]


class Measured(NamedTuple):
    seconds: float
    cpu_seconds: float
    latencies: list[float]

    def throughput(self, rows: int) -> float:
        """Return examples a second."""
        return rows * len(self.latencies) / self.seconds

    def per_cpu(self, rows: int) -> float:
        """Return examples a CPU second."""
        return rows * len(self.latencies) / self.cpu_seconds

    @property
    def p99(self) -> float:
        return float(np.quantile(self.latencies, 0.99))


def register(folder: Path, shape: tuple[int, int, int], size: DartsSection) -> None:
    """Make a version of the model `bench`, which becomes the champion."""
    task = numbered_images(shape, 10)
    genotype = build_space(size).sample(random.Random(0))
    network = build_network(size, task, genotype).eval()
    images = torch.zeros(2, *shape, dtype=torch.uint8)
    info = task.model_info({"images": ArrayForm(shape=shape, dtype="uint8")}, genotype)
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
def running(command: list[str], port: int, folder: Path, health: str) -> Iterator[psutil.Process]:
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
        yield psutil.Process(process.pid)
    finally:
        process.terminate()
        process.wait()


def cpu_seconds(process: psutil.Process) -> float:
    times = [each.cpu_times() for each in (process, *process.children(recursive=True))]
    return sum(each.user + each.system for each in times)


def by_http(port: int, server: psutil.Process, request: Request, seconds: float, clients: int) -> Measured:
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
    began, cpu = time.perf_counter(), cpu_seconds(server)
    end = began + seconds
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return Measured(time.perf_counter() - began, cpu_seconds(server) - cpu, latencies)


def in_a_loop(session: onnxruntime.InferenceSession, images: np.ndarray, seconds: float) -> Measured:
    latencies: list[float] = []
    began, cpu = time.perf_counter(), time.process_time()
    while time.perf_counter() < began + seconds:
        start = time.perf_counter()
        session.run(None, {"images": images})
        latencies.append(time.perf_counter() - start)
    return Measured(time.perf_counter() - began, time.process_time() - cpu, latencies)


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
    parser.add_argument("--network", choices=NETWORKS, default="default")
    parser.add_argument("--rows", type=int, nargs="+", default=[1, 32], help="examples of a request")
    parser.add_argument("--clients", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=3.0, help="of each turn")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="cellwright-") as name:
        folder = Path(name)
        register(folder, *NETWORKS[given.network])
        options = onnxruntime.SessionOptions()
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # would count as work
        session = onnxruntime.InferenceSession(folder / ONNX, options, providers=["CPUExecutionProvider"])
        ours = [str(Path(sys.executable).with_name("cellwright")), "serve", "models:/bench@champion"]
        theirs = ["mlflow", "models", "serve", "--model-uri", "models:/bench@champion"]
        with (
            running([*ours, "--port", "5801"], 5801, folder, "/health/ready") as own,
            running([*theirs, "--env-manager", "local", "--port", "5802"], 5802, folder, "/ping") as mlflow,
        ):
            text = "\n".join(table(rows, session, own, mlflow, given) for rows in given.rows)
    print(text)


def table(
    rows: int,
    session: onnxruntime.InferenceSession,
    own: psutil.Process,
    mlflow: psutil.Process,
    given: argparse.Namespace,
) -> str:
    images = np.random.default_rng(0).integers(0, 256, (rows, *NETWORKS[given.network][0]), np.uint8)
    as_json = {"Content-Type": "application/json"}
    values = images.tolist()
    turns: dict[str, Callable[[], Measured]] = {
        f"{OURS}, binary": lambda: by_http(5801, own, binary(images), given.seconds, given.clients),
        f"{OURS}, JSON": lambda: by_http(
            5801,
            own,
            Request("/v1/models/bench:predict", json.dumps({"instances": values}).encode(), as_json),
            given.seconds,
            given.clients,
        ),
        MLFLOW: lambda: by_http(
            5802,
            mlflow,
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
        f"## {given.network} network, {rows} {'example' if rows == 1 else 'examples'} a request\n",
        "| | examples a second | slowest per cent, ms | examples a CPU second | times MLflow | times ONNX Runtime |",
        "|---|---|---|---|---|---|",
    ]
    for name, measured in found.items():
        per_cpu = [each.per_cpu(rows) for each in measured]
        ratios = [
            statistics.median(
                ours / theirs.per_cpu(rows) for ours, theirs in zip(per_cpu, found[rival], strict=True)
            )
            for rival in (MLFLOW, PLAIN)
        ]
        speed = statistics.median(each.throughput(rows) for each in measured)
        p99 = 1000 * statistics.median(each.p99 for each in measured)
        lines.append(
            f"| {name} | {speed:.0f} | {p99:.1f} | {statistics.median(per_cpu):.0f} | {ratios[0]:.2f} "
            f"| {ratios[1]:.2f} |"
        )
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
