"""What a server writes down of its predictions, so that drift can be measured: statistics, and inputs on request."""

import json
import secrets
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from cellwright.files import atomic_path
from cellwright.serving.model import Answers, Array, Arrays

STATISTICS, INPUTS = "statistics.jsonl", "inputs"
MOST_BYTES = 64 * 2**20
"""Of a window's inputs, which are held in memory."""
MOST_STORED = 2**30
"""Bytes of the inputs that one server stores."""
MOST_TEXTS = 50
"""Different texts of a column that are counted."""
DECILES = np.linspace(0, 1, 11)


class _Seen(NamedTuple):
    arrays: Arrays
    answers: Answers
    version: str


class Recorder:
    """Collects predictions and writes a line for each window of them to `statistics.jsonl`.

    Args:
        folder: where that is, and the inputs.
        has_inputs: whether to store the inputs themselves, as `inputs/*.npz`.
    """

    def __init__(self, folder: Path, *, has_inputs: bool) -> None:
        self.folder, self.has_inputs = folder, has_inputs
        (folder / INPUTS if has_inputs else folder).mkdir(parents=True, exist_ok=True)
        self._seen: list[_Seen] = []
        self._since = datetime.now(UTC)
        self._bytes = self._stored = 0

    def add(self, arrays: Arrays, answers: Answers, version: str) -> bool:
        """Remember predictions; return whether there are so many that they must be written."""
        self._seen.append(_Seen(arrays, answers, version))
        self._bytes += sum(_size(array) for array in arrays.values())
        return self._bytes > MOST_BYTES

    def take(self) -> "Window | None":
        """Return what was seen since the last call, None if nothing was; may be written in another thread."""
        seen, since = self._seen, self._since
        size = self._bytes
        self._seen, self._since, self._bytes = [], datetime.now(UTC), 0
        if not seen:
            return None
        stores = self.has_inputs and self._stored + size <= MOST_STORED
        self._stored += size if stores else 0
        return Window(self.folder, seen, since, self._since, stores)


class Window(NamedTuple):
    """The predictions of some time."""

    folder: Path
    seen: list[_Seen]
    since: datetime
    until: datetime
    stores_inputs: bool

    def write(self) -> None:
        """Append a line of statistics for each version, and store the inputs if that is asked for."""
        lines = []
        for version in dict.fromkeys(seen.version for seen in self.seen):
            of_version = [seen for seen in self.seen if seen.version == version]
            names = of_version[0].arrays
            arrays = {name: np.concatenate([seen.arrays[name] for seen in of_version]) for name in names}
            answers = Answers(
                np.concatenate([seen.answers.outputs for seen in of_version]),
                of_version[0].answers.class_names,
                of_version[0].answers.label_names,
            )
            stored = self._store(arrays, answers) if self.stores_inputs else None
            facts = {
                "version": version,
                "from": self.since.isoformat(timespec="seconds"),
                "to": self.until.isoformat(timespec="seconds"),
                "rows": len(answers.outputs),
                "inputs": {name: statistics(array) for name, array in arrays.items()},
                **_of_answers(answers),
                **({"stored": stored} if stored else {}),
            }
            lines.append(json.dumps(facts, ensure_ascii=False) + "\n")
        with (self.folder / STATISTICS).open("a", encoding="utf-8") as file:
            file.write("".join(lines))

    def _store(self, arrays: Arrays, answers: Answers) -> str:
        """Write inputs and outputs as an .npz, texts as Unicode arrays, which need no pickle."""
        name = f"{INPUTS}/{self.until:%Y%m%dT%H%M%S}-{secrets.token_hex(4)}.npz"
        plain: dict[str, Any] = {f"inputs/{each}": _unpickled(array) for each, array in arrays.items()}
        with atomic_path(self.folder / name) as temporary, temporary.open("wb") as file:
            np.savez(file, outputs=answers.outputs, **plain)
        return name


def statistics(array: Array) -> dict[str, Any]:
    """Return what an input was like.

    Of a column of numbers: how many are missing, mean, standard deviation and deciles, from the least to the most. Of
    an array for each example: the same of the mean of each channel, or of each feature where there is one axis. Of a
    column of texts: how often each of the most frequent is there. Of bytes of texts: the same of their lengths. Of
    samples of sound: the same of how loud they are, the square root of their mean square.
    """
    if array.dtype == object:
        counts = Counter(array.tolist())
        common = dict(counts.most_common(MOST_TEXTS))
        return {"texts": common, "other": len(array) - sum(common.values()), "different": len(counts)}
    if array.dtype == np.uint8 and array.ndim == 2:
        return {"lengths": _numbers((array != 0).sum(axis=1))}
    if array.dtype == np.int16 and array.ndim == 2:
        return {"levels": _numbers(np.sqrt(np.square(array, dtype=np.float32).mean(axis=1)))}
    if array.ndim == 1:
        return _numbers(array)
    features = array.reshape(*array.shape[:2], -1).mean(axis=2, dtype=np.float64)
    return {"features": [_numbers(feature) for feature in features.T]}


def _numbers(values: NDArray[Any]) -> dict[str, Any]:
    present = values[np.isfinite(values)] if values.dtype.kind == "f" else values
    if values.dtype == np.int64:
        present = values[values != np.iinfo(np.int64).min]  # a missing date
    found: dict[str, Any] = {"missing": len(values) - len(present)}
    if len(present):
        present = present.astype(np.float64)
        deciles = np.quantile(present, DECILES)
        found |= {
            "mean": _rounded(present.mean()),
            "std": _rounded(present.std()),
            "deciles": [_rounded(value) for value in deciles],
        }
    return found


def _of_answers(answers: Answers) -> dict[str, Any]:
    if answers.label_names is not None:
        counts_of_labels = (answers.outputs > 0).sum(axis=0).tolist()
        return {"labels": dict(zip(answers.label_names, counts_of_labels, strict=True))}
    if answers.class_names is None:
        return {"outputs": statistics(answers.outputs)}
    counts = Counter(answers.labels())
    return {
        "labels": {name: counts[name] for name in answers.class_names},
        "probability": _numbers(answers.probabilities().max(axis=1)),
    }


def _rounded(value: float) -> float:
    return float(f"{value:.6g}")


def _size(array: Array) -> int:
    return sum(map(len, array.tolist())) + 50 * len(array) if array.dtype == object else array.nbytes


def _unpickled(array: Array) -> Array:
    return array.astype(str) if array.dtype == object else array
