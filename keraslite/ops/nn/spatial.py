"""Between space and channels: blocks of pixels, and windows laid side by side."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import Any

from keraslite.config import standardize_data_format
from keraslite.core.op import Tensor, TensorLike, composite
from keraslite.core.promotion import KEEP
from keraslite.core.shapes import Shape, size, window
from keraslite.ops import numpy as np
from keraslite.ops.nn.sliding import cut, extend, overlapped, windows
from keraslite.ops.nn.windows import channels_and_space, join, per_axis
from keraslite.ops.rearranging import rearrange

#: The same numbers as channels and as blocks of `p` rows and `q` columns.
_PIXELS = {
    "channels_last": ("b h w (p q c)", "b (h p) (w q) c"),
    "channels_first": ("b (c p q) h w", "b c (h p) (w q)"),
}


def _check_block(x: Shape, block_size: int) -> int:
    if len(x) != 4:
        raise ValueError(
            f"`x` must have a batch axis, height, width and channels; its shape is {tuple(x)}."
        )
    if operator.index(block_size) < 2:
        raise ValueError(f"`block_size` must be at least 2; it is {block_size}.")
    return operator.index(block_size)


def _depth_to_space_shape(x: Shape, block_size: int, data_format: str | None) -> Shape:
    block = _check_block(x, block_size)
    channels, space = channels_and_space(x, data_format)
    if channels is not None and channels % block**2:
        raise ValueError(
            f"The {channels} channels must be a multiple of `block_size ** 2`, {block**2}."
        )
    new = [None if n is None else n * block for n in space]
    return join(x[0], None if channels is None else channels // block**2, new, data_format)


@composite(_depth_to_space_shape, KEEP, checked=True)
def depth_to_space(
    x: TensorLike, block_size: int, data_format: str | None = "channels_last"
) -> Tensor:
    """Blocks of pixels made of the channels of one pixel ("pixel shuffle").

    Shi et al., "Real-Time Single Image and Video Super-Resolution Using an Efficient
    Sub-Pixel Convolutional Neural Network" (2016).

    Args:
        x: tensor of shape `(batch, height, width, channels)`, or with channels before height
            for `data_format="channels_first"`.
        block_size: height and width of the blocks.
        data_format: `"channels_last"`, `"channels_first"`, or None for
            `keras.config.image_data_format()`.

    Returns:
        Tensor of shape `(batch, height * block_size, width * block_size,
        channels // block_size ** 2)`, or channels first. The channels of a pixel are read as
        `(row in the block, column in the block, channel)`; channels first as
        `(channel, row in the block, column in the block)`.

    Raises:
        ValueError: for another rank, a block size below 2, or channels that are no multiple.

    Example:
        >>> keras.ops.depth_to_space(np.arange(4.0).reshape(1, 1, 1, 4), 2)[0, :, :, 0]
        array([[0., 1.], [2., 3.]])
    """
    deep, wide = _PIXELS[standardize_data_format(data_format)]
    return rearrange(x, f"{deep} -> {wide}", p=block_size, q=block_size)


def _space_to_depth_shape(x: Shape, block_size: int, data_format: str | None) -> Shape:
    block = _check_block(x, block_size)
    channels, space = channels_and_space(x, data_format)
    if any(n is not None and n % block for n in space):
        raise ValueError(f"Height and width {space} must be multiples of `block_size`, {block}.")
    new = [None if n is None else n // block for n in space]
    return join(x[0], None if channels is None else channels * block**2, new, data_format)


@composite(_space_to_depth_shape, KEEP, checked=True)
def space_to_depth(
    x: TensorLike, block_size: int, data_format: str | None = "channels_last"
) -> Tensor:
    """Blocks of pixels as the channels of one pixel: the inverse of `depth_to_space`.

    Args:
        x: tensor of shape `(batch, height, width, channels)`, or with channels before height
            for `data_format="channels_first"`.
        block_size: height and width of the blocks.
        data_format: `"channels_last"`, `"channels_first"`, or None for
            `keras.config.image_data_format()`.

    Returns:
        Tensor of shape `(batch, height // block_size, width // block_size,
        channels * block_size ** 2)`, or channels first.

    Raises:
        ValueError: for another rank, a block size below 2, or sizes that are no multiples.

    Example:
        >>> keras.ops.space_to_depth(np.arange(4.0).reshape(1, 2, 2, 1), 2)
        array([[[[0., 1., 2., 3.]]]])
    """
    deep, wide = _PIXELS[standardize_data_format(data_format)]
    return rearrange(x, f"{wide} -> {deep}", p=block_size, q=block_size)


# Windows -----------------------------------------------------------------------------


def _padded(n: int | None, padding: int) -> int | None:
    return None if n is None else n + 2 * padding


def _pairs(kernel_size: Any, dilation: Any, padding: Any, stride: Any) -> list[tuple[int, ...]]:
    """The options of a sliding window, each for both axes."""
    return [
        per_axis("kernel_size", kernel_size, 2),
        per_axis("dilation", dilation, 2),
        per_axis("padding", padding, 2, least=0),
        per_axis("stride", stride, 2),
    ]


def _counts(space: Sequence[int | None], *options: Any) -> tuple[tuple[int, ...], list[int | None]]:
    """The sizes of the windows, and how many of them there are along each axis."""
    pairs = _pairs(*options)
    return pairs[0], [
        window(_padded(n, p), k, s, "valid", d) for n, k, d, p, s in zip(space, *pairs, strict=True)
    ]


def _unfold_shape(x: Shape, *options: Any) -> Shape:
    if len(x) != 4:
        raise ValueError(
            f"`x` must have the shape (batch, channels, height, width); it has {tuple(x)}."
        )
    kernel, counts = _counts(x[2:], *options)
    return (x[0], size((x[1], *kernel)), size(counts))


@composite(_unfold_shape, KEEP, checked=True)
def unfold(
    x: TensorLike,
    kernel_size: int | Sequence[int],
    dilation: int | Sequence[int] = 1,
    padding: int | Sequence[int] = 0,
    stride: int | Sequence[int] = 1,
) -> Tensor:
    """The windows of images, side by side ("im2col").

    Args:
        x: tensor of shape `(batch, channels, height, width)`.
        kernel_size: sizes of the window, one number or two.
        dilation: distances between the elements of a window.
        padding: how many zeros to add at both ends of an axis.
        stride: steps of the window.

    Returns:
        Tensor of shape `(batch, channels * window size, number of windows)`.

    Raises:
        ValueError: for another rank, other options, or a window larger than the images.

    Example:
        >>> keras.ops.unfold(np.ones((1, 3, 4, 4)), 2).shape
        (1, 12, 9)
    """
    kernel, rates, pads, steps = _pairs(kernel_size, dilation, padding, stride)
    for axis, p in zip((-2, -1), pads, strict=True):
        x = extend(x, axis, p, p) if p else x
    x = windows(x, -2, kernel[0], steps[0], rates[0])
    x = windows(x, -1, kernel[1], steps[1], rates[1])
    batch, channels, rows, high, columns, wide = np.shape(x)
    ordered = np.transpose(x, (0, 1, 3, 5, 2, 4))
    return np.reshape(ordered, (batch, channels * high * wide, rows * columns))


def _fold_shape(x: Shape, output_size: int | Sequence[int], *options: Any) -> Shape:
    if len(x) != 3:
        raise ValueError(
            "`x` must have the shape (batch, channels * window size, number of windows); it has "
            f"{tuple(x)}."
        )
    space = per_axis("output_size", output_size, 2)
    kernel, counts = _counts(space, *options)
    if x[1] is not None and x[1] % (kernel[0] * kernel[1]):
        raise ValueError(f"The second size, {x[1]}, must be a multiple of {size(kernel)}.")
    if x[2] not in (None, size(counts)):
        raise ValueError(f"There must be {size(counts)} windows, not {x[2]}.")
    return (x[0], None if x[1] is None else x[1] // (kernel[0] * kernel[1]), *space)


@composite(_fold_shape, KEEP, checked=True)
def fold(
    x: TensorLike,
    output_size: int | Sequence[int],
    kernel_size: int | Sequence[int],
    dilation: int | Sequence[int] = 1,
    padding: int | Sequence[int] = 0,
    stride: int | Sequence[int] = 1,
) -> Tensor:
    """Images that are the sum of their windows ("col2im"); the gradient of `unfold`.

    Args:
        x: tensor of shape `(batch, channels * window size, number of windows)`.
        output_size: height and width of the images, one number or two.
        kernel_size: as in `unfold`.
        dilation: as in `unfold`.
        padding: as in `unfold`; what falls on it is lost.
        stride: as in `unfold`.

    Returns:
        Tensor of shape `(batch, channels, *output_size)`.

    Raises:
        ValueError: for another rank, other options, or another number of windows.

    Example:
        >>> keras.ops.fold(np.ones((1, 4, 4)), 3, 2)[0, 0]
        array([[1., 2., 1.], [2., 4., 2.], [1., 2., 1.]])
    """
    _, rates, pads, steps = _pairs(kernel_size, dilation, padding, stride)
    space = per_axis("output_size", output_size, 2)
    kernel, counts = _counts(space, kernel_size, dilation, padding, stride)
    batch, depth, _ = np.shape(x)
    x = np.reshape(x, (batch, depth // (kernel[0] * kernel[1]), *kernel, *counts))
    x = np.transpose(x, (0, 1, 4, 2, 5, 3))
    x = overlapped(x, -1, space[1] + 2 * pads[1], steps[1], rates[1])
    x = overlapped(x, -2, space[0] + 2 * pads[0], steps[0], rates[0])
    for axis, p, n in zip((-2, -1), pads, space, strict=True):
        x = cut(x, axis, p, p + n) if p else x
    return x
