"""One spelling and one digest for each JSON value, so that equal things have equal keys."""

import hashlib
import json
from typing import Any


def canonical_json(value: Any) -> str:
    """Spell a JSON value with sorted keys and no blanks; refuses NaN, which JSON lacks."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)


def digest(value: Any) -> str:
    """Return the first 16 hex digits of the SHA-256 of the value's canonical JSON."""
    return hashlib.sha256(canonical_json(value).encode()).hexdigest()[:16]
