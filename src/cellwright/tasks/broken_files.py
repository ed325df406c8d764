"""What is done with files that cannot be used, for tasks whose examples are files."""

from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from cellwright.errors import BrokenFilesError, DataError
from cellwright.spec.data import DataSection
from cellwright.tasks.folder_names import escaped

NAMED_PROBLEMS = 5


class FilesData(DataSection):
    """Common keys of sources whose examples are files."""

    on_broken: Literal["refuse", "skip"] = "refuse"
    """What to do with unreadable files: refuse the data, or skip the files. `broken.txt` in prepare's folder lists
    them."""
    max_broken: Annotated[float, Field(ge=0, lt=1)] = 0.05
    """Maximum fraction of unreadable files that may be skipped."""


def without_broken(
    folder: str, kind: str, names: Sequence[str], broken: Mapping[int, str], section: FilesData
) -> tuple[NDArray[np.bool_], tuple[str, ...]]:
    """Return which files are kept, and the others with their reasons.

    Args:
        folder: that has the files.
        kind: what they are, as a plural.
        names: of all files.
        broken: the reason why a file cannot be used, by its index.
        section: whether they may be skipped.

    Raises:
        BrokenFilesError: files may not be skipped, or not so many.
    """
    skipped = tuple(f"{escaped(folder)}/{names[index]}: {reason}" for index, reason in broken.items())
    what = f"{folder}: {len(broken)} of {len(names)} {kind} cannot be used"
    named = [f"{names[index]}: {reason}" for index, reason in broken.items()]
    share = len(broken) / len(names)
    if broken and section.on_broken == "refuse":
        refuse(what, named, BrokenFilesError, skipped, "; data.on_broken: skip leaves them out")
    if share > section.max_broken:
        bound = f"; more than data.max_broken, {section.max_broken:g}, a share of {share:.2g}"
        refuse(what, named, BrokenFilesError, skipped, bound)
    kept = np.ones(len(names), bool)
    kept[list(broken)] = False
    return kept, skipped


def refuse(
    what: str,
    problems: Sequence[str],
    error: Callable[..., DataError] = DataError,
    details: tuple[str, ...] | None = None,
    remedy: str = "",
) -> None:
    """Raise an error with the first problems and the number of the others, if there are any."""
    if problems:
        more = len(problems) - NAMED_PROBLEMS
        named = [*problems[:NAMED_PROBLEMS]] + ([f"and {more} more"] if more > 0 else [])
        message = f"{what}: {'; '.join(named)}{remedy}"
        raise error(message) if details is None else error(message, details)
