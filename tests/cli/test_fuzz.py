"""No traceback, whatever the command, the files and the environment are; for longer: CELLWRIGHT_FUZZ_SECONDS=600."""

import gzip
import io
import itertools
import os
import random
import struct
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from cellwright.cli import workspaces
from cellwright.cli.app import app
from cellwright.runners.kubernetes import api
from cellwright_pipelines import kubeflow

ROUNDS = 120
SPECS = (
    "name: tiny\ndata: {source: images, path: photos}\n",
    "name: tiny\ndata: {source: npz, path: a.npz}\nbudget: {epochs: 1}\n",
    "name: tiny\ndata: {source: idx, images: i.gz, labels: l.gz}\nregister: {name: shoes}\n",
    "name: tiny\ndata: {source: digits}\nrunner: {kind: jobs}\nstore: {uri: 's3://b/p', endpoint: 'http://127.0.0.1:9'}\n"
    "tracking: {uri: 'http://127.0.0.1:9'}\npipeline: {retries: 1}\nresources: {cpu: 1, memory: 1Gi}\n",
)
COMMANDS: tuple[Callable[[random.Random], list[str]], ...] = (
    lambda r: ["validate", "s.yaml"],
    lambda r: ["validate", "s.yaml", "--set", odd_override(r)],
    lambda r: ["prepare", "s.yaml", *r.choice([[], ["--fresh"], ["--runs", odd_text(r).lstrip("/")]])],
    lambda r: ["show", r.choice(["s.yaml", "a.npz", "photos", ".", odd_text(r), "darts:" + odd_text(r)])],
    lambda r: ["compile", "s.yaml", "-o", r.choice(["p.yaml", "s.yaml", "/dev/null", "photos", odd_text(r)])],
    lambda r: ["manifest", "s.yaml"],
    lambda r: ["doctor", "s.yaml"],
    lambda r: ["runs", "--host", r.choice(["http://127.0.0.1:9", odd_text(r)])],
    lambda r: ["status", odd_text(r), "--host", "http://127.0.0.1:9"],
    lambda r: ["submit", "s.yaml", "--host", "http://127.0.0.1:9"],
    lambda r: ["schedule", "s.yaml", "--cron", odd_text(r), "--timezone", r.choice(["UTC", odd_text(r)])],
    lambda r: [odd_text(r) for _ in range(r.randrange(4))],
)
ENVIRONMENT = {
    "HOME": ("", "/nonexistent", "relative"),
    "WORLD_SIZE": ("", "2", "auto", "-1", "0"),
    "KUBECONFIG": ("", "s.yaml", "a.npz", "photos", "nothing", "a:b"),
    "XDG_CONFIG_HOME": ("", "photos", "nothing"),
    "CELLWRIGHT_HOST": ("", "ftp://x", "http://[", "\u00e9"),
    "CELLWRIGHT_TOKEN_FILE": ("a.npz", "photos", "nothing"),
    "MLFLOW_TRACKING_URI": ("", "http://", "sqlite:///", "http://user:password@127.0.0.1:9"),
    "AWS_ENDPOINT_URL": ("", "nonsense", "http://["),
    "COLUMNS": ("", "0", "-5", "abc", "1"),
    "TERM": ("dumb", "", "nonsense"),
    "TZ": ("Nowhere/City",),
    "OMP_NUM_THREADS": ("abc", "-1"),
}
TEXTS = (
    *(
        "",
        " ",
        ".",
        "..",
        "~",
        "/",
        "-",
        "--",
        "'",
        '"',
        "{",
        "}",
        "[",
        "a: b",
        "{{ x }}",
        "${X}",
        "%s",
        "1e999",
    ),
    *(
        ".nan",
        "-.inf",
        "null",
        "010",
        "1:30",
        "0x1F",
        "9" * 400,
        "a" * 5000,
        "\u0436",
        "\u202e",
        "\U0001f600",
    ),
    *(
        "s3://",
        "s3://b",
        "gs://b/x",
        "C:\\x",
        "file:///",
        "http://[::1",
        "2026-02-31",
        "* * * * *",
        "0 3 31 2 *",
    ),
)
KEYS = (
    "name",
    "seed",
    "data",
    "data.path",
    "data.limit",
    "space",
    "space.kind",
    "strategy",
    "budget",
    "budget.epochs",
)
MORE_KEYS = (
    "retrain.epochs",
    "runner",
    "store",
    "store.uri",
    "tracking.uri",
    "resources.cpu",
    "pipeline",
    "estimators",
)


def odd_text(r: random.Random) -> str:
    return r.choice(TEXTS).replace("\0", "")


def odd_override(r: random.Random) -> str:
    return f"{r.choice(KEYS + MORE_KEYS)}{r.choice(['=', '', '.x='])}{odd_text(r)}"


def mutated(r: random.Random, content: bytes) -> bytes:
    """Return the bytes with a few of the faults that files have."""
    for _ in range(r.choice([0, 1, 1, 2, 4])):
        where = r.randrange(len(content) + 1)
        match r.randrange(6):
            case 0:
                content = content[:where]
            case 1:
                content = content[:where] + bytes([r.randrange(256)]) + content[where + 1 :]
            case 2:
                content = content[:where] + odd_text(r).encode() + content[where:]
            case 3:
                content = content[:where] + content[where + r.randrange(20) :]
            case 4:
                content = content[:where] + bytes(r.randrange(256) for _ in range(8)) + content[where:]
            case 5:
                lines = content.splitlines(keepends=True)
                r.shuffle(lines)
                content = b"".join(lines)
    return content


@pytest.fixture(scope="module")
def files() -> dict[str, bytes]:
    """What is right, by name."""
    pixels = np.random.default_rng(0).integers(0, 256, (24, 8, 8), np.uint8)
    labels = (np.arange(24) % 2).astype(np.uint8)
    archive, photo = io.BytesIO(), io.BytesIO()
    np.savez_compressed(archive, images=pixels[..., None], labels=labels)
    Image.fromarray(pixels[0]).save(photo, "png")
    images = struct.pack(">IIII", 0x803, 24, 8, 8) + pixels.tobytes()
    return {
        "a.npz": archive.getvalue(),
        "i.gz": gzip.compress(images),
        "l.gz": gzip.compress(struct.pack(">II", 0x801, 24) + labels.tobytes()),
        "photos/cats/1.png": photo.getvalue(),
        "photos/dogs/1.png": photo.getvalue(),
    }


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    """Nothing that is away is waited for."""
    retry = api.Retry
    monkeypatch.setattr(
        api, "Retry", lambda is_transient, **rest: retry(is_transient, **(rest | {"seconds": 0.0}))
    )
    monkeypatch.setattr(kubeflow, "FIRST_SECONDS", 0.0)
    monkeypatch.setattr(workspaces, "SERVER_SECONDS", 0.0)
    monkeypatch.setattr("cellwright_pipelines.checking.STORE_SECONDS", 0.0)


def fuzz(seed: int, files: dict[str, bytes], folder: Path, monkeypatch) -> None:
    r = random.Random(seed)
    folder.mkdir()
    with monkeypatch.context() as here:
        here.chdir(folder)
        for name, content in files.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(mutated(r, content) if r.random() < 0.3 else content)
        (folder / "s.yaml").write_bytes(mutated(r, r.choice(SPECS).encode()))
        changed = {name: r.choice(ENVIRONMENT[name]) for name in r.sample(list(ENVIRONMENT), r.randrange(3))}
        for name, value in changed.items():
            here.setenv(name, value)
        words = r.choice(COMMANDS)(r)
        result = CliRunner().invoke(app, words)
        described = f"seed {seed}: {changed} cellwright {words}: {result.exception!r}"
        assert result.exception is None or isinstance(result.exception, SystemExit), described
        assert result.exit_code in (0, 1, 2), described
        assert "Traceback" not in result.output, described
        if result.exit_code == 1:
            assert "error: " in result.stderr, described


def test_nothing_ends_in_a_traceback(files, tmp_path, monkeypatch):
    seconds = float(os.environ.get("CELLWRIGHT_FUZZ_SECONDS", 0))
    end = time.monotonic() + seconds
    first = random.randrange(1 << 30) if seconds else 0
    for round_number in itertools.count():
        if round_number >= ROUNDS and time.monotonic() >= end:
            break
        fuzz(first + round_number, files, tmp_path / str(round_number), monkeypatch)
