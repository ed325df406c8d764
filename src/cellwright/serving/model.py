"""An exported network, what it takes, and what its outputs mean."""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import compress
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from cellwright.errors import CellwrightError, DataError
from cellwright.importing import load_object
from cellwright.results import ONNX, InputInfo, ModelInfo
from cellwright.spec.families import TASKS
from cellwright.tasks.facts import LABEL_SEPARATOR

Array = NDArray[Any]
Arrays = Mapping[str, Array]
"""Inputs by name, each with a row for each example."""


@dataclass(frozen=True, slots=True)
class Answers:
    """What a model says of some examples."""

    outputs: Array
    """(N, …), as the network gives them."""
    class_names: tuple[str, ...] | None
    label_names: tuple[str, ...] | None = None

    @property
    def names(self) -> tuple[str, ...] | None:
        """Return the names of the columns of `probabilities`, if there are any."""
        return self.class_names or self.label_names

    def probabilities(self) -> NDArray[np.float32]:
        """Return the probability of each class or label (N, names)."""
        if self.label_names is not None:
            # Half the hyperbolic tangent is the logistic function, without overflow.
            return np.asarray(0.5 + 0.5 * np.tanh(0.5 * self.outputs))
        shifted = np.exp(self.outputs - self.outputs.max(axis=1, keepdims=True))
        shares: NDArray[np.float32] = shifted / shifted.sum(axis=1, keepdims=True)
        return shares

    def labels(self) -> list[str]:
        """Return the most probable class of each example, or its labels as one text."""
        if self.label_names is not None:
            return [LABEL_SEPARATOR.join(compress(self.label_names, row)) for row in self.outputs > 0]
        assert self.class_names is not None
        return [self.class_names[index] for index in self.outputs.argmax(axis=1).tolist()]


class ServedModel:
    """A network that ONNX Runtime runs on the CPU.

    Args:
        folder: has `model.onnx`, of a `retrain` step or of a registered version.
        name: by which clients address it.
        version: `NAME/VERSION` in the registry, or the folder's name.
        threads: of ONNX Runtime; 0 for one a core.

    Raises:
        CellwrightError: the file is not such an export.
    """

    def __init__(self, folder: Path, *, name: str, version: str, threads: int) -> None:
        self.name, self.version = name, version
        path = folder / ONNX
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads or len(os.sched_getaffinity(0))
        # Threads that spin until the next batch would take the CPU from the one that answers.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        try:
            self._session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
            facts = self._session.get_modelmeta().custom_metadata_map
            self.info = ModelInfo.model_validate_json(facts["cellwright"])
        except Exception as error:  # of many types, which onnxruntime keeps to itself
            reason = next(iter(str(error).splitlines()), "")
            raise CellwrightError(
                f"{path}: must be an ONNX export of cellwright: {type(error).__name__} {reason}"
            ) from error
        self.run(self._zeros())

    @property
    def inputs(self) -> tuple[InputInfo, ...]:
        """Return what it takes."""
        return self.info.raw_inputs

    @cached_property
    def decoder(self) -> Callable[[bytes], Array] | None:
        """Return what reads an example from the content of a file, None where files are no examples.

        Only tasks of cellwright's own have one, since the file of a model must not name what is imported.
        """
        kind = str(self.info.task.get("kind"))
        path = TASKS.section_type(kind).decoder if kind in TASKS.kinds else None
        if path is None:
            return None
        try:
            decoder: Callable[[bytes], Array] = load_object(path)(self.info)
        except DataError:
            return None
        return decoder

    def run(self, arrays: Arrays) -> Array:
        """Return the network's outputs (N, …)."""
        [outputs] = self._session.run(None, dict(arrays))
        found: Array = outputs
        return found

    def answers(self, outputs: Array) -> Answers:
        """Return what outputs say; raises DataError if an example gives no finite numbers."""
        finite = np.isfinite(outputs).reshape(len(outputs), -1).all(axis=1)
        if not finite.all():
            raise DataError(
                f"example {int(finite.argmin())} must give finite numbers: its inputs are too large"
            )
        return Answers(outputs, self.info.class_names, self.info.label_names)

    def in_words(self, answers: Answers) -> list[dict[str, Any]]:
        """Return for each example what `cellwright predict` says of it."""
        if (names := answers.names) is None:
            name = "value" if answers.outputs.ndim == 1 else self.info.output.name
            return [{name: output} for output in answers.outputs.tolist()]
        rows: Sequence[list[float]] = answers.probabilities().tolist()
        if answers.label_names is not None:
            return [
                {
                    "labels": list(compress(names, (share > 0.5 for share in row))),
                    "probabilities": dict(zip(names, row, strict=True)),
                }
                for row in rows
            ]
        labels = answers.labels()
        return [
            {
                "label": label,
                "probability": max(row),
                "probabilities": dict(zip(names, row, strict=True)),
            }
            for label, row in zip(labels, rows, strict=True)
        ]

    def _zeros(self) -> Arrays:
        """Return an example, so that the first request need not wait for what ONNX Runtime prepares."""
        return {
            x.name: np.full((1, *x.shape), "", object)
            if x.dtype == "string"
            else np.zeros((1, *x.shape), x.dtype)
            for x in self.inputs
        }
