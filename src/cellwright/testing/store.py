"""What every store must do."""

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from cellwright.errors import CellwrightError
from cellwright.stores import Store, leased, mirroring, release

NAMES = ("step.json", "shards/train", "größe 1/a b", "deep/er/still")


class StoreContract:
    """Tests of a store; a subclass has a fixture `store` that returns an empty one."""

    def test_a_folder_comes_back_as_it_was_pushed(self, store: Store, tmp_path: Path) -> None:
        """Names keep their folders, and what is half written is left out."""
        for name in (*NAMES, ".half-written"):
            _write(tmp_path / "here" / name, f"what is in {name}")
        store.push(tmp_path / "here", "data/x", last="step.json")
        assert store.sizes("data/x") == {name: len((tmp_path / "here" / name).read_bytes()) for name in NAMES}
        store.pull("data/x", tmp_path / "there")
        for name in NAMES:
            assert (tmp_path / "there" / name).read_bytes() == (tmp_path / "here" / name).read_bytes()

    def test_only_what_is_wanted_is_pulled(self, store: Store, tmp_path: Path) -> None:
        """And nothing that is there already."""
        for name in ("a.json", "b.bin"):
            _write(tmp_path / "here" / name, name)
        store.push(tmp_path / "here", "data/x")
        store.pull("data/x", tmp_path / "there", wanted=lambda name: name.endswith(".json"))
        assert [path.name for path in (tmp_path / "there").iterdir()] == ["a.json"]

    @pytest.mark.parametrize(
        "name",
        ("../out", "a/../../out", "/out", "a//b", "a/./b", ".hidden", "a/.b/c", "a\\b", "a\nb", "a\x1b[m"),
    )
    def test_no_name_leads_out_of_the_folder(
        self, store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
    ) -> None:
        """Whoever may write in a store chooses names; those that are not canonical are refused, not passed over."""
        store.put(_write(tmp_path / "file", "1"), "data/x/good")
        with pytest.raises(CellwrightError, match="name"):
            store.put(tmp_path / "file", f"data/x/{name}")
            store.pull("data/x", tmp_path / "a" / "there", wanted=lambda name: name == "good")
        monkeypatch.setattr(store, "sizes", lambda folder: {name: 1, "good": 1})
        with pytest.raises(CellwrightError, match="name"):
            store.pull("data/x", tmp_path / "a" / "there", wanted=lambda name: name == "good")
        assert [path for path in tmp_path.rglob("*") if path.is_file()] == [tmp_path / "file"]

    def test_a_file_takes_the_place_of_an_earlier_one(self, store: Store, tmp_path: Path) -> None:
        """Also where it is shorter."""
        for text in ("longer than", "short"):
            store.put(_write(tmp_path / "file", text), "x/file")
        store.get("x/file", tmp_path / "back")
        assert (tmp_path / "back").read_text() == "short"

    def test_what_is_not_there_is_named(self, store: Store, tmp_path: Path) -> None:
        """And leaves no file."""
        with pytest.raises(CellwrightError, match="none"):
            store.get("data/none", tmp_path / "none")
        assert not (tmp_path / "none").exists()
        assert store.sizes("data") == {}
        assert store.look("data/none") is None
        store.remove("data/none")
        store.delete("data")

    def test_deleting_leaves_nothing_of_the_folder_and_all_of_others(
        self, store: Store, tmp_path: Path
    ) -> None:
        """A folder whose name begins alike is another."""
        for name in ("searches/x/a", "searches/x/b", "searches/xy/a"):
            store.put(_write(tmp_path / "a", "1"), name)
        store.remove("searches/x/b")
        assert store.sizes("searches") == {"x/a": 1, "xy/a": 1}
        store.delete("searches/x")
        assert store.sizes("searches") == {"xy/a": 1}

    def test_a_small_file_is_swapped_by_who_knows_its_version(self, store: Store) -> None:
        """And by nobody else."""
        first = store.swap("leases/a", "one", None)
        assert first is not None
        assert store.swap("leases/a", "two", None) is None
        assert store.look("leases/a") == ("one", first)
        second = store.swap("leases/a", "two", first)
        assert second not in (None, first)
        assert store.swap("leases/a", "three", first) is None
        assert store.look("leases/a") == ("two", second)

    def test_of_many_that_swap_at_once_one_does(self, store: Store) -> None:
        """Which leases depend on."""
        together = threading.Barrier(4)

        def swap(text: str) -> str | None:
            together.wait(30)
            return store.swap("leases/a", text, None)

        with ThreadPoolExecutor(4) as pool:
            tags = list(pool.map(swap, "abcd"))
        assert sum(tag is not None for tag in tags) == 1
        found = store.look("leases/a")
        assert found is not None and found[1] in tags

    def test_a_lease_is_held_and_released(self, store: Store) -> None:
        """By its owner."""
        with leased(store, "leases/a", "owner", lambda text: None):
            assert store.look("leases/a") is not None
        with leased(store, "leases/a", "another", lambda text: None):
            release(store, "leases", "another")

    def test_a_mirror_keeps_up(self, store: Store, tmp_path: Path) -> None:
        """Until the end of the block."""
        with mirroring(tmp_path, store, "trial", seconds=60):
            (tmp_path / "checkpoint").write_text("epoch 1")
        assert store.sizes("trial") == {"checkpoint": 7}


def _write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path
