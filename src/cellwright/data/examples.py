"""The output of a data source: named input arrays, and a target for each example."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from numpy.typing import NDArray

from cellwright.data.joined import Joined
from cellwright.errors import DataError

Array = NDArray[Any]


@dataclass(frozen=True, kw_only=True, eq=False)
class Examples:
    """Inputs, each an array or `Joined` of shape (N, …), and targets of shape (N, …)."""

    origin: str
    """Name of the examples in messages."""
    inputs: Mapping[str, Any]
    targets: Array
    files: tuple[str, ...] = ()
    """Name of each example's file, N, if each is a file of its own."""

    def __len__(self) -> int:
        return len(self.targets)


@dataclass(frozen=True, kw_only=True, eq=False)
class Source:
    """Everything that a source has: examples to split, and the user's own test set if there is one."""

    examples: Examples
    test: Examples | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)
    """What the task must know apart from the arrays, such as the class names."""
    skipped: tuple[str, ...] = ()
    """Files that were skipped, with the reasons."""
    assigned: Array | None = None
    """Name of the split of each example; None if splits are drawn at random."""
    groups: Array | None = None
    """Group of each example, (N,); all examples of a group end up in the same split."""
    times: Array | None = None
    """Time of each example, (N,); later splits have later examples."""

    def __post_init__(self) -> None:
        if self.test is None:
            return
        for name, ours in self.examples.inputs.items():
            theirs = self.test.inputs[name]
            for what, wanted, got in (
                (name, format_shape(ours), format_shape(theirs)),
                (f"type of {name}", str(ours.dtype), str(theirs.dtype)),
            ):
                if wanted != got:
                    raise DataError(
                        f"{self.test.origin}: the test set's {what} must be as in {self.examples.origin}, "
                        f"{wanted}, got {got}"
                    )


def format_shape(array: Array | Joined) -> str:
    """Return the shape of one example."""
    return "×".join(map(str, array.shape[1:]))
