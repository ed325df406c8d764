"""Results are read as they were written, and not trusted with paths."""

import json
import math
from pathlib import Path

import pytest
from pydantic import field_serializer

from cellwright.candidate import Candidate
from cellwright.errors import CellwrightError
from cellwright.evaluation import Evaluation, load_evaluation, save_evaluation
from cellwright.genotype import Genotype
from cellwright.results import EpochRecord, FileRecord, InputRecord, Result, StepRecord

GENOTYPE = Genotype.from_line("darts:normal~2~0.skip_connect,1.sep_conv_3x3")
RECORD = StepRecord(
    files={"genotype.json": FileRecord(size=2, sha256="a" * 64)},
    step="search",
    key="0" * 16,
    inputs={"prepare": InputRecord(key="f" * 16, seal="b" * 64)},
    settings=None,
    version="1",
    seconds=1.0,
)
NOT_FINITE = [math.nan, math.inf, -math.inf]


@pytest.mark.parametrize("number", NOT_FINITE)
def test_numbers_that_are_not_finite_are_read_as_they_were_written(tmp_path: Path, number: float):
    EpochRecord(epoch=1, metrics={"loss": number}).save(tmp_path / "record.json")
    assert repr(EpochRecord.load(tmp_path / "record.json").metrics["loss"]) == repr(number)
    evaluation = Evaluation(
        number=0, candidate=Candidate(genotype=GENOTYPE), metrics={"loss": number}, curve=(number,)
    )
    save_evaluation(evaluation, tmp_path / "result.json")
    assert repr(load_evaluation(tmp_path / "result.json")) == repr(evaluation)


class Even(Result):
    number: int

    @field_serializer("number")
    def format_target(self, number: int) -> str:
        return f"number {number}"


def test_what_could_not_be_read_again_is_not_written(tmp_path: Path):
    path = tmp_path / "even.json"
    with pytest.raises(
        CellwrightError, match="even.json: this Even could not be read again: [^$]*valid integer"
    ):
        Even(number=2).save(path)
    with pytest.raises(
        CellwrightError, match="step.json: this StepRecord could not be read again: [^$]*surrogates"
    ):
        RECORD.model_copy(update={"settings": "\udce9"}).save(tmp_path / "step.json")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "change",
    [
        {"step": "../../etc"},
        {"step": ""},
        {"key": "../../../../x"},
        {"key": "0" * 15},
        {"key": "0" * 16 + "\n"},
        {"inputs": {"prepare": {"key": "/absolute", "seal": "b" * 64}}},
        {"inputs": {"..": {"key": "0" * 16, "seal": "b" * 64}}},
        {"attempt": "../0001-00000000"},
    ],
)
def test_steps_and_keys_that_are_none_are_refused(tmp_path: Path, change):
    (tmp_path / "step.json").write_text(json.dumps(RECORD.model_dump(mode="json") | change))
    with pytest.raises(CellwrightError, match=r"step\.json must hold a StepRecord"):
        StepRecord.load(tmp_path / "step.json")


def test_others_are_read_as_they_were_written(tmp_path: Path):
    RECORD.save(tmp_path / "step.json")
    found = StepRecord.load(tmp_path / "step.json")
    assert found.model_copy(update={"seal": RECORD.seal}) == RECORD


def test_each_changed_byte_of_a_record_is_noticed(tmp_path: Path):
    path = tmp_path / "step.json"
    RECORD.save(path)
    content = path.read_bytes()
    for place in range(len(content)):
        path.write_bytes(content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :])
        with pytest.raises(CellwrightError, match=r"step\.json must hold a StepRecord"):
            StepRecord.load(path)
