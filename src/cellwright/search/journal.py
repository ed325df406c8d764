"""The evaluations of a sampled search, in a file of JSON lines that survives any kill."""

import os
import re
import zlib
from collections.abc import Iterable
from pathlib import Path

from cellwright.errors import CellwrightError
from cellwright.evaluation import Evaluation, EvaluationLine, Objective
from cellwright.files import reason_of
from cellwright.results import EpochRecord, TrialSummary

EVALUATIONS = "evaluations.jsonl"
TUNING = "tuning"
"""Subfolder of a search for the hyperparameter search that follows it."""

_SEALED = re.compile(rb'(.*),"crc32":"([0-9a-f]{8})"\}', re.DOTALL)
Entries = dict[tuple[int, int], Evaluation]
"""Finished evaluations by number and repeat."""


def read_evaluations(path: Path) -> Entries:
    """Return the evaluations in the file, if it exists. A last line that a kill has truncated is skipped.

    Raises:
        CellwrightError: a line is damaged; the message names the file and the line.
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
    """Return the evaluations in state `done`, sorted by number, without those on fresh seeds."""
    return [e for (_, repeat), e in sorted(entries.items()) if repeat == 0 and e.state == "done"]


def history_of(evaluations: Iterable[Evaluation], objective: Objective) -> tuple[EpochRecord, ...]:
    """Return a record for each finished evaluation, sorted by number, with the best score so far."""
    records: list[EpochRecord] = []
    best: Evaluation | None = None
    for evaluation in evaluations:
        if best is None or objective.score(evaluation.metrics) > objective.score(best.metrics):
            best = evaluation
        metrics = {**evaluation.metrics, f"best_{objective.metric}": best.metrics[objective.metric]}
        records.append(EpochRecord(epoch=evaluation.number + 1, metrics=metrics))
    return tuple(records)


def evaluation_name(number: int, repeat: int) -> str:
    """Return how people are shown the name of an evaluation."""
    return f"{number}, fresh seed {repeat}" if repeat else str(number)


def summaries_of(entries: Entries) -> tuple[TrialSummary, ...]:
    """Return a summary of each evaluation, sorted by number."""
    return tuple(
        TrialSummary(
            name=evaluation_name(number, repeat),
            state=evaluation.state,
            reason=evaluation.reason,
            seconds=evaluation.seconds,
            metrics=dict(evaluation.metrics),
            curve=evaluation.curve,
        )
        for (number, repeat), evaluation in sorted(entries.items())
    )


class EvaluationJournal:
    """The finished evaluations of a search.

    Args:
        path: the file, with one evaluation per line as JSON.
    """

    def __init__(self, path: Path) -> None:
        self._entries = read_evaluations(path)
        self._file = path.open("ab")
        self._file.truncate(len(_whole_lines(path)))

    def find(self, number: int, repeat: int) -> Evaluation | None:
        """Return the evaluation of the suggestion, or None if it has not ended."""
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
    """Return the input of `_sealed`; raises ValueError if the CRC-32 does not match."""
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
