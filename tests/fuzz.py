"""Mutates commands, files and environments: `python -m tests.fuzz --minutes 60 --seed 1` prints what escapes.

A command must end with an exit code of its own: nothing may end in a traceback, and an error must be a line. Each
case follows from its seed alone, so `--seed N --cases 1` repeats it.
"""

import argparse
import contextlib
import gzip
import io
import itertools
import json
import os
import random
import shutil
import struct
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest
from PIL import Image
from scipy.io import wavfile
from typer.testing import CliRunner

from cellwright.cli.app import app
from cellwright.folders import forget_this_process
from cellwright.retrying import Retry

AWAY = "http://127.0.0.1:9"
SPECS = (
    "name: tiny\ndata: {source: images, path: photos}\n",
    "name: tiny\ndata: {source: images, path: photos, resize: [8, 8], on_broken: skip}\n",
    "name: tiny\ndata: {source: csv, path: photos.csv, folder: photos}\n",
    "name: tiny\ndata: {source: npz, path: a.npz}\nbudget: {epochs: 1}\n",
    "name: tiny\ndata: {source: idx, images: i.gz, labels: l.gz}\nregister: {name: shoes}\n",
    "name: tiny\ndata: {source: table, path: t.csv, target: late}\n",
    "name: tiny\ndata: {source: table, path: t.csv, target: km, predict: number, group_by: driver}\n",
    "name: tiny\ndata: {source: series, path: a.ts}\n",
    "name: tiny\ndata: {source: series, path: s.npz}\n",
    "name: tiny\ndata: {source: series, path: s.csv, target_key: late, time_key: day}\n",
    "name: tiny\ndata: {source: forecast, path: t.csv, time: day, targets: [km], lookback: 4, horizon: 2}\n",
    "name: tiny\ndata: {source: audio, path: clips}\n",
    "name: tiny\ndata: {source: audio, path: clips, table: clips.csv, on_broken: skip}\n",
    "name: tiny\ndata: {source: text, path: t.jsonl, target: team}\n",
    "name: tiny\ndata: {source: text, path: t.parquet, text: service, target: late}\n",
    "name: tiny\ndata: {source: table, path: t.parquet, target: late}\n",
    "name: tiny\ndata: {source: table, path: tables, target: late, test_path: t.csv}\n",
    "name: tiny\ndata: {source: parquet, path: photos.parquet}\n",
    "name: tiny\ndata: {source: digits}\nrunner: {kind: jobs, namespace: a}\n"
    f"store: {{uri: 's3://b/p', endpoint: '{AWAY}'}}\ntracking: {{uri: '{AWAY}'}}\npipeline: {{retries: 1}}\n"
    "resources: {cpu: 1, memory: 1Gi}\n",
)
FINISHED = (
    "name: tiny\ndata: {source: table, path: t.csv, target: late}\n"
    "space: {kind: chain, num_layers: 2, widths: [4, 8]}\nstrategy: {kind: random}\n"
    "budget: {evaluations: 1}\nestimators: [{kind: short-training, epochs: 1}]\n"
    "retrain: {epochs: 1}\nevaluate: {baseline: {random_architectures: 1}}\nresources: {cpu: 1}\n"
)
"""The spec of the run that commands on finished runs are called with."""
Words = Callable[[random.Random], list[str]]
COMMANDS: tuple[Words, ...] = (
    lambda r: ["validate", "s.yaml"],
    lambda r: ["validate", "s.yaml", "--set", odd_override(r)],
    lambda r: ["validate", "-"],
    lambda r: ["prepare", "s.yaml", *r.choice([[], ["--fresh"], ["--runs", odd_text(r).lstrip("/")]])],
    lambda r: ["prepare", "s.yaml", "--set", odd_override(r)],
    lambda r: ["init", odd_file(r), *r.choice([[], ["-o", odd_file(r)]])],
    lambda r: ["show", r.choice([odd_file(r), odd_text(r), "darts:" + odd_text(r)])],
    lambda r: ["watch", r.choice([odd_file(r), "runs/tiny"])],
    lambda r: ["report", odd_file(r)],
    lambda r: ["verify", r.choice([odd_file(r), "runs", odd_address(r)])],
    lambda r: ["predict", r.choice([odd_file(r), odd_address(r)]), odd_file(r)],
    lambda r: ["predict", "-", odd_file(r)],
    lambda r: [
        "serve",
        r.choice([odd_file(r), odd_address(r)]),
        "--port",
        r.choice(["0", "-1", odd_text(r)]),
    ],
    lambda r: ["promote", odd_text(r), r.choice(["1", odd_text(r)])],
    lambda r: [r.choice(["rollback", "history"]), odd_text(r)],
    lambda r: ["compare", odd_address(r), odd_address(r)],
    lambda r: ["reproduce", odd_address(r)],
    lambda r: ["decide", "s.yaml"],
    lambda r: ["compile", "s.yaml", "-o", r.choice(["p.yaml", "s.yaml", "/dev/null", "photos", odd_text(r)])],
    lambda r: ["manifest", "s.yaml"],
    lambda r: ["doctor", "s.yaml"],
    lambda r: ["runs", "--host", r.choice([AWAY, odd_text(r)])],
    lambda r: ["status", odd_text(r), "--host", AWAY],
    lambda r: ["logs", odd_text(r), "search", "--host", AWAY],
    lambda r: ["submit", "s.yaml", "--host", AWAY],
    lambda r: ["schedule", "s.yaml", "--cron", odd_text(r), "--timezone", r.choice(["UTC", odd_text(r)])],
    lambda r: [odd_text(r) for _ in range(r.randrange(4))],
)
AFTER_A_RUN: tuple[Words, ...] = (
    lambda r: [r.choice(["run", "prepare", "search", "retrain", "evaluate", "register"]), "f.yaml"],
    lambda r: ["predict", r.choice([RUN, MODEL]), odd_file(r), *r.choice([[], ["--json"], ["--csv"]])],
    lambda r: ["predict", RUN, "-"],
    lambda r: ["report", RUN, *r.choice([[], ["--json"], ["-o", odd_file(r)]])],
    lambda r: ["show", RUN],
    lambda r: ["watch", RUN],
    lambda r: ["verify", r.choice([RUN, MODEL, "runs"])],
    lambda r: ["promote", "tiny", r.choice(["1", "2", odd_text(r)]), *r.choice([[], ["--why", odd_text(r)]])],
    lambda r: [r.choice(["rollback", "history"]), "tiny"],
    lambda r: ["compare", MODEL, r.choice([MODEL, odd_address(r)])],
    lambda r: ["decide", "f.yaml", *r.choice([[], ["--set", odd_override(r)]])],
    lambda r: ["reproduce", MODEL, "--json", "--tracking-uri", odd_text(r)],
)
RUN, MODEL = "runs/tiny", "models:/tiny@champion"
ENVIRONMENT = {
    "HOME": ("", "/nonexistent", "relative"),
    "WORLD_SIZE": ("", "2", "auto", "-1", "0"),
    "KUBECONFIG": ("", "s.yaml", "a.npz", "photos", "nothing", "a:b"),
    "XDG_CONFIG_HOME": ("", "photos", "nothing"),
    "CELLWRIGHT_HOST": ("", "ftp://x", "http://[", "\u00e9"),
    "CELLWRIGHT_TOKEN_FILE": ("a.npz", "photos", "nothing"),
    "MLFLOW_TRACKING_URI": ("", "http://", "sqlite:///", "http://user:password@127.0.0.1:9", "a.npz"),
    "MLFLOW_RUN_ID": ("", "nothing"),
    "MLFLOW_TRACKING_TOKEN": ("\u00e9", "a\nb"),
    "AWS_ENDPOINT_URL": ("", "nonsense", "http://["),
    "AWS_PROFILE": ("nothing",),
    "AWS_CONFIG_FILE": ("photos", "a.npz"),
    "http_proxy": ("nonsense", AWAY),
    "REQUESTS_CA_BUNDLE": ("nothing", "photos"),
    "SSL_CERT_FILE": ("nothing", "photos"),
    "KUBERNETES_SERVICE_HOST": ("", "x"),
    "CUDA_VISIBLE_DEVICES": ("abc",),
    "RANK": ("", "7", "x"),
    "MASTER_PORT": ("abc",),
    "PYTHONIOENCODING": ("nonsense",),
    "NO_COLOR": ("1",),
    "FORCE_COLOR": ("1",),
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
    *("s3://", "s3://b", "gs://b/x", "C:\\x", "file:///", "http://[::1", "2026-02-31", "* * * * *"),
    *("0 3 31 2 *", "\n", "\x1b[2J", "models:/a@b", "a/b/c", "NaN", "=", "1,5", "\ufeff", "\ud83d"),
)
KEYS = (
    *(
        "name",
        "seed",
        "data",
        "data.path",
        "data.limit",
        "data.test_path",
        "data.target",
        "data.resize",
        "augment",
    ),
    *(
        "space",
        "space.kind",
        "strategy",
        "budget",
        "budget.epochs",
        "retrain.epochs",
        "runner",
        "store",
        "store.uri",
    ),
    *(
        "tracking.uri",
        "resources.cpu",
        "pipeline",
        "estimators",
        "objectives",
        "register.name",
        "gate",
        "policy",
    ),
)


def odd_text(r: random.Random) -> str:
    return r.choice(TEXTS)


def odd_override(r: random.Random) -> str:
    return f"{r.choice(KEYS)}{r.choice(['=', '', '.x='])}{odd_text(r)}"


def odd_file(r: random.Random) -> str:
    return r.choice([*files(), "s.yaml", "photos", ".", "nothing", odd_text(r)])


def odd_address(r: random.Random) -> str:
    return f"models:/{r.choice(['a', 'tiny', odd_text(r)])}{r.choice(['@champion', '/1', '/x', '', '@', odd_text(r)])}"


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
                content = content[:where] + odd_text(r).encode(errors="replace") + content[where:]
            case 3:
                content = content[:where] + content[where + r.randrange(20) :]
            case 4:
                content = content[:where] + bytes(r.randrange(256) for _ in range(8)) + content[where:]
            case 5:
                lines = content.splitlines(keepends=True)
                r.shuffle(lines)
                content = b"".join(lines)
    return content


@cache
def files() -> Mapping[str, bytes]:
    """Return valid files by name."""
    pixels = np.random.default_rng(0).integers(0, 256, (24, 8, 8), np.uint8)
    labels = (np.arange(24) % 2).astype(np.uint8)
    archive, photo, waves = io.BytesIO(), io.BytesIO(), io.BytesIO()
    np.savez(waves, x=np.random.default_rng(0).normal(size=(24, 2, 16)), y=labels)
    np.savez_compressed(archive, images=pixels[..., None], labels=labels)
    Image.fromarray(pixels[0]).save(photo, "png")
    wavfile.write(clip := io.BytesIO(), 2000, np.int16(np.random.default_rng(0).normal(size=600) * 999))
    images = struct.pack(">IIII", 0x803, 24, 8, 8) + pixels.tobytes()
    rows = "".join(f"{i % 7}.5,{'abc'[i % 3]},2026-01-{1 + i:02},{'xy'[i % 2]},{i % 4}\n" for i in range(24))
    texts = [{"text": f"word {i % 5} and {i}", "team": "ab"[i % 2]} for i in range(24)]
    table = b"km,service,day,late,driver\n" + rows.encode()
    long = "".join(f"{i // 8},2026-01-{1 + i % 8:02},{i % 5},{'xy'[i // 8 % 2]}\n" for i in range(192))
    photos = pa.table({"image": [{"bytes": photo.getvalue()}] * 24, "label": labels})
    series = "".join(f"{','.join(str((i * j) % 5) for j in range(12))}:{i % 2}\n" for i in range(24))
    return {
        "a.npz": archive.getvalue(),
        "i.gz": gzip.compress(images),
        "l.gz": gzip.compress(struct.pack(">II", 0x801, 24) + labels.tobytes()),
        "photos/cats/1.png": photo.getvalue(),
        "photos/dogs/1.png": photo.getvalue(),
        "clips/high/1.wav": clip.getvalue(),
        "clips/low/1.wav": clip.getvalue(),
        "clips.csv": b"file,label\nhigh/1.wav,high\nlow/1.wav,low\n",
        "photos.csv": b"file,label\ncats/1.png,cat\ndogs/1.png,dog\n",
        "photos.parquet": parquet(photos),
        "t.csv": table,
        "t.parquet": parquet(pa.csv.read_csv(io.BytesIO(table))),
        "tables/1.csv": table,
        "s.npz": waves.getvalue(),
        "s.csv": b"series,day,value,late\n" + long.encode(),
        "t.jsonl": "".join(f"{json.dumps(row)}\n" for row in texts).encode(),
        "a.ts": b"@problemName a\n@timeStamps false\n@univariate true\n@classLabel true 0 1\n@data\n"
        + series.encode(),
    }


def parquet(table: pa.Table) -> bytes:
    file = io.BytesIO()
    pq.write_table(table, file)
    return file.getvalue()


@contextlib.contextmanager
def impatient() -> Iterator[pytest.MonkeyPatch]:
    """Repeat no request to what is away."""
    begin = Retry.__init__
    with pytest.MonkeyPatch.context() as here:
        here.setattr(
            Retry, "__init__", lambda self, *given, **rest: begin(self, *given, **{**rest, "seconds": 0.0})
        )
        yield here


def finish_run(folder: Path) -> None:
    """Make the folder of a finished run, `runs`, with its model in MLflow."""
    folder.mkdir()
    (folder / "t.csv").write_bytes(files()["t.csv"])
    (folder / "f.yaml").write_text(FINISHED)
    with contextlib.chdir(folder):
        result = CliRunner().invoke(app, ["run", "f.yaml"])
    if result.exit_code:
        raise RuntimeError(result.output)
    forget_this_process(folder / "runs/tiny")


def copy_run(r: random.Random, finished: Path) -> None:
    """Copy a finished run to here, and damage one of its files now and then."""
    shutil.copytree(finished / "runs", "runs")
    shutil.copy(finished / "f.yaml", "f.yaml")
    if r.random() < 0.5:
        file = r.choice(sorted(path for path in Path("runs").rglob("*") if path.is_file()))
        file.chmod(0o644)
        file.write_bytes(mutated(r, file.read_bytes()))


def problem_with(
    seed: int, folder: Path, monkeypatch: pytest.MonkeyPatch, finished: Path | None = None
) -> str | None:
    """Run the command of a seed in a new folder; return what is wrong with how it ends, if anything.

    Args:
        finished: A folder of `finish_run`, for the commands on finished runs; they are left out without it.
    """
    r = random.Random(seed)
    folder.mkdir()
    with monkeypatch.context() as here:
        here.chdir(folder)
        for name, content in files().items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(mutated(r, content) if r.random() < 0.3 else content)
        spec = r.choice(SPECS).encode()
        (folder / "s.yaml").write_bytes(mutated(r, spec) if r.random() < 0.5 else spec)
        changed = {name: r.choice(ENVIRONMENT[name]) for name in r.sample(list(ENVIRONMENT), r.randrange(3))}
        for name, value in changed.items():
            here.setenv(name, value)
        commands = COMMANDS
        if finished is not None and r.random() < 0.4:
            copy_run(r, finished)
            commands = AFTER_A_RUN
        words = [word.replace("\0", "") for word in r.choice(commands)(r)]
        result = CliRunner().invoke(app, words, input=mutated(r, spec))
    described = f"seed {seed}: {changed} cellwright {words}: {result.exception!r}"
    if not isinstance(result.exception, SystemExit | None) or "Traceback" in result.output:
        return described
    if result.exit_code not in (0, 1, 2) or (result.exit_code and words and "error: " not in result.stderr):
        return f"{described}: {result.output[-300:]!r}"
    return None


def main() -> None:
    """Print what escapes, and exit with 1 if anything does."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=1.0)
    parser.add_argument("--cases", type=int, default=sys.maxsize)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    escapes, done = 0, 0
    with impatient() as here, tempfile.TemporaryDirectory() as place:
        here.setenv("HOME", place)
        finished = Path(place, "finished")
        finish_run(finished)
        end = time.monotonic() + 60 * given.minutes
        for seed in itertools.islice(itertools.count(given.seed), given.cases):
            if time.monotonic() > end:
                break
            found = problem_with(seed, Path(place, str(seed)), here, finished)
            shutil.rmtree(Path(place, str(seed)))
            done += 1
            if found is not None:
                escapes += 1
                print(found, flush=True)
    print(f"{done} cases from seed {given.seed}, of which {escapes} escaped")
    sys.exit(escapes > 0)


if __name__ == "__main__":
    os.environ["OMP_NUM_THREADS"] = "1"
    main()
