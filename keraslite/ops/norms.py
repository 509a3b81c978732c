"""Lengths of vectors, sizes of matrices and distances between points."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from keraslite.core import shapes
from keraslite.core.op import Tensor, TensorLike, composite
from keraslite.core.promotion import FLOAT
from keraslite.ops.arithmetic import absolute, power, sqrt, square, subtract
from keraslite.ops.core import cast
from keraslite.ops.decompositions import svd
from keraslite.ops.logic import equal, not_equal, where
from keraslite.ops.reductions import max, min, sum
from keraslite.ops.shaping import expand_dims, moveaxis, squeeze

__all__ = ["cdist", "norm"]


def _norm_axes(rank: int, ord: Any, axis: Any) -> tuple[int, ...]:
    if axis is None and ord is not None and rank > 2:
        raise ValueError("Name one or two axes: a tensor has a norm of an order over these only.")
    axes = shapes.canonical_axes(axis, rank)
    if axis is not None and len(axes) > 2:
        raise ValueError("`axis` must be an axis or a pair of axes.")
    if isinstance(ord, str) and (len(axes) != 2 or ord not in ("fro", "nuc")):
        raise ValueError("The orders of vectors are numbers, of matrices also 'fro' and 'nuc'.")
    if len(axes) == 2 and ord not in (None, "fro", "nuc", 1, -1, 2, -2, _INF, -_INF):
        raise ValueError("`ord` of matrices must be 'fro', 'nuc', 1, -1, 2, -2 or infinite.")
    return axes


_INF = float("inf")


def _norm_shape(x: Any, ord: Any = None, axis: Any = None, keepdims: bool = False) -> Any:
    return shapes.reduce(x, _norm_axes(len(x), ord, axis), keepdims)


@composite(_norm_shape, FLOAT)
def norm(
    x: TensorLike,
    ord: int | float | str | None = None,
    axis: int | Sequence[int] | None = None,
    keepdims: bool = False,
) -> Tensor:
    """The norm of vectors or matrices.

    Args:
        x: a tensor.
        ord: its order. For vectors a number `p`: the `p`-th root of the sum of the `p`-th
            powers; infinite ones take the largest and the smallest, 0 counts what is not
            zero. For matrices `"fro"`, `"nuc"` (the sum of singular values), 1 and infinity
            (the largest sum of a column and of a row), 2 (the largest singular value), and
            their negatives for the smallest. None: the root of the sum of squares.
        axis: the axis of vectors or the two of matrices; None takes all.
        keepdims: whether these axes stay with size 1.

    Returns:
        A float tensor without these axes.

    Raises:
        ValueError: for an order that the axes do not have.

    Example:
        >>> keras.ops.norm([3.0, 4.0])
        5.
    """
    axes = _norm_axes(len(x.shape), ord, axis)
    if ord in (None, "fro") or (ord == 2 and len(axes) == 1):
        return sqrt(sum(square(absolute(x)), axes, keepdims))
    if len(axes) == 1:
        return _vector_norm(absolute(x), ord, axes, keepdims)
    return _matrix_norm(x, ord, axes, keepdims)


def _vector_norm(size: Tensor, ord: Any, axes: tuple[int, ...], keepdims: bool) -> Tensor:
    if ord == _INF:
        return max(size, axes, keepdims)
    if ord == -_INF:
        return min(size, axes, keepdims)
    if ord == 0:
        return sum(cast(not_equal(size, 0), size.dtype), axes, keepdims)
    if ord == 1:
        return sum(size, axes, keepdims)
    return power(sum(power(size, ord), axes, keepdims), 1 / ord)


def _matrix_norm(x: Tensor, ord: Any, axes: tuple[int, ...], keepdims: bool) -> Tensor:
    extreme = min if isinstance(ord, (int, float)) and ord < 0 else max
    if ord in (2, -2, "nuc"):
        values = svd(moveaxis(x, axes, (-2, -1)), full_matrices=False, compute_uv=False)
        found = (sum if ord == "nuc" else extreme)(values, -1)
        return expand_dims(found, sorted(axes)) if keepdims else found
    rows, columns = axes
    if ord in (_INF, -_INF):
        rows, columns = columns, rows
    sums = sum(absolute(x), rows, keepdims=True)
    found = extreme(sums, columns, keepdims=True)
    return found if keepdims else squeeze(found, axes)


def _cdist_shape(x: Any, y: Any) -> Any:
    shapes.rank_at_least(x, 2)
    shapes.rank_at_least(y, 2, "y")
    shapes.common(x[-1], y[-1], "The numbers of coordinates, the last sizes,")
    return (*shapes.broadcast(x[:-2], y[:-2]), x[-2], y[-2])


@composite(_cdist_shape, FLOAT, native=False, checked=True)
def cdist(x: TensorLike, y: TensorLike) -> Tensor:
    """The Euclidean distance of each point of one set from each of another.

    Args:
        x: points of shape `(..., n, k)`.
        y: points of shape `(..., m, k)`; leading axes broadcast.

    Returns:
        A float tensor of shape `(..., n, m)`.

    Raises:
        ValueError: if the points differ in the number of coordinates.

    Example:
        >>> keras.ops.cdist([[0.0, 0.0]], [[3.0, 4.0], [0.0, 1.0]])
        array([[5., 1.]])
    """
    squares = sum(square(subtract(expand_dims(x, -2), expand_dims(y, -3))), -1)
    # The root has no slope at 0; the inner `where` keeps the gradient finite.
    zero = equal(squares, 0)
    return where(zero, 0, sqrt(where(zero, 1, squares)))
