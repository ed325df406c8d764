"""Records that were read are not trusted with paths."""

from pathlib import Path

import pytest

from cellwright.errors import CellwrightError
from cellwright.results import StepRecord

RECORD = StepRecord(
    step="search", key="0" * 16, inputs={"prepare": "f" * 16}, settings=None, version="1", seconds=1.0
)


@pytest.mark.parametrize(
    "change",
    [
        {"step": "../../etc"},
        {"step": ""},
        {"key": "../../../../x"},
        {"key": "0" * 15},
        {"key": "0" * 16 + "\n"},
        {"inputs": {"prepare": "/absolute"}},
        {"inputs": {"..": "0" * 16}},
    ],
)
def test_steps_and_keys_that_are_none_are_refused(tmp_path: Path, change):
    RECORD.model_copy(update=change).save(tmp_path / "step.json")
    with pytest.raises(CellwrightError, match=r"step\.json must hold a StepRecord"):
        StepRecord.load(tmp_path / "step.json")


def test_others_are_read_as_they_were_written(tmp_path: Path):
    RECORD.save(tmp_path / "step.json")
    assert StepRecord.load(tmp_path / "step.json") == RECORD
