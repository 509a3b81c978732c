"""Reductions, positions of extremes, running sums."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import tensorflow as tf

from keraslite.backend.tensorflow import support as s

_raw = tf.raw_ops
_Tensor = Any
_Kernel = Callable[..., Any]


def _reduction(native: _Kernel, of_bools: _Kernel | None = None) -> _Kernel:
    def kernel(x: _Tensor, axis: s.Axis = None, keepdims: bool = False) -> _Tensor:
        reduce = of_bools if of_bools is not None and x.dtype is tf.bool else native
        return reduce(input=x, axis=s.int_vector(s.axes_of(x, axis)), keep_dims=keepdims)

    return kernel


sum = _reduction(_raw.Sum, _raw.Any)
prod = _reduction(_raw.Prod, _raw.All)
_max = _reduction(_raw.Max, _raw.Any)
_min = _reduction(_raw.Min, _raw.All)
mean = _reduction(_raw.Mean)
_any = _reduction(_raw.Any)
_all = _reduction(_raw.All)


def _of_something(reduce: _Kernel) -> _Kernel:
    """TensorFlow would give infinity for the extreme of nothing."""

    def kernel(x: _Tensor, axis: s.Axis = None, keepdims: bool = False) -> _Tensor:
        if 0 in [x.shape[a] for a in s.axes_of(x, axis)]:
            raise ValueError("An axis is empty.")
        return reduce(x, axis, keepdims)

    return kernel


max = _of_something(_max)
min = _of_something(_min)


def any(x: _Tensor, axis: s.Axis = None, keepdims: bool = False) -> _Tensor:
    return _any(s.cast(x, tf.bool), axis, keepdims)


def all(x: _Tensor, axis: s.Axis = None, keepdims: bool = False) -> _Tensor:
    return _all(s.cast(x, tf.bool), axis, keepdims)


def _var(x: _Tensor, axis: s.Axis = None, keepdims: bool = False) -> _Tensor:
    centred = x - mean(x, axis, True)
    return mean(_raw.Square(x=centred), axis, keepdims)


def _std(x: _Tensor, axis: s.Axis = None, keepdims: bool = False) -> _Tensor:
    # The slope of the root is infinite at 0: there, the deviation has none.
    variance = _var(x, axis, keepdims)
    flat = variance == 0
    root = _raw.Sqrt(x=_raw.SelectV2(condition=flat, t=tf.ones([], x.dtype), e=variance))
    return _raw.SelectV2(condition=flat, t=tf.zeros([], x.dtype), e=root)


# Squares of half-precision numbers overflow soon.
var = s.widened(_var, s.WIDE_HALF)
std = s.widened(_std, s.WIDE_HALF)


def logsumexp(x: _Tensor, axis: s.Axis = None, keepdims: bool = False) -> _Tensor:
    return tf.reduce_logsumexp(x, s.axes_of(x, axis), keepdims)


def _position(native: _Kernel, extreme: float) -> _Kernel:
    def kernel(x: _Tensor, axis: int | None = None, keepdims: bool = False) -> _Tensor:
        if x.dtype.is_floating:
            # The first NaN counts as the extreme, as in NumPy (an infinity before it too).
            nan = _raw.IsNan(x=x)
            x = _raw.SelectV2(condition=nan, t=tf.constant(extreme, x.dtype), e=x)
        elif x.dtype is tf.bool:
            x = s.cast(x, tf.int32)
        flat = s.reshape(x, (-1,)) if axis is None else x
        found = native(input=flat, dimension=axis or 0, output_type=tf.int32)
        if not keepdims:
            return found
        if axis is None:
            return s.reshape(found, (1,) * s.rank(x))
        return _raw.ExpandDims(input=found, axis=axis)

    return kernel


argmax = _position(_raw.ArgMax, float("inf"))
argmin = _position(_raw.ArgMin, float("-inf"))


def _running(native: _Kernel) -> _Kernel:
    def kernel(x: _Tensor, axis: int | None = None) -> _Tensor:
        if axis is None:
            x, axis = s.reshape(x, (-1,)), 0
        return native(x=x, axis=axis)

    return kernel


# XLA has no running sums of other integers.
cumsum = s.widened(_running(_raw.Cumsum), s.WIDE_INT)
cumprod = s.widened(_running(_raw.Cumprod), s.WIDE_INT)
