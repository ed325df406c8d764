"""Data in a real S3, by a network that breaks."""

import http.server
import os
import re
import signal
import subprocess
import sys
import threading
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import boto3
import numpy as np
import pytest
import yaml
from PIL import Image
from sklearn.datasets import load_digits
from typer.testing import CliRunner

from cellwright.cli.app import app
from cellwright.data import DataManifest
from cellwright.errors import CellwrightError
from cellwright.progress import Silent
from cellwright.stores import S3Reader, S3Store
from tests.cluster.proxy import Proxy
from tests.tasks.images.test_idx import idx

BUCKET = "cellwright-data"
MB = 1_000_000


@pytest.fixture(scope="module")
def s3(store):
    client = boto3.client("s3", region_name="us-east-1")
    if BUCKET not in [bucket["Name"] for bucket in client.list_buckets()["Buckets"]]:
        client.create_bucket(Bucket=BUCKET)
    return client


@pytest.fixture
def prefix(s3) -> Iterator[str]:
    """Of objects that are deleted after the test."""
    prefix = uuid.uuid4().hex
    yield prefix
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix=prefix):
        for found in page.get("Contents", ()):
            s3.delete_object(Bucket=BUCKET, Key=found["Key"])


@pytest.fixture
def proxy(store, monkeypatch) -> Iterator[Proxy]:
    with Proxy(store["AWS_ENDPOINT_URL"]) as proxy:
        monkeypatch.setenv("AWS_ENDPOINT_URL", proxy.url)
        yield proxy


@pytest.fixture
def put(s3, prefix) -> Callable[[str, bytes], str]:
    def put(name: str, content: bytes) -> str:
        s3.put_object(Bucket=BUCKET, Key=f"{prefix}/{name}", Body=content)
        return f"s3://{BUCKET}/{prefix}/{name}"

    return put


@pytest.fixture
def noise() -> bytes:
    return np.random.default_rng(0).bytes(3 * MB)


def download(uri: str, folder: Path, reader: S3Reader | None = None) -> bytes:
    reader = reader or S3Reader()
    reader.download({folder / "file": reader.find(uri)}, folder / "parts", Silent())
    return (folder / "file").read_bytes()


def write_sources(folder: Path) -> dict[str, dict[str, Path]]:
    """Write some digits in the form of each source."""
    digits = load_digits()
    images, labels = digits.images[:200].astype(np.uint8) * 15, digits.target[:200].astype(np.uint8)
    np.savez(folder / "digits.npz", images=images, labels=labels)
    (folder / "images.idx").write_bytes(idx(images))
    (folder / "labels.idx").write_bytes(idx(labels))
    for index, (image, label) in enumerate(zip(images, labels, strict=True)):
        path = folder / "classes" / f"digit {label}" / f"{index:03}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(path)
    return {
        "npz": {"path": folder / "digits.npz"},
        "idx": {"images": folder / "images.idx", "labels": folder / "labels.idx"},
        "images": {"path": folder / "classes"},
    }


def write_spec(path: Path, source: str, places: dict[str, str]) -> Path:
    extra = {"channels": "grey"} if source == "images" else {}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump({"name": "tiny", "data": {"source": source, **places, **extra}}))
    return path


def prepare(spec: Path) -> tuple[DataManifest, str]:
    result = CliRunner().invoke(app, ["prepare", str(spec), "--runs", str(spec.parent / "runs")])
    assert result.exit_code == 0, result.output
    folder = max(spec.parent.glob("runs/tiny/prepare-*"), key=lambda found: found.stat().st_mtime)
    assert not (folder / ".source").exists()
    return DataManifest.load(folder), result.output


@pytest.mark.parametrize("source", ["npz", "idx", "images"])
def test_each_source_is_prepared_as_from_local_files(source, s3, prefix, proxy, tmp_path: Path):
    places = write_sources(tmp_path)[source]
    files = [
        file for place in places.values() for file in ([place] if place.is_file() else place.rglob("*.png"))
    ]
    keys = {file: f"{prefix}/{file.relative_to(tmp_path)}" for file in files}
    for file, key in keys.items():
        s3.upload_file(str(file), BUCKET, key)
    here = write_spec(tmp_path / "here" / "spec.yaml", source, {k: str(p) for k, p in places.items()})
    uris = {key: f"s3://{BUCKET}/{prefix}/{place.name}" for key, place in places.items()}
    there = write_spec(tmp_path / "there" / "spec.yaml", source, uris)
    (local, _), (remote, told) = prepare(here), prepare(there)
    assert "downloading" in told
    assert (remote.content_hash, remote.source) == (local.content_hash, local.source)
    assert CliRunner().invoke(app, ["validate", str(there)]).exit_code == 0
    s3.upload_file(str(files[0]), BUCKET, keys[files[0]])  # the same bytes again
    before = proxy.received
    assert "reusing" in prepare(there)[1]
    assert proxy.received - before < 100_000  # no more than a listing
    s3.put_object(Bucket=BUCKET, Key=keys[files[0]], Body=b"other bytes")
    result = CliRunner().invoke(app, ["prepare", str(there), "--runs", str(there.parent / "runs")])
    assert (result.exit_code, "reusing" in result.output) == (1, False)
    assert f"s3://{BUCKET}/{prefix}/" in result.stderr


def test_a_killed_download_resumes(put, proxy, tmp_path: Path):
    images = np.random.default_rng(0).integers(0, 256, (4000, 32, 32), np.uint8)
    labels = np.arange(4000, dtype=np.uint8) % 10
    uris = {"images": put("images", idx(images)), "labels": put("labels", idx(labels))}
    spec = write_spec(tmp_path / "spec.yaml", "idx", uris)
    proxy.breaks("hang", after=3 * MB)
    command = [sys.executable, "-m", "cellwright", "prepare", str(spec), "--runs", str(tmp_path / "runs")]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, start_new_session=True)
    assert proxy.hung.wait(60)
    (folder,) = tmp_path.glob("runs/tiny/prepare-*")
    wait_until(lambda: any(part.stat().st_size > 2.5 * MB for part in folder.glob(".source/*/parts/*")))
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    proxy.heal()
    before = proxy.received
    assert prepare(spec)[0].split_sizes["train"] == 2400
    assert proxy.received - before < 1.7 * MB  # of the 4.1 MB


def wait_until(holds: Callable[[], bool]) -> None:
    waited = threading.Event()
    for _ in range(600):
        if holds():
            return
        waited.wait(0.05)
    raise AssertionError("nothing happened for 30 s")


def test_truncated_bodies_cost_no_byte_twice(put, proxy, noise, tmp_path: Path):
    uri = put("noise", noise)
    proxy.breaks("close", after=400_000)
    assert download(uri, tmp_path) == noise
    assert proxy.connections > 7
    assert proxy.received < 1.5 * len(noise)


def test_resets_are_survived(put, proxy, noise, tmp_path: Path):
    uri = put("noise", noise)
    proxy.breaks("reset", after=400_000)
    assert download(uri, tmp_path) == noise
    assert proxy.connections > 7


def test_an_object_that_never_arrives_is_reported(put, proxy, noise, tmp_path: Path):
    uri = put("noise", noise)
    found = S3Reader().find(uri)
    (tmp_path / "parts").mkdir()
    proxy.breaks("close", after=600)  # within an answer's head
    with pytest.raises(CellwrightError, match=f"{uri}: "):
        S3Reader(seconds=1).download({tmp_path / "file": found}, tmp_path / "parts", Silent())
    assert not (tmp_path / "file").exists()


def test_an_object_that_is_replaced_meanwhile_is_reported(put, noise, tmp_path: Path):
    reader = S3Reader()
    found = reader.find(put("noise", noise))
    put("noise", noise[::-1])
    with pytest.raises(CellwrightError, match="noise must stay as it is while it is read, and has changed"):
        reader.download({tmp_path / "file": found}, tmp_path / "parts", Silent())


def test_wrong_bytes_are_detected_and_downloaded_again(put, proxy, noise, tmp_path: Path):
    uri = put("noise", noise)
    proxy.breaks("hang", after=MB)
    reader = S3Reader()
    found = reader.find(uri)
    thread = threading.Thread(target=lambda: pytest.raises(CellwrightError, download, uri, tmp_path, reader))
    thread.start()
    assert proxy.hung.wait(10)
    reader._retry.ended.set()
    proxy.heal()
    thread.join()
    (part,) = (tmp_path / "parts").iterdir()
    with part.open("r+b") as file:
        file.write(b"other bytes")
    reader = S3Reader()
    reader.download({tmp_path / "file": found}, tmp_path / "parts", Silent())
    assert (tmp_path / "file").read_bytes() == noise


def test_an_upload_in_unequal_parts_is_checked(s3, prefix, tmp_path: Path):
    noise = np.random.default_rng(1).bytes(12 * MB)
    place = {"Bucket": BUCKET, "Key": f"{prefix}/parts"}
    upload = {**place, "UploadId": s3.create_multipart_upload(**place)["UploadId"]}
    pieces = [noise[: 6 * MB], noise[6 * MB : 11_500_000], noise[11_500_000:]]
    parts = [
        {
            "PartNumber": n,
            "ETag": s3.upload_part(**upload, PartNumber=n, Body=piece)["ETag"],
        }
        for n, piece in enumerate(pieces, start=1)
    ]
    s3.complete_multipart_upload(**upload, MultipartUpload={"Parts": parts})
    assert download(f"s3://{BUCKET}/{prefix}/parts", tmp_path) == noise


@pytest.mark.parametrize("fault", ["refuse", "answer_busy"])
def test_a_store_waits_for_a_server_that_refuses(fault, prefix, proxy, noise, tmp_path: Path):
    told: list[str] = []
    bucket = S3Store(f"s3://{BUCKET}/{prefix}", log=told.append)
    (tmp_path / "large").write_bytes(noise * 4)
    bucket.put(tmp_path / "large", "data/here")
    getattr(proxy, fault)(3)
    with ThreadPoolExecutor() as pool:
        pool.submit(bucket.put, tmp_path / "large", "data/new")
        pool.submit(bucket.get, "data/here", tmp_path / "back")
        sizes = pool.submit(bucket.sizes, "data")
    assert sizes.result()["here"] == 12 * MB
    assert (tmp_path / "back").read_bytes() == noise * 4
    assert bucket.sizes("data") == {"here": 12 * MB, "new": 12 * MB}
    assert [line.startswith(f"waiting for {proxy.url}: ") for line in told] == [True]


def test_uploads_that_broke_off_leave_nothing(s3, prefix, proxy, noise, tmp_path: Path):
    bucket = S3Store(f"s3://{BUCKET}")
    (tmp_path / "large").write_bytes(noise * 4)
    s3.create_multipart_upload(Bucket=BUCKET, Key=f"{prefix}/large")  # as a killed process leaves it
    proxy.breaks("reset", after=300, times=6)
    bucket.put(tmp_path / "large", f"{prefix}/large")
    assert not s3.list_multipart_uploads(Bucket=BUCKET, Prefix=prefix).get("Uploads")
    assert bucket.sizes(prefix) == {"large": 12 * MB}


MISTAKES = {
    "no such bucket": ("s3://no-such-bucket/x.npz", {}, "S3 says NoSuchBucket"),
    "no such key": (f"s3://{BUCKET}/none.npz", {}, "there is no such object"),
    "no key": (f"s3://{BUCKET}", {}, "must be s3://BUCKET/KEY of an object"),
    "wrong secret": (f"s3://{BUCKET}/x", {"AWS_SECRET_ACCESS_KEY": "wrong"}, "S3 says SignatureDoesNotMatch"),
    "unknown key": (f"s3://{BUCKET}/x", {"AWS_ACCESS_KEY_ID": "nobody"}, "S3 says .*: No user exists"),
}


@pytest.mark.parametrize("problem", MISTAKES)
def test_permanent_errors_are_raised_at_once(problem, s3, tmp_path: Path, monkeypatch):
    uri, environment, words = MISTAKES[problem]
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    spec = write_spec(tmp_path / "spec.yaml", "npz", {"path": uri})
    for command in ("validate", "prepare"):
        result = CliRunner().invoke(app, [command, str(spec)])
        assert result.exit_code == 1
        assert re.search(f"{uri}: {words}", result.stderr)


def test_without_keys_validate_says_what_it_has_not_seen(s3, tmp_path: Path, monkeypatch):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    spec = write_spec(tmp_path / "spec.yaml", "npz", {"path": f"s3://{BUCKET}/x"})
    result = CliRunner().invoke(app, ["validate", str(spec)])
    assert result.exit_code == 0
    assert "data.path: s3://cellwright-data/x is not checked: there are no keys" in result.stderr


def test_errors_in_the_data_name_the_object(put, tmp_path: Path):
    uri = put("broken.npz", b"no archive")
    result = CliRunner().invoke(
        app, ["prepare", str(write_spec(tmp_path / "spec.yaml", "npz", {"path": uri}))]
    )
    assert result.exit_code == 1
    assert f"{uri}: is not an .npz archive" in result.stderr


def test_a_folder_of_other_things_is_refused_before_it_is_downloaded(put, prefix, tmp_path: Path):
    for name in ("cats/1.png", "cats/.hidden", "cats/old/2.png", "labels.csv", "3.png", "4.png"):
        put(name, b"")
    spec = write_spec(tmp_path / "spec.yaml", "images", {"path": f"s3://{BUCKET}/{prefix}/"})
    result = CliRunner().invoke(app, ["prepare", str(spec)])
    assert result.exit_code == 1
    assert "nothing but images in it: 3.png is not CLASS/FILE; 4.png is not CLASS/FILE" in result.stderr


class SecurityTokens(http.server.BaseHTTPRequestHandler):
    """Stands in for AWS's STS, which gives a service account its keys; without a session, which this S3 refuses."""

    def do_POST(self) -> None:
        request = self.rfile.read(int(self.headers["Content-Length"])).decode()
        given = "AssumeRoleWithWebIdentity" in request and "WebIdentityToken=the-token" in request
        key = "testcluster" if given else "refused"
        body = (
            '<AssumeRoleWithWebIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">'
            f"<AssumeRoleWithWebIdentityResult><Credentials><AccessKeyId>{key}</AccessKeyId><SecretAccessKey>{key}"
            "</SecretAccessKey><SessionToken></SessionToken><Expiration>2099-01-01T00:00:00Z</Expiration>"
            "</Credentials></AssumeRoleWithWebIdentityResult></AssumeRoleWithWebIdentityResponse>"
        ).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *words: object) -> None:
        pass


def test_a_service_account_is_enough(put, tmp_path: Path, monkeypatch):
    uri = put("small", b"hello")
    (tmp_path / "token").write_text("the-token")
    with http.server.HTTPServer(("127.0.0.1", 0), SecurityTokens) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            monkeypatch.delenv(name)
        monkeypatch.setenv("AWS_ROLE_ARN", "arn:aws:iam::123456789012:role/cellwright")
        monkeypatch.setenv("AWS_WEB_IDENTITY_TOKEN_FILE", str(tmp_path / "token"))
        monkeypatch.setenv("AWS_ENDPOINT_URL_STS", f"http://127.0.0.1:{server.server_port}")
        assert download(uri, tmp_path) == b"hello"
        server.shutdown()
