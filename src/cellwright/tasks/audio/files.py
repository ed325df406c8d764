"""Converts audio files to inputs, in training, in prediction and in serving; needs no torch."""

import math
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from cellwright.data.opening import open_file, something_else
from cellwright.errors import DataError
from cellwright.results import ModelInfo, Result
from cellwright.tasks.audio.wav import read_header

SUFFIXES = (".wav", ".wave", ".flac")
RATES = (1000, 384_000)
"""The lowest and the highest sample rate of a file."""
MOST_CHANNELS = 64

MELS = 40
"""Bands of the log-mel picture."""
WINDOW_SECONDS = 0.032
"""Of sound in a column of the picture, rounded to a power of two of samples."""

Samples = NDArray[np.int16]


class Clip(NamedTuple):
    """An open file of audio."""

    rate: int
    """Samples a second."""
    channels: int
    frames: int
    read: Callable[[int], Samples]
    """Returns at most so many of the first samples (N, channels)."""

    @property
    def seconds(self) -> float:
        """Return how long it lasts."""
        return self.frames / self.rate


class AudioFiles(Result):
    """The conversion of an audio file, in this order."""

    channels: Literal["mean"] = "mean"
    """Several channels are averaged."""
    rate: int
    """Samples a second; other rates are resampled."""
    resampling: Literal["fft"] = "fft"
    """The spectrum of the clip, after which there is silence, is cut or padded with zeros."""
    samples: int
    """Of a longer clip the first ones are read; after a shorter one there are zeros."""

    @property
    def hop(self) -> int:
        """Return the samples from one column of the log-mel picture to the next, half of those in a column."""
        return 1 << (round(math.log2(self.rate * WINDOW_SECONDS)) - 1)

    @property
    def map_shape(self) -> tuple[int, int, int]:
        """Return the shape of the log-mel picture."""
        return 1, MELS, self.samples // self.hop - 1

    def decode(self, content: bytes) -> Samples:
        """Return the samples that a file's content is.

        Raises:
            DataError: why the content is unusable, to be read after the name of the file.
        """
        return self.read(BytesIO(content))

    def read(self, file: BinaryIO) -> Samples:
        """Return the samples (`samples`,) of an open file, which raises as `decode` does."""
        clip = open_clip(file)
        read = clip.read(-(-self.samples * clip.rate // self.rate))
        mono = read.mean(axis=1) if clip.channels > 1 else read[:, 0]
        if clip.rate != self.rate:
            mono = _resampled(mono, clip.rate, self.rate)
        mono = np.rint(mono[: self.samples]).clip(-32768, 32767).astype(np.int16)
        return np.pad(mono, (0, self.samples - len(mono)))


def decoder(model: ModelInfo) -> Callable[[bytes], Samples]:
    """Return what reads a clip from the content of a file."""
    return AudioFiles.model_validate(model.from_file).decode


def open_audio(path: Path) -> BinaryIO:
    """Open a file; raises DataError, to be read after the name of the file."""
    try:
        return open_file(path)
    except DataError as error:
        raise DataError(str(error).removeprefix(f"{path}: ")) from error


def open_clip(file: BinaryIO) -> Clip:
    """Return what a file's header says, and what reads its samples.

    Raises:
        DataError: the file is damaged or of another format; the message is to be read after its name.
    """
    start = file.read(4)
    if start == b"RIFF":
        wav = read_header(file)
        clip = Clip(wav.rate, wav.channels, wav.frames, lambda frames: wav.read(file, frames))
    elif start == b"fLaC":
        clip = _open_flac(file)
    else:
        raise DataError(something_else(start + file.read(60)) or "is not a WAV or FLAC file")
    low, high = RATES
    if not low <= clip.rate <= high:
        raise DataError(f"must have {low} to {high} samples a second, got {clip.rate}")
    if clip.channels > MOST_CHANNELS:
        raise DataError(f"must have at most {MOST_CHANNELS} channels, got {clip.channels}")
    if not clip.frames:
        raise DataError("must have samples, and has none")
    return clip


def _open_flac(file: BinaryIO) -> Clip:
    import soundfile

    def read(frames: int) -> Samples:
        try:
            samples: Samples = sound.read(min(frames, sound.frames), dtype="int16", always_2d=True)
        except soundfile.LibsndfileError as error:
            raise DataError(f"is not a whole FLAC file: {error.error_string}") from error
        return samples

    file.seek(0)
    try:
        sound = soundfile.SoundFile(file)
    except soundfile.LibsndfileError as error:
        raise DataError(f"is not a whole FLAC file: {error.error_string}") from error
    return Clip(sound.samplerate, sound.channels, sound.frames, read)


def _resampled(samples: NDArray[Any], before: int, after: int) -> NDArray[np.float64]:
    """Return a sound at another rate, without what is above that rate's highest frequency.

    Silence follows the sound until it lasts a whole number of samples at both rates, so that its speed is the same.
    """
    common = math.gcd(before, after)
    periods = len(samples) // (before // common) + 1
    padded, count = periods * (before // common), periods * (after // common)
    spectrum = np.fft.rfft(samples, padded)[: count // 2 + 1]
    sound: NDArray[np.float64] = np.fft.irfft(spectrum, count) * (count / padded)
    return sound[: math.ceil(len(samples) * after / before)]
