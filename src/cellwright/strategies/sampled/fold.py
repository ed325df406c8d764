"""State that is computed by folding evaluations in the order of their numbers."""

from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from cellwright.evaluation import Evaluation
from cellwright.strategies.sampled.base import SampledStrategy

State = TypeVar("State")

SNAPSHOT_EVERY = 32


class Fold(Generic[State]):
    """Folds a strategy's finished evaluations incrementally. A late evaluation undoes the steps after it.

    Args:
        start: the state before any evaluation; states are never changed in place.
        step: returns the state after one more evaluation.
    """

    def __init__(self, start: State, step: Callable[[State, Evaluation], State]) -> None:
        self._step = step
        self._state = start
        self._folded: list[int] = []
        self._snapshots = [start]

    def over(self, strategy: SampledStrategy, *, first: int | None = None) -> State:
        """Return the state after all finished evaluations, or after the `first` of them."""
        numbers = strategy.done_numbers[:first]
        if numbers[: len(self._folded)] != self._folded:
            self._unwind(numbers)
        for number in numbers[len(self._folded) :]:
            self._state = self._step(self._state, strategy.evaluation(number))
            self._folded.append(number)
            if len(self._folded) % SNAPSHOT_EVERY == 0:
                self._snapshots.append(self._state)
        return self._state

    def _unwind(self, numbers: Sequence[int]) -> None:
        agreed = next(
            i for i, (old, new) in enumerate(zip(self._folded, numbers, strict=False)) if old != new
        )
        kept = agreed // SNAPSHOT_EVERY
        del self._snapshots[kept + 1 :], self._folded[kept * SNAPSHOT_EVERY :]
        self._state = self._snapshots[-1]
