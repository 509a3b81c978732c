"""Pooling to a given number of windows, whatever the size of the input."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy

from keraslite.config import standardize_data_format
from keraslite.core import dtypes
from keraslite.core.op import Tensor, TensorLike, composite
from keraslite.core.promotion import FLOAT, KEEP
from keraslite.core.shapes import Shape
from keraslite.ops import numpy as np
from keraslite.ops.nn.sliding import windows
from keraslite.ops.nn.windows import channels_and_space, join, per_axis, spatial_rank


def _adaptive_shape(
    inputs: Shape, output_size: int | Sequence[int], data_format: str | None = None
) -> Shape:
    new = per_axis("output_size", output_size, spatial_rank(inputs))
    channels, _ = channels_and_space(inputs, data_format)
    return join(inputs[0], channels, new, data_format)


def _pooled(
    inputs: Tensor,
    output_size: int | Sequence[int],
    data_format: str | None,
    pool: Callable[[Tensor, int, Any], Tensor],
) -> Tensor:
    """`inputs` with `pool(windows, axis, lengths)` along each spatial axis."""
    rank = spatial_rank(inputs.shape)
    new = per_axis("output_size", output_size, rank)
    last = -2 if standardize_data_format(data_format) == "channels_last" else -1
    for axis, count in zip(range(last - rank + 1, last + 1), new, strict=True):
        inputs = _pooled_axis(inputs, axis, count, pool)
    return inputs


def _pooled_axis(x: Tensor, axis: int, count: int, pool: Callable[..., Tensor]) -> Tensor:
    size = x.shape[axis]
    if size is None:
        raise ValueError("The sizes that are pooled must be known when a graph is made.")
    if size == count:
        return x
    if size % count == 0:
        return pool(windows(x, axis, size // count, size // count), axis, None)
    steps = numpy.arange(count, dtype="int64")
    starts, ends = steps * size // count, -(-(steps + 1) * size // count)
    lengths = ends - starts
    # Shorter windows repeat their last element.
    places = starts[:, None] + numpy.minimum(numpy.arange(lengths.max()), lengths[:, None] - 1)
    return pool(np.take(x, places.astype("int32"), axis), axis, lengths)


def _mean(x: Tensor, axis: int, lengths: Any) -> Tensor:
    if lengths is None:
        return np.mean(x, axis)
    weights = (numpy.arange(x.shape[axis]) < lengths[:, None]) / lengths[:, None]
    weights = weights.reshape(weights.shape + (1,) * (-axis - 1))
    return np.sum(x * np.convert_to_tensor(weights, dtype=np.dtype(x)), axis)


@composite(_adaptive_shape, FLOAT, checked=True)
def adaptive_average_pool(
    inputs: TensorLike, output_size: int | Sequence[int], data_format: str | None = None
) -> Tensor:
    """The means of a given number of windows that cover one, two or three spatial axes.

    Of `n` elements, window `i` of `m` has those from `floor(i n / m)` up to, but not at,
    `ceil((i + 1) n / m)`.

    Args:
        inputs: tensor of shape `(batch, *space, channels)`, or `(batch, channels, *space)`
            for `data_format="channels_first"`.
        output_size: how many windows, one number or one for each spatial axis.
        data_format: `"channels_last"`, `"channels_first"`, or None for
            `keras.config.image_data_format()`.

    Returns:
        Tensor of shape `(batch, *output_size, channels)`, or channels first.

    Raises:
        ValueError: for ranks or sizes that do not fit.

    Example:
        >>> keras.ops.adaptive_average_pool(np.arange(5.0).reshape(1, 5, 1), 2)[0, :, 0]
        array([1., 3.])
    """
    wide = dtypes.promote(np.dtype(inputs), "float32")
    found = _pooled(np.cast(inputs, wide), output_size, data_format, _mean)
    return np.cast(found, np.dtype(inputs))


@composite(_adaptive_shape, KEEP, checked=True)
def adaptive_max_pool(
    inputs: TensorLike, output_size: int | Sequence[int], data_format: str | None = None
) -> Tensor:
    """The greatest values of a given number of windows; see `adaptive_average_pool`.

    Args:
        inputs: tensor as in `adaptive_average_pool`.
        output_size: as in `adaptive_average_pool`.
        data_format: as in `adaptive_average_pool`.

    Returns:
        Tensor of the dtype of `inputs` and shape `(batch, *output_size, channels)`, or
        channels first.

    Raises:
        ValueError: for ranks or sizes that do not fit.

    Example:
        >>> keras.ops.adaptive_max_pool(np.arange(5.0).reshape(1, 5, 1), 2)[0, :, 0]
        array([2., 4.])
    """
    return _pooled(inputs, output_size, data_format, lambda x, axis, _: np.max(x, axis))
