"""Resampling along one axis: the sampling kernels, and products with their weights.

A function with the parameter `xp` computes with NumPy where all it needs is known, and with
the ops of the engine otherwise.
"""

from __future__ import annotations

import functools
import math
from types import ModuleType
from typing import Any

import numpy

from keraslite.core.op import Tensor
from keraslite.ops import numpy as np


def _triangle(xp: ModuleType, x: Any) -> Any:
    return xp.maximum(1.0 - x, 0.0)


def _cubic(xp: ModuleType, x: Any) -> Any:
    """Keys, "Cubic convolution interpolation for digital image processing" (1981), a = -1/2."""
    near = ((1.5 * x - 2.5) * x) * x + 1.0
    far = ((-0.5 * x + 2.5) * x - 4.0) * x + 2.0
    return xp.where(x < 1.0, near, xp.where(x < 2.0, far, 0.0))


def _lanczos(radius: int, xp: ModuleType, x: Any) -> Any:
    """Duchon, "Lanczos Filtering in One and Two Dimensions" (1979)."""
    return xp.where(x < radius, xp.sinc(x) * xp.sinc(x / radius), 0.0)


#: How much a sample counts, by its distance in samples.
KERNELS = {
    "linear": _triangle,
    "cubic": _cubic,
    "lanczos3": functools.partial(_lanczos, 3),
    "lanczos5": functools.partial(_lanczos, 5),
}

# Weights whose sum is less are those of a place without samples.
_LEAST = 1000 * 2.0**-23


def weights(
    xp: ModuleType, old: Any, new: int, scale: Any, shift: Any, kernel: str, antialias: bool
) -> Any:
    """The matrix `(new, old)` that samples an axis of `old` elements at `new` places.

    Element `i` covers `[i, i + 1]`; it comes to lie at `scale * (i + 1/2) + shift`.
    With `antialias` a kernel is widened where an axis shrinks, so that all elements count.
    """
    step = 1.0 / scale
    places = (xp.arange(new, dtype="float32") + 0.5 - shift) * step - 0.5
    distances = xp.absolute(xp.expand_dims(places, 1) - xp.arange(old, dtype="float32"))
    if antialias:
        distances = distances / xp.maximum(step, 1.0)
    found = KERNELS[kernel](xp, distances)
    total = xp.sum(found, 1, keepdims=True)
    some = xp.absolute(total) > _LEAST
    found = xp.where(some, found / xp.where(some, total, 1.0), 0.0)
    inside = xp.logical_and(places >= -0.5, places <= old - 0.5)
    return xp.where(xp.expand_dims(inside, 1), found, 0.0)


@functools.lru_cache(maxsize=256)
def _known_weights(old: int, new: int, kernel: str, antialias: bool) -> numpy.ndarray:
    found = weights(numpy, old, new, new / old, 0.0, kernel, antialias)  # type: ignore[arg-type]
    return found.astype("float32")


def resize_axis(x: Tensor, axis: int, new: int, kernel: str, antialias: bool) -> Tensor:
    """`x` with `new` samples along an axis."""
    old = np.shape(x)[axis]
    if not isinstance(old, int):
        old = np.cast(old, "float32")
        matrix = weights(np, old, new, new / old, 0.0, kernel, antialias)
    elif old == new:
        return x
    else:
        matrix = _known_weights(old, new, kernel, antialias)
    return apply_weights(x, axis, matrix)


def apply_weights(x: Tensor, axis: int, matrix: Any) -> Tensor:
    """The products of a matrix `(new, old)` with all vectors along an axis."""
    if axis == -1:
        return np.matmul(x, np.transpose(matrix))
    sizes = np.shape(x)
    # What follows the axis is one long axis, so nothing must be transposed.
    flat = np.reshape(x, (*sizes[:axis], sizes[axis], math.prod(sizes[axis + 1 :])))
    found = np.matmul(matrix, flat)
    return np.reshape(found, (*sizes[:axis], matrix.shape[0], *sizes[axis + 1 :]))


def nearest(x: Tensor, axis: int, new: int) -> Tensor:
    """`x` with `new` elements along an axis, each the one in whose cell its center lies."""
    old = np.shape(x)[axis]
    if isinstance(old, int) and old == new:
        return x
    middles = 2 * numpy.arange(new, dtype="int32") + 1
    return np.take(x, (middles * old) // (2 * new), axis)
