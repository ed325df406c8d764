"""What files become samples, and what is refused in one line."""

import struct
from collections.abc import Mapping
from io import BytesIO

import numpy as np
import pytest
import soundfile

from cellwright.errors import DataError
from cellwright.tasks.audio.files import AudioFiles
from tests.tasks.audio.wavs import EXTENSIBLE, FLOAT, PCM, chunk, extensible, form, riff, sine, wav

SAMPLES = np.int16([0, 256, -256, 12800, -32768, 32512])
HOW = AudioFiles(rate=8000, samples=len(SAMPLES))
UPPER = (SAMPLES >> 8) + 128

FORMS: Mapping[str, tuple[bytes, bytes]] = {
    "8 bits": (form(bits=8), UPPER.astype(np.uint8).tobytes()),
    "16 bits": (form(), SAMPLES.astype("<i2").tobytes()),
    "24 bits": (form(bits=24), b"".join(struct.pack("<i", int(s) << 8)[:3] for s in SAMPLES)),
    "32 bits": (form(bits=32), (SAMPLES.astype("<i4") << 16).tobytes()),
    "floats": (form(FLOAT, 32), (SAMPLES / np.float32(32767)).astype("<f4").tobytes()),
    "long floats": (form(FLOAT, 64), (SAMPLES / 32767).astype("<f8").tobytes()),
    "extensible": (extensible(PCM, 16), SAMPLES.astype("<i2").tobytes()),
}


@pytest.mark.parametrize("kind", FORMS)
def test_all_formats_hold_the_same(kind: str):
    head, content = FORMS[kind]
    file = riff(chunk(b"LIST", b"odd"), chunk(b"fmt ", head), chunk(b"data", content), chunk(b"LIST", b"end"))
    read = HOW.decode(file)
    assert read.dtype == np.int16
    np.testing.assert_allclose(read, SAMPLES, atol=int("float" in kind))


def test_clips_are_cut_or_followed_by_silence():
    longer = AudioFiles(rate=8000, samples=9).decode(wav(SAMPLES))
    np.testing.assert_array_equal(longer, [*SAMPLES, 0, 0, 0])
    np.testing.assert_array_equal(AudioFiles(rate=8000, samples=2).decode(wav(SAMPLES)), SAMPLES[:2])


def flac(samples: np.ndarray, rate: int = 8000, subtype: str = "PCM_16") -> bytes:
    soundfile.write(file := BytesIO(), samples, rate, format="FLAC", subtype=subtype)
    return file.getvalue()


@pytest.mark.parametrize("subtype", ["PCM_16", "PCM_24"])
def test_flac_holds_the_same(subtype: str):
    np.testing.assert_array_equal(HOW.decode(flac(SAMPLES, subtype=subtype)), SAMPLES)
    both = np.stack((sine(440, 16000), sine(440, 16000) // 2), axis=1)
    how = AudioFiles(rate=8000, samples=4000)
    np.testing.assert_array_equal(how.decode(flac(both, 16000)), how.decode(wav(both, 16000)))


@pytest.mark.parametrize("end", [4, 20, 60, 900])
def test_cut_off_flac_is_refused_in_a_line(end: int):
    with pytest.raises(DataError, match="^is not a whole FLAC file: [^\n]+$"):
        AudioFiles(rate=8000, samples=4000).decode(flac(sine(440))[:end])


def test_any_damage_of_flac_is_refused_or_passed_over():
    how, whole = AudioFiles(rate=8000, samples=400), flac(sine(440, seconds=0.05))
    rng = np.random.default_rng(0)
    for _ in range(200):
        damaged = bytearray(whole)
        damaged[4 + int(rng.integers(min(60, len(whole) - 4)))] = int(rng.integers(256))
        try:
            assert how.decode(bytes(damaged)).shape == (400,)
        except DataError as error:
            assert "\n" not in str(error)


@pytest.mark.parametrize("size", [0x7FFF_FFFF, 0xFFFF_FFFF])
def test_what_was_streamed_ends_with_its_file(size: int):
    content = SAMPLES.astype("<i2").tobytes()
    read = HOW.decode(riff(chunk(b"fmt ", form()), chunk(b"data", content, size)))
    np.testing.assert_array_equal(read, SAMPLES)


@pytest.mark.parametrize("rate", [4000, 11025, 16000, 44100])
def test_other_rates_are_resampled(rate: int):
    read = AudioFiles(rate=8000, samples=4000).decode(wav(sine(440, rate), rate))
    inner = slice(400, -400)
    np.testing.assert_allclose(read[inner], sine(440)[inner], atol=500)


def test_what_a_lower_rate_cannot_hold_is_removed():
    high, low = (AudioFiles(rate=4000, samples=2000).decode(wav(sine(hertz))) for hertz in (3000, 440))
    assert np.abs(high[100:-100]).max() < 0.02 * np.abs(low).max()


def test_channels_are_averaged():
    both = np.stack((sine(440), sine(440) // 2), axis=1)
    read = AudioFiles(rate=8000, samples=4000).decode(wav(both))
    np.testing.assert_allclose(read, both.mean(axis=1), atol=1)


DATA = chunk(b"data", SAMPLES.astype("<i2").tobytes())
BAD: Mapping[str, tuple[bytes, str]] = {
    "nothing": (b"", "is not a WAV or FLAC file"),
    "another format": (b"OggS" + bytes(60), "is not a WAV or FLAC file"),
    "a web page": (b"<!DOCTYPE html><html>", "is a web page, not the data"),
    "another RIFF": (b"RIFF\0\0\0\0AVI LIST", "is not a WAV file: WAVE must follow RIFF"),
    "no samples": (riff(chunk(b"fmt ", form())), "it has no chunk of samples"),
    "no format": (riff(DATA), "it has no chunk of its format before the samples"),
    "a short format": (riff(chunk(b"fmt ", form()[:9]), DATA), "no chunk of its format before the samples"),
    "endless chunks": (riff(*[chunk(b"LIST", b"")] * 2000, DATA), "it has no chunk of samples"),
    "a chunk of 4 GB": (riff(chunk(b"LIST", b"", 0xFFFF_FFFE), DATA), "it has no chunk of samples"),
    "cut off": (
        riff(chunk(b"fmt ", form()), chunk(b"data", b"\0" * 8, 80)),
        "is cut off: its header says 80 bytes of samples, and there are 8",
    ),
    "an empty clip": (riff(chunk(b"fmt ", form()), chunk(b"data", b"")), "must have samples, and has none"),
    "no channels": (riff(chunk(b"fmt ", form(channels=0)), DATA), "must have one or more channels"),
    "many channels": (
        riff(chunk(b"fmt ", form(channels=65)), chunk(b"data", bytes(130))),
        "must have at most 64 channels, got 65",
    ),
    "a wrong block": (riff(chunk(b"fmt ", form(block=3)), DATA), "got 1 in 3 bytes"),
    "12 bits": (riff(chunk(b"fmt ", form(bits=12)), DATA), "got format 1 of 12 bits: convert it"),
    "a-law": (riff(chunk(b"fmt ", form(6, 8)), DATA), "got format 6 of 8 bits"),
    "extensible, short": (riff(chunk(b"fmt ", form(EXTENSIBLE)), DATA), "got format 65534 of 16 bits"),
    "no rate": (riff(chunk(b"fmt ", form(rate=0)), DATA), "must have 1000 to 384000 samples a second, got 0"),
    "a rate of 4 GHz": (riff(chunk(b"fmt ", form(rate=2**32 - 1)), DATA), "got 4294967295"),
    "NaN": (
        riff(chunk(b"fmt ", form(FLOAT, 32)), chunk(b"data", np.float32([0, np.nan]).tobytes())),
        "samples must be finite, and there are NaN or infinite ones",
    ),
}


@pytest.mark.parametrize("problem", BAD)
def test_bad_files_are_refused_in_a_line(problem: str):
    content, message = BAD[problem]
    with pytest.raises(DataError) as caught:
        HOW.decode(content)
    assert message in str(caught.value) and "\n" not in str(caught.value)
