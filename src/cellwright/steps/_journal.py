"""What a sampled search has learnt, in a file that grows by a line for each evaluation and survives any kill."""

import os
from pathlib import Path

from cellwright.evaluation import Evaluation, EvaluationLine


class Journal:
    """The finished evaluations of a search, by number and repeat.

    Args:
        path: one evaluation a line, as JSON. A line that a kill cut off is dropped.
    """

    def __init__(self, path: Path) -> None:
        whole, _, torn = (path.read_bytes() if path.exists() else b"").rpartition(b"\n")
        self._entries: dict[tuple[int, int], Evaluation] = {}
        for line in whole.splitlines():
            evaluation = EvaluationLine.validate_json(line)
            self._entries[evaluation.number, evaluation.repeat] = evaluation
        self._file = path.open("ab")
        self._file.truncate(self._file.tell() - len(torn))

    def find(self, number: int, repeat: int = 0) -> Evaluation | None:
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
