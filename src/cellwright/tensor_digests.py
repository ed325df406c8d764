"""Digests of a safetensors file's content in its header, checked whenever the file is read."""

import hashlib
from collections.abc import Mapping

import torch
from torch import Tensor

from cellwright.canonical import canonical_json

DIGEST, FACTS, FACTS_DIGEST = "tensors_sha256", "facts", "facts_sha256"
"""Keys of the header's metadata; facts are any JSON."""


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
        content.update(tensor.detach().contiguous().reshape(-1).view(torch.uint8).numpy().data)
    return content.hexdigest()


def _text_digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _compare(what: str, found: str, said: str) -> None:
    if found != said:
        raise ValueError(f"its {what} must have the SHA-256 {said}, and have {found}: the file is damaged")
