import json
import os
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import pytest

from cellwright.errors import CellwrightError
from cellwright.folders import MARK, check_apart, check_ours, claim, claimed, locked, make_ours, used

STEP = "search-0123456789abcdef"


def entries(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()} - {MARK}


def leave_as_before_marks(workspace: Path) -> None:
    """Write what an earlier version left in a workspace, which it did not mark."""
    for name in (STEP, "prepare-0123456789abcdef"):
        (workspace / name).mkdir(parents=True)
        (workspace / name / ".lock").touch()
    (workspace / STEP / "step.json").write_text(json.dumps({"step": "search", "key": STEP[-16:]}))
    (workspace / "kfp").mkdir()
    for name in (".lock", "run.log", "latest.json"):
        (workspace / name).touch()


@contextmanager
def process_in(body: str, workspace: Path):
    """Run a block of code in another process, which is in the block while this one is."""
    program = (
        "import sys; from pathlib import Path; from cellwright.folders import *\n"
        f"with {body}:\n print('in', flush=True); sys.stdin.read()"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", program], cwd=workspace.parent, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert process.stdout is not None
    assert process.stdout.readline() == b"in\n"
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


@pytest.mark.parametrize("exists", [False, True])
def test_a_new_or_empty_folder_becomes_ours(tmp_path, exists):
    workspace = tmp_path / "runs" / "tiny"
    if exists:
        workspace.mkdir(parents=True)
    make_ours(workspace)
    (workspace / "notes.txt").touch()
    check_ours(workspace)
    make_ours(workspace)
    assert entries(workspace) == {"notes.txt"}


@pytest.mark.parametrize(
    "name", ["train/best.pt", ".lock", f"{STEP}/best.pt", "run.log", f"{MARK}", f"{MARK}x/y"]
)
def test_a_folder_with_anything_else_is_refused_untouched(tmp_path, name):
    workspace = tmp_path / "tiny"
    (workspace / name).parent.mkdir(parents=True)
    (workspace / name).touch()
    with pytest.raises(CellwrightError, match="must be new, empty or made by cellwright, and holds "):
        make_ours(workspace)
    assert [path for path in workspace.rglob("*") if path.is_file()] == [workspace / name]


def test_a_file_or_a_link_is_refused(tmp_path):
    (tmp_path / "file").touch()
    (tmp_path / "there").mkdir()
    (tmp_path / "link").symlink_to("there")
    with pytest.raises(CellwrightError, match="file must be a folder, and is a file"):
        make_ours(tmp_path / "file")
    with pytest.raises(CellwrightError, match="link must be a folder, not a symbolic link"):
        make_ours(tmp_path / "link")
    assert entries(tmp_path / "there") == set()


def test_a_workspace_from_before_marks_is_ours(tmp_path):
    leave_as_before_marks(tmp_path / "tiny")
    (tmp_path / "tiny" / STEP / "curve.json").touch()
    with used(tmp_path / "tiny"):
        assert STEP in entries(tmp_path / "tiny")
    with used(tmp_path / "tiny", fresh=True):
        assert entries(tmp_path / "tiny") == set()


@pytest.mark.parametrize("name", ["notes.txt", "baselines-0123456789abcdef/weights.pt"])
def test_a_workspace_from_before_marks_with_anything_else_is_refused(tmp_path, name):
    leave_as_before_marks(tmp_path / "tiny")
    (tmp_path / "tiny" / name).parent.mkdir(exist_ok=True)
    (tmp_path / "tiny" / name).touch()
    with pytest.raises(CellwrightError, match=f"and holds {name.partition('/')[0]}"):
        make_ours(tmp_path / "tiny")


def test_a_folder_of_mlflow_is_no_workspace_and_the_other_way_round(tmp_path):
    for kind in ("workspace", "artifacts"):
        make_ours(tmp_path / kind, kind)
    with pytest.raises(
        CellwrightError, match="must be a folder for the runs of a spec, and is one for the files"
    ):
        check_ours(tmp_path / "artifacts")
    with pytest.raises(CellwrightError, match="must be a folder for the files .* and is one for the runs"):
        check_ours(tmp_path / "workspace", "artifacts")


def test_a_folder_of_mlflow_from_before_marks_is_known_by_its_ids(tmp_path):
    for name in ("0123456789abcdef" * 2 + "/artifacts", "models/m-0123/artifacts"):
        (tmp_path / "artifacts" / name).mkdir(parents=True)
    make_ours(tmp_path / "artifacts", "artifacts")
    (tmp_path / "models" / "models" / "vgg16").mkdir(parents=True)
    with pytest.raises(CellwrightError, match="and holds models"):
        make_ours(tmp_path / "models", "artifacts")


@pytest.mark.parametrize(
    ("folder", "place"),
    [
        ("runs/t", "runs/t"),
        ("runs/t", "runs/t/a.npz"),
        ("runs/t", "runs"),
        ("runs/t", "link"),
        ("link/t", "runs/t"),
    ],
)
def test_a_workspace_must_be_apart_from_the_data(tmp_path, folder, place):
    (tmp_path / "link").symlink_to("runs")
    check_apart(
        tmp_path / folder, {"data.path": tmp_path / "photos", "data.test_path": tmp_path / "runs/other"}
    )
    with pytest.raises(CellwrightError) as refusal:
        check_apart(tmp_path / folder, {"data.path": tmp_path / place})
    assert f"{tmp_path / folder} must be apart from data.path, got {tmp_path / place}" in str(refusal.value)


def test_fresh_deletes_what_was_claimed_and_nothing_else(tmp_path):
    workspace = tmp_path / "tiny"
    with claimed(workspace / STEP):
        (workspace / STEP / "curve.json").touch()
    claim(workspace / "run.log").touch()
    (workspace / "run.log").touch()
    for name in ("notes.txt", "retrain-0123456789abcdef"):
        (workspace / name).touch()
    with used(workspace, fresh=True):
        assert entries(workspace) == {"notes.txt", "retrain-0123456789abcdef"}
    with pytest.raises(CellwrightError, match=r"retrain-\w+ must be made by cellwright, and is not"):
        claim(workspace / "retrain-0123456789abcdef")


def test_fresh_deletes_a_link_and_not_what_it_names(tmp_path):
    workspace = tmp_path / "tiny"
    with claimed(workspace / STEP):
        (workspace / STEP / "curve.json").touch()
    (workspace / STEP).rename(tmp_path / "big")
    (workspace / STEP).symlink_to(tmp_path / "big")
    with pytest.raises(CellwrightError, match="must not be a symbolic link"), claimed(workspace / STEP):
        pass
    with used(workspace, fresh=True):
        assert entries(workspace) == set()
    assert entries(tmp_path / "big") == {"curve.json"}


def test_fresh_is_refused_while_a_step_is_at_work_and_no_second_process_gets_its_folder(tmp_path):
    workspace = tmp_path / "tiny"
    with claimed(workspace / "prepare-0123456789abcdef"):
        pass
    with process_in(f"claimed(Path('tiny/{STEP}'))", workspace):
        with (
            pytest.raises(CellwrightError, match=rf"to itself: process \d+ on \S+ is running {STEP}$"),
            used(workspace, fresh=True),
        ):
            pass
        assert entries(workspace) == {STEP, "prepare-0123456789abcdef"}
        with pytest.raises(CellwrightError, match="one process at a time"), claimed(workspace / STEP):
            pass
    with used(workspace, fresh=True):
        assert entries(workspace) == set()


@pytest.mark.parametrize("body", ["used(Path('tiny'))", "locked(Path('tiny'))"])
def test_fresh_is_refused_while_a_command_is_between_two_steps(tmp_path, body):
    with claimed(tmp_path / "tiny" / STEP):
        pass
    with (
        process_in(body, tmp_path / "tiny"),
        pytest.raises(CellwrightError, match=r"to itself: (another process|process \d+ on \S+) is using it$"),
        used(tmp_path / "tiny", fresh=True),
    ):
        pass
    assert entries(tmp_path / "tiny") == {STEP}


def test_a_lock_survives_fresh(tmp_path):
    workspace = tmp_path / "tiny"
    with claimed(workspace / STEP):
        pass
    before = claim(workspace / STEP).stat().st_ino
    with used(workspace, fresh=True):
        pass
    assert claim(workspace / STEP).stat().st_ino == before


def test_what_cannot_be_deleted_is_named_with_the_reason_and_nothing_is_left_half(tmp_path):
    workspace = tmp_path / "tiny"
    with claimed(workspace / STEP):
        (workspace / STEP / "curve.json").touch()
    mount = subprocess.run(
        ["mount", "-t", "tmpfs", "tmpfs", workspace / STEP], capture_output=True, text=True
    )
    if mount.returncode:
        pytest.skip(f"mounting must be permitted: {mount.stderr.strip()}")
    try:
        (workspace / STEP / "step.json").touch()
        with (
            pytest.raises(CellwrightError, match=rf"^cannot delete .*{STEP}: \w+"),
            used(workspace, fresh=True),
        ):
            pass
        assert (workspace / STEP / "step.json").exists()
    finally:
        subprocess.run(["umount", workspace / STEP], check=True)


def test_one_run_at_a_time_and_the_holder_is_named(tmp_path):
    holder = f"process {os.getpid()} on {os.uname().nodename}"
    for _ in range(2):
        with (
            locked(tmp_path / "tiny"),
            pytest.raises(CellwrightError, match=f"one process at a time: {holder} is using it$"),
            locked(tmp_path / "tiny"),
        ):
            pass
