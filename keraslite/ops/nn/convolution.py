"""Convolutions of one, two or three spatial axes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from keraslite.config import standardize_data_format
from keraslite.core.op import Tensor, TensorLike, composite, kernel
from keraslite.core.promotion import PROMOTE
from keraslite.core.shapes import Shape, window
from keraslite.ops.nn.windows import (
    channels_and_space,
    check_filled,
    check_padding,
    check_rank,
    join,
    per_axis,
)

_conv = kernel("conv")
_depthwise_conv = kernel("depthwise_conv")
_conv_transpose = kernel("conv_transpose")


_Options = tuple[tuple[int, ...], str, str, tuple[int, ...]]


def _options(
    inputs: Shape,
    kernel: Shape,
    strides: int | Sequence[int],
    padding: str,
    data_format: str | None,
    dilation_rate: int | Sequence[int],
) -> _Options:
    """The options of a convolution as kernels take them."""
    rank = check_rank(inputs, kernel)
    return (
        per_axis("strides", strides, rank),
        check_padding(padding),
        standardize_data_format(data_format),
        per_axis("dilation_rate", dilation_rate, rank),
    )


def _spatial(
    inputs: Shape, kernel: Shape, options: _Options
) -> tuple[int | None, list[int | None]]:
    """The number of channels of `inputs`, and the spatial sizes of a convolution of it."""
    strides, padding, data_format, dilation = options
    channels, space = channels_and_space(inputs, data_format)
    return channels, [
        window(*sizes, padding, rate)
        for *sizes, rate in zip(space, kernel, strides, dilation, strict=False)
    ]


def _conv_shape(inputs: Shape, kernel: Shape, *given: Any) -> Shape:
    options = _options(inputs, kernel, *given)
    channels, space = _spatial(inputs, kernel, options)
    depth, filters = kernel[-2:]
    if channels is not None and (channels == 0 or channels % depth):
        raise ValueError(
            f"`inputs` must have {depth} channels, as `kernel` of shape {tuple(kernel)} does (or a "
            f"multiple of that, for groups); they have {channels}."
        )
    if channels is not None and filters % (channels // depth):
        raise ValueError(
            f"The {filters} filters do not divide into the {channels // depth} groups that "
            f"{channels} channels and a kernel for {depth} channels mean."
        )
    return join(inputs[0], filters, space, options[2])


@composite(_conv_shape, PROMOTE, native=False)
def conv(
    inputs: TensorLike,
    kernel: TensorLike,
    strides: int | Sequence[int] = 1,
    padding: str = "valid",
    data_format: str | None = None,
    dilation_rate: int | Sequence[int] = 1,
) -> Tensor:
    """Convolution (strictly: cross-correlation) over one, two or three spatial axes.

    Args:
        inputs: tensor of shape `(batch, *space, channels)`, or `(batch, channels, *space)`
            for `data_format="channels_first"`.
        kernel: tensor of shape `(*window, channels // groups, filters)`. The number of
            groups follows from the shapes.
        strides: steps of the window, one number or one for each spatial axis.
        padding: `"valid"` for none, or `"same"` for an output of `ceil(size / stride)`.
        data_format: `"channels_last"`, `"channels_first"`, or None for
            `keras.config.image_data_format()`.
        dilation_rate: distances between the taps of the window.

    Returns:
        Tensor of shape `(batch, *new_space, filters)`, or channels first.

    Raises:
        ValueError: for ranks, channels or options that do not fit, or a window that is
            larger than the input.

    Example:
        >>> image, kernel = np.ones((1, 8, 8, 3)), np.ones((3, 3, 3, 16))
        >>> keras.ops.conv(image, kernel, strides=2, padding="same").shape
        (1, 4, 4, 16)
    """
    options = _options(inputs.shape, kernel.shape, strides, padding, data_format, dilation_rate)
    outputs = _conv(inputs, kernel, *options)
    return check_filled(outputs, _conv_shape, inputs.shape, kernel.shape, *options)


def _depthwise_shape(inputs: Shape, kernel: Shape, *given: Any) -> Shape:
    options = _options(inputs, kernel, *given)
    channels, space = _spatial(inputs, kernel, options)
    depth, multiplier = kernel[-2:]
    if channels is not None and channels != depth:
        raise ValueError(
            f"`inputs` must have {depth} channels, as `kernel` of shape {tuple(kernel)} does; "
            f"they have {channels}."
        )
    return join(inputs[0], depth * multiplier, space, options[2])


@composite(_depthwise_shape, PROMOTE, native=False)
def depthwise_conv(
    inputs: TensorLike,
    kernel: TensorLike,
    strides: int | Sequence[int] = 1,
    padding: str = "valid",
    data_format: str | None = None,
    dilation_rate: int | Sequence[int] = 1,
) -> Tensor:
    """Convolution of each channel on its own with `multiplier` windows of its own.

    Args:
        inputs: tensor as in `conv`.
        kernel: tensor of shape `(*window, channels, multiplier)`.
        strides: as in `conv`.
        padding: as in `conv`.
        data_format: as in `conv`.
        dilation_rate: as in `conv`.

    Returns:
        Tensor of shape `(batch, *new_space, channels * multiplier)`, or channels first.
        The results of one channel lie side by side.

    Raises:
        ValueError: as in `conv`.

    Example:
        >>> image, kernel = np.ones((1, 8, 8, 3)), np.ones((3, 3, 3, 2))
        >>> keras.ops.depthwise_conv(image, kernel).shape
        (1, 6, 6, 6)
    """
    options = _options(inputs.shape, kernel.shape, strides, padding, data_format, dilation_rate)
    outputs = _depthwise_conv(inputs, kernel, *options)
    return check_filled(outputs, _depthwise_shape, inputs.shape, kernel.shape, *options)


@composite(None, PROMOTE)
def separable_conv(
    inputs: TensorLike,
    depthwise_kernel: TensorLike,
    pointwise_kernel: TensorLike,
    strides: int | Sequence[int] = 1,
    padding: str = "valid",
    data_format: str | None = None,
    dilation_rate: int | Sequence[int] = 1,
) -> Tensor:
    """A depthwise convolution followed by a convolution with windows of size one.

    Args:
        inputs: tensor as in `conv`.
        depthwise_kernel: tensor of shape `(*window, channels, multiplier)`.
        pointwise_kernel: tensor of shape `(1, ..., channels * multiplier, filters)`.
        strides: of the depthwise convolution, as in `conv`.
        padding: of the depthwise convolution, as in `conv`.
        data_format: as in `conv`.
        dilation_rate: of the depthwise convolution, as in `conv`.

    Returns:
        Tensor of shape `(batch, *new_space, filters)`, or channels first.

    Raises:
        ValueError: as in `conv`.

    Example:
        >>> image, depthwise = np.ones((1, 8, 8, 3)), np.ones((3, 3, 3, 2))
        >>> keras.ops.separable_conv(image, depthwise, np.ones((1, 1, 6, 16))).shape
        (1, 6, 6, 16)
    """
    middle = depthwise_conv(inputs, depthwise_kernel, strides, padding, data_format, dilation_rate)
    return conv(middle, pointwise_kernel, 1, "valid", data_format, 1)


def transposed_size(
    size: int | None,
    window: int,
    stride: int,
    padding: str,
    output_padding: int | None = None,
    dilation: int = 1,
) -> int | None:
    """The size along one axis after a transposed convolution.

    Without `output_padding` it is the smallest size of which a convolution with these
    options can have made `size`, `"same"` filling up to a multiple of the stride.
    """
    if size is None:
        return None
    span = (window - 1) * dilation + 1
    if output_padding is None:
        return size * stride + (max(span - stride, 0) if padding == "valid" else 0)
    trimmed = 0 if padding == "valid" else 2 * (span // 2)
    return (size - 1) * stride + span - trimmed + output_padding


def _conv_transpose_shape(inputs: Shape, kernel: Shape, *given: Any) -> Shape:
    strides, padding, output_padding, *rest = given
    steps, padding, data_format, rates = _options(inputs, kernel, strides, padding, *rest)
    channels, space = channels_and_space(inputs, data_format)
    filters, depth = kernel[-2:]
    if channels is not None and channels != depth:
        raise ValueError(
            f"`inputs` must have {depth} channels, the last size of `kernel` of shape "
            f"{tuple(kernel)}; they have {channels}."
        )
    extra = _output_padding(output_padding, len(space))
    sizes = [
        transposed_size(n, kernel[i], steps[i], padding, extra and extra[i], rates[i])
        for i, n in enumerate(space)
    ]
    return join(inputs[0], filters, sizes, data_format)


def _output_padding(value: int | Sequence[int] | None, rank: int) -> tuple[int, ...] | None:
    return None if value is None else per_axis("output_padding", value, rank, least=0)


@composite(_conv_transpose_shape, PROMOTE, native=False)
def conv_transpose(
    inputs: TensorLike,
    kernel: TensorLike,
    strides: int | Sequence[int] = 1,
    padding: str = "valid",
    output_padding: int | Sequence[int] | None = None,
    data_format: str | None = None,
    dilation_rate: int | Sequence[int] = 1,
) -> Tensor:
    """Transposed convolution: the gradient of `conv` with respect to its inputs.

    Args:
        inputs: tensor as in `conv`.
        kernel: tensor of shape `(*window, filters, channels)`.
        strides: by how much the spatial axes grow.
        padding: `"valid"` or `"same"`, of the convolution that this one reverses.
        output_padding: what to add to the smallest possible sizes, less than the stride;
            None for `size * stride` under `"same"`.
        data_format: as in `conv`.
        dilation_rate: as in `conv`.

    Returns:
        Tensor of shape `(batch, *new_space, filters)`, or channels first.

    Raises:
        ValueError: as in `conv`.

    Example:
        >>> image, kernel = np.ones((1, 4, 4, 3)), np.ones((3, 3, 16, 3))
        >>> keras.ops.conv_transpose(image, kernel, strides=2, padding="same").shape
        (1, 8, 8, 16)
    """
    steps, padding, data_format, rates = _options(
        inputs.shape, kernel.shape, strides, padding, data_format, dilation_rate
    )
    extra = _output_padding(output_padding, len(steps))
    return _conv_transpose(inputs, kernel, steps, padding, extra, data_format, rates)
