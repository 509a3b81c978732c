"""Axes that are cut, padded, seen through sliding windows, and put together again.

Axes count from the end here. Sizes may be scalar tensors, as in a graph of unknown sizes.
"""

from __future__ import annotations

from typing import Any

import numpy

from keraslite.core.op import Tensor
from keraslite.ops import numpy as np


def cut(x: Tensor, axis: int, start: Any, stop: Any) -> Tensor:
    """`x[start:stop]` along an axis."""
    rest = (slice(None),) * (-axis - 1)
    return np.get_item(x, (..., slice(start, stop), *rest))


def extend(x: Tensor, axis: int, before: Any, after: Any, value: float = 0) -> Tensor:
    """`x` between blocks of `value` along an axis."""

    def block(size: Any) -> Tensor:
        sizes = list(np.shape(x))
        sizes[axis] = size
        return np.full(tuple(sizes), value, dtype=np.dtype(x))

    return np.concatenate([block(before), x, block(after)], axis=axis)


def windows(x: Tensor, axis: int, size: int, stride: int, dilation: int = 1) -> Tensor:
    """`x` with two axes in the place of one: the windows along it, and their elements."""
    sizes = np.shape(x)
    count = (sizes[axis] - (size - 1) * dilation - 1) // stride + 1
    if size == stride and dilation == 1:
        after = sizes[axis + 1 :] if axis != -1 else ()
        whole = cut(x, axis, 0, count * size)
        return np.reshape(whole, (*sizes[:axis], count, size, *after))
    starts = numpy.arange(count) if isinstance(count, int) else np.arange(count)
    return np.take(x, _places(starts, size, stride, dilation), axis)


def _places(starts: Any, size: int, stride: int, dilation: int) -> Any:
    """The indices of the elements of all windows."""
    return starts[:, None] * stride + numpy.arange(size, dtype="int32") * dilation


def overlapped(x: Tensor, axis: int, length: int, stride: int, dilation: int = 1) -> Tensor:
    """The sum of windows, one axis of `length` in the place of two.

    Args:
        x: tensor with windows at `axis - 1` and their elements at `axis`.
        axis: as above, of the result as well.
        length: of the axis.
        stride: steps of the windows.
        dilation: distances between their elements.

    Returns:
        What the gradient of `windows` would be.
    """
    count, size = x.shape[axis - 1], x.shape[axis]
    front = np.moveaxis(x, (axis - 1, axis), (0, 1))
    rest = np.shape(front)[2:]
    ids = _places(numpy.arange(count, dtype="int32"), size, stride, dilation).reshape(-1)
    summed = np.segment_sum(np.reshape(front, (count * size, *rest)), ids, length)
    return np.moveaxis(summed, 0, axis)
