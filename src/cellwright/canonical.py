"""A canonical form and a digest of JSON values, so that equal values have equal keys."""

import hashlib
import json
from typing import Any


def canonical_json(value: Any) -> str:
    """Return a JSON value with sorted keys and no spaces; rejects NaN, which JSON lacks."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)


def digest(value: Any) -> str:
    """Return the first 16 hex digits of the SHA-256 of the value's canonical JSON."""
    return hashlib.sha256(canonical_json(value).encode()).hexdigest()[:16]
