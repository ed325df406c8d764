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
