"""Reductions and running totals that pass over NaN, as if such elements were not there.

See the ops of the same names without `nan` for what they share: `axis` and `keepdims`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from keraslite.core import shapes
from keraslite.core.op import Tensor, TensorLike, composite
from keraslite.core.promotion import ACCUMULATE, FLOAT, KEEP, NUMBER, TO_INDEX
from keraslite.ops.arithmetic import sqrt, square, subtract, true_divide
from keraslite.ops.core import cast, dtype, widened
from keraslite.ops.logic import isnan, logical_not, where
from keraslite.ops.reductions import all, argmax, argmin, cumprod, cumsum, max, min, prod, sum

__all__ = [
    "nanargmax",
    "nanargmin",
    "nancumprod",
    "nancumsum",
    "nanmax",
    "nanmean",
    "nanmin",
    "nanprod",
    "nanstd",
    "nansum",
    "nanvar",
]

Axis = int | Sequence[int] | None

_INF = float("inf")


def _with(x: Tensor, value: float) -> Tensor:
    """`x` with a number in the place of each NaN; integers have none."""
    return where(isnan(x), value, x) if "float" in dtype(x) else x


def _unless_all_nan(x: Tensor, axis: Any, keepdims: bool, found: Tensor, otherwise: Any) -> Tensor:
    if "float" not in dtype(x):
        return found
    return where(all(isnan(x), axis, keepdims), otherwise, found)


# Sums and products -----------------------------------------------------------------


@composite(shapes.reduce, ACCUMULATE)
def nansum(x: TensorLike, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """The sum over axes without NaN; 0 where nothing is left. See `sum`.

    Example:
        >>> keras.ops.nansum([1.0, float("nan"), 3.0])
        4.
    """
    return sum(_with(x, 0), axis, keepdims)


@composite(shapes.reduce, ACCUMULATE)
def nanprod(x: TensorLike, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """The product over axes without NaN; 1 where nothing is left. See `prod`."""
    return prod(_with(x, 1), axis, keepdims)


@composite(shapes.cumulative, NUMBER)
def nancumsum(x: TensorLike, axis: int | None = None, dtype: Any = None) -> Tensor:
    """The running sum along an axis, NaN counting as 0. See `cumsum`."""
    return cumsum(_with(x, 0), axis, dtype)


@composite(shapes.cumulative, NUMBER)
def nancumprod(x: TensorLike, axis: int | None = None, dtype: Any = None) -> Tensor:
    """The running product along an axis, NaN counting as 1. See `cumsum`."""
    return cumprod(_with(x, 1), axis, dtype)


# Means -----------------------------------------------------------------------------


def _mean(x: Tensor, absent: Tensor, axis: Any, keepdims: bool) -> Tensor:
    """The mean of the elements of `x` that are not absent; where they are, `x` is 0."""
    count = sum(cast(logical_not(absent), "int32"), axis, keepdims)
    return true_divide(sum(x, axis, keepdims), cast(count, dtype(x)))


@composite(shapes.reduce, FLOAT)
def nanmean(x: TensorLike, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """The mean over axes without NaN; NaN where nothing is left. See `mean`."""
    return cast(_mean(_with(widened(x), 0), isnan(x), axis, keepdims), dtype(x))


def _variance(x: Tensor, axis: Any, keepdims: bool) -> Tensor:
    absent, filled = isnan(x), _with(x, 0)
    deviation = subtract(filled, _mean(filled, absent, axis, True))
    return _mean(where(absent, 0, square(deviation)), absent, axis, keepdims)


@composite(shapes.reduce, FLOAT)
def nanvar(x: TensorLike, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """The variance over axes without NaN; NaN where nothing is left. See `var`."""
    return cast(_variance(widened(x), axis, keepdims), dtype(x))


@composite(shapes.reduce, FLOAT)
def nanstd(x: TensorLike, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """The standard deviation over axes without NaN, the root of `nanvar`. See `std`."""
    return cast(sqrt(_variance(widened(x), axis, keepdims)), dtype(x))


# Extremes --------------------------------------------------------------------------


@composite(shapes.reduce_filled, KEEP, native=False, checked=True)
def nanmax(x: TensorLike, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """The largest element along axes without NaN; NaN where nothing is left. See `max`."""
    return _unless_all_nan(x, axis, keepdims, max(_with(x, -_INF), axis, keepdims), float("nan"))


@composite(shapes.reduce_filled, KEEP, native=False, checked=True)
def nanmin(x: TensorLike, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """The smallest element along axes without NaN; NaN where nothing is left. See `min`."""
    return _unless_all_nan(x, axis, keepdims, min(_with(x, _INF), axis, keepdims), float("nan"))


@composite(shapes.index_of, TO_INDEX, native=False, checked=True)
def nanargmax(x: TensorLike, axis: int | None = None, keepdims: bool = False) -> Tensor:
    """Where the largest element stands, NaN left out; -1 where nothing is left. See `argmax`."""
    return _unless_all_nan(x, axis, keepdims, argmax(_with(x, -_INF), axis, keepdims), -1)


@composite(shapes.index_of, TO_INDEX, native=False, checked=True)
def nanargmin(x: TensorLike, axis: int | None = None, keepdims: bool = False) -> Tensor:
    """Where the smallest element stands, NaN left out; -1 where nothing is left. See `argmax`."""
    return _unless_all_nan(x, axis, keepdims, argmin(_with(x, _INF), axis, keepdims), -1)
