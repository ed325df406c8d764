"""The contract of stores."""

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from cellwright.errors import CellwrightError
from cellwright.results import FileRecord, FolderRecord
from cellwright.stores import Store, attempting, finished, leased, pull, push, release, upload_initial

LARGE = 9 << 20
"""Size in bytes of a file that S3 accepts in parts."""
NAMES = ("step.json", "shards/train", "größe 1/a b", "deep/er/still")


class StoreContract:
    """Tests of a store. Subclasses define a fixture `store` that returns an empty one."""

    def test_a_folder_comes_back_as_it_was_pushed(self, store: Store, tmp_path: Path) -> None:
        """Names include folders, partial files are skipped, and a second push stores nothing."""
        for name in (*NAMES, ".half-written"):
            _write(tmp_path / "here" / name, f"what is in {name}")
        _finish(tmp_path / "here")
        for _ in range(2):
            push(store, tmp_path / "here", "data/x", FolderRecord)
        record = finished(store, "data/x", FolderRecord)
        assert record is not None and record.files.keys() == set(NAMES)
        assert store.sizes("data/x").keys() == {
            "finished.json",
            *(f"{record.attempt}/{name}" for name in NAMES),
        }
        pull(store, "data/x", record, tmp_path / "there")
        for name in NAMES:
            assert (tmp_path / "there" / name).read_bytes() == (tmp_path / "here" / name).read_bytes()

    def test_only_what_is_wanted_is_pulled(self, store: Store, tmp_path: Path) -> None:
        """The record is pulled too."""
        for name in ("a.json", "b.bin"):
            _write(tmp_path / "here" / name, name)
        record = _finish(tmp_path / "here")
        push(store, tmp_path / "here", "data/x", FolderRecord)
        record = finished(store, "data/x", FolderRecord) or record
        pull(store, "data/x", record, tmp_path / "there", wanted=lambda name: name.endswith(".json"))
        assert {path.name for path in (tmp_path / "there").iterdir()} == {"a.json", "finished.json"}

    @pytest.mark.parametrize("is_shorter", (False, True))
    def test_no_other_bytes_are_pulled(self, store: Store, tmp_path: Path, is_shorter: bool) -> None:
        """Lost and replaced files are both detected; the message names the file."""
        _write(tmp_path / "here" / "a", "weights")
        _finish(tmp_path / "here")
        push(store, tmp_path / "here", "data/x", FolderRecord)
        record = finished(store, "data/x", FolderRecord)
        assert record is not None
        store.put(_write(tmp_path / "other", "w" if is_shorter else "weighty"), f"data/x/{record.attempt}/a")
        with pytest.raises(
            CellwrightError, match=rf"data/x/{record.attempt}/a must have 7 bytes with .* damaged"
        ):
            pull(store, "data/x", record, tmp_path / "there")
        assert not (tmp_path / "there" / "a").exists()

    def test_what_is_stored_is_read_back(self, store: Store, tmp_path: Path) -> None:
        """Large files too."""
        (tmp_path / "file").write_bytes(bytes(range(256)) * (LARGE // 256))
        store.put(tmp_path / "file", "x/file")
        assert store.holds(tmp_path / "file", "x/file")
        assert not store.holds(tmp_path / "file", "x/none")
        with (tmp_path / "file").open("r+b") as file:
            file.write(b"\x01")
        assert not store.holds(tmp_path / "file", "x/file")
        assert not store.holds(_write(tmp_path / "short", "1"), "x/file")

    @pytest.mark.parametrize(
        "name",
        ("../out", "a/../../out", "/out", "a//b", "a/./b", ".hidden", "a/.b/c", "a\\b", "a\nb", "a\x1b[m"),
    )
    def test_no_name_leads_out_of_the_folder(self, store: Store, tmp_path: Path, name: str) -> None:
        """Anyone with write access chooses names; non-canonical ones are rejected, not skipped."""
        offered = _write(tmp_path / "offered" / "file", "1")
        files = {name: FileRecord.of(offered), "good": FileRecord.of(offered)}
        upload_initial(store, offered.parent, "data/x")
        with pytest.raises(CellwrightError, match="name"):
            store.put(offered, f"data/x/{name}")
            pull(
                store, "data/x", FolderRecord(attempt="0000-00000000", files=files), tmp_path / "a" / "there"
            )
        with pytest.raises(CellwrightError, match="name"):
            pull(
                store, "data/x", FolderRecord(attempt="0000-00000000", files=files), tmp_path / "a" / "there"
            )
        assert [path for path in tmp_path.rglob("*") if path.is_file()] == [offered]

    def test_a_file_takes_the_place_of_an_earlier_one(self, store: Store, tmp_path: Path) -> None:
        """The new content may be shorter."""
        for text in ("longer than", "short"):
            store.put(_write(tmp_path / "file", text), "x/file")
        store.get("x/file", tmp_path / "back")
        assert (tmp_path / "back").read_text() == "short"

    def test_what_is_not_there_is_named(self, store: Store, tmp_path: Path) -> None:
        """No local file is left."""
        with pytest.raises(CellwrightError, match="none"):
            store.get("data/none", tmp_path / "none")
        assert not (tmp_path / "none").exists()
        assert store.sizes("data") == {}
        assert store.read_text("data/none") is None
        store.remove("data/none")
        store.delete("data")

    def test_deleting_leaves_nothing_of_the_folder_and_all_of_others(
        self, store: Store, tmp_path: Path
    ) -> None:
        """A folder whose name has the same prefix is another one."""
        for name in ("searches/x/a", "searches/x/b", "searches/xy/a"):
            store.put(_write(tmp_path / "a", "1"), name)
        store.remove("searches/x/b")
        assert store.sizes("searches") == {"x/a": 1, "xy/a": 1}
        store.delete("searches/x")
        assert store.sizes("searches") == {"xy/a": 1}

    def test_a_small_file_is_replaced_only_with_its_current_version(self, store: Store) -> None:
        """Nobody else can replace it."""
        first = store.swap("leases/a", "one", None)
        assert first is not None
        assert store.swap("leases/a", "two", None) is None
        assert store.read_text("leases/a") == ("one", first)
        second = store.swap("leases/a", "two", first)
        assert second not in (None, first)
        assert store.swap("leases/a", "three", first) is None
        assert store.read_text("leases/a") == ("two", second)

    def test_of_concurrent_swaps_one_succeeds(self, store: Store) -> None:
        """Leases depend on this."""
        together = threading.Barrier(4)

        def swap(text: str) -> str | None:
            together.wait(30)
            return store.swap("leases/a", text, None)

        with ThreadPoolExecutor(4) as pool:
            tags = list(pool.map(swap, "abcd"))
        assert sum(tag is not None for tag in tags) == 1
        found = store.read_text("leases/a")
        assert found is not None and found[1] in tags

    def test_a_lease_is_held_and_released(self, store: Store) -> None:
        """Only its owner can release it."""
        with leased(store, "leases/a", "owner", lambda text: None):
            assert store.read_text("leases/a") is not None
        with leased(store, "leases/a", "another", lambda text: None):
            release(store, "leases", "another")

    def test_an_attempt_resumes_from_an_earlier_one(self, store: Store, tmp_path: Path) -> None:
        """The initial files come first."""
        upload_initial(store, _write(tmp_path / "asked" / "request", "do this").parent, "trial")
        with pytest.raises(SystemExit), attempting(tmp_path / "one", store, "trial", FolderRecord):
            assert (tmp_path / "one" / "request").read_text() == "do this"
            _write(tmp_path / "one" / "checkpoint", "epoch 1")
            raise SystemExit
        with attempting(tmp_path / "two", store, "trial", FolderRecord) as attempt:
            assert (tmp_path / "two" / "checkpoint").read_text() == "epoch 1"
            (tmp_path / "two" / "checkpoint").unlink()
            _write(tmp_path / "two" / "result", "done")
            _finish(tmp_path / "two", attempt.name)
        assert store.sizes("trial").keys() == {
            "finished.json",
            f"{attempt.name}/request",
            f"{attempt.name}/result",
        }

    def test_of_two_attempts_the_first_to_finish_counts(self, store: Store, tmp_path: Path) -> None:
        """The other one continues as if nothing had happened, like a process that was frozen."""
        said: list[str] = []
        one, two = tmp_path / "one", tmp_path / "two"
        with attempting(one, store, "trial", FolderRecord, log=said.append) as first:
            with attempting(two, store, "trial", FolderRecord) as second:
                _finish(_write(two / "result", "of the second").parent, second.name)
            _finish(_write(one / "result", "of the first").parent, first.name)
        assert (one / "result").read_text() == "of the second"
        record = finished(store, "trial", FolderRecord)
        assert record is not None and record.attempt == second.name
        pull(store, "trial", record, tmp_path / "there")
        assert (tmp_path / "there" / "result").read_text() == "of the second"
        assert said == [f"trial was finished by attempt {second.name} first, which counts"]


def _finish(folder: Path, attempt: str = "0001-00000000") -> FolderRecord:
    record = FolderRecord(attempt=attempt, files=FolderRecord.files_of(folder))
    record.save(folder / FolderRecord.FILE)
    return record


def _write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path
