"""Safetensors files with digests of their content in the header, which are checked whenever a file is read."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import save_file
from torch import Tensor

from cellwright.canonical import canonical_json
from cellwright.errors import CellwrightError
from cellwright.files import atomic_path

TENSORS = ".safetensors"
"""Suffix of the files."""
DIGEST, FACTS, FACTS_DIGEST = "tensors_sha256", "facts", "facts_sha256"
"""Keys of the header's metadata; facts are any JSON."""


def write_tensors(path: Path, tensors: Mapping[str, Tensor], facts: str | None = None) -> str:
    """Write tensors and facts atomically, read the file back, and return the digest of the tensors.

    Args:
        path: the file.
        tensors: contiguous, in main memory.
        facts: any JSON.

    Raises:
        CellwrightError: the file has other bytes than were written.
    """
    metadata = digests(tensors, facts)
    with atomic_path(path) as temporary:
        save_file(dict(tensors), temporary, metadata=metadata)
        if not _holds(temporary, tensors, metadata):
            raise CellwrightError(f"{path} must have the bytes that were written to it, and has others")
    return metadata[DIGEST]


def _holds(path: Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> bool:
    """Return whether a file has these tensors, by its bytes: a reader of tensors takes three times as long."""
    content = np.asarray(np.memmap(path, np.uint8, "r"))
    start = 8 + int.from_bytes(content[:8].tobytes(), "little")
    try:
        header = json.loads(content[8:start].tobytes())
        ranges = {name: slice(*header.pop(name)["data_offsets"]) for name in tensors}
    except (ValueError, KeyError, TypeError):  # the header is damaged
        return False
    data = content[start:]
    return header == {"__metadata__": metadata} and all(
        np.array_equal(data[bounds], _bytes(tensors[name])) for name, bounds in ranges.items()
    )


def digests(tensors: Mapping[str, Tensor], facts: str | None = None) -> dict[str, str]:
    """Return the metadata for a file with these tensors and facts."""
    metadata = {DIGEST: tensors_digest(tensors)}
    return metadata if facts is None else metadata | {FACTS: facts, FACTS_DIGEST: _text_digest(facts)}


def check_tensors(tensors: Mapping[str, Tensor], metadata: Mapping[str, str] | None) -> None:
    """Check tensors against their digest in the metadata. Files of other programs have none and are not checked.

    Raises:
        ValueError: the digest does not match.
    """
    if metadata and DIGEST in metadata:
        _compare("tensors", tensors_digest(tensors), metadata[DIGEST])


def checked_facts(metadata: Mapping[str, str] | None) -> str | None:
    """Return the facts in the metadata, or None.

    Raises:
        ValueError: their digest does not match.
    """
    if not metadata:
        return None
    facts = metadata.get(FACTS)
    if FACTS_DIGEST in metadata:
        _compare("facts", _text_digest(facts or ""), metadata[FACTS_DIGEST])
    return facts


def tensors_digest(tensors: Mapping[str, Tensor]) -> str:
    """Return the SHA-256 of the tensors' names, types, shapes and bytes."""
    content = hashlib.sha256()
    for name, tensor in sorted(tensors.items()):
        content.update(canonical_json([name, str(tensor.dtype), list(tensor.shape)]).encode())
        content.update(_bytes(tensor).data)
    return content.hexdigest()


def _bytes(tensor: Tensor) -> NDArray[np.uint8]:
    return tensor.detach().contiguous().reshape(-1).view(torch.uint8).numpy()


def _text_digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _compare(what: str, found: str, said: str) -> None:
    if found != said:
        raise ValueError(f"its {what} must have the SHA-256 {said}, and have {found}: the file is damaged")
