"""Safetensors files with digests of their content in the header, which are checked whenever a file is read."""

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping
from io import BufferedReader
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
BLOCK = 1 << 18
"""Bytes that are read back at a time."""


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
    with path.open("rb") as file:
        try:
            header = json.loads(file.read(int.from_bytes(file.read(8), "little")))
            ranges = {name: header.pop(name)["data_offsets"] for name in tensors}
        except (ValueError, KeyError, TypeError, OverflowError, MemoryError):  # the header is damaged
            return False
        start = file.tell()
        return header == {"__metadata__": metadata} and all(
            end - begin == tensors[name].nbytes and _has_at(file, start + begin, _bytes(tensors[name]))
            for name, (begin, end) in ranges.items()
        )


def _has_at(file: BufferedReader, offset: int, expected: NDArray[np.uint8]) -> bool:
    """Return whether these bytes are in the file. Blocks that fit the processor's cache are compared fastest."""
    file.seek(offset)
    block = np.empty(BLOCK, np.uint8)
    for begin in range(0, len(expected), BLOCK):
        wanted = expected[begin : begin + BLOCK]
        if file.readinto(block.data[: len(wanted)]) != len(wanted) or not np.array_equal(
            block[: len(wanted)], wanted
        ):
            return False
    return True


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
    return joined_digest(
        {name: (str(x.dtype), list(x.shape)) for name, x in tensors.items()}, lambda name: [tensors[name]]
    )


def joined_digest(
    forms: Mapping[str, tuple[str, list[int]]], parts: Callable[[str], Iterable[Tensor]]
) -> str:
    """Return the digest of tensors of which each is in several parts, which need not be in memory together.

    Args:
        forms: type and shape of each whole tensor.
        parts: gives the parts of the tensor with a name, in their order along the first axis.
    """
    content = hashlib.sha256()
    for name, (dtype, shape) in sorted(forms.items()):
        content.update(canonical_json([name, dtype, shape]).encode())
        for part in parts(name):
            content.update(_bytes(part).data)
    return content.hexdigest()


def _bytes(tensor: Tensor) -> NDArray[np.uint8]:
    return tensor.detach().contiguous().reshape(-1).view(torch.uint8).numpy()


def _text_digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _compare(what: str, found: str, said: str) -> None:
    if found != said:
        raise ValueError(f"its {what} must have the SHA-256 {said}, and have {found}: the file is damaged")
