"""Attempts to finish a folder of a store: what is damaged there is never a result, and never begun with."""

import random
from pathlib import Path

import pytest

from cellwright.errors import CellwrightError
from cellwright.results import FolderRecord
from cellwright.stores import FolderStore, attempting, finished, pull, push


@pytest.fixture
def store(tmp_path: Path) -> FolderStore:
    return FolderStore(str(tmp_path / "volume"))


def work(store: FolderStore, path: Path, log, *files: str, is_done: bool = False) -> str:
    """Do a part of the work, and be killed unless it is all; return what was resumed."""
    with attempting(path, store, "steps/x", FolderRecord, log=log, seconds=60) as attempt:
        resumed = " ".join(sorted(file.name for file in path.iterdir()))
        for name in files:
            (path / name).write_text(f"{name} of {path.name}")
        attempt.store_now()
        if is_done:
            record = FolderRecord(attempt=attempt.name, files=FolderRecord.files_of(path))
            record.save(path / FolderRecord.FILE)
    return resumed


def flip(path: Path, place: int) -> None:
    content = bytearray(path.read_bytes())
    content[place] ^= 1
    path.write_bytes(content)


def attempt_files(store: FolderStore, name: str) -> list[Path]:
    return sorted((store.root / "steps" / "x").glob(name))


@pytest.mark.parametrize("damaged", ["0002-*/a", "0002-*.json"])
def test_a_damaged_attempt_is_named_and_the_one_before_is_resumed(store, tmp_path: Path, damaged: str):
    said: list[str] = []
    work(store, tmp_path / "one", said.append, "a")
    assert work(store, tmp_path / "two", said.append, "a", "b") == "a"
    (file,) = attempt_files(store, damaged)
    flip(file, -1)
    assert work(store, tmp_path / "three", said.append) == "a"
    assert (tmp_path / "three" / "a").read_text() == "a of one"
    assert len(said) == 1 and file.name in said[0] and said[0].endswith("is not resumed")


def test_with_every_attempt_damaged_the_work_starts_from_nothing(store, tmp_path: Path):
    said: list[str] = []
    for name in ("one", "two"):
        work(store, tmp_path / name, said.append, "a")
    for file in attempt_files(store, "*/a"):
        flip(file, 0)
    assert work(store, tmp_path / "three", said.append) == ""
    assert len(said) == 2


@pytest.mark.parametrize("puts", range(6))
def test_a_kill_between_any_two_requests_leaves_an_attempt_that_can_be_resumed(
    store, tmp_path: Path, puts: int, monkeypatch
):
    real, left = store.put, puts

    def put(path: Path, name: str) -> None:
        nonlocal left
        if left == 0:
            raise ConnectionError("gone")
        left -= 1
        real(path, name)

    said: list[str] = []
    monkeypatch.setattr(store, "put", put)
    path = tmp_path / "one"
    try:
        with attempting(path, store, "steps/x", FolderRecord, log=said.append, seconds=60) as attempt:
            for text in ("epoch 1", "epoch 22"):
                (path / "checkpoint").write_text(text)
                attempt.store_now()
            (path / "checkpoint").unlink()
            (path / "weights").write_text("weights")
    except ConnectionError:
        pass
    monkeypatch.setattr(store, "put", real)
    assert work(store, tmp_path / "two", said.append) in ("", "checkpoint", "weights")
    assert said == []


def test_a_process_that_wakes_up_changes_nothing_of_a_finished_folder(store, tmp_path: Path):
    """The one that was frozen stores its weights where nobody reads them."""
    said: list[str] = []
    frozen = tmp_path / "frozen"
    with attempting(frozen, store, "steps/x", FolderRecord, log=said.append, seconds=60) as attempt:
        (frozen / "weights").write_text("epoch 1")
        attempt.store_now()
        work(store, tmp_path / "other", said.append, "weights", is_done=True)
        (frozen / "weights").write_text("epoch 2")
        attempt.store_now()
    record = finished(store, "steps/x", FolderRecord)
    assert record is not None
    pull(store, "steps/x", record, tmp_path / "there")
    assert (tmp_path / "there" / "weights").read_text() == "weights of other"


def test_each_changed_byte_of_what_is_finished_is_noticed(store, tmp_path: Path):
    work(store, tmp_path / "one", print, "weights", "genotype.json", is_done=True)
    files = [path for path in (store.root / "steps").rglob("*") if path.is_file()]
    rng = random.Random(0)
    for number in range(20):
        file = rng.choice(files)
        whole = file.read_bytes()
        flip(file, rng.randrange(len(whole)))
        with pytest.raises(CellwrightError, match=file.name):
            record = finished(store, "steps/x", FolderRecord)
            pull(store, "steps/x", record, tmp_path / f"there-{number}")
        file.write_bytes(whole)


def test_a_folder_with_other_files_is_not_overwritten(store, tmp_path: Path):
    work(store, tmp_path / "one", print, "shard", is_done=True)
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "shard").write_text("poison")
    record = FolderRecord(files=FolderRecord.files_of(tmp_path / "other"))
    record.save(tmp_path / "other" / FolderRecord.FILE)
    with pytest.raises(CellwrightError, match=r"steps/x/finished.json must have the files of .*: shard"):
        push(store, tmp_path / "other", "steps/x", FolderRecord)


def test_a_push_resumes_where_an_earlier_one_stopped(store, tmp_path: Path, monkeypatch):
    for name in "abc":
        (tmp_path / name).write_text(f"what is in {name}")
    FolderRecord(files=FolderRecord.files_of(tmp_path)).save(tmp_path / FolderRecord.FILE)
    real, stored = store.put, []

    def put(path: Path, name: str) -> None:
        if len(stored) == 2:
            stored.clear()
            raise ConnectionError("gone")
        real(path, name)
        stored.append(path.name)

    monkeypatch.setattr(store, "put", put)
    with pytest.raises(ConnectionError):
        push(store, tmp_path, "steps/x", FolderRecord)
    (half,) = attempt_files(store, "*/b")
    flip(half, 0)
    push(store, tmp_path, "steps/x", FolderRecord)
    assert stored == ["b", "c"]


def test_a_store_that_does_not_keep_what_is_written_finishes_nothing(store, tmp_path: Path, monkeypatch):
    real = store.put
    (tmp_path / "wrong").write_text("wrong")
    monkeypatch.setattr(
        store, "put", lambda path, name: real(tmp_path / "wrong" if name.endswith("/a") else path, name)
    )
    with pytest.raises(CellwrightError, match="/a must have the bytes of"):
        work(store, tmp_path / "one", print, "a", is_done=True)
    assert finished(store, "steps/x", FolderRecord) is None
