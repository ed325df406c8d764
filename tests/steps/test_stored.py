"""Steps whose workspace is in a store: what a later attempt of the same run does."""

from pathlib import Path

import pytest

from cellwright.errors import CellwrightError, DataError, DivergedError, RefusedError
from cellwright.progress import Silent
from cellwright.spec import SearchSpec
from cellwright.step_list import Step
from cellwright.steps.stored import Failure, run_stored_step

DONE: list[type[Exception] | None] = []
"""How each attempt ended that did the step."""
ENDS: list[type[Exception] | None] = []
"""How the next attempts end."""


def fail_or_not(spec, inputs, folder: Path, progress) -> None:
    (folder / "work.txt").write_text("begun")
    DONE.append(end := ENDS.pop(0))
    if end is not None:
        raise end("it broke")


STEP = Step(
    name="work", help="", artifact="", run=f"{__name__}:fail_or_not", reads=("seed",), uses=("store",)
)


@pytest.fixture
def attempt(tmp_path: Path):
    """What does the step once, as a pod of a run does."""
    DONE.clear()
    spec = SearchSpec.model_validate(
        {"name": "a", "data": {"source": "digits"}, "store": {"uri": str(tmp_path / "store"), "claim": "x"}}
    )
    pods = iter(range(9))

    def attempt(run: str) -> Path:
        return run_stored_step(STEP, spec, {}, tmp_path / f"pod-{next(pods)}", Silent(), owner=run)

    return attempt


@pytest.mark.parametrize("error", [DataError, DivergedError, RefusedError])
def test_permanent_errors_are_not_retried(attempt, error):
    ENDS[:] = [error, None]
    for _ in range(3):
        with pytest.raises(CellwrightError, match="^it broke$"):
            attempt("run-1")
    assert [error] == DONE


def test_another_run_tries_it_again(attempt):
    ENDS[:] = [DataError, None]
    with pytest.raises(DataError):
        attempt("run-1")
    folder = attempt("run-2")
    assert [DataError, None] == DONE
    assert not (folder / Failure.FILE).exists()


@pytest.mark.parametrize("error", [CellwrightError, ConnectionError])
def test_transient_errors_are_retried(attempt, error):
    ENDS[:] = [error, None]
    with pytest.raises(error):
        attempt("run-1")
    attempt("run-1")
    assert [error, None] == DONE
