"""Windows to weigh the samples of a signal with, and their number.

`x` is how many samples: an int or an int scalar. The result is a vector of `floatx()`,
symmetric, empty for less than one sample, and a single 1 for one.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from keraslite import config
from keraslite.core.errors import describe
from keraslite.core.keras_tensor import KerasTensor
from keraslite.core.op import Tensor, TensorLike
from keraslite.ops.arithmetic import multiply, true_divide
from keraslite.ops.core import convert_to_numpy, convert_to_tensor
from keraslite.ops.transcendental import i0

__all__ = ["bartlett", "blackman", "hamming", "hanning", "kaiser"]


def _places(name: str, x: Any) -> np.ndarray:
    """The samples' places, from -1 to 1."""
    if isinstance(x, KerasTensor):
        raise TypeError(
            f"ops.{name}: the number of samples must be known; a symbolic tensor has no value. "
            f"Received: x={describe(x)}"
        )
    count = int(convert_to_numpy(x))
    return np.zeros(1) if count == 1 else np.linspace(-1, 1, max(count, 0))


def _cosines(name: str, x: Any, *weights: float) -> Tensor:
    """A sum of cosines of 0, 1, 2... half turns over the window."""
    places = _places(name, x)
    terms = (w * np.cos(k * math.pi * places) for k, w in enumerate(weights))
    return convert_to_tensor(sum(terms, np.zeros_like(places)), config.floatx())


def bartlett(x: TensorLike) -> Tensor:
    """The triangular window, which is 0 at both ends.

    Args:
        x: the number of samples.

    Returns:
        A vector.

    Example:
        >>> keras.ops.bartlett(5)
        array([0. , 0.5, 1. , 0.5, 0. ])
    """
    return convert_to_tensor(1 - np.abs(_places("bartlett", x)), config.floatx())


def hanning(x: TensorLike) -> Tensor:
    """The window `0.5 + 0.5 cos(pi t)` for `t` from -1 to 1. See `bartlett`."""
    return _cosines("hanning", x, 0.5, 0.5)


def hamming(x: TensorLike) -> Tensor:
    """The window `0.54 + 0.46 cos(pi t)` for `t` from -1 to 1. See `bartlett`."""
    return _cosines("hamming", x, 0.54, 0.46)


def blackman(x: TensorLike) -> Tensor:
    """The window `0.42 + 0.5 cos(pi t) + 0.08 cos(2 pi t)`, `t` from -1 to 1. See `bartlett`."""
    return _cosines("blackman", x, 0.42, 0.5, 0.08)


def kaiser(x: TensorLike, beta: TensorLike) -> Tensor:
    """The window `I0(beta sqrt(1 - t**2)) / I0(beta)` for `t` from -1 to 1. See `i0`.

    Args:
        x: the number of samples.
        beta: how narrow the window is; 0 weighs all samples alike.

    Returns:
        A vector.
    """
    places = _places("kaiser", x)
    beta = convert_to_tensor(beta, config.floatx())
    arc = convert_to_tensor(np.sqrt(1 - places**2), config.floatx())
    return true_divide(i0(multiply(beta, arc)), i0(beta))
