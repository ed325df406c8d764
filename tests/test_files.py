"""Files that are either whole or not there, for others no more than the umask lets them, and on the disk."""

import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from cellwright.files import atomic_path, write_text
from cellwright.folders import MARK, claimed

STEP = "prepare-0123456789abcdef"


@pytest.mark.parametrize(("umask", "mode"), [(0o077, 0o600), (0o027, 0o640), (0o022, 0o644)])
def test_the_mode_follows_the_umask(tmp_path: Path, umask: int, mode: int):
    before = os.umask(umask)
    try:
        write_text(tmp_path / "a", "")
        with atomic_path(tmp_path / "b") as temporary:
            temporary.unlink()
            os.close(os.open(temporary, os.O_CREAT, 0o777))
    finally:
        os.umask(before)
    assert [stat.S_IMODE((tmp_path / name).stat().st_mode) for name in "ab"] == [mode, mode]


def test_a_file_is_on_the_disk_before_its_name_and_its_name_before_anything_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    calls: list[str] = []
    sync, replace = os.fsync, Path.replace

    def recorded_sync(handle: int) -> None:
        path = Path(os.readlink(f"/proc/self/fd/{handle}"))
        calls.append("file" if path.name.endswith(".partial") else f"{path.relative_to(tmp_path)}")
        sync(handle)

    def recorded_replace(path: Path, target: Path) -> Path:
        calls.append("rename")
        return replace(path, target)

    monkeypatch.setattr(os, "fsync", recorded_sync)
    monkeypatch.setattr(Path, "replace", recorded_replace)
    write_text(tmp_path / "a" / "b" / "step.json", "{}")
    assert sorted(calls[:2]) == [".", "a"]
    assert calls[2:] == ["file", "rename", "a/b"]


def test_what_a_killed_process_left_half_written_is_removed_when_its_folder_is_used_again(tmp_path: Path):
    program = (
        "import sys, time; from pathlib import Path\n"
        "from cellwright.files import atomic_path; from cellwright.folders import claimed\n"
        f"with claimed(Path({STEP!r})), atomic_path(Path({STEP!r}, 'deep', 'file')) as temporary:\n"
        " temporary.write_text('half'); print('half', flush=True); time.sleep(60)"
    )
    workspace = tmp_path / "tiny"
    workspace.mkdir()
    with subprocess.Popen([sys.executable, "-c", program], cwd=workspace, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None and process.stdout.readline() == b"half\n"
        process.send_signal(signal.SIGKILL)

    def files() -> list[str]:
        return [path.name for path in workspace.rglob("*") if path.is_file() and MARK not in path.parts]

    assert len(files()) == 1
    with claimed(workspace / STEP):
        assert files() == []
