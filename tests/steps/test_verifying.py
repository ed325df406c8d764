"""What a store holds is what was recorded of it, or is named."""

import random
from pathlib import Path

import pytest

from cellwright.errors import CellwrightError
from cellwright.files import write_text
from cellwright.results import FolderRecord, StepRecord
from cellwright.runners import step_location, trial_location
from cellwright.spec import SearchSpec
from cellwright.steps.verifying import verify_store, verify_workspace
from cellwright.stores import FolderStore, attempting, push
from tests.steps.test_running import COUNT, READ, run


@pytest.fixture
def spec() -> SearchSpec:
    return SearchSpec.model_validate({"name": "a", "data": {"source": "digits"}})


@pytest.fixture
def workspace(spec: SearchSpec, tmp_path: Path) -> Path:
    run(READ, spec, tmp_path / "tiny", count=run(COUNT, spec, tmp_path / "tiny"))
    return tmp_path / "tiny"


@pytest.fixture
def store(workspace: Path, tmp_path: Path) -> FolderStore:
    """Return a store with two steps and a trial."""
    store = FolderStore(str(tmp_path / "volume"))
    for step in workspace.glob("*/step.json"):
        push(store, step.parent, step_location(step.parent.name), StepRecord)
    path = tmp_path / "trial"
    with attempting(path, store, trial_location("a", "0-0"), FolderRecord) as attempt:
        write_text(path / "result.json", '{"accuracy": 0.5}')
        record = FolderRecord(attempt=attempt.name, files=FolderRecord.files_of(path))
        record.save(path / FolderRecord.FILE)
    return store


def test_what_is_whole_is_ok(store: FolderStore, workspace: Path):
    for found in (verify_store(store), verify_workspace(workspace)):
        assert {problem for verified in found for problem in verified.problems} == set()


def test_each_changed_byte_of_a_store_is_named(store: FolderStore):
    files = sorted(path for path in store.root.rglob("*") if path.is_file() and path.stat().st_size)
    assert len(files) == 5
    rng = random.Random(0)
    for _ in range(20):
        file = rng.choice(files)
        whole = file.read_bytes()
        place = rng.randrange(len(whole))
        file.write_bytes(whole[:place] + bytes([whole[place] ^ 1 << rng.randrange(8)]) + whole[place + 1 :])
        problems = [problem for verified in verify_store(store) for problem in verified.problems]
        assert any(file.relative_to(store.root).as_posix() in problem for problem in problems)
        file.write_bytes(whole)


def test_a_lost_an_added_and_another_file_are_named(workspace: Path, spec: SearchSpec):
    (counted,) = workspace.glob("count-*")
    (counted / "seed").rename(counted / "more")
    problems = [problem for verified in verify_workspace(workspace) for problem in verified.problems]
    assert len(problems) == 2
    assert f"{counted}/seed must be there" in problems[0] and f"{counted}/more must be in" in problems[1]


def test_an_input_that_was_made_again_breaks_the_chain(workspace: Path, spec: SearchSpec):
    (counted,) = workspace.glob("count-*")
    (counted / "step.json").unlink()
    (counted / "seed").write_text("0")
    run(COUNT, spec, workspace)
    (problem,) = [problem for verified in verify_workspace(workspace) for problem in verified.problems]
    assert "read-" in problem and f"its input {counted.name} must have the record" in problem


def test_where_nothing_is_finished_there_is_nothing_to_verify(tmp_path: Path):
    with pytest.raises(CellwrightError, match="must hold finished steps"):
        list(verify_workspace(tmp_path))
