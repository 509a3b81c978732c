"""Initializers without chance: constants, identity matrices and Fourier bases."""

from __future__ import annotations

from typing import Any

import numpy as np

from keraslite.core import dtypes
from keraslite.core.errors import check_choice
from keraslite.initializers.base import ArrayInitializer


def _array(value: Any, shape: tuple[int, ...], dtype: str) -> np.ndarray:
    return np.broadcast_to(np.asarray(value), shape).astype(dtypes.numpy_dtype(dtype))


class Zeros(ArrayInitializer):
    """All zeros.

    Example:
        >>> keras.initializers.Zeros()((2,))
        [0., 0.]
    """

    def _values(self, shape: tuple[int, ...], dtype: str) -> np.ndarray:
        return np.zeros(shape, dtypes.numpy_dtype(dtype))


class Ones(ArrayInitializer):
    """All ones.

    Example:
        >>> keras.initializers.Ones()((2,))
        [1., 1.]
    """

    def _values(self, shape: tuple[int, ...], dtype: str) -> np.ndarray:
        return np.ones(shape, dtypes.numpy_dtype(dtype))


class Constant(ArrayInitializer):
    """The same value everywhere.

    Args:
        value: a number, or an array that broadcasts to the shape.

    Example:
        >>> keras.initializers.Constant(3.0)((2,))
        [3., 3.]
    """

    def __init__(self, value: Any = 0.0) -> None:
        self.value = value

    def _values(self, shape: tuple[int, ...], dtype: str) -> np.ndarray:
        return _array(self.value, shape, dtype)


class Identity(ArrayInitializer):
    """A matrix with `gain` on the diagonal and zeros elsewhere.

    Args:
        gain: the values on the diagonal.

    Raises:
        ValueError: when called for a shape that is no matrix's.

    Example:
        >>> keras.initializers.Identity()((2, 2))
        [[1., 0.], [0., 1.]]
    """

    def __init__(self, gain: float = 1.0) -> None:
        self.gain = gain

    def _values(self, shape: tuple[int, ...], dtype: str) -> np.ndarray:
        if len(shape) != 2:
            raise ValueError(f"Identity makes matrices only. Received: shape={shape}")
        return (self.gain * np.eye(*shape)).astype(dtypes.numpy_dtype(dtype))


# Coefficients a, b, c of the window a - b cos(t) + c cos(2 t).
_WINDOWS = {"hann": (0.5, 0.5, 0.0), "hamming": (0.54, 0.46, 0.0), "blackman": (0.42, 0.5, 0.08)}


class STFT(ArrayInitializer):
    """Kernels with which a one-dimensional convolution computes a Fourier transform.

    Args:
        side: `"real"` or `"imag"`, the part of the transform.
        window: `"hann"`, `"hamming"`, `"blackman"`, an array as long as a frame, or None.
        scaling: `"density"` divides by the root of the window's energy, `"spectrum"` by its
            sum, None does not; without a window there is no scaling.
        periodic: whether the window is the beginning of a longer symmetric one.

    Raises:
        ValueError: for an unknown option, or when called for a shape other than
            `(frame_length, 1, fft_length // 2 + 1)`.

    Example:
        >>> keras.initializers.STFT("imag")((256, 1, 129)).shape
        (256, 1, 129)
    """

    def __init__(
        self,
        side: str = "real",
        window: Any = "hann",
        scaling: str | None = "density",
        periodic: bool = False,
    ) -> None:
        check_choice(self, ("real", "imag"), side=side)
        check_choice(self, ("density", "spectrum", None), scaling=scaling)
        if isinstance(window, str):
            check_choice(self, _WINDOWS, window=window)
        self.side = side
        self.window = window
        self.scaling = scaling
        self.periodic = periodic

    def _window(self, length: int) -> np.ndarray:
        if not isinstance(self.window, str):
            return np.ones(length) if self.window is None else np.asarray(self.window)
        angles = 2 * np.pi * np.arange(length) / max(length - (not self.periodic), 1)
        a, b, c = _WINDOWS[self.window]
        return a - b * np.cos(angles) + c * np.cos(2 * angles)

    def _values(self, shape: tuple[int, ...], dtype: str) -> np.ndarray:
        if len(shape) != 3 or shape[1] != 1 or shape[2] < 2:
            raise ValueError(
                "STFT makes kernels of shape (frame_length, 1, fft_length // 2 + 1). "
                f"Received: shape={shape}"
            )
        length, _, channels = shape
        angles = np.pi * np.outer(np.arange(length), np.arange(channels)) / (channels - 1)
        waves = np.cos(angles) if self.side == "real" else -np.sin(angles)
        window = self._window(length)
        if self.window is not None and self.scaling is not None:
            density = self.scaling == "density"
            window = window / (np.sqrt(np.sum(window**2)) if density else np.abs(np.sum(window)))
        return _array((waves * window[:, None])[:, None], shape, dtype)
