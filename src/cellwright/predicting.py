"""Predictions of a trained model for files, with the same reader and network as in training and evaluation."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import torch

from cellwright.data.split import Inputs, Split
from cellwright.errors import CellwrightError, DataError
from cellwright.results import NETWORK, WEIGHTS, ModelInfo
from cellwright.stores import open_store
from cellwright.tasks.base import read_task
from cellwright.training.networks import load_network
from cellwright.training.precision import channels_last
from cellwright.training.retraining import predict

BATCH_SIZE = 256
MODEL_FILES = (NETWORK, WEIGHTS, ModelInfo.FILE)


@dataclass(frozen=True, slots=True)
class Prediction:
    """The prediction for one example, or the reason why there is none."""

    name: str
    answer: dict[str, Any]
    """The prediction in the task's terms; empty if there is an error."""
    error: str | None = None


class Predictor:
    """A trained network on the CPU, with its model information.

    Args:
        folder: folder of a finished `retrain` step, or of a registered model's files.

    Raises:
        CellwrightError: a file is missing or damaged; the message names it.
    """

    def __init__(self, folder: Path) -> None:
        self.info = ModelInfo.load(folder / ModelInfo.FILE)
        self.task = read_task(self.info.task)
        self.network = channels_last(load_network(folder))

    def predict(self, files: Iterable[Path]) -> Iterator[Prediction]:
        """Yield a prediction for each example, in order; for an unreadable file, one with an error."""
        examples = self._examples(files)
        while batch := tuple(islice(examples, BATCH_SIZE)):
            read = [inputs for _, inputs in batch if not isinstance(inputs, str)]
            answers = iter(self._answers(read) if read else ())
            for name, inputs in batch:
                if isinstance(inputs, str):
                    yield Prediction(name, {}, inputs)
                else:
                    yield Prediction(name, next(answers))

    @torch.inference_mode()
    def outputs(self, inputs: Inputs) -> torch.Tensor:
        """Return the network's outputs (N, …) for raw inputs, each (N, …), computed as in `evaluate`."""
        return predict(self.network, Split(inputs, torch.zeros(len(inputs[0]))), BATCH_SIZE)

    def _answers(self, examples: list[Inputs]) -> list[dict[str, Any]]:
        inputs = tuple(torch.cat(rows) for rows in zip(*examples, strict=True))
        return [self.task.answer(output) for output in self.outputs(inputs)]

    def _examples(self, files: Iterable[Path]) -> Iterator[tuple[str, Inputs | str]]:
        for file in files:
            try:
                yield from self.task.examples_in(file, self.info)
            except DataError as error:
                yield str(file), str(error).removeprefix(f"{file}: ")


def fetch(address: str, endpoint: str | None, folder: Path) -> list[Path]:
    """Download the object at an S3 address, or all objects below it, and return the local paths.

    Raises:
        CellwrightError: there is no object, or the address has only a bucket.
    """
    bucket, _, name = address.removeprefix("s3://").rstrip("/").partition("/")
    if not name:
        raise CellwrightError(f"{address}: must name an object or a prefix in the bucket")
    store = open_store(f"s3://{bucket}", endpoint)
    names = [f"{name}/{part}" for part in sorted(store.sizes(name))] or [name]
    for found in names:
        store.get(found, folder / bucket / found)
    return [folder / bucket / found for found in names]
