"""Filters that are the same in all places, and what is measured with them."""

from __future__ import annotations

import functools
import operator
from collections.abc import Sequence
from typing import Any

import numpy

from keraslite.core import dtypes
from keraslite.core.op import Tensor, TensorLike, composite
from keraslite.core.promotion import FLOAT, KEEP, DtypeRule
from keraslite.core.shapes import Shape, may_equal, window
from keraslite.ops import numpy as np
from keraslite.ops.image.layout import as_wide, rounded, spatial_axes, two_numbers
from keraslite.ops.nn.sliding import extend


def _correlate(x: Tensor, axis: int, taps: Sequence[Any], padding: str = "same") -> Tensor:
    """Sum over neighbours along an axis; `"same"` takes zeros for those outside.

    A tap of None leaves its neighbours out.
    The sum of shifted tensors keeps integers exact, and full precision where products of
    an engine would round their arguments.
    """
    if padding == "same":
        x = extend(x, axis, (len(taps) - 1) // 2, len(taps) // 2)
    start, sizes = [0] * len(x.shape), list(np.shape(x))
    sizes[axis] = sizes[axis] - len(taps) + 1
    parts = []
    for i, tap in enumerate(taps):
        if tap is not None:
            start[axis] = i
            parts.append(np.slice(x, start, sizes) * tap)
    return functools.reduce(operator.add, parts)


def gaussian(size: int, sigma: Any, dtype: str) -> list[Any]:
    """The values of a bell curve at `size` places around its middle, of sum 1."""
    known = isinstance(sigma, (int, float))
    xp = numpy if known else np
    places = xp.arange(size, dtype=dtype) - (size - 1) / 2
    found = xp.exp(xp.square(places / sigma) * -0.5)
    found = found / xp.sum(found)
    return found.tolist() if known else np.unstack(found)


def _blur(
    x: Tensor, axes: Sequence[int], sizes: Sequence[int], sigmas: Sequence[Any], padding: str
) -> Tensor:
    """Float tensors averaged under a bell curve along each axis."""
    for axis, size, sigma in zip(axes, sizes, sigmas, strict=True):
        x = _correlate(x, axis, gaussian(size, sigma, np.dtype(x)), padding)
    return x


def _blur_shape(
    images: Shape, kernel_size: Sequence[int], sigma: Sequence[float], data_format: str | None
) -> Shape:
    spatial_axes(images, data_format)
    two_numbers("kernel_size", kernel_size)
    sizes = getattr(sigma, "shape", None)
    if (len(sigma) if isinstance(sigma, (tuple, list)) else sizes and sizes[0]) != 2:
        raise ValueError(f"`sigma` must be two numbers; it is {sigma!r}.")
    return tuple(images)


@composite(_blur_shape, KEEP, checked=True)
def gaussian_blur(
    images: TensorLike,
    kernel_size: Sequence[int] = (3, 3),
    sigma: Sequence[float] = (1.0, 1.0),
    data_format: str | None = None,
) -> Tensor:
    """Images averaged under a bell curve, `exp(-d**2 / (2 sigma**2))` at the distance `d`.

    Outside of the images there are zeros.

    Args:
        images: tensor of shape `(height, width, channels)` or `(batch, height, width,
            channels)`, or with channels before height for `data_format="channels_first"`.
        kernel_size: how many columns and how many rows are averaged.
        sigma: standard deviations of the curve along the rows and along the columns.
        data_format: `"channels_last"`, `"channels_first"`, or None for
            `keras.config.image_data_format()`.

    Returns:
        Tensor of the shape and dtype of `images`; integers are rounded.

    Raises:
        ValueError: for another rank, or options that are not two numbers.

    Example:
        >>> keras.ops.image.gaussian_blur(np.ones((1, 3, 3, 1)))[0, :, 1, 0]
        array([0.7259, 1., 0.7259])
    """
    width_and_height = spatial_axes(images.shape, data_format)[::-1]
    found = _blur(as_wide(images), width_and_height, kernel_size, (sigma[0], sigma[1]), "same")
    return rounded(found, np.dtype(images))


def _signed(*names: str) -> str:
    """Differences of bytes need a sign, and more bits."""
    found = dtypes.promote(*names)
    return found if dtypes.is_float(found) else dtypes.promote(found, "int16")


def _sobel_shape(images: Shape, data_format: str | None) -> Shape:
    spatial_axes(images, data_format)
    return (*images, 2)


@composite(_sobel_shape, DtypeRule(_signed, passing=(*dtypes.FLOATS, "int32")), checked=True)
def sobel_edges(images: TensorLike, data_format: str | None = None) -> Tensor:
    """How fast images change downwards and to the right, by the operator of Sobel and Feldman.

    The kernel is `[1, 2, 1]` along one axis and `[-1, 0, 1]` along the other. Outside of the
    images there are zeros.

    Args:
        images: tensor of shape `(batch, height, width, channels)`, with channels before
            height for `data_format="channels_first"`; one image may come without a batch.
        data_format: `"channels_last"`, `"channels_first"`, or None for
            `keras.config.image_data_format()`.

    Returns:
        Tensor of the shape of `images` and a last axis of size 2: changes along the height
        and along the width.

    Raises:
        ValueError: for another rank.

    Example:
        >>> keras.ops.image.sobel_edges(np.eye(3).reshape(1, 3, 3, 1))[0, 1, 1, 0]
        array([0., 0.])
    """
    height, width = spatial_axes(images.shape, data_format)
    change, smooth = (-1, None, 1), (1, 2, 1)
    return np.stack(
        [
            _correlate(_correlate(images, width, smooth), height, change),
            _correlate(_correlate(images, height, smooth), width, change),
        ],
        axis=-1,
    )


def _ssim_shape(
    image1: Shape, image2: Shape, max_val: float, filter_size: int, *options: Any
) -> Shape:
    if not may_equal(image1, image2):
        raise ValueError(
            "`image1` and `image2` must have the same shape; they have "
            f"{tuple(image1)} and {tuple(image2)}."
        )
    for axis in spatial_axes(image1, options[-1]):
        window(image1[axis], filter_size, 1, "valid")
    return tuple(image1[:-3])


@composite(_ssim_shape, FLOAT, checked=True)
def ssim(
    image1: TensorLike,
    image2: TensorLike,
    max_val: float = 1.0,
    filter_size: int = 11,
    filter_sigma: float = 1.5,
    k1: float = 0.01,
    k2: float = 0.03,
    data_format: str | None = None,
) -> Tensor:
    """The structural similarity of images, 1 for equal ones.

    Means, variances and the covariance are those under a Gaussian window; see Wang et al.,
    "Image Quality Assessment: From Error Visibility to Structural Similarity" (2004).

    Args:
        image1: tensor of shape `(height, width, channels)` or `(batch, height, width,
            channels)`, or with channels before height for `data_format="channels_first"`.
        image2: tensor of the same shape.
        max_val: the greatest value that pixels can have.
        filter_size: how many rows and columns the window has.
        filter_sigma: its standard deviation.
        k1: how much, in units of `max_val`, stabilises the comparison of means.
        k2: the same for variances.
        data_format: `"channels_last"`, `"channels_first"`, or None for
            `keras.config.image_data_format()`.

    Returns:
        Float tensor of shape `(batch,)`, or a scalar for single images.

    Raises:
        ValueError: if shapes differ or images are smaller than the window.

    Example:
        >>> image = np.random.uniform(size=(16, 16, 3))
        >>> keras.ops.image.ssim(image, image)
        1.
    """
    axes = spatial_axes(image1.shape, data_format)
    one, two = as_wide(image1), as_wide(image2)
    products = [one, two, one * one, two * two, one * two]
    means = _blur(np.stack(products), axes, (filter_size,) * 2, (filter_sigma,) * 2, "valid")
    mean1, mean2, square1, square2, product = (means[i] for i in range(5))
    stable1, stable2 = (k1 * max_val) ** 2, (k2 * max_val) ** 2
    both, each = mean1 * mean2, mean1 * mean1 + mean2 * mean2
    luminance = (2.0 * both + stable1) / (each + stable1)
    structure = (2.0 * (product - both) + stable2) / (square1 + square2 - each + stable2)
    return np.cast(np.mean(luminance * structure, (-3, -2, -1)), np.dtype(image1))
