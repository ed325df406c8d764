"""Names in a store, which become paths here: whoever may write there chooses them."""

import re

from cellwright.errors import CellwrightError

_PART = r"(?!\.)[^/\\\x00-\x1f\x7f-\x9f]+"
_NAME = re.compile(f"{_PART}(/{_PART})*")


def checked(name: str, place: str) -> str:
    """Return a name as it is, if it means the same file below every folder.

    Args:
        name: of a file or folder.
        place: where it is.

    Raises:
        CellwrightError: it is absolute, or has a backslash, a control character, or a part that is empty or begins with
            a dot.
    """
    if not _NAME.fullmatch(name):
        raise CellwrightError(
            f"{place}: the name of a file in a store must be a relative path without backslashes, control characters, "
            f"and empty or hidden parts, got {name!r}"
        )
    return name
