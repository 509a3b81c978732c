"""Images seen through a change of coordinates: affine, perspective, elastic, or any."""

from __future__ import annotations

import functools
import itertools
import math
import operator
from collections.abc import Sequence
from typing import Any

from keraslite.core.errors import check_choice
from keraslite.core.op import Tensor, TensorLike, composite
from keraslite.core.promotion import KEEP, like_first
from keraslite.core.shapes import Shape
from keraslite.ops import numpy as np
from keraslite.ops.image.filters import gaussian
from keraslite.ops.image.layout import as_wide, rounded, spatial_axes
from keraslite.ops.linalg import solve
from keraslite.ops.nn.convolution import conv

_FILL_MODES = ("constant", "nearest", "wrap", "mirror", "reflect")
_ORDERS = {"nearest": 0, "bilinear": 1}

# Farther away than any pixel; greater numbers would not fit into an int32.
_FAR = 1e9


# Interpolation -----------------------------------------------------------------------


def _inside(index: Tensor, size: Any, fill_mode: str) -> Tensor:
    """The index of the element that stands for one outside of the tensor."""
    if fill_mode == "wrap":
        return np.mod(index, size)
    if fill_mode == "mirror":
        turn = size - 1
        period = max(2 * turn, 1) if isinstance(turn, int) else np.maximum(2 * turn, 1)
        return np.absolute(np.mod(index + turn, period) - turn)
    if fill_mode == "reflect":
        place = np.mod(index, 2 * size)
        return np.minimum(place, 2 * size - 1 - place)
    return np.minimum(np.maximum(index, 0), size - 1)


def _taps(coordinate: Tensor, order: int) -> list[tuple[Tensor, Tensor | None]]:
    """`(index, weight)` of the elements around a coordinate."""
    if order == 0:
        # Halves go away from zero.
        shifted = coordinate + np.where(coordinate < 0, -0.5, 0.5)
        return [(np.cast(shifted, "int32"), None)]
    low = np.floor(coordinate)
    weight, index = coordinate - low, np.cast(low, "int32")
    return [(index, 1.0 - weight), (index + 1, weight)]


def _interpolate(
    rows: Tensor,
    sizes: Sequence[Any],
    coordinates: Sequence[Tensor],
    order: int,
    fill_mode: str,
    fill_value: Any,
    offset: Any = 0,
) -> Tensor:
    """Rows of a table that lie on a grid, interpolated.

    Args:
        rows: tensor whose first axis is the flattened grid (or several of them), and whose
            second one, if any, is kept.
        sizes: of the grid.
        coordinates: tensors of one shape, one for each axis of the grid.
        order: 0 for the nearest element, 1 for linear interpolation.
        fill_mode: what lies outside.
        fill_value: for `"constant"`.
        offset: the index of the first row of the grid.

    Returns:
        Tensor of the shape of `coordinates` (and the second axis), of the dtype of `rows`.
    """
    dtype = np.dtype(rows)
    rows = as_wide(rows) if order else rows
    strides = [math.prod(sizes[i + 1 :]) for i in range(len(sizes))]

    def like_rows(x: Tensor) -> Tensor:
        return np.expand_dims(x, -1) if len(rows.shape) > 1 else x

    parts = []
    near = [np.clip(np.cast(c, "float32"), -_FAR, _FAR) for c in coordinates]
    for corner in itertools.product(*(_taps(c, order) for c in near)):
        places = [_inside(i, n, fill_mode) for (i, _), n in zip(corner, sizes, strict=True)]
        row = functools.reduce(operator.add, map(operator.mul, places, strides)) + offset
        found = np.take(rows, row, 0)
        if fill_mode == "constant":
            known = [np.equal(i, place) for (i, _), place in zip(corner, places, strict=True)]
            known = functools.reduce(np.logical_and, known)
            outside = np.convert_to_tensor(fill_value, dtype=np.dtype(rows))
            found = np.where(like_rows(known), found, outside)
        if order:
            weight = functools.reduce(operator.mul, [w for _, w in corner])
            found = found * like_rows(np.cast(weight, np.dtype(rows)))
        parts.append(found)
    return rounded(functools.reduce(operator.add, parts), dtype) if order else parts[0]


def _map_shape(
    inputs: Shape, coordinates: Shape, order: int, fill_mode: str, fill_value: float
) -> Shape:
    check_choice("", _FILL_MODES, fill_mode=fill_mode)
    if order not in (0, 1):
        raise ValueError(f"`order` must be 0 or 1; it is {order!r}.")
    if len(coordinates) < 2 or coordinates[0] not in (len(inputs), None):
        raise ValueError(
            f"`coordinates` must have the shape ({len(inputs)}, ...), one coordinate for each axis "
            f"of `inputs`; it has {tuple(coordinates)}."
        )
    return tuple(coordinates[1:])


@composite(_map_shape, like_first(coordinates="float32"), checked=True)
def map_coordinates(
    inputs: TensorLike,
    coordinates: TensorLike,
    order: int,
    fill_mode: str = "constant",
    fill_value: float = 0,
) -> Tensor:
    """The values of a tensor at any places.

    Args:
        inputs: tensor of any rank.
        coordinates: tensor of shape `(rank, ...)`: the places along each axis.
        order: 0 for the nearest element, 1 for linear interpolation.
        fill_mode: what lies outside of a row `a b c d`: `"constant"` for `fill_value`,
            `"nearest"` for `d d d`, `"wrap"` for `a b c`, `"mirror"` for `c b a` and
            `"reflect"` for `d c b`.
        fill_value: for `"constant"`.

    Returns:
        Tensor of shape `coordinates.shape[1:]` and the dtype of `inputs`; integers are
        rounded.

    Raises:
        ValueError: for shapes that do not fit, or options that do not exist.

    Example:
        >>> keras.ops.image.map_coordinates([0.0, 10.0, 20.0], [[0.5, 1.0]], order=1)
        array([ 5., 10.])
    """
    places = [coordinates[i] for i in range(len(inputs.shape))]
    flat = np.reshape(inputs, (-1,))
    return _interpolate(flat, np.shape(inputs), places, order, fill_mode, fill_value)


# Images ------------------------------------------------------------------------------


def _same_shape(
    images: Shape, interpolation: str, fill_mode: str, fill_value: float, data_format: str | None
) -> Shape:
    spatial_axes(images, data_format)
    check_choice("", _ORDERS, interpolation=interpolation)
    check_choice("", _FILL_MODES, fill_mode=fill_mode)
    return tuple(images)


def _grid(height: Any, width: Any) -> tuple[Tensor, Tensor]:
    """The coordinates of pixels, of shapes `(height, 1)` and `(1, width)`."""
    rows, columns = np.arange(height, dtype="float32"), np.arange(width, dtype="float32")
    return np.expand_dims(rows, 1), np.expand_dims(columns, 0)


def _resampled(
    images: Tensor,
    places: Any,
    interpolation: str,
    fill_mode: str,
    fill_value: float,
    data_format: str | None,
) -> Tensor:
    """Images whose pixels are taken from elsewhere.

    `places(batch, height, width)` gives the rows and columns to take them from, tensors of
    shape `(batch, height, width)`.
    """
    one = len(images.shape) == 3
    first = spatial_axes(images.shape, data_format)[0] == -2
    x = np.expand_dims(images, 0) if one else images
    x = np.moveaxis(x, 1, -1) if first else x
    batch, height, width, channels = np.shape(x)
    pixels = height * width
    starts = np.reshape(np.arange(batch, dtype="int32") * pixels, (batch, 1, 1))
    found = _interpolate(
        np.reshape(x, (batch * pixels, channels)),
        (height, width),
        places(batch, height, width),
        _ORDERS[interpolation],
        fill_mode,
        fill_value,
        starts,
    )
    found = np.moveaxis(found, -1, 1) if first else found
    return np.squeeze(found, 0) if one else found


def _projected(coefficients: Tensor) -> Any:
    """The places that a projective map of `(count, 8)` coefficients takes pixels from."""

    def places(batch: Any, height: Any, width: Any) -> tuple[Tensor, Tensor]:
        y, x = _grid(height, width)
        a0, a1, a2, b0, b1, b2, c0, c1 = (
            np.reshape(coefficients[:, i], (-1, 1, 1)) for i in range(8)
        )
        depth = c0 * x + c1 * y + 1.0
        rows, columns = (b0 * x + b1 * y + b2) / depth, (a0 * x + a1 * y + a2) / depth
        shape = (batch, height, width)
        return np.broadcast_to(rows, shape), np.broadcast_to(columns, shape)

    return places


def _check_count(name: str, given: Shape, images: Shape, single: int) -> None:
    """Parameters of images are for all of them, or there is one set for each."""
    images_count = 1 if len(images) == 3 else images[0]
    count = given[0] if len(given) > single else 1
    if count not in (1, None) and images_count is not None and count != images_count:
        raise ValueError(f"`{name}` is for {count} images, but there are {images_count}.")


def _affine_shape(images: Shape, transform: Shape, *options: Any) -> Shape:
    found = _same_shape(images, *options)
    if len(transform) not in (1, 2) or transform[-1] not in (8, None):
        raise ValueError(
            "`transform` must have the shape (8,), or (batch, 8) for one map for each image; it "
            f"has {tuple(transform)}."
        )
    _check_count("transform", transform, images, 1)
    return found


@composite(_affine_shape, like_first(transform="float32"), checked=True)
def affine_transform(
    images: TensorLike,
    transform: TensorLike,
    interpolation: str = "bilinear",
    fill_mode: str = "constant",
    fill_value: float = 0,
    data_format: str | None = None,
) -> Tensor:
    """Images that are turned, scaled, sheared, moved or tilted.

    For `[a0, a1, a2, b0, b1, b2, c0, c1]` the pixel in column `x` and row `y` is taken from
    column `(a0 x + a1 y + a2) / k` and row `(b0 x + b1 y + b2) / k`, where
    `k = c0 x + c1 y + 1`.

    Args:
        images: tensor of shape `(height, width, channels)` or `(batch, height, width,
            channels)`, or with channels before height for `data_format="channels_first"`.
        transform: tensor of shape `(8,)`, or `(batch, 8)`.
        interpolation: `"nearest"` or `"bilinear"`.
        fill_mode: as in `map_coordinates`.
        fill_value: as in `map_coordinates`.
        data_format: `"channels_last"`, `"channels_first"`, or None for
            `keras.config.image_data_format()`.

    Returns:
        Tensor of the shape and dtype of `images`; integers are rounded.

    Raises:
        ValueError: for shapes that do not fit, or options that do not exist.

    Example:
        >>> image = np.arange(3.0).reshape(1, 3, 1)
        >>> moved = [1.0, 0.0, 1.0, 0.0, 1.0, 0.0, 0.0, 0.0]
        >>> keras.ops.image.affine_transform(image, moved)[0, :, 0]
        array([1., 2., 0.])
    """
    places = _projected(np.reshape(transform, (-1, 8)))
    return _resampled(images, places, interpolation, fill_mode, fill_value, data_format)


def _perspective_shape(
    images: Shape, start_points: Shape, end_points: Shape, interpolation: str, *options: Any
) -> Shape:
    found = _same_shape(images, interpolation, "constant", *options)
    for name, points in (("start_points", start_points), ("end_points", end_points)):
        if len(points) not in (2, 3) or points[-2] not in (4, None) or points[-1] not in (2, None):
            raise ValueError(
                f"`{name}` must have the shape (4, 2), or (batch, 4, 2) for four points of each "
                f"image; it has {tuple(points)}."
            )
        _check_count(name, points, images, 2)
    if len(start_points) != len(end_points):
        raise ValueError(
            "`start_points` and `end_points` must have the same shape; they have "
            f"{tuple(start_points)} and {tuple(end_points)}."
        )
    return found


@composite(
    _perspective_shape, like_first(start_points="float32", end_points="float32"), checked=True
)
def perspective_transform(
    images: TensorLike,
    start_points: TensorLike,
    end_points: TensorLike,
    interpolation: str = "bilinear",
    fill_value: float = 0,
    data_format: str | None = None,
) -> Tensor:
    """Images as seen from elsewhere, given where four of their points move.

    Args:
        images: tensor of shape `(height, width, channels)` or `(batch, height, width,
            channels)`, or with channels before height for `data_format="channels_first"`.
        start_points: tensor of shape `(4, 2)`, or `(batch, 4, 2)`: the column and the row
            of each point.
        end_points: tensor of the same shape: where they are in the result.
        interpolation: `"nearest"` or `"bilinear"`.
        fill_value: what lies outside of the images.
        data_format: `"channels_last"`, `"channels_first"`, or None for
            `keras.config.image_data_format()`.

    Returns:
        Tensor of the shape and dtype of `images`; integers are rounded.

    Raises:
        ValueError: for shapes that do not fit, or options that do not exist.

    Example:
        >>> image, corners = np.eye(3)[..., None], [[0, 0], [2, 0], [0, 2], [2, 2]]
        >>> turned = [[2, 0], [2, 2], [0, 0], [0, 2]]
        >>> keras.ops.image.perspective_transform(image, corners, turned)[0, :, 0]
        array([0., 0., 1.])
    """
    start, end = (np.reshape(p, (-1, 4, 2)) for p in (start_points, end_points))
    places = _projected(projection(end, start))
    return _resampled(images, places, interpolation, "constant", fill_value, data_format)


def projection(source: Tensor, target: Tensor) -> Tensor:
    """The coefficients `(count, 8)` of the map that takes four points to four others.

    Each pair gives two equations that are linear in the coefficients.
    """
    u, v, x, y = source[..., 0], source[..., 1], target[..., 0], target[..., 1]
    one, zero = np.ones_like(u), np.zeros_like(u)
    columns = np.stack([u, v, one, zero, zero, zero, -u * x, -v * x], -1)
    rows = np.stack([zero, zero, zero, u, v, one, -u * y, -v * y], -1)
    equations = np.concatenate([columns, rows], 1)
    right = np.expand_dims(np.concatenate([x, y], 1), 2)
    return np.squeeze(solve(equations, right), 2)


def _elastic_shape(images: Shape, alpha: float, sigma: float, *options: Any) -> Shape:
    *how, _, data_format = options
    return _same_shape(images, *how, data_format)


@composite(_elastic_shape, KEEP, checked=True)
def elastic_transform(
    images: TensorLike,
    alpha: float = 20.0,
    sigma: float = 5.0,
    interpolation: str = "bilinear",
    fill_mode: str = "reflect",
    fill_value: float = 0.0,
    seed: Any = None,
    data_format: str | None = None,
) -> Tensor:
    """Images whose pixels move a little at random, neighbours alike.

    Simard et al., "Best Practices for Convolutional Neural Networks Applied to Visual Document
    Analysis" (2003).

    Args:
        images: tensor of shape `(height, width, channels)` or `(batch, height, width,
            channels)`, or with channels before height for `data_format="channels_first"`.
        alpha: how far pixels move; the standard deviation is about `0.28 * alpha`.
        sigma: how smooth the movement is: the standard deviation, in pixels, of the bell
            curve that noise is averaged under.
        interpolation: `"nearest"` or `"bilinear"`.
        fill_mode: as in `map_coordinates`.
        fill_value: as in `map_coordinates`.
        seed: an int, a `SeedGenerator` or None, as in `keras.random`.
        data_format: `"channels_last"`, `"channels_first"`, or None for
            `keras.config.image_data_format()`.

    Returns:
        Tensor of the shape and dtype of `images`; integers are rounded.

    Raises:
        ValueError: for another rank, or options that do not exist.

    Example:
        >>> keras.ops.image.elastic_transform(np.ones((8, 8, 3)), seed=1).shape
        (8, 8, 3)
    """
    # The samplers are written over these ops.
    from keraslite.random import normal

    def places(batch: Any, height: Any, width: Any) -> tuple[Tensor, Tensor]:
        moves = normal((2 * batch, height, width, 1), stddev=sigma, dtype="float32", seed=seed)
        size = int(6 * sigma) | 1
        bell = np.convert_to_tensor(gaussian(size, sigma, "float32"), dtype="float32")
        for window in ((size, 1, 1, 1), (1, size, 1, 1)):
            moves = conv(moves, np.reshape(bell, window), 1, "same", "channels_last")
        moves = np.reshape(moves, (2, batch, height, width)) * alpha
        y, x = _grid(height, width)
        return y + moves[0], x + moves[1]

    return _resampled(images, places, interpolation, fill_mode, fill_value, data_format)
