"""The journal of a search: no changed byte becomes another evaluation."""

import random
from pathlib import Path

import pytest

from cellwright.candidate import Candidate
from cellwright.errors import CellwrightError
from cellwright.evaluation import Evaluation
from cellwright.genotype import Genotype
from cellwright.search.journal import EvaluationJournal, read_evaluations

GENOTYPE = Genotype.from_line("darts:normal~2~0.skip_connect,1.sep_conv_3x3")
EVALUATIONS = [
    Evaluation(
        number=number,
        candidate=Candidate(genotype=GENOTYPE),
        metrics={"accuracy": 0.1 + number / 7},
        curve=(0.1, 0.2),
    )
    for number in range(3)
]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    journal = EvaluationJournal(tmp_path / "evaluations.jsonl")
    for evaluation in EVALUATIONS:
        journal.add(evaluation)
    journal.close()
    return tmp_path / "evaluations.jsonl"


def test_it_holds_what_was_added(path: Path):
    assert list(read_evaluations(path).values()) == EVALUATIONS


def test_a_changed_byte_is_refused_with_its_line_or_cuts_off_the_last(path: Path):
    content = path.read_bytes()
    rng = random.Random(0)
    for place in range(len(content)):
        path.write_bytes(
            content[:place] + bytes([content[place] ^ 1 << rng.randrange(8)]) + content[place + 1 :]
        )
        if place == len(content) - 1:
            assert list(read_evaluations(path).values()) == EVALUATIONS[:-1]
            continue
        with pytest.raises(CellwrightError, match=r"evaluations.jsonl: line [123] must be an evaluation"):
            read_evaluations(path)


def test_a_hole_of_zeros_is_refused(path: Path):
    content = path.read_bytes()
    path.write_bytes(content[:40] + bytes(len(content) - 41) + content[-1:])
    with pytest.raises(CellwrightError, match="line 1 must be an evaluation with its CRC-32"):
        EvaluationJournal(path)
