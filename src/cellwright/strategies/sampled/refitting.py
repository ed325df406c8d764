"""Models of a strategy's finished evaluations, refitted as their number grows."""

from collections.abc import Callable
from typing import Generic, TypeVar

from cellwright.strategies.sampled.base import SampledStrategy

Model = TypeVar("Model")


class Refitted(Generic[Model]):
    """A model fitted to a strategy's finished evaluations, and refitted only when `refit_size` changes.

    Args:
        fit: returns a model, given the numbers of the evaluations to fit.
        initial: number of evaluations for the first fit.
        refits: the model is refitted when the number of evaluations has grown by 1/refits.
    """

    def __init__(self, fit: Callable[[list[int]], Model], *, initial: int, refits: int) -> None:
        self._fit = fit
        self._initial = initial
        self._refits = refits
        self._fitted: tuple[list[int], Model] | None = None

    def over(self, strategy: SampledStrategy) -> tuple[list[int], Model] | None:
        """Return the model, and the numbers that it was fitted to; None if there are too few evaluations."""
        size = refit_size(len(strategy.done_numbers), self._initial, self._refits)
        if size is None:
            return None
        numbers = strategy.done_numbers[:size]
        if self._fitted is None or self._fitted[0] != numbers:
            self._fitted = numbers, self._fit(numbers)
        return self._fitted


def refit_size(num_done: int, initial: int, refits: int) -> int | None:
    """Return the number of evaluations to fit a surrogate to; None if there are too few.

    It grows in steps of 1/`refits`, and depends on `num_done` only.
    """
    size = None
    following = initial
    while following <= num_done:
        size = following
        following += max(1, following // refits)
    return size
