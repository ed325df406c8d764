import json
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from cellwright.stores import FolderStore, leased, release

NAME = "leases/search-0123"


@pytest.fixture
def store(tmp_path: Path) -> FolderStore:
    return FolderStore(str(tmp_path))


def owner(store: FolderStore) -> str | None:
    return json.loads((store.root / NAME).read_text())["owner"]


def test_one_holds_it_and_gives_it_back(store):
    with leased(store, NAME, "a", print):
        assert owner(store) == "a"
    assert owner(store) is None
    with leased(store, NAME, "b", print):
        assert owner(store) == "b"


def test_another_waits_and_names_the_holder(store):
    said: list[str] = []
    order: list[str] = []

    def wait() -> None:
        with leased(store, NAME, "b", said.append, poll=0.02):
            order.append("b")

    waiting = threading.Thread(target=wait)
    with leased(store, NAME, "a", said.append):
        waiting.start()
        while not said:
            time.sleep(0.01)
        order.append("a")
    waiting.join()
    assert order == ["a", "b"]
    assert said == [f"waiting for a, which is at the same: {NAME}"]


def test_many_take_turns(store):
    inside = 0
    most = 0

    def work(name: str) -> None:
        nonlocal inside, most
        for _ in range(5):
            with leased(store, NAME, name, lambda _: None, poll=0.001):
                inside += 1
                most = max(most, inside)
                time.sleep(0.002)
                inside -= 1

    threads = [threading.Thread(target=work, args=(str(number),)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == 1


def test_its_own_earlier_attempt_is_taken_over_at_once(store):
    store.swap(NAME, json.dumps({"owner": "a", "version": "killed"}), None)
    with leased(store, NAME, "a", print, seconds=1000):
        assert owner(store) == "a"


def test_a_lease_that_is_not_renewed_is_taken_over(store):
    store.swap(NAME, json.dumps({"owner": "gone", "version": "killed"}), None)
    began = time.monotonic()
    with leased(store, NAME, "b", lambda _: None, seconds=0.3, poll=0.02):
        assert time.monotonic() - began > 0.3
        assert owner(store) == "b"


def test_a_holder_that_lives_keeps_it(store):
    with leased(store, NAME, "a", print, seconds=0.2):
        seen = {store.read_text(NAME)[1] for _ in range(20) if time.sleep(0.02) is None}
        assert owner(store) == "a"
    assert len(seen) > 2


def test_a_process_whose_lease_was_taken_over_ends(store, tmp_path):
    code = f"""
from cellwright.stores import FolderStore, leased
import json, time
store = FolderStore({str(tmp_path)!r})
with leased(store, {NAME!r}, "a", print, seconds=0.4):
    store.swap({NAME!r}, json.dumps({{"owner": "b", "version": "1"}}), store.read_text({NAME!r})[1])
    time.sleep(60)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 75
    assert "was taken over by b" in done.stdout
    assert owner(store) == "b"


def test_what_an_owner_left_is_released(store):
    for name, holder in {"x": "a", "y": "b"}.items():
        store.swap(f"leases/{name}", json.dumps({"owner": holder, "version": "1"}), None)
    release(store, "leases", "a")
    holders = {name: json.loads((store.root / "leases" / name).read_text())["owner"] for name in "xy"}
    assert holders == {"x": None, "y": "b"}


@pytest.mark.parametrize("text", ["", "{}", "[1]", '{"owner": 1, "version": "a"}', "[" * 100_000, "\0\0"])
def test_a_damaged_one_counts_as_abandoned(store, text: str):
    (store.root / NAME).parent.mkdir()
    (store.root / NAME).write_text(text)
    release(store, "leases", "b")
    said: list[str] = []
    with leased(store, NAME, "a", said.append):
        assert owner(store) == "a"
    assert said == [f"{NAME} is damaged, and counts as abandoned"]
