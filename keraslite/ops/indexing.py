"""Taking elements out by index, putting them in, and summing by segment.

Indices count from the end where they are negative.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from keraslite.backend import engine
from keraslite.core import dtypes, indexing, shapes
from keraslite.core.errors import check_choice
from keraslite.core.keras_tensor import KerasTensor, any_symbolic
from keraslite.core.op import Tensor, TensorLike, composite, kernel, primitive
from keraslite.core.promotion import KEEP, TO_INDEX, like_first
from keraslite.core.variable import Variable
from keraslite.ops.arithmetic import (
    add,
    bitwise_not,
    floor_divide,
    maximum,
    minimum,
    mod,
    multiply,
    negative,
)
from keraslite.ops.core import convert_to_tensor, dtype, shape
from keraslite.ops.creation import zeros
from keraslite.ops.joining import stack
from keraslite.ops.logic import less, where
from keraslite.ops.shaping import reshape

__all__ = [
    "get_item",
    "nonzero",
    "scatter",
    "scatter_update",
    "segment_max",
    "segment_min",
    "segment_prod",
    "segment_sum",
    "slice",
    "slice_update",
    "take",
    "take_along_axis",
    "unravel_index",
]

# Reading -----------------------------------------------------------------------------


def _check_indices(x: Any, indices: Any, axis: int | None = None) -> None:
    """Refuse numbers out of range that are not on a device yet."""
    if not isinstance(indices, (int, list, tuple, np.ndarray, np.integer)):
        return
    given, shape = np.asarray(indices), tuple(x.shape) if hasattr(x, "shape") else np.shape(x)
    size = math.prod(shape) if axis is None else shape[axis]
    if given.dtype.kind in "iu" and given.size and not -size <= given.min() <= given.max() < size:
        wrong = given[(given < -size) | (given >= size)].flat[0]
        raise ValueError(
            f"ops.take: index {wrong} lies outside an axis of size {size}. "
            f"Received: x of shape {shape}, indices from {given.min()} to {given.max()}, "
            f"axis={axis}. Check what the indices count."
        )


@primitive(shapes.take, KEEP, values=_check_indices)
def take(x: TensorLike, indices: TensorLike, axis: int | None = None) -> Tensor:
    """Take elements, or whole slices along an axis, by index.

    Args:
        x: a tensor.
        indices: integers of any shape.
        axis: the axis; None takes from the flattened tensor.

    Returns:
        A tensor in which the axes of `indices` stand in the place of the axis.

    Raises:
        ValueError: for an index out of range in a list or an array of NumPy. Those in tensors
            count as the nearest one that exists: to look at them takes waiting for the device.

    Example:
        >>> keras.ops.take([10, 20, 30], [2, 0, -1])
        array([30, 10, 30], dtype=int32)
    """


_take_along_axis = kernel("take_along_axis")


@composite(shapes.take_along_axis, KEEP, native=False)
def take_along_axis(x: TensorLike, indices: TensorLike, axis: int | None = None) -> Tensor:
    """Take elements along an axis, with indices of their own for each vector along it.

    Args:
        x: a tensor.
        indices: integers, with as many axes as `x`, whose other sizes broadcast.
        axis: the axis; None takes from the flattened tensor.

    Returns:
        A tensor of the size of `indices` along the axis.

    Example:
        >>> x = keras.ops.array([[3, 1], [2, 5]])
        >>> keras.ops.take_along_axis(x, keras.ops.argsort(x), axis=1)
        array([[1, 3], [2, 5]], dtype=int32)
    """
    if axis is None:
        return _take_along_axis(reshape(x, (-1,)), reshape(indices, (-1,)), 0)
    return _take_along_axis(x, indices, axis)


_getitem = kernel("getitem")


def _plain(key: Any) -> Any:
    """A key without variables; a list in it is an array of indices."""
    if isinstance(key, tuple):
        return tuple(_plain(k) for k in key)
    if isinstance(key, Variable):
        return key.value
    if isinstance(key, KerasTensor):
        raise ValueError("A symbolic tensor cannot be an index. Use `ops.take` or `ops.slice`.")
    return engine.convert(key) if isinstance(key, list) else key


@composite(indexing.get_item, KEEP, native=False)
def get_item(x: TensorLike, key: Any) -> Tensor:
    """`x[key]`, with NumPy's indexing.

    Args:
        x: a tensor.
        key: ints, slices, None, `...`, integer tensors, boolean masks, or a tuple of these.

    Returns:
        A tensor.

    Raises:
        ValueError: for too many indices, or an int outside of its axis.
    """
    return _getitem(x, _plain(key))


@primitive(shapes.nonzero, TO_INDEX)
def nonzero(x: TensorLike) -> tuple[Tensor, ...]:
    """The indices of the elements that are not zero.

    How many there are depends on the values, so a compiled step of a static engine
    cannot contain this op.

    Args:
        x: a tensor of at least one axis.

    Returns:
        A tuple of int32 vectors, one for each axis.

    Example:
        >>> keras.ops.nonzero([0, 5, 0, 7])
        (array([1, 3], dtype=int32),)
    """


def _slice_shape(inputs: Any, start_indices: Any, shape: Any) -> Any:
    """Of a block that begins where a tensor tells."""
    return _slice_static_shape(inputs, (None,) * len(inputs), shape)


def _slice_static_shape(inputs: Any, start_indices: Any, shape: Any) -> Any:
    if not len(shape) == len(inputs) == len(start_indices):
        raise ValueError("`start_indices` and `shape` must have an entry for each axis.")
    sizes: list[int | None] = []
    for n, m, start in zip(inputs, shape, start_indices, strict=True):
        if isinstance(n, int) and isinstance(m, int) and not -1 <= m <= n:
            raise ValueError("`shape` must fit into that of `inputs`.")
        if m == -1:
            known = isinstance(start, int) and isinstance(n, int)
            sizes.append(n - start if known else None)
        else:
            sizes.append(m if isinstance(m, int) else None)
    return tuple(sizes)


_slice_kernel, _slice_update_kernel = kernel("slice"), kernel("slice_update")


@composite(_slice_shape, KEEP, native=False)
def _slice(inputs: TensorLike, start_indices: TensorLike, shape: Sequence[int]) -> Tensor:
    return _slice_kernel(inputs, start_indices, shape)


@composite(_slice_static_shape, KEEP, native=False)
def _slice_static(inputs: TensorLike, start_indices: Any, shape: Sequence[int]) -> Tensor:
    return _slice_kernel(inputs, start_indices, shape)


def _start(indices: Any) -> Any:
    """Where a block begins: a tensor, or a tuple of numbers and scalar tensors."""
    if isinstance(indices, (tuple, list)):
        return stack(indices) if any_symbolic(indices) else tuple(map(_plain, indices))
    return indices


def slice(inputs: TensorLike, start_indices: Any, shape: Sequence[int]) -> Tensor:
    """Cut a block out of a tensor.

    Args:
        inputs: a tensor.
        start_indices: where the block begins: an int tensor or list, one for each axis.
        shape: of the block; -1 for all that follows the beginning.

    Returns:
        A tensor of that shape. A block that would reach over the end is moved inside.

    Example:
        >>> keras.ops.slice(keras.ops.arange(5), [1], [3])
        array([1, 2, 3], dtype=int32)
    """
    start = _start(start_indices)
    op = _slice_static if isinstance(start, tuple) else _slice
    return op(inputs, start, shape)


# Writing -----------------------------------------------------------------------------


@composite(shapes.slice_update, like_first(start_indices=None), native=False)
def _slice_update(inputs: TensorLike, start_indices: TensorLike, updates: TensorLike) -> Tensor:
    return _slice_update_kernel(inputs, start_indices, updates)


@composite(shapes.slice_update, like_first(), native=False)
def _slice_update_static(inputs: TensorLike, start_indices: Any, updates: TensorLike) -> Tensor:
    return _slice_update_kernel(inputs, start_indices, updates)


def slice_update(inputs: TensorLike, start_indices: Any, updates: TensorLike) -> Tensor:
    """A tensor with a block of it replaced.

    Args:
        inputs: a tensor.
        start_indices: where the block begins: an int tensor or list, one for each axis.
        updates: the block, with as many axes as `inputs`.

    Returns:
        A new tensor of the shape and dtype of `inputs`.

    Example:
        >>> keras.ops.slice_update(keras.ops.zeros(4), [1], [7.0, 8.0])
        array([0., 7., 8., 0.])
    """
    start = _start(start_indices)
    op = _slice_update_static if isinstance(start, tuple) else _slice_update
    return op(inputs, start, updates)


def _scatter_shape(indices: Any, values: Any, shape: Any) -> Any:
    if not indices or (indices[-1] is not None and indices[-1] > len(shape)):
        raise ValueError("The last size of `indices` must not exceed the number of axes.")
    return tuple(shape)


@primitive(_scatter_shape, like_first(indices=None))
def scatter(indices: TensorLike, values: TensorLike, shape: Sequence[int]) -> Tensor:
    """Zeros with values added at indices; values for the same place add up.

    Args:
        indices: integers of shape `(..., k)`: each row is a place in the first `k` axes.
        values: of shape `indices.shape[:-1] + shape[k:]`.
        shape: of the result.

    Returns:
        A tensor of that shape and the dtype of `values`.

    Example:
        >>> keras.ops.scatter([[0], [2], [2]], [1, 2, 3], (4,))
        array([1, 0, 5, 0], dtype=int32)
    """


def _update_shape(inputs: Any, indices: Any, updates: Any, reduction: Any = None) -> Any:
    check_choice("", _REDUCTIONS, reduction=reduction)
    if not indices or (indices[-1] is not None and indices[-1] > len(inputs)):
        raise ValueError("The last size of `indices` must not exceed the number of axes.")
    return tuple(inputs)


_REDUCTIONS = (None, "add", "max", "min", "mul")
_scatter_update = kernel("scatter_update")


@composite(_update_shape, like_first(indices=None), native=False, checked=True)
def scatter_update(
    inputs: TensorLike, indices: TensorLike, updates: TensorLike, reduction: str | None = None
) -> Tensor:
    """A tensor with elements at indices replaced, or joined with new ones.

    Args:
        inputs: a tensor.
        indices: integers of shape `(..., k)`: each row is a place in the first `k` axes.
        updates: of shape `indices.shape[:-1] + inputs.shape[k:]`.
        reduction: None replaces; `"add"`, `"max"`, `"min"` and `"mul"` join old and new.

    Returns:
        A new tensor of the shape and dtype of `inputs`.

    Raises:
        ValueError: for an unknown `reduction`.

    Example:
        >>> keras.ops.scatter_update([1, 2, 3], [[0], [2]], [10, 30])
        array([10,  2, 30], dtype=int32)
    """
    if reduction is None:
        return _scatter_update(inputs, indices, updates)
    if reduction == "add":
        return add(inputs, scatter(indices, updates, shape(inputs)))
    return _joined(inputs, indices, updates, reduction)


# Segments ----------------------------------------------------------------------------


@primitive(shapes.segment, KEEP)
def segment_sum(
    data: TensorLike,
    segment_ids: TensorLike,
    num_segments: int | None = None,
    sorted: bool = False,
) -> Tensor:
    """Sum the slices along the first axis that have the same id.

    Args:
        data: a tensor.
        segment_ids: an int vector: for each slice the segment it belongs to.
        num_segments: how many segments there are; by default the largest id and one more,
            which a compiled step of a static engine cannot know.
        sorted: whether the ids are in rising order, which may be faster.

    Returns:
        A tensor of `num_segments` slices; those without members are 0.

    Example:
        >>> keras.ops.segment_sum(keras.ops.array([1, 2, 3]), keras.ops.array([0, 2, 0]))
        array([4, 0, 2], dtype=int32)
    """


@primitive(shapes.segment, KEEP)
def segment_max(
    data: TensorLike,
    segment_ids: TensorLike,
    num_segments: int | None = None,
    sorted: bool = False,
) -> Tensor:
    """The largest of the slices along the first axis that have the same id.

    Segments without members hold the least value of the dtype, -inf for floats.
    See `segment_sum`.
    """


@primitive(shapes.segment, KEEP)
def segment_prod(
    data: TensorLike,
    segment_ids: TensorLike,
    num_segments: int | None = None,
    sorted: bool = False,
) -> Tensor:
    """The product of the slices along the first axis that have the same id.

    Segments without members hold 1. See `segment_sum`.
    """


@composite(shapes.segment, KEEP)
def segment_min(
    data: TensorLike,
    segment_ids: TensorLike,
    num_segments: int | None = None,
    sorted: bool = False,
) -> Tensor:
    """The smallest of the slices along the first axis that have the same id.

    Segments without members hold the largest value of the dtype, +inf for floats.
    See `segment_sum`.
    """
    # Turning the bits over reverses the order of integers, and cannot overflow.
    turn = negative if dtypes.is_float(dtype(data)) else bitwise_not
    return turn(segment_max(turn(data), segment_ids, num_segments, sorted))


def _joined(inputs: Tensor, indices: Tensor, updates: Tensor, reduction: str) -> Tensor:
    """`inputs` with all updates of each place joined, by way of segments."""
    sizes, depth = shape(inputs), indices.shape[-1]
    places, rest = sizes[:depth], sizes[depth:]
    flat = zeros(shape(indices)[:-1], dtype(indices))
    for i, n in enumerate(places):
        index = indices[..., i]
        flat = flat * n + where(index < 0, index + n, index)
    ids, count = reshape(flat, (-1,)), math.prod(places)
    values = reshape(updates, (-1, *rest))
    join, segments = _JOINS[reduction]
    return join(inputs, reshape(segments(values, ids, count), sizes))


_JOINS = {
    "max": (maximum, segment_max),
    "min": (minimum, segment_min),
    "mul": (multiply, segment_prod),
}


def unravel_index(indices: TensorLike, shape: Sequence[int]) -> tuple[Tensor, ...]:
    """Places in a tensor from indices into its flattened form.

    Args:
        indices: integers.
        shape: of the tensor.

    Returns:
        A tuple of tensors shaped like `indices`, one for each axis.

    Example:
        >>> keras.ops.unravel_index([1, 5], (2, 3))
        (array([0, 1], dtype=int32), array([1, 2], dtype=int32))
    """
    rest, found = convert_to_tensor(indices), []
    rest = where(less(rest, 0), add(rest, math.prod(shape)), rest)
    for n in reversed(tuple(shape)):
        found.append(mod(rest, n))
        rest = floor_divide(rest, n)
    return tuple(reversed(found))
