"""What every source gives: named arrays of inputs and a target for each example."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from numpy.typing import NDArray

from cellwright.errors import DataError

Array = NDArray[Any]


@dataclass(frozen=True, kw_only=True, eq=False)
class Examples:
    """Inputs, each (N, …), and a target for each example, (N, …)."""

    origin: str
    """Names them in messages."""
    inputs: Mapping[str, Array]
    targets: Array

    def __len__(self) -> int:
        return len(self.targets)


@dataclass(frozen=True, kw_only=True, eq=False)
class Source:
    """Everything a source holds: the examples to split, and the user's own test set if there is one."""

    examples: Examples
    test: Examples | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)
    """What the task must know beyond the arrays, such as the names of classes."""
    skipped: tuple[str, ...] = ()
    """Files that were left out, with the reasons."""
    assigned: Array | None = None
    """The split of each example, as a name; None where the splits are to be drawn."""
    groups: Array | None = None
    """What each example belongs to, (N,): no group is drawn into two splits."""
    times: Array | None = None
    """When each example was, (N,): later splits have later examples."""

    @property
    def is_divided(self) -> bool:
        """Tell whether splits follow from something else than chance."""
        return any(part is not None for part in (self.assigned, self.groups, self.times))

    def __post_init__(self) -> None:
        if self.test is None:
            return
        for name, ours in self.examples.inputs.items():
            theirs = self.test.inputs[name]
            for what, wanted, got in (
                (name, spell_shape(ours), spell_shape(theirs)),
                (f"type of {name}", str(ours.dtype), str(theirs.dtype)),
            ):
                if wanted != got:
                    raise DataError(
                        f"{self.test.origin}: the test set's {what} must be as in {self.examples.origin}, "
                        f"{wanted}, got {got}"
                    )


def spell_shape(array: Array) -> str:
    """Return the shape of one example."""
    return "×".join(map(str, array.shape[1:]))
