"""What a sampled search has learnt, in a file that grows by a line for each evaluation and survives any kill."""

import os
from collections.abc import Iterable
from pathlib import Path

from cellwright.evaluation import Evaluation, EvaluationLine, Objective
from cellwright.results import EpochRecord

EVALUATIONS = "evaluations.jsonl"
TUNING = "tuning"
"""The folder, in that of a search, of the search for hyperparameters that comes after it."""

Entries = dict[tuple[int, int], Evaluation]
"""Finished evaluations by number and repeat."""


def read_evaluations(path: Path) -> Entries:
    """Return what the file holds, which may not be there; a line that a kill cut off is left out."""
    evaluations = map(EvaluationLine.validate_json, _whole_lines(path).splitlines())
    return {(evaluation.number, evaluation.repeat): evaluation for evaluation in evaluations}


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
        """Return what became of the suggestion, if it is known."""
        return self._entries.get((number, repeat))

    def add(self, evaluation: Evaluation) -> None:
        """Write the evaluation down for good."""
        self._file.write(EvaluationLine.dump_json(evaluation) + b"\n")
        self._file.flush()
        os.fsync(self._file.fileno())
        self._entries[evaluation.number, evaluation.repeat] = evaluation

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def _whole_lines(path: Path) -> bytes:
    content = path.read_bytes() if path.exists() else b""
    return content[: content.rfind(b"\n") + 1]
