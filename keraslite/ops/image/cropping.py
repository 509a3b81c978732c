"""Images with margins taken away or added."""

from __future__ import annotations

import functools
from typing import Any

from keraslite.core.op import Tensor, TensorLike, composite
from keraslite.core.promotion import KEEP
from keraslite.core.shapes import Shape
from keraslite.ops import numpy as np
from keraslite.ops.image.layout import spatial_axes, with_sizes
from keraslite.ops.nn.sliding import cut, extend

_NAMES = (("top", "bottom", "height"), ("left", "right", "width"))

Margins = tuple[int | None, int | None, int | None]
"""Before, after, and the size that is left; None for what is not given or not known."""


def _margins(what: str, axis: int, old: int | None, given: Margins, sign: int) -> Margins:
    """All three, where two are given; `sign` says whether margins add to the size."""
    before, after, target = given
    names = [f"{n}_{what}" for n in _NAMES[axis][:2]] + [f"target_{_NAMES[axis][2]}"]
    if given.count(None) != 1:
        values = ", ".join(f"{n}={v}" for n, v in zip(names, given, strict=True))
        raise ValueError(f"Exactly two of {', '.join(names)} must be given; they are {values}.")
    if old is not None:
        if target is None:
            target = old + sign * (before + after)  # type: ignore[operator]
        extra = sign * (target - old)
        before = extra - after if before is None else before  # type: ignore[operator]
        after = extra - before if after is None else after
    for name, value in zip(names, (before, after, target), strict=True):
        if value is not None and value < 0:
            raise ValueError(f"`{name}` must not be negative; it is {value}.")
    return before, after, target


def _margins_of(
    what: str, images: Shape, rows: Margins, columns: Margins, data_format: str | None
) -> list[tuple[int, Margins]]:
    """`(axis, margins)` for height and width."""
    sign = 1 if what == "padding" else -1
    return [
        (axis, _margins(what, i, images[axis], (rows, columns)[i], sign))
        for i, axis in enumerate(spatial_axes(images, data_format))
    ]


def _new_shape(what: str, images: Shape, *given: Any) -> Shape:
    top, left, bottom, right, height, width, data_format = given
    rows, columns = (top, bottom, height), (left, right, width)
    axes, margins = zip(*_margins_of(what, images, rows, columns, data_format), strict=True)
    return with_sizes(images, axes, tuple(target for _, _, target in margins))


@composite(functools.partial(_new_shape, "cropping"), KEEP)
def crop_images(
    images: TensorLike,
    top_cropping: int | None = None,
    left_cropping: int | None = None,
    bottom_cropping: int | None = None,
    right_cropping: int | None = None,
    target_height: int | None = None,
    target_width: int | None = None,
    data_format: str | None = None,
) -> Tensor:
    """Images without their margins.

    Of top, bottom and target height exactly two must be given, and so of left, right and
    target width.

    Args:
        images: tensor of shape `(height, width, channels)` or `(batch, height, width,
            channels)`, or with channels before height for `data_format="channels_first"`.
        top_cropping: how many rows to take away at the top.
        left_cropping: how many columns to take away at the left.
        bottom_cropping: how many rows to take away at the bottom.
        right_cropping: how many columns to take away at the right.
        target_height: how many rows to keep.
        target_width: how many columns to keep.
        data_format: `"channels_last"`, `"channels_first"`, or None for
            `keras.config.image_data_format()`.

    Returns:
        Tensor of the dtype of `images`.

    Raises:
        ValueError: for other counts of arguments, or numbers that do not fit the images.

    Example:
        >>> images = np.ones((2, 8, 8, 3))
        >>> keras.ops.image.crop_images(images, 1, 2, target_height=4, target_width=5).shape
        (2, 4, 5, 3)
    """
    rows = (top_cropping, bottom_cropping, target_height)
    columns = (left_cropping, right_cropping, target_width)
    found = _margins_of("cropping", images.shape, rows, columns, data_format)
    for axis, (before, after, target) in found:
        if before is not None:
            images = cut(images, axis, before, None if target is None else before + target)
        if before is None or target is None:
            stop = np.shape(images)[axis] - after
            images = cut(images, axis, None if target is None else stop - target, stop)
    return images


@composite(functools.partial(_new_shape, "padding"), KEEP)
def pad_images(
    images: TensorLike,
    top_padding: int | None = None,
    left_padding: int | None = None,
    bottom_padding: int | None = None,
    right_padding: int | None = None,
    target_height: int | None = None,
    target_width: int | None = None,
    data_format: str | None = None,
) -> Tensor:
    """Images with margins of zeros.

    Of top, bottom and target height exactly two must be given, and so of left, right and
    target width.

    Args:
        images: tensor as in `crop_images`.
        top_padding: how many rows to add at the top.
        left_padding: how many columns to add at the left.
        bottom_padding: how many rows to add at the bottom.
        right_padding: how many columns to add at the right.
        target_height: how many rows there shall be.
        target_width: how many columns there shall be.
        data_format: as in `crop_images`.

    Returns:
        Tensor of the dtype of `images`.

    Raises:
        ValueError: for other counts of arguments, or numbers that do not fit the images.

    Example:
        >>> images = np.ones((2, 8, 8, 3))
        >>> keras.ops.image.pad_images(images, 1, 2, 3, 4).shape
        (2, 12, 14, 3)
    """
    rows = (top_padding, bottom_padding, target_height)
    columns = (left_padding, right_padding, target_width)
    found = _margins_of("padding", images.shape, rows, columns, data_format)
    for axis, (before, after, target) in found:
        if before is None:
            before = target - after - np.shape(images)[axis]
        elif after is None:
            after = target - before - np.shape(images)[axis]
        images = extend(images, axis, before, after)
    return images
