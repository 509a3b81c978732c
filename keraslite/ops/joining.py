"""One tensor of many and many of one: joining, splitting, repeating, padding, grids."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from keraslite.backend import engine
from keraslite.core import shapes
from keraslite.core.errors import check_choice
from keraslite.core.op import Tensor, TensorLike, composite, kernel, plain, primitive
from keraslite.core.promotion import KEEP, PROMOTE
from keraslite.ops.core import as_tensor, shape
from keraslite.ops.shaping import broadcast_to, expand_dims, ravel, reshape, squeeze

__all__ = [
    "append",
    "array_split",
    "concatenate",
    "dsplit",
    "dstack",
    "hsplit",
    "hstack",
    "meshgrid",
    "pad",
    "repeat",
    "split",
    "stack",
    "tile",
    "unstack",
    "vsplit",
    "vstack",
]

_concatenate, _pad, _repeat, _take, _tile = map(
    kernel, ("concatenate", "pad", "repeat", "take", "tile")
)

# Joining and splitting ---------------------------------------------------------------


@composite(shapes.concatenate, PROMOTE, native=False)
def concatenate(xs: Sequence[TensorLike], axis: int | None = 0) -> Tensor:
    """Join tensors along an axis that they have.

    Args:
        xs: tensors of the same shape but for that axis.
        axis: the axis; None joins them flattened.

    Returns:
        A tensor of the promoted dtype.

    Raises:
        ValueError: if there is none, or other sizes differ.

    Example:
        >>> keras.ops.concatenate([[1, 2], [3]])
        array([1, 2, 3], dtype=int32)
    """
    if axis is None:
        return _concatenate([ravel(x) for x in xs], 0)
    return _concatenate(xs, axis)


@primitive(shapes.stack, PROMOTE)
def stack(x: Sequence[TensorLike], axis: int = 0) -> Tensor:
    """Join tensors along a new axis.

    Args:
        x: tensors of one shape.
        axis: where the new axis stands in the result.

    Returns:
        A tensor with one more axis.

    Raises:
        ValueError: if there is none, or shapes differ.
    """


def _at_least(x: Any, rank: int) -> Any:
    x = as_tensor(x)
    missing = rank - len(x.shape)
    return expand_dims(x, tuple(range(missing))) if missing > 0 else x


def vstack(xs: Sequence[TensorLike]) -> Tensor:
    """Join along the first axis; vectors count as rows.

    Args:
        xs: tensors.

    Returns:
        A tensor of at least two axes.
    """
    return concatenate([_at_least(x, 2) for x in xs], 0)


def hstack(xs: Sequence[TensorLike]) -> Tensor:
    """Join along the second axis; vectors along their only one.

    Args:
        xs: tensors.

    Returns:
        A tensor.
    """
    parts = [_at_least(x, 1) for x in xs]
    return concatenate(parts, 0 if len(parts[0].shape) == 1 else 1)


def dstack(xs: Sequence[TensorLike]) -> Tensor:
    """Join along the third axis; matrices count as layers of depth 1.

    Args:
        xs: tensors.

    Returns:
        A tensor of at least three axes.
    """
    parts = [_at_least(x, 2) for x in xs]
    return concatenate([expand_dims(p, 2) if len(p.shape) == 2 else p for p in parts], 2)


def append(x1: TensorLike, x2: TensorLike, axis: int | None = None) -> Tensor:
    """`x2` after `x1`, flattened unless an axis is given. See `concatenate`."""
    return concatenate([x1, x2], axis)


@primitive(shapes.split, KEEP)
def split(x: TensorLike, indices_or_sections: int | Sequence[int], axis: int = 0) -> list[Tensor]:
    """Cut into parts along an axis.

    Args:
        x: a tensor.
        indices_or_sections: how many equal parts, or where to cut.
        axis: the axis.

    Returns:
        A list of tensors.

    Raises:
        ValueError: if the size cannot be divided into equal parts.

    Example:
        >>> keras.ops.split(keras.ops.arange(6), [2, 3])
        [array([0, 1]), array([2]), array([3, 4, 5])]
    """


def array_split(
    x: TensorLike, indices_or_sections: int | Sequence[int], axis: int = 0
) -> list[Tensor]:
    """As `split`, with parts that may differ by one in size."""
    if not isinstance(indices_or_sections, int):
        return split(x, indices_or_sections, axis)
    n = as_tensor(x).shape[axis]
    if n is None:
        raise ValueError("ops.array_split: the size of the axis must be known.")
    small, larger = divmod(n, indices_or_sections)
    sizes = [small + (i < larger) for i in range(indices_or_sections)]
    return split(x, [sum(sizes[: i + 1]) for i in range(len(sizes) - 1)], axis)


def vsplit(x: TensorLike, indices_or_sections: int | Sequence[int]) -> list[Tensor]:
    """`split` along the first axis."""
    return split(x, indices_or_sections, 0)


def hsplit(x: TensorLike, indices_or_sections: int | Sequence[int]) -> list[Tensor]:
    """`split` along the second axis, of a vector along its only one."""
    return split(x, indices_or_sections, 0 if len(as_tensor(x).shape) == 1 else 1)


def dsplit(x: TensorLike, indices_or_sections: int | Sequence[int]) -> list[Tensor]:
    """`split` along the third axis."""
    return split(x, indices_or_sections, 2)


@composite(shapes.unstack, KEEP, native=False)
def unstack(x: TensorLike, num: int | None = None, axis: int = 0) -> list[Tensor]:
    """Cut into slices along an axis, and drop it: the opposite of `stack`.

    Args:
        x: a tensor.
        num: the size of the axis, needed only where it is unknown.
        axis: the axis.

    Returns:
        A list of `num` tensors.

    Raises:
        ValueError: if the size is unknown and `num` is not given, or they differ.
    """
    count = len(shapes.unstack(tuple(x.shape), num, axis))

    def one_by_one(x: Tensor, axis: int) -> list[Tensor]:
        return [squeeze(part, axis) for part in split(x, count, axis)]

    return list(kernel("unbind", one_by_one)(x, axis)) if count else []


# Repeating ---------------------------------------------------------------------------


@composite(shapes.tile, KEEP, native=False)
def tile(x: TensorLike, repeats: int | Sequence[int]) -> Tensor:
    """Lay copies of the whole tensor side by side.

    Args:
        x: a tensor.
        repeats: how many copies along each axis, counted from the last one.

    Returns:
        A tensor of the sizes of `x` times `repeats`.
    """
    return _tile(x, (repeats,) if isinstance(repeats, int) else repeats)


@composite(shapes.repeat, KEEP, native=False)
def repeat(x: TensorLike, repeats: int | Sequence[int] | Any, axis: int | None = None) -> Tensor:
    """Repeat each element.

    Args:
        x: a tensor.
        repeats: how often; one number, or one for each element along the axis.
        axis: the axis; None repeats the elements of the flattened tensor.

    Returns:
        A tensor that is longer along the axis.

    Example:
        >>> keras.ops.repeat([1, 2], 2)
        array([1, 1, 2, 2], dtype=int32)
    """
    if not isinstance(repeats, tuple):
        return _repeat(x, repeats, axis)
    if len(repeats) == 1:
        return _repeat(x, repeats[0], axis)
    # Which element goes where is known beforehand, and so is the size of the result.
    places = np.repeat(np.arange(len(repeats), dtype="int32"), repeats)
    return _take(x, engine.convert(places), axis)


_MODES = ("constant", "reflect", "symmetric", "edge", "wrap")


def _pad_shape(x: Any, pad_width: Any, mode: str = "constant", constant_values: Any = None) -> Any:
    check_choice("", _MODES, mode=mode)
    if constant_values is not None and mode != "constant":
        raise ValueError("`constant_values` goes with mode='constant' only.")
    return shapes.pad(x, pad_width)


@composite(_pad_shape, KEEP, native=False)
def pad(
    x: TensorLike,
    pad_width: int | Sequence[Any],
    mode: str = "constant",
    constant_values: float | None = None,
) -> Tensor:
    """Add elements at both ends of each axis.

    Args:
        x: a tensor.
        pad_width: how many: `(before, after)` for each axis, one such pair, or an int.
        mode: `"constant"`; `"edge"` repeats the outermost element; `"reflect"` and
            `"symmetric"` mirror, without and with it; `"wrap"` goes round.
        constant_values: what to add in mode `"constant"`, 0 by default.

    Returns:
        A larger tensor.

    Raises:
        ValueError: for an unknown mode, or widths that do not fit the axes.

    Example:
        >>> keras.ops.pad([1, 2], (1, 2))
        array([0, 1, 2, 0, 0], dtype=int32)
    """
    rank, pad_width = len(x.shape), plain(pad_width)
    if mode not in _MODES or (constant_values is not None and mode != "constant"):
        _pad_shape(tuple(x.shape), pad_width, mode, constant_values)
    return _pad(x, shapes.pad_pairs(pad_width, rank), mode, constant_values or 0)


# Grids -------------------------------------------------------------------------------


def meshgrid(*x: TensorLike, indexing: str = "xy") -> list[Tensor]:
    """Coordinates of all points of a grid from those along its axes.

    Args:
        x: vectors (scalars count as vectors of one element).
        indexing: `"ij"`: the axes of the results follow the arguments; `"xy"`: the first two
            are exchanged, as in a picture.

    Returns:
        A list of as many tensors, each with as many axes.

    Raises:
        ValueError: for another `indexing`.

    Example:
        >>> keras.ops.meshgrid([1, 2], [3, 4])
        [array([[1, 2], [1, 2]]), array([[3, 3], [4, 4]])]
    """
    return _meshgrid(x, indexing)


def _meshgrid_shape(x: Sequence[Any], indexing: str) -> list[Any]:
    check_choice("", ("xy", "ij"), indexing=indexing)
    sizes = [shapes.size(v) for v in x]
    if indexing == "xy":
        sizes[:2] = sizes[1::-1]
    return [tuple(sizes)] * len(sizes)


@composite(_meshgrid_shape, KEEP, native=False)
def _meshgrid(x: Sequence[TensorLike], indexing: str) -> list[Tensor]:
    _meshgrid_shape([v.shape for v in x], indexing)
    vectors = [ravel(v) for v in x]
    places = list(range(len(vectors)))
    if indexing == "xy":
        places[:2] = places[1::-1]
    sizes = [shape(vectors[i])[0] for i in places]
    return [
        broadcast_to(reshape(v, [-1 if i == place else 1 for place in places]), sizes)
        for i, v in enumerate(vectors)
    ]
