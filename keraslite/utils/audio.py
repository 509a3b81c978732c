"""Sounds as WAV files and as arrays."""

from __future__ import annotations

import wave
from typing import Any

import numpy as np

# By the bytes of a sample: how it is stored, what stands for silence, and for the loudest.
_STORED: dict[int, tuple[Any, int, int]] = {
    1: ("u1", 128, 2**7),
    2: ("<i2", 0, 2**15),
    4: ("<i4", 0, 2**31),
}
# Samples that may be made of one.
_STRETCH = 100


def read_wav(path: str, sampling_rate: int | None = None) -> np.ndarray:
    """A sound of shape `(samples, channels)` with values from -1 to 1.

    Args:
        path: of a `.wav` file with samples of 8, 16 or 32 bits.
        sampling_rate: samples per second of the result; None for those of the file.

    Raises:
        ValueError: for other files.
    """
    try:
        with wave.open(path) as file:
            width, channels, rate = file.getsampwidth(), file.getnchannels(), file.getframerate()
            data = file.readframes(file.getnframes())
    except (wave.Error, EOFError) as error:
        raise ValueError(f"{path!r} is no WAV file with plain samples: {error}.") from error
    if width not in _STORED:
        raise ValueError(
            f"{path!r} must have samples of 8, 16 or 32 bits. Received: {8 * width} bits"
        )
    dtype, silence, loudest = _STORED[width]
    if sampling_rate is not None and rate * _STRETCH < sampling_rate:
        raise ValueError(
            f"{path!r} has {rate:,} samples per second, which is too few to make "
            f"{sampling_rate:,} of them: the limit is {_STRETCH} for one."
        )
    stored = np.frombuffer(data, dtype).reshape(-1, channels).astype("float64")
    found = ((stored - silence) / loudest).astype("float32")
    return found if sampling_rate is None else resampled(found, rate, sampling_rate)


def resampled(x: np.ndarray, rate: int, new_rate: int) -> np.ndarray:
    """A sound at another sampling rate: the same frequencies, as far as both rates have them."""
    size = max(round(len(x) * new_rate / rate), 1)
    if size == len(x):
        return x
    spectrum = np.fft.rfft(x, axis=0)[: size // 2 + 1]
    return (np.fft.irfft(spectrum, size, axis=0) * (size / len(x))).astype(x.dtype)


def fitted(x: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """The beginning of an array, with zeros behind it where it is too short."""
    kept = x[tuple(slice(n) for n in shape)]
    return np.pad(kept, [(0, new - old) for new, old in zip(shape, kept.shape, strict=True)])
