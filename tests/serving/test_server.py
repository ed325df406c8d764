"""Requests as clients send them, answered by the application."""

import asyncio
import base64
import io
import json
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image
from starlette.testclient import TestClient

from cellwright.cli.serving import listen
from cellwright.errors import CellwrightError
from cellwright.serving.batching import MOST_ROWS
from cellwright.serving.model import Array, ServedModel
from cellwright.serving.protocols import write_json
from cellwright.serving.recording import Recorder, statistics
from cellwright.serving.server import VERSION, Limits, Registered, Server
from tests.manifests.objects import MANIFESTS, from_files, of_kind
from tests.serving.toys import CLASSES, classifier, pricer

WHITE, BLACK = [[[255, 255], [255, 255]]], [[[0, 0], [0, 0]]]
SURE = 1 / (1 + np.exp(-1.0))
"""The probability of the first class for white pixels."""
LIMITS = Limits(rows=4, megabytes=0.01, seconds=5, waiting=8)


@pytest.fixture(scope="module")
def toys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("toys")
    classifier(folder / "images")
    pricer(folder / "columns")
    return folder


def served(folder: Path, version: str = "toy/1") -> ServedModel:
    return ServedModel(folder, name="toy", version=version, threads=1)


@pytest.fixture
def server(toys: Path) -> Server:
    return Server(model=served(toys / "images"), threads=1, limits=LIMITS)


@pytest.fixture
def client(server: Server) -> Iterator[TestClient]:
    with TestClient(server.app()) as client:
        yield client


@pytest.fixture
def prices(toys: Path) -> Iterator[TestClient]:
    with TestClient(Server(model=served(toys / "columns"), threads=1).app()) as client:
        yield client


def predict(client: TestClient, instances: object) -> list[dict[str, object]]:
    answer = client.post("/v1/models/toy:predict", json={"instances": instances})
    assert answer.status_code == 200, answer.text
    return answer.json()["predictions"]


def png(shade: int) -> str:
    file = io.BytesIO()
    Image.new("L", (4, 4), shade).save(file, "PNG")
    return base64.b64encode(file.getvalue()).decode()


def test_instances_get_labels_and_the_probability_of_each_class(client: TestClient):
    white, black = predict(client, [WHITE, BLACK])
    assert white["label"] == CLASSES[0] and black["probability"] == pytest.approx(0.5)
    assert white["probabilities"] == pytest.approx({CLASSES[0]: SURE, CLASSES[1]: 1 - SURE})
    assert predict(client, [{"images": WHITE}]) == [white]


def test_names_that_are_no_utf8_are_escaped():
    name = os.fsdecode(b"boot\xff")
    assert json.loads(write_json({"label": name})) == {"label": name}


def test_image_files_are_read_as_in_training(client: TestClient):
    assert predict(client, [{"b64": png(255)}, {"b64": png(0)}]) == predict(client, [WHITE, BLACK])


def test_tensors_get_tensors(client: TestClient):
    images = {"name": "images", "datatype": "UINT8", "shape": [2, 1, 2, 2]}
    answer = client.post(
        "/v2/models/toy/infer", json={"id": "7", "inputs": [images | {"data": [255] * 4 + [0] * 4}]}
    ).json()
    assert (answer["id"], answer["model_name"], answer["model_version"]) == ("7", "toy", "toy/1")
    found = {output["name"]: output for output in answer["outputs"]}
    assert found["label"] == {"name": "label", "datatype": "BYTES", "shape": [2], "data": [CLASSES[0]] * 2}
    assert found["probabilities"]["data"] == pytest.approx([SURE, 1 - SURE, 0.5, 0.5])
    assert answer["parameters"]["class_names"] == list(CLASSES)
    nested = images | {"data": [WHITE, BLACK]}
    asked = {"inputs": [nested], "outputs": [{"name": "logits"}]}
    [logits] = client.post("/v2/models/toy/infer", json=asked).json()["outputs"]
    assert logits["data"] == pytest.approx([1, 0, 0, 0])


def test_tensors_may_be_binary(client: TestClient):
    images = np.array([WHITE, BLACK], np.uint8)
    head = json.dumps(
        {
            "inputs": [
                {
                    "name": "images",
                    "datatype": "UINT8",
                    "shape": [2, 1, 2, 2],
                    "parameters": {"binary_data_size": images.nbytes},
                }
            ],
            "parameters": {"binary_data_output": True},
        }
    ).encode()
    answer = client.post(
        "/v2/models/toy/infer",
        content=head + images.tobytes(),
        headers={"Inference-Header-Content-Length": str(len(head))},
    )
    length = int(answer.headers["Inference-Header-Content-Length"])
    rest, found = answer.content[length:], {}
    for output in json.loads(answer.content[:length])["outputs"]:
        size = output["parameters"]["binary_data_size"]
        found[output["name"]], rest = rest[:size], rest[size:]
    assert np.frombuffer(found["probabilities"], "<f4") == pytest.approx([SURE, 1 - SURE, 0.5, 0.5])
    assert found["label"] == b"\x04\0\0\0boot" * 2 and not rest


def test_columns_may_lack_values(prices: TestClient):
    rows = [{"area": 7, "street": "High"}, {"area": 1.5, "street": None}]
    assert predict(prices, rows) == [{"value": 7.0}, {"value": 1.5}]
    answer = prices.post("/v1/models/toy:predict", json={"instances": [{"area": None, "street": ""}]})
    assert answer.json()["error"] == "example 0 must give finite numbers: its inputs are too large"


def test_clients_can_ask_what_the_model_takes(client: TestClient):
    about = client.get("/v2/models/toy").json()
    assert about["inputs"] == [{"name": "images", "datatype": "UINT8", "shape": [-1, 1, 2, 2]}]
    assert [output["name"] for output in about["outputs"]] == ["label", "probabilities", "logits"]
    for path in ("/health", "/health/ready", "/v2/health/live", "/v2/health/ready", "/v2/models/toy/ready"):
        assert client.get(path).status_code == 200
    assert client.get("/v1/models/toy").json() == {"name": "toy", "ready": True}


def test_probes_of_the_manifests_are_answered(client: TestClient):
    [deployment] = of_kind(from_files(MANIFESTS / "serving"), "Deployment")
    service = yaml.safe_load((MANIFESTS / "kserve/inference-service.yaml").read_text())
    for pod in (deployment["spec"]["template"]["spec"], service["spec"]["predictor"]):
        [container] = pod["containers"]
        probes = [value["httpGet"]["path"] for key, value in container.items() if key.endswith("Probe")]
        assert len(probes) > 1
        assert {client.get(path).status_code for path in probes} == {200}


@pytest.mark.parametrize(
    ("instances", "message"),
    [
        ([], "instances must be a list with an example or more"),
        ([WHITE] * 5, "a request must have at most 4 examples, got 5"),
        ([[[[256, 0], [0, 0]]]], "images must be from 0 to 255, got 0 to 256"),
        ([[[[0.5, 0], [0, 0]]]], "images must be whole numbers, got float64"),
        ([[[[True, False], [True, False]]]], "images must be whole numbers, got bool"),
        ([WHITE, [[[0]]]], "images must have examples of the shape [1, 2, 2], all the same"),
        ([[[[0]]]], "images must have examples of the shape [1, 2, 2], got [1, 1, 1]"),
        ([{"b64": "?"}], "images must be base64 in example 0"),
        ([{"b64": "aGVsbG8="}], "images of example 0: is not a readable PNG"),
        ([{"b64": ""}], "images of example 0: is not a readable PNG"),
        ([{"b64": ""}, WHITE], 'images must be {"b64": …} in each example or in none, see example 1'),
        ([{"pixels": 1}], 'images must be {"b64": …} in each example or in none, see example 0'),
        ([[[["\x1b[2J", 0], [0, 0]]]], "images must be whole numbers"),
    ],
)
def test_wrong_instances_get_one_line(client: TestClient, instances: object, message: str):
    answer = client.post("/v1/models/toy:predict", json={"instances": instances})
    assert answer.status_code == 400
    assert message in answer.json()["error"] and "\n" not in answer.json()["error"]


PIXELS = {"name": "images", "datatype": "UINT8", "shape": [1, 1, 2, 2], "data": [0] * 4}


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        ({}, "inputs must be a list of objects"),
        ({"inputs": []}, "inputs must be images, without images"),
        ({"inputs": [PIXELS, PIXELS]}, "inputs must be images, once each, got images"),
        ({"inputs": [PIXELS | {"name": "pixels"}]}, "inputs must be images, once each, got pixels"),
        ({"inputs": [PIXELS | {"data": [0]}]}, "images: data must have the 4 values of its shape, got 1"),
        ({"inputs": [PIXELS | {"shape": [-1, 4]}]}, "images: shape must be a list of sizes, got [-1, 4]"),
        (
            {"inputs": [PIXELS | {"shape": [0, 1, 2, 2], "data": []}]},
            "images must be whole numbers, got float64",
        ),
        ({"inputs": [PIXELS | {"datatype": "object"}]}, "images: datatype must be one of BOOL"),
        (
            {"inputs": [PIXELS | {"parameters": {"binary_data_size": 4}}]},
            "images: binary_data_size must be within the body, got 4",
        ),
        ({"inputs": [PIXELS], "outputs": [{"name": "x"}]}, "outputs must be of label, probabilities, logits"),
    ],
)
def test_wrong_tensors_get_one_line(client: TestClient, request_: object, message: str):
    answer = client.post("/v2/models/toy/infer", json=request_)
    assert (answer.status_code, "\n" in answer.text) == (400, False)
    assert message in answer.json()["error"]


@pytest.mark.parametrize(
    ("content", "status", "message"),
    [
        (b"{", 400, "the body must be JSON"),
        (b"[" * 5000, 400, "the body must be JSON"),
        (b"[]", 400, "the body must be a JSON object, got list"),
        (b" " * 20000, 413, "the body must have at most 0.01 MiB"),
    ],
)
def test_a_body_is_bounded_json(client: TestClient, content: bytes, status: int, message: str):
    for body in (content, iter([content])):  # with and without its length
        answer = client.post("/v1/models/toy:predict", content=body)
        assert answer.status_code == status and message in answer.json()["error"]


def test_other_paths_models_and_methods_are_refused_in_json(client: TestClient):
    answer = client.post("/v1/models/boots:predict", json={"instances": [WHITE]})
    assert (answer.status_code, answer.json()) == (404, {"error": "the model must be toy, got boots"})
    assert client.get("/v1/models/toy:predict").status_code == 404  # no model of that name
    assert client.get("/nowhere").json() == {"error": "Not Found"}
    assert client.get("/v2/models/toy/infer").status_code == 405


class Held:
    """A model that runs when it is let."""

    def __init__(self, model: ServedModel) -> None:
        self.model, self.rows = model, []
        self.started, self.may_run = threading.Event(), threading.Event()

    def run(self, arrays: dict[str, Array]) -> Array:
        self.started.set()
        self.may_run.wait(30)
        self.rows.append(len(arrays["images"]))
        return self.model.run(arrays)


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def test_requests_that_wait_become_one_batch_and_too_many_are_refused(server: Server, client: TestClient):
    held = Held(server.model)
    server.served.batcher._run = held.run
    answers: list[tuple[int, int]] = []

    def ask(rows: int) -> None:
        answer = client.post("/v1/models/toy:predict", json={"instances": [WHITE] * rows})
        answers.append((rows, answer.status_code))

    first = [threading.Thread(target=ask, args=(rows,)) for rows in (1, 4, 4)]
    for number, thread in enumerate(first):
        thread.start()
        wait_until(lambda number=number: held.started.is_set() and server.served.batcher.rows == 4 * number)
    ask(1)
    assert answers == [(1, 503)]
    held.may_run.set()
    for thread in first:
        thread.join()
    assert sorted(answers[1:]) == [(1, 200), (4, 200), (4, 200)]
    assert held.rows == [1, 8]
    text = client.get("/metrics").text
    assert 'cellwright_requests_total{protocol="v1",status="503"} 1.0' in text
    assert "cellwright_examples_total 9.0" in text and 'cellwright_model{version="toy/1"} 1.0' in text


def test_a_large_request_is_run_in_parts_whose_answers_keep_their_order(toys: Path):
    server = Server(model=served(toys / "images"), threads=1)
    images = [[[[pixel, pixel], [0, 255 - pixel]]] for pixel in range(2 * MOST_ROWS + 3)]
    held = Held(server.model)
    held.may_run.set()
    server.served.batcher._run = held.run
    with TestClient(server.app()) as client:
        ask = partial(client.post, "/v1/models/toy:predict")
        together = ask(json={"instances": images}).json()["predictions"]
        assert held.rows == [MOST_ROWS, MOST_ROWS, 3]
        apart = [ask(json={"instances": [image]}).json()["predictions"][0] for image in images]
    for one, other in zip(together, apart, strict=True):
        assert one["probabilities"] == pytest.approx(other["probabilities"], abs=1e-5)


def test_one_request_that_cannot_be_run_leaves_the_others_of_its_batch(server: Server, client: TestClient):
    held = Held(server.model)

    def run(arrays: dict[str, Array]) -> Array:
        if (arrays["images"] == 13).any():
            raise RuntimeError("13")
        return held.run(arrays)

    server.served.batcher._run = run
    answers: list[tuple[int, int]] = []
    quiet = TestClient(server.app(), raise_server_exceptions=False)
    quiet.portal = client.portal

    def ask(pixel: int) -> None:
        image = [[[pixel, 0], [0, 0]]]
        answer = quiet.post("/v1/models/toy:predict", json={"instances": [image]})
        answers.append((pixel, answer.status_code))

    threads = [threading.Thread(target=ask, args=(pixel,)) for pixel in (1, 13, 2)]
    for number, thread in enumerate(threads):
        thread.start()
        wait_until(lambda number=number: held.started.is_set() and server.served.batcher.rows == number)
    held.may_run.set()
    for thread in threads:
        thread.join()
    assert sorted(answers) == [(1, 200), (2, 200), (13, 500)]


def test_an_answer_that_takes_too_long_is_refused(toys: Path):
    server = Server(model=served(toys / "images"), threads=1, limits=Limits(seconds=0.05))
    held = Held(server.model)
    server.served.batcher._run = held.run
    with TestClient(server.app()) as client:
        answer = client.post("/v1/models/toy:predict", json={"instances": [WHITE]})
        held.may_run.set()
    assert answer.status_code == 503
    assert answer.json()["error"] == "a request must be answered in 0.05 s: send fewer examples"


def test_another_version_takes_over_when_it_can_be_loaded(toys: Path, tmp_path: Path, capfd):
    names = iter(["toy/1", "toy/2"])
    classifier(tmp_path / "second", scale=-1.0)
    looked = threading.Semaphore(0)
    failures = iter([CellwrightError("toy/2: model.onnx must have the SHA-256 of what was registered")])

    def latest() -> str:
        looked.release()
        return next(names, "toy/2")

    def fetch(version: str, _: Path) -> Path:
        assert version == "toy/2"
        for failure in failures:
            raise failure
        return tmp_path / "second"

    registered = Registered(latest=latest, fetch=fetch, every=0.01)
    server = Server(model=served(toys / "images"), threads=1, registered=registered)
    with TestClient(server.app()) as client:
        before = client.post("/v1/models/toy:predict", json={"instances": [WHITE]})
        for _ in range(5):
            looked.acquire()
        after = client.post("/v1/models/toy:predict", json={"instances": [WHITE]})
        text = client.get("/metrics").text
    assert before.json()["predictions"][0]["label"] == CLASSES[0]
    assert (after.headers[VERSION], after.json()["predictions"][0]["label"]) == ("toy/2", CLASSES[1])
    assert 'cellwright_model{version="toy/2"} 1.0' in text and "toy/1" not in text
    said = capfd.readouterr().err
    assert "serve: toy/1 continues to answer: toy/2: model.onnx must have the SHA-256" in said
    assert "serve: toy/2 answers now, in place of toy/1" in said


def test_statistics_of_predictions_are_written_and_inputs_on_request(toys: Path, tmp_path: Path):
    for has_inputs in (False, True):
        folder = tmp_path / str(has_inputs)
        recorder = Recorder(folder, has_inputs=has_inputs)
        server = Server(model=served(toys / "images"), threads=1, recorder=recorder)
        with TestClient(server.app()) as client:
            predict(client, [WHITE, BLACK, BLACK])
            predict(client, [WHITE])
        [line] = (folder / "statistics.jsonl").read_text().splitlines()
        window = json.loads(line)
        assert (window["version"], window["rows"], window["labels"]) == (
            "toy/1",
            4,
            {CLASSES[0]: 4, CLASSES[1]: 0},
        )
        [channel] = window["inputs"]["images"]["features"]
        assert (channel["mean"], channel["deciles"][0], channel["deciles"][-1]) == (127.5, 0, 255)
        assert window["probability"]["mean"] == pytest.approx((SURE + 0.5) / 2, rel=1e-5)
        assert ("stored" in window) == has_inputs
        if has_inputs:
            with np.load(folder / window["stored"], allow_pickle=False) as stored:
                assert stored["inputs/images"].tolist() == [WHITE, BLACK, BLACK, WHITE]
                assert stored["outputs"].shape == (4, 2)


def test_columns_are_counted(toys: Path, tmp_path: Path):
    server = Server(model=served(toys / "columns"), threads=1, recorder=Recorder(tmp_path, has_inputs=True))
    with TestClient(server.app()) as client:
        predict(
            client, [{"area": 3, "street": "High"}, {"area": 5, "street": "High"}, {"area": 4, "street": ""}]
        )
    window = json.loads((tmp_path / "statistics.jsonl").read_text())
    assert window["inputs"]["street"] == {"texts": {"High": 2, "": 1}, "other": 0, "different": 2}
    assert (window["inputs"]["area"]["mean"], window["inputs"]["area"]["missing"]) == (4, 0)
    assert window["outputs"]["mean"] == 4
    with np.load(tmp_path / window["stored"], allow_pickle=False) as stored:
        assert stored["inputs/street"].tolist() == ["High", "High", ""]


def test_what_is_no_export_is_refused(tmp_path: Path):
    (tmp_path / "model.onnx").write_bytes(b"no model")
    with pytest.raises(CellwrightError, match="model.onnx: must be an ONNX export of cellwright"):
        served(tmp_path)


def test_connections_send_answers_at_once():
    """The kernel must not hold the body back until the client has acknowledged the head, which takes 40 ms."""

    async def option() -> int:
        accepted: asyncio.Queue[int] = asyncio.Queue()

        def accept(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            accepted.put_nowait(
                writer.get_extra_info("socket").getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
            )
            writer.close()

        async with await asyncio.start_server(accept, sock=listen("127.0.0.1", 0)) as server:
            _, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
            writer.close()
            return await accepted.get()

    assert asyncio.run(option()) == 1


def test_an_address_in_use_is_named():
    with listen("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(CellwrightError, match=f"cannot listen at 127.0.0.1:{port}: "):
            listen("127.0.0.1", port)


def test_clips_of_sound_are_counted_by_their_levels():
    levels = statistics(np.int16([[300, -300], [0, 0]]))["levels"]
    assert (levels["mean"], levels["deciles"][0], levels["deciles"][-1]) == (150, 0, 300)
