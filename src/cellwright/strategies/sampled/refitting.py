"""Models of a strategy's finished evaluations, fitted again when there are notably more of them."""

from collections.abc import Callable
from typing import Generic, TypeVar

from cellwright.strategies.sampled.base import SampledStrategy

Model = TypeVar("Model")


class Refitted(Generic[Model]):
    """A model that follows from a strategy's finished evaluations, and is fitted again only when `refit_size` says so.

    Args:
        fit: returns the model that follows from the evaluations of these numbers.
        initial: how many evaluations the first fit needs.
        refits: it is fitted again when there are one part in so many more.
    """

    def __init__(self, fit: Callable[[list[int]], Model], *, initial: int, refits: int) -> None:
        self._fit = fit
        self._initial = initial
        self._refits = refits
        self._fitted: tuple[list[int], Model] | None = None

    def over(self, strategy: SampledStrategy) -> tuple[list[int], Model] | None:
        """Return the model with the numbers that it was fitted to; None while there are too few evaluations."""
        size = refit_size(len(strategy.done_numbers), self._initial, self._refits)
        if size is None:
            return None
        numbers = strategy.done_numbers[:size]
        if self._fitted is None or self._fitted[0] != numbers:
            self._fitted = numbers, self._fit(numbers)
        return self._fitted


def refit_size(num_done: int, initial: int, refits: int) -> int | None:
    """Return the number of evaluations that a surrogate is to be fitted to; None where there are too few.

    It is fitted again when there are one part in `refits` more, so the number follows from `num_done` alone.
    """
    size = None
    following = initial
    while following <= num_done:
        size = following
        following += max(1, following // refits)
    return size
