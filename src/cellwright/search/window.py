"""The running trials of a search, and the limit of their number."""

from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

from cellwright.errors import CellwrightError
from cellwright.runners import Key
from cellwright.spec import SearchSpec
from cellwright.strategies.sampled.order import must_have_ended

Found = TypeVar("Found")


class Window(Generic[Found]):
    """Trials in the order in which they started. The last `parallel - 1` may still run when another one starts.

    Results are returned in that order too, so that it does not matter which trial ends first.

    Args:
        spec: its `runner` sets the number of parallel trials, and how many may fail.
        wait: waits until a trial ends, and calls `end` for it.
    """

    def __init__(self, spec: SearchSpec, wait: Callable[[], None]) -> None:
        self._runner = spec.runner
        self._wait = wait
        self._open: list[Key] = []
        self._ended: dict[Key, Found] = {}
        self._num_failed = 0

    @property
    def num_running(self) -> int:
        """Return the number of running trials."""
        return sum(key not in self._ended for key in self._open)

    @property
    def is_empty(self) -> bool:
        """Return whether all results have been returned."""
        return not self._open

    def start(self, key: Key) -> None:
        """Add a trial that starts."""
        self._open.append(key)

    def end(self, key: Key, found: Found, *, failure: str | None = None) -> None:
        """Add the result of a trial.

        Raises:
            CellwrightError: the trial failed, and more trials have failed than allowed.
        """
        self._ended[key] = found
        self._num_failed += failure is not None
        limit = self._runner.max_failures
        if limit is not None and self._num_failed > limit:
            raise CellwrightError(
                f"search: {self._num_failed} trials failed, where runner.max_failures is {limit}; the last: {failure}"
            )

    def make_room(self) -> Iterator[tuple[Key, Found]]:
        """Wait until another trial may start; yield the results that it has to wait for."""
        return self._take(list(must_have_ended(self._open, self._runner.parallel)))

    def drain(self) -> Iterator[tuple[Key, Found]]:
        """Wait until all trials have ended; yield their results."""
        return self._take(list(self._open))

    def _take(self, keys: list[Key]) -> Iterator[tuple[Key, Found]]:
        for key in keys:
            while key not in self._ended:
                self._wait()
            self._open.remove(key)
            yield key, self._ended.pop(key)
