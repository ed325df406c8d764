"""Validates names in a store before they become local paths, since anyone with write access chooses them."""

import re

from cellwright.errors import CellwrightError

_PART = r"(?!\.)[^/\\\x00-\x1f\x7f-\x9f]+"
_NAME = re.compile(f"{_PART}(/{_PART})*")


def checked(name: str, location: str) -> str:
    """Return the name unchanged if it is a safe path below any folder.

    Args:
        name: name of a file or folder.
        location: where the name was found, for messages.

    Raises:
        CellwrightError: the name is absolute, or has a backslash, a control character, or a part that is empty or
            starts with a dot.
    """
    if not _NAME.fullmatch(name):
        raise CellwrightError(
            f"{location}: the name of a file in a store must be a relative path without backslashes, control "
            f"characters, and empty or hidden parts, got {name!r}"
        )
    return name
