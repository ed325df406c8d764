"""Image files with damage that loses no pixel."""

from collections.abc import Iterator

JPEG_START, JPEG_END = b"\xff\xd8", b"\xff\xd9"
PROGRESSIVE = b"\xff\xc2"
"""The marker of a JPEG whose pixels come in several passes, the last of which may be missing unseen."""
FILLER = bytes(range(1, 128)) * 64
"""What a JPEG's data could go on with."""
PNG_START = b"\x89PNG\r\n\x1a\n"
PNG_TEXT = (b"tEXt", b"zTXt", b"iTXt")
"""The chunks of a PNG that are text."""


def repaired(content: bytes) -> list[bytes]:
    """Return versions of a file that cannot be decoded as it is, which must all give the same pixels.

    A JPEG without an end marker gets one. It is whole if other data before the marker changes nothing. A PNG loses its
    texts, which may be too long or have a wrong checksum.
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
