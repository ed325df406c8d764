"""The evaluations of a sampled search, in a file of one line each that survives any kill."""

import os
import re
import zlib
from collections.abc import Iterable
from pathlib import Path

from cellwright.errors import CellwrightError
from cellwright.evaluation import Evaluation, EvaluationLine, Objective
from cellwright.files import reason_of
from cellwright.results import EpochRecord

EVALUATIONS = "evaluations.jsonl"
TUNING = "tuning"
"""The folder, in that of a search, of the search for hyperparameters that comes after it."""

_SEALED = re.compile(rb'(.*),"crc32":"([0-9a-f]{8})"\}', re.DOTALL)
Entries = dict[tuple[int, int], Evaluation]
"""Finished evaluations by number and repeat."""


def read_evaluations(path: Path) -> Entries:
    """Return what the file holds, which may not be there; a line that a kill cut off is left out.

    Raises:
        CellwrightError: a line is damaged; names the file and the line.
    """
    entries: Entries = {}
    for number, line in enumerate(_whole_lines(path).split(b"\n")[:-1], start=1):
        try:
            evaluation = EvaluationLine.validate_json(_unsealed(line))
        except ValueError as error:
            raise CellwrightError(
                f"{path}: line {number} must be an evaluation with its CRC-32, and is damaged: {reason_of(error)}"
            ) from error
        entries[evaluation.number, evaluation.repeat] = evaluation
    return entries


def finished(entries: Entries) -> list[Evaluation]:
    """Return what was evaluated to the end, in the order of suggestion, without scores on fresh seeds."""
    return [e for (_, repeat), e in sorted(entries.items()) if repeat == 0 and e.state == "done"]


def history_of(evaluations: Iterable[Evaluation], objective: Objective) -> tuple[EpochRecord, ...]:
    """Return each finished evaluation, in the order of suggestion, with the best so far."""
    records: list[EpochRecord] = []
    best: Evaluation | None = None
    for evaluation in evaluations:
        if best is None or objective.score(evaluation.metrics) > objective.score(best.metrics):
            best = evaluation
        metrics = {**evaluation.metrics, f"best_{objective.metric}": best.metrics[objective.metric]}
        records.append(EpochRecord(epoch=evaluation.number + 1, metrics=metrics))
    return tuple(records)


class EvaluationJournal:
    """The finished evaluations of a search.

    Args:
        path: one evaluation a line, as JSON.
    """

    def __init__(self, path: Path) -> None:
        self._entries = read_evaluations(path)
        self._file = path.open("ab")
        self._file.truncate(len(_whole_lines(path)))

    def find(self, number: int, repeat: int) -> Evaluation | None:
        """Return the evaluation of the suggestion, if it has ended."""
        return self._entries.get((number, repeat))

    def add(self, evaluation: Evaluation) -> None:
        """Append the evaluation and flush it to disk."""
        self._file.write(_sealed(EvaluationLine.dump_json(evaluation)) + b"\n")
        self._file.flush()
        os.fsync(self._file.fileno())
        self._entries[evaluation.number, evaluation.repeat] = evaluation

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def _sealed(text: bytes) -> bytes:
    """Return the text of a JSON object with its CRC-32 as the last key."""
    return text[:-1] + b',"crc32":"%08x"}' % zlib.crc32(text)


def _unsealed(line: bytes) -> bytes:
    """Return the text that `_sealed` got; raises ValueError where its CRC-32 is another."""
    found = _SEALED.fullmatch(line)
    if found is None:
        raise ValueError("it has no CRC-32")
    text = found[1] + b"}"
    if b"%08x" % zlib.crc32(text) != found[2]:
        raise ValueError(f"the CRC-32 must be {found[2].decode()}, and is {zlib.crc32(text):08x}")
    return text


def _whole_lines(path: Path) -> bytes:
    content = path.read_bytes() if path.exists() else b""
    return content[: content.rfind(b"\n") + 1]
