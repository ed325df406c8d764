"""Whatever stands where results are to go, no command changes or deletes what it did not make."""

import os
import sqlite3
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from PIL import Image
from typer.testing import CliRunner

import cellwright_pipelines.local
from cellwright.cli.app import app
from cellwright.folders import MARK, claimed
from cellwright.progress import Silent
from cellwright.spec import parse_spec
from cellwright.steps.running import run_until

CELLWRIGHT = Path(sys.executable).with_name("cellwright")
DIGITS = "name: tiny\ndata: {source: digits, limit: 60}\n"
SEARCH = f"""{DIGITS}
space: {{kind: darts, num_nodes: 1, num_cells: 2, channels: 4, primitives: [skip_connect, sep_conv_3x3]}}
strategy: {{kind: darts, batch_size: 15}}
budget: {{epochs: 10000}}
resources: {{cpu: 1}}
"""
PHOTOS = "name: tiny\ndata: {source: images, path: photos}\n"


def files(folder: Path) -> dict[Path, bytes | str]:
    """Return the contents of all files and the targets of all links below the folder."""
    return {
        path: os.readlink(path) if path.is_symlink() else path.read_bytes()
        for path in folder.rglob("*")
        if path.is_symlink() or path.is_file()
    }


def draw_photos(folder: Path) -> None:
    rng = np.random.default_rng(0)
    for name in ("cats", "dogs"):
        (folder / name).mkdir(parents=True)
        for number in range(8):
            Image.fromarray(rng.integers(0, 256, (8, 8, 3), np.uint8)).save(folder / name / f"{number}.png")


@pytest.fixture
def photos(tmp_path) -> Path:
    draw_photos(tmp_path / "photos")
    return tmp_path / "photos"


@pytest.mark.parametrize("command", [["run"], ["prepare"], ["search", "--fresh"], ["manifest", "--stage"]])
@pytest.mark.parametrize(
    ("name", "runs", "path", "rule"),
    [
        ("photos", ".", "photos", "photos must be apart from data.path"),
        ("tiny", "photos", "photos", "photos/tiny must be apart from data.path"),
        ("photos", ".", "photos/cats", "photos must be apart from data.path"),
        ("train", "mine", "photos", "mine/train must be new, empty or made by cellwright, and holds best"),
        ("link", "mine", "photos", "mine/link must be a folder, not a symbolic link"),
        ("best", "mine/train", "photos", "mine/train/best must be a folder, and is a file"),
        ("artifacts", "runs", "photos", "name must not be artifacts: MLflow keeps"),
    ],
)
def test_a_workspace_in_the_way_of_something_is_refused_before_anything_is_made(
    cellwright, photos, tmp_path, command, name, runs, path, rule
):
    (tmp_path / "mine/train").mkdir(parents=True)
    for file in ("best.pt", "best"):
        (tmp_path / "mine/train" / file).write_text("weights")
    (tmp_path / "mine/link").symlink_to("train")
    spec = tmp_path / "search.yaml"
    spec.write_text(
        f"name: {name}\ndata: {{source: images, path: {path}}}\n"
        "runner: {kind: katib}\nstore: {uri: 's3://bucket'}\n"
    )
    before = sorted(tmp_path.rglob("*")), files(tmp_path)
    result = cellwright(command[0], spec, *command[1:], "--runs", runs)
    assert result.exit_code == 1
    assert result.stderr.startswith(f"error: {rule}") and len(result.stderr.splitlines()) == 1
    assert (sorted(tmp_path.rglob("*")), files(tmp_path)) == before


@pytest.mark.parametrize("command", ["run", "register"])
def test_models_go_into_no_folder_and_no_database_of_others(cellwright, spec, tmp_path, command):
    (tmp_path / "runs/artifacts/train").mkdir(parents=True)
    result = cellwright(command, spec)
    assert result.stderr.startswith(
        f"error: {tmp_path}/runs/artifacts must be new, empty or made by cellwright"
    )
    with sqlite3.connect(tmp_path / "runs/mlflow.db") as database:
        database.execute("CREATE TABLE songs (title TEXT)")
    before = files(tmp_path)
    result = cellwright(command, spec)
    assert result.stderr.startswith(f"error: {tmp_path}/runs/mlflow.db must be a database of MLflow")
    assert files(tmp_path) == before


def test_fresh_keeps_the_search_that_it_starts_from(cellwright, spec, tmp_path):
    with claimed(tmp_path / "runs/tiny/search-old"):
        spec.write_text(spec.read_text() + "start: {search: runs/tiny/search-old}\n")
    result = cellwright("search", spec, "--fresh")
    assert result.stderr.startswith("error: --fresh must not delete start.search, got ")
    assert (tmp_path / "runs/tiny/search-old").exists()


def test_fresh_is_refused_while_a_search_is_at_work(cellwright, tmp_path):
    (tmp_path / "search.yaml").write_text(SEARCH)
    command = [CELLWRIGHT, "search", "search.yaml"]
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, text=True) as search:
        assert search.stdout is not None
        assert any("search 1/" in line for line in search.stdout)
        before = set(files(tmp_path / "runs"))
        fresh = cellwright("prepare", "search.yaml", "--fresh")
        search.kill()
    assert fresh.exit_code == 1
    (line,) = fresh.stderr.splitlines()
    assert line.startswith(f"error: --fresh must have runs/tiny to itself: process {search.pid} on ")
    assert " is running search-" in line
    assert before <= set(files(tmp_path / "runs"))
    assert cellwright("prepare", "search.yaml", "--fresh").exit_code == 0
    assert not list((tmp_path / "runs/tiny").glob("search-*"))


def test_a_step_called_from_python_is_guarded_too(tmp_path):
    (tmp_path / "runs/tiny").mkdir(parents=True)
    (tmp_path / "runs/tiny/best.pt").touch()
    before = files(tmp_path)
    spec = parse_spec('{"name": "tiny", "data": {"source": "digits"}}')
    with pytest.raises(Exception, match="must be new, empty or made by cellwright, and holds best.pt"):
        run_until("prepare", spec, tmp_path / "runs/tiny", Silent())
    assert files(tmp_path) == before


NAMES = st.sampled_from(
    [
        *(
            "run.log",
            "latest.json",
            "kfp",
            "kfp/tiny-1/data",
            "prepare-0123456789abcdef",
            ".lock",
            "train/best.pt",
        ),
        *(
            "search-0123456789abcdef/step.json",
            "search-0123456789abcdef/.lock",
            "artifacts",
            "artifacts/models/m-1/a",
        ),
        *(
            f"{MARK}",
            f"{MARK}/folder.json",
            f"{MARK}/entries/notes.txt",
            f"{MARK}x",
            "notes.txt",
            "mlflow.db",
        ),
        *(
            "pipeline.yaml",
            "tiny",
            "tiny/tiny/notes.txt",
            "runs/tiny/notes.txt",
            "events.out.tfevents.1",
            "é\n",
        ),
    ]
)
CONTENTS = st.sampled_from([b"", b"{}", b'{"kind": "artifacts"}', b"name: tiny\n", b"\x00\xff"])
FOLDERS = st.sampled_from(["", "runs", "runs/tiny", "photos", "photos/cats"])
TREES = st.dictionaries(st.tuples(FOLDERS, NAMES), CONTENTS, max_size=6)
RUNS = st.sampled_from(["runs", ".", "photos", "runs/tiny", "photos/cats"])
COMMANDS = st.lists(
    st.one_of(
        st.builds(
            lambda command, runs, *options: [command, "search.yaml", "--runs", runs, *filter(None, options)],
            st.sampled_from(["prepare", "run"]),
            RUNS,
            st.sampled_from(["--fresh", ""]),
            st.sampled_from(["--set=name=artifacts", "--set=name=kfp", ""]),
        ),
        st.builds(
            lambda folder, name: ["compile", "search.yaml", "-o", str(Path(folder, name))], FOLDERS, NAMES
        ),
    ),
    max_size=4,
)
FRESH = ["prepare", "search.yaml", "--fresh"]


def write(tree: dict[tuple[str, str], bytes]) -> None:
    """Write what of the tree finds room among what is there."""
    for (folder, name), content in tree.items():
        path = Path(folder, name)
        if not os.path.lexists(path) and not any(parent.is_file() for parent in path.parents):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)


@example(before={("runs/tiny", "train/best.pt"): b"x"}, after={}, commands=[FRESH], data=DIGITS)
@example(before={}, after={("runs/tiny", "notes.txt"): b"x"}, commands=[FRESH], data=DIGITS)
@example(before={}, after={("runs/tiny", "run.log"): b"x"}, commands=[["run", "search.yaml"]], data=DIGITS)
@given(before=TREES, after=TREES, commands=COMMANDS, data=st.sampled_from([DIGITS, PHOTOS]))
@settings(deadline=None, max_examples=12)
def test_no_command_changes_or_deletes_what_it_did_not_make(before, after, commands, data):
    """Whether the user's files are there before the first command or come after it."""
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.chdir(folder)
        monkeypatch.setattr(cellwright_pipelines.local, "build_pipeline", stop)
        draw_photos(Path("photos"))
        Path("search.yaml").write_text(data)
        write(before)
        theirs = files(Path())
        CliRunner().invoke(app, ["prepare", "search.yaml"])
        ours = set(files(Path())) - theirs.keys()
        write(after)
        theirs = {path: content for path, content in files(Path()).items() if path not in ours}
        for command in commands:
            result = CliRunner().invoke(app, command)
            assert isinstance(result.exception, SystemExit | Stop | None)
            assert {path: files(Path()).get(path) for path in theirs} == theirs


class Stop(Exception):
    """Ends a run after its guard."""


def stop(spec):
    raise Stop
