"""Runs requests that arrive at the same time as one batch."""

import asyncio
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np

from cellwright.serving.model import Array, Arrays

MOST_ROWS = 16
"""Of a run. On a CPU, more rows leave its caches and take longer each; fewer cost more calls."""


class Busy(Exception):
    """More examples wait than may."""


class _Request(NamedTuple):
    arrays: Arrays
    rows: int
    outputs: "asyncio.Future[Array]"


class Batcher:
    """Runs a model in a thread; what arrives while it runs is the next batch, so nothing waits for others to come.

    Args:
        run: maps inputs to outputs, row by row.
        most_waiting: examples that may wait.
        see: called with the number of examples of each run.
    """

    def __init__(self, run: Callable[[Arrays], Array], most_waiting: int, see: Callable[[int], None]) -> None:
        self._run, self._most_waiting, self._see = run, most_waiting, see
        self._waiting: deque[_Request] = deque()
        self._rows = 0
        self._is_running = False
        self._thread = ThreadPoolExecutor(1, "cellwright-batches")  # ends when the batcher is collected

    @property
    def rows(self) -> int:
        """Return how many examples wait."""
        return self._rows

    async def outputs(self, arrays: Arrays) -> Array:
        """Return the outputs for some examples.

        Raises:
            Busy: too many wait.
        """
        rows = len(next(iter(arrays.values())))
        if self._rows and self._rows + rows > self._most_waiting:
            raise Busy
        request = _Request(arrays, rows, asyncio.get_running_loop().create_future())
        self._waiting.append(request)
        self._rows += rows
        self._start()
        return await request.outputs

    def _start(self) -> None:
        if self._is_running or not (batch := self._next()):
            return
        self._is_running = True
        running = asyncio.get_running_loop().run_in_executor(self._thread, self._run_batch, batch)
        running.add_done_callback(lambda done: self._finish(batch, done.result()))

    def _next(self) -> list[_Request]:
        """Take the requests of the next batch; those that nobody waits for any more are dropped."""
        batch: list[_Request] = []
        rows = 0
        while self._waiting and (not batch or rows + self._waiting[0].rows <= MOST_ROWS):
            request = self._waiting.popleft()
            self._rows -= request.rows
            if not request.outputs.done():
                batch.append(request)
                rows += request.rows
        return batch

    def _run_batch(self, batch: list[_Request]) -> list[Array | Exception]:
        """Return the outputs of each request; if the batch cannot be run, of each that can be alone."""
        try:
            together = (
                batch[0].arrays
                if len(batch) == 1
                else {
                    name: np.concatenate([request.arrays[name] for request in batch])
                    for name in batch[0].arrays
                }
            )
            starts = range(0, sum(request.rows for request in batch), MOST_ROWS)
            outputs = np.concatenate([self._run_rows(together, start) for start in starts])
            ends = np.cumsum([request.rows for request in batch])[:-1]
            return list(np.split(outputs, ends))
        except Exception as error:  # ONNX Runtime's are of many types
            if len(batch) == 1:
                return [error]
            return [found for request in batch for found in self._run_batch([request])]

    def _run_rows(self, arrays: Arrays, start: int) -> Array:
        outputs = self._run({name: array[start : start + MOST_ROWS] for name, array in arrays.items()})
        self._see(len(outputs))
        return outputs

    def _finish(self, batch: list[_Request], found: list[Array | Exception]) -> None:
        self._is_running = False
        self._start()
        for request, outputs in zip(batch, found, strict=True):
            if request.outputs.done():
                continue
            if isinstance(outputs, Exception):
                request.outputs.set_exception(outputs)
            else:
                request.outputs.set_result(outputs)
