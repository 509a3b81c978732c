"""Elementwise functions made of others: limits, remainders, special cases."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from keraslite.core import dtypes, shapes
from keraslite.core.op import Tensor, TensorLike, composite
from keraslite.core.promotion import FLOAT, KEEP, NUMBER, PROMOTE, TO_BOOL
from keraslite.ops.arithmetic import (
    absolute,
    ceil,
    floor,
    maximum,
    minimum,
    mod,
    multiply,
    power,
    reciprocal,
    sign,
    sqrt,
    square,
    true_divide,
)
from keraslite.ops.core import cast, limits
from keraslite.ops.core import dtype as _dtype
from keraslite.ops.logic import equal, isinf, isnan, less, logical_or, where
from keraslite.ops.transcendental import sin

__all__ = [
    "cbrt",
    "clip",
    "divide_no_nan",
    "fabs",
    "fmax",
    "fmin",
    "fmod",
    "heaviside",
    "hypot",
    "nan_to_num",
    "saturate_cast",
    "signbit",
    "sinc",
    "trunc",
]


@composite(shapes.broadcast, PROMOTE)
def clip(x: TensorLike, x_min: TensorLike | None, x_max: TensorLike | None) -> Tensor:
    """Limit each element to the range from `x_min` to `x_max`.

    Args:
        x: a tensor.
        x_min, x_max: limits that broadcast with `x`; None for no limit.

    Returns:
        A tensor of the broadcast shape.

    Example:
        >>> keras.ops.clip([-1.0, 0.5, 3.0], 0.0, 1.0)
        array([0. , 0.5, 1. ])
    """
    if x_min is not None:
        x = maximum(x, x_min)
    return x if x_max is None else minimum(x, x_max)


@composite(shapes.same, KEEP)
def nan_to_num(
    x: TensorLike, nan: float = 0.0, posinf: float | None = None, neginf: float | None = None
) -> Tensor:
    """Replace NaN and the infinities by numbers.

    Args:
        x: a tensor.
        nan: in the place of NaN.
        posinf, neginf: in the place of the infinities; by default the largest and the
            smallest number of the dtype.

    Returns:
        A tensor of the shape and dtype of `x`.

    Example:
        >>> keras.ops.nan_to_num([float("nan"), 1.0], nan=7.0)
        array([7., 1.])
    """
    name = _dtype(x)
    if not dtypes.is_float(name):
        return x
    low, high = limits(name)
    x = where(isnan(x), nan, x)
    x = where(equal(x, float("inf")), float(high) if posinf is None else posinf, x)
    return where(equal(x, float("-inf")), float(low) if neginf is None else neginf, x)


@composite(shapes.same, KEEP)
def trunc(x: TensorLike) -> Tensor:
    """Each element without its fraction: rounded towards zero.

    Args:
        x: a tensor; integers stay as they are.

    Returns:
        A tensor of the shape and dtype of `x`.

    Example:
        >>> keras.ops.trunc([1.7, -1.7])
        array([ 1., -1.])
    """
    if not dtypes.is_float(_dtype(x)):
        return x
    return where(less(x, 0), ceil(x), floor(x))


@composite(shapes.same, FLOAT)
def fabs(x: TensorLike) -> Tensor:
    """As `absolute`, always a float."""
    return absolute(x)


@composite(shapes.same, TO_BOOL)
def signbit(x: TensorLike) -> Tensor:
    """Whether each element carries a minus sign; -0.0 does.

    Args:
        x: a tensor.

    Returns:
        A boolean tensor shaped like `x`.
    """
    if not dtypes.is_float(_dtype(x)):
        return less(x, 0) if _dtype(x) != "bool" else less(cast(x, "int32"), 0)
    # 1 / -0.0 is -inf.
    return less(where(x == 0, reciprocal(x), x), 0)


@composite(shapes.broadcast, FLOAT)
def divide_no_nan(x1: TensorLike, x2: TensorLike) -> Tensor:
    """`x1 / x2`, and 0 wherever `x2` is 0. See `add`.

    Example:
        >>> keras.ops.divide_no_nan([1.0, 0.0, 4.0], [0.0, 0.0, 2.0])
        array([0., 0., 2.])
    """
    zero = equal(x2, 0)
    # The inner `where` keeps the gradient finite where the outer one drops the value.
    return where(zero, 0, true_divide(x1, where(zero, 1, x2)))


@composite(shapes.broadcast, PROMOTE)
def fmax(x1: TensorLike, x2: TensorLike) -> Tensor:
    """The larger of two elements; where one is NaN, the other. See `add`.

    Example:
        >>> keras.ops.fmax([1.0, float("nan")], [0.0, 2.0])
        array([1., 2.])
    """
    return where(isnan(x1), x2, where(isnan(x2), x1, maximum(x1, x2)))


@composite(shapes.broadcast, PROMOTE)
def fmin(x1: TensorLike, x2: TensorLike) -> Tensor:
    """The smaller of two elements; where one is NaN, the other. See `add`."""
    return where(isnan(x1), x2, where(isnan(x2), x1, minimum(x1, x2)))


@composite(shapes.broadcast, FLOAT)
def heaviside(x1: TensorLike, x2: TensorLike) -> Tensor:
    """The step function: 0 below 0, 1 above it.

    Args:
        x1: where to step.
        x2: the value at 0.

    Returns:
        A float tensor of the broadcast shape; NaN where `x1` is.

    Example:
        >>> keras.ops.heaviside([-2.0, 0.0, 3.0], 0.5)
        array([0. , 0.5, 1. ])
    """
    step = where(less(x1, 0), 0, where(equal(x1, 0), x2, 1))
    return where(isnan(x1), x1, step)


@composite(shapes.broadcast, NUMBER)
def fmod(x1: TensorLike, x2: TensorLike) -> Tensor:
    """The remainder of division towards zero: it has the sign of `x1`. See `add`.

    Example:
        >>> keras.ops.fmod([5.0, -5.0], 3.0)
        array([ 2., -2.])
    """
    return multiply(sign(x1), mod(absolute(x1), absolute(x2)))


@composite(shapes.broadcast, FLOAT)
def hypot(x1: TensorLike, x2: TensorLike) -> Tensor:
    """`sqrt(x1**2 + x2**2)` without overflow on the way. See `add`."""
    x1, x2 = absolute(x1), absolute(x2)
    large, little = maximum(x1, x2), minimum(x1, x2)
    plain = logical_or(equal(large, 0), isinf(large))
    return where(plain, large, large * sqrt(1 + square(little / where(plain, 1, large))))


@composite(shapes.same, FLOAT)
def cbrt(x: TensorLike) -> Tensor:
    """The real cube root, of negative elements too. See `sqrt`.

    Example:
        >>> keras.ops.cbrt([-8.0, 27.0])
        array([-2.,  3.])
    """
    return multiply(sign(x), power(absolute(x), 1 / 3))


@composite(shapes.same, FLOAT)
def sinc(x: TensorLike) -> Tensor:
    """`sin(pi * x) / (pi * x)`, and 1 at 0. See `exp`."""
    angle = multiply(x, math.pi)
    zero = equal(x, 0)
    return where(zero, 1, true_divide(sin(angle), where(zero, 1, angle)))


def _common_limits(source: str, target: str) -> tuple[Any, Any]:
    """The range of values that both dtypes have, as numbers of the first."""
    (low, high), (least, most) = limits(source), limits(target)
    low, high = max(low, least), min(high, most)
    if not dtypes.is_float(source):
        return int(low), int(high)
    kind = dtypes.numpy_dtype(source)
    top = np.asarray(high, kind)
    if float(top) > high:  # as float32, 2**31 - 1 is 2**31
        top = np.nextafter(top, np.asarray(0, kind))
    return float(low), float(top)


@composite(shapes.same, KEEP)
def _saturate_cast(x: TensorLike, dtype: str) -> Tensor:
    source = _dtype(x)
    if source != "bool":
        x = clip(x, *_common_limits(source, dtype))
    return cast(x, dtype)


def saturate_cast(x: TensorLike, dtype: Any) -> Tensor:
    """Change the dtype; values out of its range become its nearest limit.

    Args:
        x: a tensor.
        dtype: of the result.

    Returns:
        A tensor shaped like `x`.

    Example:
        >>> keras.ops.saturate_cast([-3.0, 300.0], "uint8")
        array([  0, 255], dtype=uint8)
    """
    return _saturate_cast(x, dtypes.standardize_dtype(dtype))
