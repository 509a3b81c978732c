"""Sums, means, extremes and other values over axes.

They share `axis` (None for all axes, an int or several) and `keepdims` (whether the reduced
axes stay with size 1).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from keraslite.core import shapes
from keraslite.core.op import Tensor, TensorLike, composite, kernel, primitive
from keraslite.core.promotion import ACCUMULATE, FLOAT, KEEP, NUMBER, TO_BOOL, TO_INDEX
from keraslite.ops.arithmetic import (
    maximum,
    minimum,
    multiply,
    subtract,
    true_divide,
)
from keraslite.ops.core import cast, convert_to_tensor
from keraslite.ops.core import dtype as _dtype
from keraslite.ops.logic import not_equal
from keraslite.ops.shaping import reshape

__all__ = [
    "all",
    "amax",
    "amin",
    "any",
    "argmax",
    "argmin",
    "average",
    "count_nonzero",
    "cumprod",
    "cumsum",
    "logsumexp",
    "max",
    "mean",
    "min",
    "prod",
    "ptp",
    "std",
    "sum",
    "var",
]

Axis = int | Sequence[int] | None

_cumprod, _cumsum, _max, _min, _pad, _prod = map(
    kernel, ("cumprod", "cumsum", "max", "min", "pad", "prod")
)


@primitive(shapes.reduce, ACCUMULATE)
def sum(x: TensorLike, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """The sum over axes; of booleans, how many are true.

    Args:
        x: a tensor.
        axis: an axis, several, or None for all.
        keepdims: whether the reduced axes stay with size 1.

    Returns:
        A tensor without these axes. Integers narrower than 32 bits widen to 32.

    Raises:
        ValueError: for an axis that `x` has not.

    Example:
        >>> keras.ops.sum([[1, 2], [3, 4]], axis=0)
        array([4, 6], dtype=int32)
    """


@composite(shapes.reduce, ACCUMULATE, native=False)
def prod(x: TensorLike, axis: Axis = None, keepdims: bool = False, dtype: Any = None) -> Tensor:
    """The product over axes. See `sum`.

    Args:
        dtype: to compute in and to return.
    """
    return _prod(x if dtype is None else cast(x, dtype), axis, keepdims)


@primitive(shapes.reduce, FLOAT)
def mean(x: TensorLike, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """The mean over axes, always a float. See `sum`.

    Example:
        >>> keras.ops.mean([[1, 2], [3, 4]])
        2.5
    """


@primitive(shapes.reduce, FLOAT)
def var(x: TensorLike, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """The variance over axes: the mean squared distance from the mean. See `sum`."""


@primitive(shapes.reduce, FLOAT)
def std(x: TensorLike, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """The standard deviation over axes, the root of `var`. See `sum`."""


def _extreme(compute: Any, join: Any, x: Any, axis: Any, keepdims: bool, initial: Any) -> Any:
    rank = len(x.shape)
    initial = convert_to_tensor(initial, _dtype(x))
    if rank == 0:
        return join(x, initial)
    # One more element on each axis: then none is empty.
    axes = shapes.canonical_axes(axis, rank)
    widths = tuple((0, int(i in axes)) for i in range(rank))
    return compute(_pad(x, widths, "constant", initial), axis, keepdims)


@composite(shapes.reduce_filled, KEEP, native=False)
def max(
    x: TensorLike, axis: Axis = None, keepdims: bool = False, initial: float | None = None
) -> Tensor:
    """The largest element along axes; NaN wins. See `sum`.

    Args:
        initial: what the result is at least; needed where an axis is empty.
    """
    if initial is None:
        return _max(x, axis, keepdims)
    return _extreme(_max, maximum, x, axis, keepdims, initial)


@composite(shapes.reduce_filled, KEEP, native=False)
def min(
    x: TensorLike, axis: Axis = None, keepdims: bool = False, initial: float | None = None
) -> Tensor:
    """The smallest element along axes; NaN wins. See `sum`.

    Args:
        initial: what the result is at most; needed where an axis is empty.
    """
    if initial is None:
        return _min(x, axis, keepdims)
    return _extreme(_min, minimum, x, axis, keepdims, initial)


def amax(x: TensorLike, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """Another name of `max`."""
    return max(x, axis, keepdims)


def amin(x: TensorLike, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """Another name of `min`."""
    return min(x, axis, keepdims)


@composite(shapes.reduce, NUMBER)
def ptp(x: TensorLike, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """The distance from the smallest to the largest element. See `sum`."""
    return subtract(max(x, axis, keepdims), min(x, axis, keepdims))


@primitive(shapes.reduce, TO_BOOL)
def all(x: TensorLike, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """Whether all elements are true (not zero). See `sum`."""


@primitive(shapes.reduce, TO_BOOL)
def any(x: TensorLike, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """Whether any element is true (not zero). See `sum`."""


@composite(shapes.reduce, TO_INDEX)
def count_nonzero(x: TensorLike, axis: Axis = None) -> Tensor:
    """How many elements are not zero, as int32. See `sum`."""
    return sum(cast(not_equal(x, 0), "int32"), axis)


@primitive(shapes.index_of, TO_INDEX)
def argmax(x: TensorLike, axis: int | None = None, keepdims: bool = False) -> Tensor:
    """Where the largest element stands; the first of several, NaN above all.

    Args:
        x: a tensor.
        axis: an axis, or None for the flattened tensor.
        keepdims: whether the reduced axes stay with size 1.

    Returns:
        An int32 tensor of indices.

    Raises:
        ValueError: for an empty axis.

    Example:
        >>> keras.ops.argmax([[1, 5], [7, 2]], axis=1)
        array([1, 0], dtype=int32)
    """


@primitive(shapes.index_of, TO_INDEX)
def argmin(x: TensorLike, axis: int | None = None, keepdims: bool = False) -> Tensor:
    """Where the smallest element stands. See `argmax`."""


@composite(shapes.cumulative, NUMBER, native=False)
def cumsum(x: TensorLike, axis: int | None = None, dtype: Any = None) -> Tensor:
    """The running sum along an axis.

    Args:
        x: a tensor.
        axis: an axis, or None for the flattened tensor.
        dtype: to compute in and to return; booleans become int32 by default.

    Returns:
        A tensor shaped like `x`, or a vector for `axis=None`.

    Example:
        >>> keras.ops.cumsum([1, 2, 3])
        array([1, 3, 6], dtype=int32)
    """
    return _cumsum(x if dtype is None else cast(x, dtype), axis)


@composite(shapes.cumulative, NUMBER, native=False)
def cumprod(x: TensorLike, axis: int | None = None, dtype: Any = None) -> Tensor:
    """The running product along an axis. See `cumsum`."""
    return _cumprod(x if dtype is None else cast(x, dtype), axis)


@primitive(shapes.reduce, FLOAT)
def logsumexp(x: TensorLike, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """`log(sum(exp(x)))` without overflow. See `sum`.

    Example:
        >>> keras.ops.logsumexp([1000.0, 1000.0])
        1000.6931
    """


def _average_shape(x: Any, axis: Any = None, weights: Any = None) -> Any:
    if weights is not None and tuple(weights) != tuple(x):
        if not isinstance(axis, int) or len(weights) != 1:
            raise ValueError("`weights` must have the shape of `x`, or be a vector along one axis.")
        at = shapes.canonical_axis(axis, len(x))
        shapes.common(weights[0], x[at], "The length of `weights` and the size of the axis")
    return shapes.reduce(x, axis)


@composite(_average_shape, FLOAT)
def average(x: TensorLike, axis: Axis = None, weights: TensorLike | None = None) -> Tensor:
    """The weighted mean over axes.

    Args:
        x: a tensor.
        axis: an axis, several, or None for all.
        weights: of the shape of `x`, or a vector along the one `axis`; None weighs all alike.

    Returns:
        A float tensor without these axes.

    Raises:
        ValueError: if the weights fit neither way.

    Example:
        >>> keras.ops.average([1.0, 4.0], weights=[2, 1])
        2.
    """
    if weights is None:
        return mean(x, axis)
    if tuple(weights.shape) != tuple(x.shape):
        _average_shape(x.shape, axis, weights.shape)
        rank = len(x.shape)
        at = shapes.canonical_axis(axis, rank)
        aligned = reshape(weights, tuple(-1 if i == at else 1 for i in range(rank)))
        return true_divide(sum(multiply(x, aligned), axis), sum(weights))
    return true_divide(sum(multiply(x, weights), axis), sum(weights, axis))
