"""Locations in a spec: local files and folders, and objects in S3."""

import re
from pathlib import Path
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from cellwright.errors import SpecError

S3_URI = r"^s3://[a-z0-9][a-z0-9.-]*(/.*)?$"
RULE = "must be a path or s3://BUCKET/KEY"


def _as_location(value: Any) -> Any:
    text = str(value)
    if not isinstance(value, str | Path):
        raise ValueError(f"{RULE}, got {value!r:.80}")
    if text.lower().startswith("s3:") and not re.match(S3_URI, text):
        raise ValueError(f"must be s3://BUCKET/KEY, got {text!r:.80}")
    if text.lower().startswith("file:///"):
        raise ValueError(f"{RULE}, got {text!r:.80}; did you mean {text[len('file://') :]!r:.80}?")
    if scheme := re.match("(?!s3:)[A-Za-z][A-Za-z0-9+.-]+:/", text):
        raise ValueError(
            f"{RULE}, got {text!r:.80}; {scheme[0]}/ is not supported: copy the data to S3, or to this machine"
        )
    if re.match(r"[A-Za-z]:[\\/]|\\\\", text):
        raise ValueError(
            f"{RULE}, got {text!r:.80}, a path of Windows: write it as it is called here, such as /mnt/c/photos"
        )
    return value


Location = Annotated[
    Annotated[str, Field(pattern=S3_URI)] | Path,
    Field(union_mode="left_to_right"),
    BeforeValidator(_as_location),
]
"""A local path, or a URI in a bucket as a `str`."""


def absolute(path: Path, folder: Path) -> Path:
    """Return the absolute path: relative to the spec's folder, or to the home folder if it starts with ~.

    Raises:
        SpecError: the home folder is unknown.
    """
    try:
        return folder / path.expanduser()
    except RuntimeError as error:
        raise SpecError(f"{path}: ~ must be the home folder, which is not known: write it out") from error
