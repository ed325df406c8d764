"""Repairs image files with damage that affects no pixel."""

from collections.abc import Iterator

JPEG_START, JPEG_END = b"\xff\xd8", b"\xff\xd9"
PROGRESSIVE = b"\xff\xc2"
"""Marker of a progressive JPEG, whose last scans may be missing unnoticed."""
FILLER = bytes(range(1, 128)) * 64
"""Data that is appended to a JPEG to test whether it is complete."""
PNG_START = b"\x89PNG\r\n\x1a\n"
PNG_TEXT = (b"tEXt", b"zTXt", b"iTXt")
"""Text chunks of PNG files."""


def repaired(content: bytes) -> list[bytes]:
    """Return repaired versions of an undecodable file, all of which must give the same pixels.

    A JPEG without an end marker gets one; it is complete if additional data before the marker changes nothing. A PNG
    loses its text chunks, which may be too long or have a wrong checksum.
    """
    if content.startswith(JPEG_START) and PROGRESSIVE not in content:
        return [content + JPEG_END, content + FILLER + JPEG_END]
    if content.startswith(PNG_START):
        return [PNG_START + b"".join(_without_text(content))]
    return []


def _without_text(content: bytes) -> Iterator[bytes]:
    position = len(PNG_START)
    while position < len(content):
        end = position + 12 + int.from_bytes(content[position : position + 4])
        if content[position + 4 : position + 8] not in PNG_TEXT:
            yield content[position:end]
        position = end
