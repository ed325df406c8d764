"""Standard streams as people have them: closed, full, cut off by `head`, or without some characters."""

import codecs
import io
import os
import sys
from typing import Any, TextIO

OUTPUT = "standard output"
_SPELLED = {"─": "-", "│": "|", "▶": ">", "×": "x", "·": ".", "…": "...", "²": "^2", "⁶": "^6"}
_FRAMES = range(0x2500, 0x2580)


def prepare() -> None:
    """Give the process three open streams that can write every text.

    A character that the encoding lacks is written with others. An error of standard output names it. Errors of
    standard error are ignored, since nobody could be told.
    """
    _open_closed()
    codecs.register_error("cellwright.escaped", _format)
    sys.stdin = sys.stdin or open(0, closefd=False)  # noqa: SIM115 - until the process ends
    sys.stdout = _stream(1, sys.stdout, OUTPUT)
    sys.stderr = _stream(2, sys.stderr, None)


def finish() -> None:
    """Write what is still buffered.

    Raises:
        BrokenPipeError: nobody reads standard output any more.
        OSError: it is full.
    """
    sys.stdout.flush()


class _Output(io.FileIO):
    """A descriptor whose first error is raised, with the name of the stream; what comes after it is dropped."""

    def __init__(self, descriptor: int, stream_name: str | None) -> None:
        super().__init__(descriptor, "w", closefd=False)
        self._stream_name = stream_name
        self._has_failed = False

    def write(self, data: Any) -> int:
        """Write what fits."""
        if self._has_failed:
            return len(data)
        try:
            return super().write(data)
        except OSError as error:
            self._has_failed = True
            if self._stream_name is None:
                return len(data)
            error.filename = self._stream_name
            raise


def _stream(descriptor: int, stream: TextIO | None, name: str | None) -> TextIO:
    raw = _Output(descriptor, name)
    return io.TextIOWrapper(
        io.BufferedWriter(raw),
        encoding=stream.encoding if stream else "utf-8",
        errors="cellwright.escaped",
        line_buffering=name is None or raw.isatty(),
        write_through=isinstance(stream, io.TextIOWrapper) and stream.write_through,
    )


def _open_closed() -> None:
    """Open the null device where a stream is closed: the next file that is opened would take its descriptor."""
    while (descriptor := os.open(os.devnull, os.O_RDWR)) <= 2:
        os.set_inheritable(descriptor, True)
    os.close(descriptor)


def _format(error: UnicodeError) -> tuple[str, int]:
    """Replace what an encoding lacks: frames and signs by ASCII, letters by their escape."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    characters = error.object[error.start : error.end]
    return "".join(map(_escaped, characters)), error.end


def _escaped(character: str) -> str:
    if (known := _SPELLED.get(character)) is not None:
        return known
    if ord(character) in _FRAMES:
        return "+"
    return character.encode("ascii", "backslashreplace").decode()
