"""Reads WAV files: whole numbers of 8 to 32 bits and floats. What a header says is never trusted for an allocation."""

import os
import struct
from typing import BinaryIO, NamedTuple

import numpy as np
from numpy.typing import NDArray

from cellwright.errors import DataError

PCM, FLOAT, EXTENSIBLE = 1, 3, 0xFFFE
WIDTHS = {(PCM, 8): 1, (PCM, 16): 2, (PCM, 24): 3, (PCM, 32): 4, (FLOAT, 32): 4, (FLOAT, 64): 8}
"""Bytes of a sample, by format and bits."""
STREAMED = 0x7FFF_0000
"""Programs that write to a pipe claim this size or more: the sound then ends where the file does."""
MOST_CHUNKS = 1000


class Wav(NamedTuple):
    """What the header of a WAV file says."""

    format: int
    bits: int
    channels: int
    rate: int
    frames: int
    offset: int
    """Of the first sample in the file."""

    def read(self, file: BinaryIO, frames: int) -> NDArray[np.int16]:
        """Return the first samples (N, channels); of whole numbers the upper 16 bits.

        Raises:
            DataError: a sample is not finite.
        """
        width = WIDTHS[self.format, self.bits]
        file.seek(self.offset)
        content = file.read(min(frames, self.frames) * self.channels * width)
        if self.format == FLOAT:
            floats = np.frombuffer(content, f"<f{width}")
            if not np.isfinite(floats).all():
                raise DataError("samples must be finite, and there are NaN or infinite ones")
            values = np.rint(floats.clip(-1, 1) * 32767).astype(np.int16)
        elif width == 1:
            values = (np.frombuffer(content, np.uint8).astype(np.int16) - 128) << 8
        else:
            upper = np.frombuffer(content, np.uint8).reshape(-1, width)[:, -2:]
            values = np.ascontiguousarray(upper).view("<i2").astype(np.int16)
        samples: NDArray[np.int16] = values.reshape(-1, self.channels)
        return samples


def read_header(file: BinaryIO) -> Wav:
    """Return what the header of a WAV file says, from after its first four bytes, `RIFF`.

    Raises:
        DataError: the file is damaged or of another format; the message is to be read after its name.
    """
    if file.read(8)[4:] != b"WAVE":
        raise DataError("is not a WAV file: WAVE must follow RIFF")
    form = b""
    for _ in range(MOST_CHUNKS):
        head = file.read(8)
        if len(head) < 8:
            break
        name, size = head[:4], int.from_bytes(head[4:], "little")
        if name == b"data":
            return _checked(form, size, file)
        rest = size + size % 2
        if name == b"fmt ":
            form = file.read(min(size, 40))
            rest -= len(form)
        file.seek(rest, os.SEEK_CUR)
    raise DataError("is not a whole WAV file: it has no chunk of samples")


def _checked(form: bytes, size: int, file: BinaryIO) -> Wav:
    if len(form) < 16:
        raise DataError("is not a whole WAV file: it has no chunk of its format before the samples")
    code, channels, rate, _, block, bits = struct.unpack("<HHIIHH", form[:16])
    if code == EXTENSIBLE and len(form) == 40:
        code = int.from_bytes(form[24:26], "little")
    if (code, bits) not in WIDTHS:
        raise DataError(
            f"must be WAV of 8, 16, 24 or 32 bits, or of floats, got format {code} of {bits} bits: convert it"
        )
    width = WIDTHS[code, bits]
    if not channels or block != channels * width:
        raise DataError(
            f"must have one or more channels of {width} bytes a sample, got {channels} in {block} bytes"
        )
    offset = file.tell()
    present = file.seek(0, os.SEEK_END) - offset
    if size >= STREAMED:
        size = present
    if size > present:
        raise DataError(f"is cut off: its header says {size} bytes of samples, and there are {present}")
    return Wav(code, bits, channels, rate, size // block, offset)
