"""Writes WAV files byte by byte, also those that no program should write."""

import struct

import numpy as np

PCM, FLOAT, EXTENSIBLE = 1, 3, 0xFFFE


def chunk(name: bytes, content: bytes, size: int | None = None) -> bytes:
    padding = b"\0" * (len(content) % 2)
    return name + struct.pack("<I", len(content) if size is None else size) + content + padding


def form(
    code: int = PCM, bits: int = 16, channels: int = 1, rate: int = 8000, block: int | None = None
) -> bytes:
    block = channels * bits // 8 if block is None else block
    return struct.pack("<HHIIHH", code, channels, rate, rate * block % 2**32, block, bits)


def extensible(code: int, bits: int) -> bytes:
    rest = struct.pack("<HHIH", 22, bits, 4, code) + bytes.fromhex("000000001000800000aa00389b71")
    return form(EXTENSIBLE, bits) + rest


def riff(*chunks: bytes) -> bytes:
    content = b"WAVE" + b"".join(chunks)
    return b"RIFF" + struct.pack("<I", len(content)) + content


def wav(samples: np.ndarray, rate: int = 8000) -> bytes:
    """Return a file of 16-bit samples (N,) or (N, channels)."""
    channels = 1 if samples.ndim == 1 else samples.shape[1]
    content = samples.astype("<i2").tobytes()
    return riff(chunk(b"fmt ", form(channels=channels, rate=rate)), chunk(b"data", content))


def sine(hertz: float, rate: int = 8000, seconds: float = 0.5, amplitude: float = 0.5) -> np.ndarray:
    return np.int16(32767 * amplitude * np.sin(2 * np.pi * hertz * np.arange(int(rate * seconds)) / rate))
