"""Quantiles: medians, percentiles, and the same without NaN."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from keraslite.core import dtypes, shapes
from keraslite.core.errors import check_choice
from keraslite.core.op import Tensor, TensorLike, composite
from keraslite.core.promotion import FLOAT, DtypeRule
from keraslite.ops.arithmetic import (
    add,
    ceil,
    floor,
    maximum,
    multiply,
    round,
    subtract,
    true_divide,
)
from keraslite.ops.core import cast, convert_to_tensor, dtype, shape
from keraslite.ops.creation import full
from keraslite.ops.indexing import take, take_along_axis
from keraslite.ops.logic import equal, isnan, logical_not, where
from keraslite.ops.reductions import all, any, sum
from keraslite.ops.shaping import moveaxis, ravel, reshape, transpose
from keraslite.ops.sorting import sort

__all__ = [
    "median",
    "nanmedian",
    "nanpercentile",
    "nanquantile",
    "percentile",
    "quantile",
]

Axis = int | Sequence[int] | None

_METHODS = ("linear", "lower", "higher", "midpoint", "nearest")
_RULE = DtypeRule(
    dtypes.promote_float, passing=dtypes.FLOATS, apart={"q": None}
)  # `q` stays as precise as it is


def _quantile_shape(x: Any, q: Any, axis: Any, method: str, keepdims: bool) -> Any:
    check_choice("", _METHODS, method=method)
    return (*q, *_median_shape(x, axis, keepdims))


def _median_shape(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    return shapes.reduce(x, axis, keepdims)


def _find(x: Tensor, q: Any, axis: Any, method: str, keepdims: bool, skip_nan: bool) -> Tensor:
    """Quantiles by sorting: what stands at the place `q * (count - 1)`, or around it."""
    sizes, rank = shape(x), len(x.shape)
    axes = shapes.canonical_axes(axis, rank)
    rest = [i for i in range(rank) if i not in axes]
    # No -1 for the sizes: where another axis is empty it could be anything.
    count = math.prod(sizes[i] for i in axes)
    flat = reshape(transpose(x, (*rest, *axes)), (*[sizes[i] for i in rest], count))
    ordered, absent = sort(flat), isnan(flat)
    precise = "float64" if dtype(x) == "float64" else "float32"
    q = convert_to_tensor(q, precise)
    kept = [1 if i in axes else n for i, n in enumerate(sizes)]
    outer = kept if keepdims else [sizes[i] for i in rest]
    if type(count) is int and count == 0:
        return full((*q.shape, *outer), float("nan"), dtype(x))
    if skip_nan:
        # NaN come last in order: each row ends before its own.
        last = sum(cast(logical_not(absent), "int32"), -1, keepdims=True) - 1
        blank = all(absent, -1, keepdims=True)
    else:
        last = count - 1
        blank = any(absent, -1, keepdims=True)
    place = multiply(ravel(q), maximum(cast(last, precise), 0))
    found = where(blank, float("nan"), _at(ordered, place, method, skip_nan))
    return reshape(moveaxis(found, -1, 0), (*q.shape, *outer))


def _at(ordered: Tensor, place: Tensor, method: str, each: bool) -> Tensor:
    """The elements at fractional places of the last axis; with `each`, its own in each row."""

    def pick(index: Tensor) -> Tensor:
        index = cast(index, "int32")
        return take_along_axis(ordered, index, -1) if each else take(ordered, index, -1)

    if method == "nearest":
        return pick(round(place))
    if method == "lower":
        return pick(floor(place))
    if method == "higher":
        return pick(ceil(place))
    low, high = pick(floor(place)), pick(ceil(place))
    if method == "midpoint":
        return multiply(0.5, add(low, high))
    weight = cast(subtract(place, floor(place)), dtype(ordered))
    # An infinite neighbour of no weight, or two alike, must not give NaN.
    plain = equal(low, high) | equal(weight, 0)
    return where(plain, low, add(low, multiply(weight, subtract(high, low))))


@composite(_quantile_shape, _RULE, native=False, checked=True)
def _quantile(x: TensorLike, q: TensorLike, axis: Axis, method: str, keepdims: bool) -> Tensor:
    return _find(x, q, axis, method, keepdims, False)


@composite(_quantile_shape, _RULE, native=False, checked=True)
def _nanquantile(x: TensorLike, q: TensorLike, axis: Axis, method: str, keepdims: bool) -> Tensor:
    return _find(x, q, axis, method, keepdims, True)


def _fractions(where: str, q: Any, top: int, x: Any) -> Any:
    """`q` as parts of 1, checked if its values are at hand."""
    if not isinstance(q, (int, float, list, tuple, np.ndarray, np.generic)):
        return true_divide(q, top) if top != 1 else q
    values = np.asarray(q, "float64")
    if not ((values >= 0) & (values <= top)).all():
        raise ValueError(f"ops.{where}: `q` must lie in [0, {top}]. Received: q={str(q)[:80]}")
    return (values / top).astype("float64" if dtype(x) == "float64" else "float32")


def quantile(
    x: TensorLike,
    q: TensorLike,
    axis: Axis = None,
    method: str = "linear",
    keepdims: bool = False,
) -> Tensor:
    """The values that a part `q` of the elements lies below.

    Args:
        x: a tensor.
        q: parts from 0 to 1, of any shape.
        axis: an axis, several, or None for all.
        method: what to do between two elements: `"linear"` goes from the one to the other,
            `"lower"`, `"higher"` and `"nearest"` take one, `"midpoint"` takes their mean.
        keepdims: whether the reduced axes stay with size 1.

    Returns:
        A float tensor: the axes of `q`, then those of `x` that are left. NaN where an element
        is NaN, or where there is none.

    Raises:
        ValueError: for an unknown method or a `q` outside of [0, 1].

    Example:
        >>> keras.ops.quantile([1.0, 2.0, 3.0, 4.0], [0.0, 0.5])
        array([1. , 2.5])
    """
    return _quantile(x, _fractions("quantile", q, 1, x), axis, method, keepdims)


def percentile(
    x: TensorLike,
    q: TensorLike,
    axis: Axis = None,
    method: str = "linear",
    keepdims: bool = False,
) -> Tensor:
    """The values that `q` percent of the elements lie below. See `quantile`."""
    return _quantile(x, _fractions("percentile", q, 100, x), axis, method, keepdims)


def nanquantile(
    x: TensorLike,
    q: TensorLike,
    axis: Axis = None,
    method: str = "linear",
    keepdims: bool = False,
) -> Tensor:
    """As `quantile` without NaN; NaN where nothing is left."""
    return _nanquantile(x, _fractions("nanquantile", q, 1, x), axis, method, keepdims)


def nanpercentile(
    x: TensorLike,
    q: TensorLike,
    axis: Axis = None,
    method: str = "linear",
    keepdims: bool = False,
) -> Tensor:
    """As `percentile` without NaN; NaN where nothing is left."""
    return _nanquantile(x, _fractions("nanpercentile", q, 100, x), axis, method, keepdims)


@composite(_median_shape, FLOAT)
def median(x: TensorLike, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """The middle element in order of size, or the mean of the two middle ones.

    Args:
        x: a tensor.
        axis: an axis, several, or None for all.
        keepdims: whether the reduced axes stay with size 1.

    Returns:
        A float tensor without these axes; NaN where an element is NaN.

    Example:
        >>> keras.ops.median([1, 5, 2, 8])
        3.5
    """
    return _find(x, 0.5, axis, "midpoint", keepdims, False)


@composite(_median_shape, FLOAT)
def nanmedian(x: TensorLike, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """As `median` without NaN; NaN where nothing is left."""
    return _find(x, 0.5, axis, "midpoint", keepdims, True)
