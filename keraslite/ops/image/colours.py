"""Between colour spaces."""

from __future__ import annotations

from keraslite.core import dtypes
from keraslite.core.op import Tensor, TensorLike, composite
from keraslite.core.promotion import KEEP
from keraslite.core.shapes import Shape
from keraslite.ops import numpy as np
from keraslite.ops.image.layout import as_wide, channel_axis, spatial_axes, with_sizes

# The luma of ITU-R BT.601.
_LUMA = (0.2989, 0.5870, 0.1140)


def _gray_shape(images: Shape, data_format: str | None) -> Shape:
    spatial_axes(images, data_format)
    axis = channel_axis(data_format)
    if images[axis] not in (1, 3, None):
        raise ValueError(f"`images` must have 3 channels (or 1); their shape is {tuple(images)}.")
    return with_sizes(images, (axis,), (1,))


@composite(_gray_shape, KEEP, checked=True)
def rgb_to_grayscale(images: TensorLike, data_format: str | None = None) -> Tensor:
    """How bright colours are: `0.2989 red + 0.587 green + 0.114 blue` (ITU-R BT.601).

    Args:
        images: tensor of shape `(height, width, 3)` or `(batch, height, width, 3)`, or with
            channels before height for `data_format="channels_first"`. Images of one channel
            come back as they are.
        data_format: `"channels_last"`, `"channels_first"`, or None for
            `keras.config.image_data_format()`.

    Returns:
        Tensor with one channel, of the dtype of `images`; integers are rounded down.

    Raises:
        ValueError: for other ranks or channels.

    Example:
        >>> keras.ops.image.rgb_to_grayscale([[[1.0, 0.0, 0.0]]])
        array([[[0.2989]]])
    """
    axis = channel_axis(data_format)
    if images.shape[axis] == 1:
        return images
    red, green, blue = np.split(as_wide(images), 3, axis)
    gray = red * _LUMA[0] + green * _LUMA[1] + blue * _LUMA[2]
    return np.cast(gray, np.dtype(images))


def _three(where: str, images: Tensor, data_format: str | None) -> tuple[list[Tensor], int]:
    """The three channels, and their axis."""
    spatial_axes(images.shape, data_format)
    axis, dtype = channel_axis(data_format), np.dtype(images)
    if images.shape[axis] not in (3, None):
        raise ValueError(
            f"ops.image.{where}: `images` must have 3 channels. Received: shape "
            f"{tuple(images.shape)}, data_format={data_format!r}"
        )
    if not dtypes.is_float(dtype):
        raise ValueError(
            f"ops.image.{where}: `images` must be floats; divide bytes by 255. Received: "
            f"dtype={dtype}"
        )
    return np.split(as_wide(images), 3, axis), axis


@composite(None, KEEP)
def rgb_to_hsv(images: TensorLike, data_format: str | None = None) -> Tensor:
    """Hue, saturation and value of colours.

    Smith, "Color Gamut Transform Pairs" (1978).

    Args:
        images: float tensor of shape `(height, width, 3)` or `(batch, height, width, 3)`, or
            with channels before height for `data_format="channels_first"`; from 0 to 1.
        data_format: `"channels_last"`, `"channels_first"`, or None for
            `keras.config.image_data_format()`.

    Returns:
        Tensor of the shape and dtype of `images`, from 0 to 1. The hue of red is 0, that of
        green 1/3 and that of blue 2/3; the hue of gray is 0.

    Raises:
        ValueError: for integers, other ranks or channels.

    Example:
        >>> keras.ops.image.rgb_to_hsv([[[0.0, 1.0, 0.0]]])
        array([[[0.3333, 1., 1.]]])
    """
    (red, green, blue), axis = _three("rgb_to_hsv", images, data_format)
    value = np.maximum(np.maximum(red, green), blue)
    spread = value - np.minimum(np.minimum(red, green), blue)
    saturation = np.where(value > 0, spread / np.where(value > 0, value, 1.0), 0.0)
    divisor = np.where(spread > 0, spread, 1.0)
    hue = np.where(
        np.equal(red, value),
        (green - blue) / divisor,
        np.where(
            np.equal(green, value), (blue - red) / divisor + 2.0, (red - green) / divisor + 4.0
        ),
    )
    hue = np.where(spread > 0, np.mod(hue / 6.0, 1.0), 0.0)
    return np.cast(np.concatenate([hue, saturation, value], axis), np.dtype(images))


@composite(None, KEEP)
def hsv_to_rgb(images: TensorLike, data_format: str | None = None) -> Tensor:
    """Colours from hue, saturation and value: the inverse of `rgb_to_hsv`.

    Args:
        images: float tensor of shape `(height, width, 3)` or `(batch, height, width, 3)`, or
            with channels before height for `data_format="channels_first"`. Hues repeat
            after 1.
        data_format: `"channels_last"`, `"channels_first"`, or None for
            `keras.config.image_data_format()`.

    Returns:
        Tensor of the shape and dtype of `images`: red, green and blue.

    Raises:
        ValueError: for integers, other ranks or channels.

    Example:
        >>> keras.ops.image.hsv_to_rgb([[[0.5, 1.0, 1.0]]])
        array([[[0., 1., 1.]]])
    """
    (hue, saturation, value), axis = _three("hsv_to_rgb", images, data_format)
    place = np.mod(hue, 1.0) * 6.0
    pure = [
        np.absolute(place - 3.0) - 1.0,
        2.0 - np.absolute(place - 2.0),
        2.0 - np.absolute(place - 4.0),
    ]
    mixed = [((np.clip(c, 0.0, 1.0) - 1.0) * saturation + 1.0) * value for c in pure]
    return np.cast(np.concatenate(mixed, axis), np.dtype(images))
