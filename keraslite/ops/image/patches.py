"""Images and volumes cut into windows."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

from keraslite.core.op import Tensor, TensorLike, composite
from keraslite.core.promotion import KEEP
from keraslite.core.shapes import Shape, size, window
from keraslite.ops import numpy as np
from keraslite.ops.image.layout import channel_axis, spatial_axes
from keraslite.ops.nn.sliding import extend, windows
from keraslite.ops.nn.windows import check_padding, per_axis


def _options(
    space: int,
    images: Shape,
    size: int | Sequence[int],
    strides: int | Sequence[int] | None,
    dilation_rate: int | Sequence[int],
    padding: str,
    data_format: str | None,
) -> tuple[list[tuple[int, tuple[int, int, int]]], str, int]:
    """`(axis, (size, stride, dilation))` of each axis; the padding; the axis of channels."""
    axes = spatial_axes(images, data_format, space)
    sizes = per_axis("size", size, space)
    steps = sizes if strides is None else per_axis("strides", strides, space)
    rates = per_axis("dilation_rate", dilation_rate, space)
    options = zip(axes, zip(sizes, steps, rates, strict=True), strict=True)
    return list(options), check_padding(padding), channel_axis(data_format, space)


def _patches_shape(space: int, images: Shape, *given: Any) -> Shape:
    options, padding, at = _options(space, images, *given)
    counts = [window(images[axis], n, step, padding, rate) for axis, (n, step, rate) in options]
    depth = size((images[at], *(n for _, (n, _, _) in options)))
    batch = images[: len(images) - space - 1]
    return (*batch, *counts, depth) if at == -1 else (*batch, depth, *counts)


def _patches(space: int, images: Tensor, *given: Any) -> Tensor:
    options, padding, at = _options(space, images.shape, *given)
    # Each axis becomes two; those to its right keep their numbers.
    for axis, geometry in options:
        if padding == "same":
            images = _filled(images, axis, *geometry)
        images = windows(images, axis, *geometry)
    rank = len(images.shape)
    batch = list(range(rank - 2 * space - 1))
    first = len(batch) + (0 if at == -1 else 1)
    counts = list(range(first, first + 2 * space, 2))
    inner = [i + 1 for i in counts]
    channels = [i for i in range(len(batch), rank) if i not in counts + inner]
    order = batch + (counts + inner + channels if at == -1 else inner + channels + counts)
    images = np.transpose(images, order)
    sizes = np.shape(images)
    n = len(batch)
    if at == -1:
        return np.reshape(images, (*sizes[: n + space], -1))
    return np.reshape(images, (*sizes[:n], -1, *sizes[rank - space :]))


def _filled(x: Tensor, axis: int, size: int, stride: int, dilation: int) -> Tensor:
    """`x` with zeros, so that the windows start in `ceil(n / stride)` places."""
    n = x.shape[axis]
    if n is None:
        raise ValueError("With padding='same' the sizes must be known when a graph is made.")
    span = (size - 1) * dilation + 1
    extra = max((-(-n // stride) - 1) * stride + span - n, 0)
    return extend(x, axis, extra // 2, extra - extra // 2)


def _space(images: Shape, size: int | Sequence[int]) -> int:
    """How many axes are neither batch nor channels."""
    three = isinstance(size, (tuple, list)) and len(size) == 3
    return 3 if three or len(images) == 5 else 2


def _any_patches_shape(images: Shape, size: int | Sequence[int], *options: Any) -> Shape:
    return _patches_shape(_space(images, size), images, size, *options)


@composite(_any_patches_shape, KEEP, checked=True)
def extract_patches(
    images: TensorLike,
    size: int | Sequence[int],
    strides: int | Sequence[int] | None = None,
    dilation_rate: int | Sequence[int] = 1,
    padding: str = "valid",
    data_format: str | None = None,
) -> Tensor:
    """The windows of images.

    Args:
        images: tensor of shape `(height, width, channels)` or `(batch, height, width,
            channels)`, or with channels before height for `data_format="channels_first"`.
        size: height and width of the windows, one number or two. Three, or images of five
            axes, are for volumes, as in `extract_patches_3d`.
        strides: steps of the window; None for `size`.
        dilation_rate: distances between the pixels of a window.
        padding: `"valid"` for none, or `"same"` for `ceil(size / stride)` windows.
        data_format: `"channels_last"`, `"channels_first"`, or None for
            `keras.config.image_data_format()`.

    Returns:
        Tensor of the dtype of `images` with windows in the place of pixels and
        `size[0] * size[1] * channels` channels, those of a pixel side by side.

    Raises:
        ValueError: for ranks or options that do not fit, or a window larger than the images.

    Example:
        >>> keras.ops.image.extract_patches(np.ones((2, 8, 8, 3)), 4).shape
        (2, 2, 2, 48)
    """
    space = _space(images.shape, size)
    return _patches(space, images, size, strides, dilation_rate, padding, data_format)


@composite(functools.partial(_patches_shape, 3), KEEP, checked=True)
def extract_patches_3d(
    volumes: TensorLike,
    size: int | Sequence[int],
    strides: int | Sequence[int] | None = None,
    dilation_rate: int | Sequence[int] = 1,
    padding: str = "valid",
    data_format: str | None = None,
) -> Tensor:
    """The windows of volumes.

    Args:
        volumes: tensor of shape `(depth, height, width, channels)` or `(batch, depth, height,
            width, channels)`, or with channels before depth for
            `data_format="channels_first"`.
        size: depth, height and width of the windows, one number or three.
        strides: as in `extract_patches`.
        dilation_rate: as in `extract_patches`.
        padding: as in `extract_patches`.
        data_format: as in `extract_patches`.

    Returns:
        Tensor of the dtype of `volumes` with windows in the place of voxels and
        `size[0] * size[1] * size[2] * channels` channels.

    Raises:
        ValueError: as in `extract_patches`.

    Example:
        >>> keras.ops.image.extract_patches_3d(np.ones((1, 8, 8, 8, 3)), 4).shape
        (1, 2, 2, 2, 192)
    """
    return _patches(3, volumes, size, strides, dilation_rate, padding, data_format)
