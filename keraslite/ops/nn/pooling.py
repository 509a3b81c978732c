"""Pooling: the greatest or the mean value under a moving window."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from keraslite.config import standardize_data_format
from keraslite.core.op import Tensor, TensorLike, composite, kernel
from keraslite.core.promotion import FLOAT, KEEP
from keraslite.core.shapes import Shape, window
from keraslite.ops.nn.windows import (
    channels_and_space,
    check_filled,
    check_padding,
    join,
    per_axis,
    spatial_rank,
)

_max_pool = kernel("max_pool")
_average_pool = kernel("average_pool")


def _pool_shape(inputs: Shape, *given: Any) -> Shape:
    pool_size, strides, padding, data_format = _options(inputs, *given)
    channels, space = channels_and_space(inputs, data_format)
    sizes = [window(*each, padding) for each in zip(space, pool_size, strides, strict=True)]
    return join(inputs[0], channels, sizes, data_format)


def _options(
    inputs: Shape,
    pool_size: int | Sequence[int],
    strides: int | Sequence[int] | None,
    padding: str,
    data_format: str | None,
) -> tuple[tuple[int, ...], tuple[int, ...], str, str]:
    rank = spatial_rank(inputs)
    pool_size = per_axis("pool_size", pool_size, rank)
    return (
        pool_size,
        pool_size if strides is None else per_axis("strides", strides, rank),
        check_padding(padding),
        standardize_data_format(data_format),
    )


@composite(_pool_shape, KEEP, native=False)
def max_pool(
    inputs: TensorLike,
    pool_size: int | Sequence[int],
    strides: int | Sequence[int] | None = None,
    padding: str = "valid",
    data_format: str | None = None,
) -> Tensor:
    """The greatest value under a window that moves over one, two or three spatial axes.

    Args:
        inputs: tensor of shape `(batch, *space, channels)`, or `(batch, channels, *space)`
            for `data_format="channels_first"`.
        pool_size: sizes of the window, one number or one for each spatial axis.
        strides: steps of the window; None for `pool_size`.
        padding: `"valid"` for none, or `"same"` for an output of `ceil(size / stride)`.
        data_format: `"channels_last"`, `"channels_first"`, or None for
            `keras.config.image_data_format()`.

    Returns:
        Tensor of the dtype of `inputs` with the same batch and channel sizes.

    Raises:
        ValueError: for ranks or options that do not fit, or a window larger than the input.

    Example:
        >>> keras.ops.max_pool(np.arange(4.0).reshape(1, 4, 1), 2)[0, :, 0]
        [1., 3.]
    """
    options = _options(inputs.shape, pool_size, strides, padding, data_format)
    return check_filled(_max_pool(inputs, *options), _pool_shape, inputs.shape, *options)


@composite(_pool_shape, FLOAT, native=False)
def average_pool(
    inputs: TensorLike,
    pool_size: int | Sequence[int],
    strides: int | Sequence[int] | None = None,
    padding: str = "valid",
    data_format: str | None = None,
) -> Tensor:
    """The mean under a window that moves over one, two or three spatial axes.

    Values that `"same"` pads do not count in the mean.

    Args:
        inputs: tensor as in `max_pool`.
        pool_size: as in `max_pool`.
        strides: as in `max_pool`.
        padding: as in `max_pool`.
        data_format: as in `max_pool`.

    Returns:
        Tensor with the same batch and channel sizes.

    Raises:
        ValueError: as in `max_pool`.

    Example:
        >>> keras.ops.average_pool(np.arange(4.0).reshape(1, 4, 1), 2)[0, :, 0]
        [0.5, 2.5]
    """
    options = _options(inputs.shape, pool_size, strides, padding, data_format)
    return check_filled(_average_pool(inputs, *options), _pool_shape, inputs.shape, *options)
