"""Other shapes and orders of the same elements; triangles and diagonals."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from keraslite.core import shapes
from keraslite.core.op import Tensor, TensorLike, composite, kernel, primitive
from keraslite.core.promotion import KEEP
from keraslite.ops.core import as_tensor, sizes

__all__ = [
    "broadcast_to",
    "diag",
    "diagflat",
    "diagonal",
    "expand_dims",
    "flip",
    "fliplr",
    "flipud",
    "moveaxis",
    "ravel",
    "reshape",
    "roll",
    "rot90",
    "squeeze",
    "swapaxes",
    "transpose",
    "tril",
    "triu",
]

# Axes ------------------------------------------------------------------------------


def _sizes(newshape: Any) -> tuple[Any, ...]:
    """A shape as a tuple; None, as in a symbolic shape, stands for what is left."""
    return tuple(-1 if n is None else n for n in sizes(newshape))


_reshape = kernel("reshape")


@composite(shapes.reshape, KEEP, native=False)
def reshape(x: TensorLike, newshape: int | Sequence[int | None]) -> Tensor:
    """The same elements in another shape.

    Args:
        x: a tensor.
        newshape: sizes; one may be -1 for what is left over.

    Returns:
        A tensor of that shape.

    Raises:
        ValueError: if the number of elements differs.

    Example:
        >>> keras.ops.reshape([1, 2, 3, 4], (2, -1))
        array([[1, 2], [3, 4]], dtype=int32)
    """
    return _reshape(x, _sizes(newshape))


@composite(shapes.flatten, KEEP)
def ravel(x: TensorLike) -> Tensor:
    """All elements in one vector.

    Args:
        x: a tensor.

    Returns:
        A tensor of one axis.
    """
    return reshape(x, (-1,))


@primitive(shapes.transpose, KEEP)
def transpose(x: TensorLike, axes: Sequence[int] | None = None) -> Tensor:
    """Reorder the axes.

    Args:
        x: a tensor.
        axes: for each new axis the old one; None reverses them.

    Returns:
        A tensor with `shape[i] == x.shape[axes[i]]`.

    Raises:
        ValueError: unless `axes` names each axis once.
    """


@primitive(shapes.moveaxis, KEEP)
def moveaxis(
    x: TensorLike, source: int | Sequence[int], destination: int | Sequence[int]
) -> Tensor:
    """Move axes to other places; the rest keep their order.

    Args:
        x: a tensor.
        source: axes to move.
        destination: where each of them goes.

    Returns:
        A tensor with its axes reordered.

    Example:
        >>> keras.ops.moveaxis(keras.ops.zeros((2, 3, 4)), 0, -1).shape
        (3, 4, 2)
    """


@primitive(shapes.swapaxes, KEEP)
def swapaxes(x: TensorLike, axis1: int, axis2: int) -> Tensor:
    """Exchange two axes.

    Args:
        x: a tensor.
        axis1, axis2: the axes.

    Returns:
        A tensor with these axes exchanged.
    """


@primitive(shapes.expand_dims, KEEP)
def expand_dims(x: TensorLike, axis: int | Sequence[int]) -> Tensor:
    """Insert axes of size 1.

    Args:
        x: a tensor.
        axis: where the new axes stand in the result.

    Returns:
        A tensor with as many more axes.
    """


@primitive(shapes.squeeze, KEEP)
def squeeze(x: TensorLike, axis: int | Sequence[int] | None = None) -> Tensor:
    """Drop axes of size 1.

    Args:
        x: a tensor.
        axis: which of them; None for all.

    Returns:
        A tensor with fewer axes.

    Raises:
        ValueError: if a named axis has another size.
    """


@primitive(shapes.broadcast_to, KEEP)
def broadcast_to(x: TensorLike, shape: Sequence[int]) -> Tensor:
    """Repeat along axes of size 1 (and new leading ones) to fill a shape.

    Args:
        x: a tensor.
        shape: of the result.

    Returns:
        A tensor of that shape.

    Raises:
        ValueError: if `x` does not broadcast to it.
    """


@primitive(shapes.along, KEEP)
def flip(x: TensorLike, axis: int | Sequence[int] | None = None) -> Tensor:
    """Reverse the order along axes.

    Args:
        x: a tensor.
        axis: an axis, several, or None for all.

    Returns:
        A tensor of the shape of `x`.
    """


def flipud(x: TensorLike) -> Tensor:
    """Reverse the first axis: upside down."""
    return flip(x, 0)


def fliplr(x: TensorLike) -> Tensor:
    """Reverse the second axis: left becomes right."""
    return flip(x, 1)


@primitive(shapes.roll, KEEP)
def roll(
    x: TensorLike, shift: int | Sequence[int], axis: int | Sequence[int] | None = None
) -> Tensor:
    """Move elements along axes; what leaves at the end comes back at the start.

    Args:
        x: a tensor.
        shift: by how many places; one number, or one for each axis.
        axis: the axes; None rolls the flattened tensor and restores its shape.

    Returns:
        A tensor of the shape of `x`.

    Example:
        >>> keras.ops.roll([1, 2, 3], 1)
        array([3, 1, 2], dtype=int32)
    """


def rot90(array: TensorLike, k: int = 1, axes: tuple[int, int] = (0, 1)) -> Tensor:
    """Turn by 90 degrees in the plane of two axes, from the first towards the second.

    Args:
        array: a tensor of at least two axes.
        k: how many times.
        axes: the two axes.

    Returns:
        A tensor, these sizes exchanged when `k` is odd.

    Raises:
        ValueError: unless `axes` names two different axes.
    """
    array = as_tensor(array)
    first, second = shapes.canonical_axes(tuple(axes), len(array.shape))
    turns = k % 4
    if turns == 0:
        return array
    if turns == 2:
        return flip(array, (first, second))
    if turns == 1:
        return swapaxes(flip(array, second), first, second)
    return flip(swapaxes(array, first, second), second)


# Triangles and diagonals -------------------------------------------------------------


@primitive(shapes.matrix, KEEP, checked=True)
def tril(x: TensorLike, k: int = 0) -> Tensor:
    """The lower triangle of matrices; zeros above.

    Args:
        x: a tensor of at least two axes; the last two are the matrices.
        k: the last diagonal to keep: 0 the main one, positive ones lie above it.

    Returns:
        A tensor of the shape of `x`.
    """


@primitive(shapes.matrix, KEEP, checked=True)
def triu(x: TensorLike, k: int = 0) -> Tensor:
    """The upper triangle of matrices, from diagonal `k` on; zeros below. See `tril`."""


@primitive(shapes.diagonal, KEEP)
def diagonal(x: TensorLike, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Tensor:
    """A diagonal of the matrices in two axes.

    Args:
        x: a tensor of at least two axes.
        offset: which diagonal: 0 the main one, positive ones lie above it.
        axis1, axis2: the axes of rows and columns.

    Returns:
        A tensor without these axes, with the diagonal as its last.
    """


@primitive(shapes.diag, KEEP, checked=True)
def diag(x: TensorLike, k: int = 0) -> Tensor:
    """A matrix with a vector on its diagonal `k`, or the diagonal `k` of a matrix.

    Args:
        x: a vector or a matrix.
        k: which diagonal: 0 the main one, positive ones lie above it.

    Returns:
        A matrix or a vector.

    Raises:
        ValueError: unless `x` has one or two axes.
    """


def diagflat(x: TensorLike, k: int = 0) -> Tensor:
    """A matrix with the flattened tensor on its diagonal `k`. See `diag`."""
    return diag(ravel(x), k)
