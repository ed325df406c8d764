import subprocess
import sys
from pathlib import Path

import pytest

from cellwright.errors import CellwrightError
from cellwright.stores import FolderStore, open_store


@pytest.fixture
def store(tmp_path: Path) -> FolderStore:
    return FolderStore(str(tmp_path / "volume"))


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def test_what_is_not_there_is_named(store, tmp_path: Path):
    with pytest.raises(CellwrightError, match="volume/data/none must exist"):
        store.get("data/none", tmp_path / "none")


def test_a_path_is_a_folder(tmp_path: Path):
    assert isinstance(open_store(str(tmp_path)), FolderStore)


@pytest.fixture
def outside(store, tmp_path: Path) -> Path:
    """Return a folder with a secret beside the store, in which are links to both."""
    write(tmp_path / "outside" / "secret", "mine")
    (store.root / "x").mkdir(parents=True)
    (store.root / "x" / "result.json").symlink_to(tmp_path / "outside" / "secret")
    (store.root / "linked").symlink_to(tmp_path / "outside")
    (store.root / "x" / ".lease.lock").symlink_to(tmp_path / "outside" / "secret")
    return tmp_path / "outside"


@pytest.mark.parametrize(
    "use",
    [
        lambda store, file: store.get("x/result.json", file.parent / "there"),
        lambda store, file: store.get("linked/secret", file.parent / "there"),
        lambda store, file: store.read_text("x/result.json"),
        lambda store, file: store.swap("x/result.json", "theirs", None),
        lambda store, file: store.swap("x/lease", "theirs", "tag"),
        lambda store, file: store.holds(file, "linked/secret"),
        lambda store, file: store.put(file, "linked/new"),
        lambda store, file: store.put(file, "../outside/new"),
        lambda store, file: store.remove("linked/secret"),
        lambda store, file: store.delete("linked"),
        lambda store, file: store.sizes("linked"),
    ],
)
def test_links_out_of_the_store_are_not_followed(store, outside: Path, tmp_path: Path, use):
    with pytest.raises((CellwrightError, OSError)):
        use(store, write(tmp_path / "file", "theirs"))
    assert [(path.name, path.read_text()) for path in outside.iterdir()] == [("secret", "mine")]
    assert not (tmp_path / "there").exists() or not list((tmp_path / "there").iterdir())


def test_a_process_frozen_in_a_lock_does_not_block_others(store, tmp_path: Path):
    """And writes nothing when it wakes up."""
    tag = store.swap("leases/a", "one", None)
    code = f"""
from cellwright.stores import FolderStore
store = FolderStore({str(store.root)!r})
read_text = store.read_text
def frozen(name):
    print("in the lock", flush=True)
    input()
    return read_text(name)
store.read_text = frozen
print(store.swap("leases/a", "frozen", {tag!r}))
"""
    command = [sys.executable, "-c", code]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as frozen:
        assert frozen.stdout is not None and frozen.stdout.readline() == "in the lock\n"
        store.lock_seconds = 0.2
        assert store.swap("leases/a", "two", tag) is not None
        assert frozen.communicate("\n")[0] == "None\n"
    assert store.read_text("leases/a")[0] == "two"
