import threading
from pathlib import Path

import pytest

from cellwright.errors import CellwrightError
from cellwright.stores import FolderStore, mirroring, open_store


@pytest.fixture
def store(tmp_path: Path) -> FolderStore:
    return FolderStore(str(tmp_path / "volume"))


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def test_what_says_that_it_is_whole_is_stored_last(store, tmp_path: Path, monkeypatch):
    stored = []
    monkeypatch.setattr(store, "put", lambda path, name: stored.append(name))
    for name in ("step.json", "a", "z"):
        write(tmp_path / "here" / name, name)
    store.push(tmp_path / "here", "data/x", last="step.json")
    assert stored == ["data/x/a", "data/x/z", "data/x/step.json"]


def test_a_push_goes_on_where_an_earlier_one_stopped(store, tmp_path: Path, monkeypatch):
    write(tmp_path / "here" / "a", "1")
    store.push(tmp_path / "here", "data/x")
    write(tmp_path / "here" / "b", "2")
    stored = []
    monkeypatch.setattr(store, "put", lambda path, name: stored.append(name))
    store.push(tmp_path / "here", "data/x")
    assert stored == ["data/x/b"]


def test_what_is_not_there_is_named(store, tmp_path: Path):
    with pytest.raises(CellwrightError, match="volume/data/none must exist"):
        store.get("data/none", tmp_path / "none")


def test_a_mirror_goes_on_from_the_store_and_keeps_up(store, tmp_path: Path):
    store.put(write(tmp_path / "before", "epoch 1"), "searches/x/checkpoint")
    folder = tmp_path / "trial"
    copied = threading.Event()
    put = store.put

    def tell(path: Path, name: str) -> None:
        put(path, name)
        copied.set()

    store.put = tell  # type: ignore[method-assign]
    with mirroring(folder, store, "searches/x", seconds=0.01):
        assert (folder / "checkpoint").read_text() == "epoch 1"
        write(folder / "checkpoint", "epoch two")
        assert copied.wait(10)
        write(folder / "result", "done")
    assert store.sizes("searches/x") == {"checkpoint": 9, "result": 4}


def test_a_mirror_keeps_what_was_there_when_the_work_failed(store, tmp_path: Path):
    folder = tmp_path / "trial"
    folder.mkdir()
    with pytest.raises(SystemExit), mirroring(folder, store, "searches/x", seconds=60):
        write(folder / "checkpoint", "epoch 1")
        raise SystemExit(143)
    assert store.sizes("searches/x") == {"checkpoint": 7}


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
        lambda store, file: store.pull("x", file.parent / "there"),
        lambda store, file: store.get("linked/secret", file.parent / "there"),
        lambda store, file: store.look("x/result.json"),
        lambda store, file: store.swap("x/result.json", "theirs", None),
        lambda store, file: store.swap("x/lease", "theirs", None),
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


def test_a_name_that_is_a_file_and_a_folder_is_an_error_in_words(tmp_path: Path):
    class Names(FolderStore):
        def sizes(self, folder: str) -> dict[str, int]:
            return {"a": 1, "a/b": 1}

    write(tmp_path / "volume/x/a", "1")
    with pytest.raises(CellwrightError, match="x/a/b: cannot be copied to .*there/a/b"):
        Names(str(tmp_path / "volume")).pull("x", tmp_path / "there")
