"""Sorting, searching and counting."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from keraslite.backend.tensorflow import support as s
from keraslite.backend.tensorflow.kernels import index as _index
from keraslite.backend.tensorflow.kernels import shape as _shape

_raw = tf.raw_ops
_Tensor = Any


def _ordinal(x: _Tensor) -> _Tensor:
    """Signed integers in the order of `x`: NaN comes last, -0 equals 0."""
    dtype = x.dtype
    if dtype.is_floating:
        if dtype in s.HALVES:
            x = s.cast(x, tf.float32)
        bits = tf.int64 if x.dtype is tf.float64 else tf.int32
        x = _raw.SelectV2(condition=x == 0, t=_raw.ZerosLike(x=x), e=x)
        x = _raw.SelectV2(condition=_raw.IsNan(x=x), t=tf.constant(float("nan"), x.dtype), e=x)
        pattern = _raw.BitwiseAnd(x=_raw.Bitcast(input=x, type=bits), y=tf.constant(-1, bits))
        size = _raw.BitwiseAnd(x=pattern, y=bits.max)
        # Sign and magnitude become two's complement.
        return _raw.SelectV2(condition=pattern < 0, t=-1 - size, e=pattern)
    if dtype is tf.uint64:
        return _raw.Bitcast(
            input=_raw.BitwiseXor(x=x, y=tf.constant(1 << 63, dtype)), type=tf.int64
        )
    return s.cast(x, tf.int64 if dtype in (tf.uint32, tf.int64) else tf.int32)


def argsort(x: _Tensor, axis: int = -1) -> _Tensor:
    """Stable."""
    if not s.rank(x):
        return tf.zeros([], tf.int32)
    key = _shape.swapaxes(_ordinal(x), axis, -1)
    # The largest first, lower index first among equals; `~` turns the order round.
    found = _raw.TopKV2(input=_raw.Invert(x=key), k=s.sizes(key)[-1], sorted=True)
    return _shape.swapaxes(found.indices, axis, -1)


def sort(x: _Tensor, axis: int = -1) -> _Tensor:
    return _index.take_along_axis(x, argsort(x, axis), axis) if s.rank(x) else x


def top_k(x: _Tensor, k: int, sorted: bool = True) -> tuple[_Tensor, _Tensor]:
    # XLA lacks this one dtype.
    wide = s.cast(x, tf.int32) if x.dtype is tf.uint16 else x
    values, indices = _raw.TopKV2(input=wide, k=k, sorted=sorted)
    return s.cast(values, x.dtype), indices


def searchsorted(sorted_sequence: _Tensor, values: _Tensor, side: str = "left") -> _Tensor:
    sorted_sequence, values = s.pair(sorted_sequence, values)
    native = _raw.LowerBound if side == "left" else _raw.UpperBound
    found = native(
        sorted_inputs=_raw.ExpandDims(input=sorted_sequence, axis=0),
        values=s.reshape(values, (1, -1)),
        out_type=tf.int32,
    )
    return s.reshape(found, s.sizes(values))


def bincount(x: _Tensor, weights: _Tensor | None = None, minlength: int = 0) -> _Tensor:
    x = s.cast(x, tf.int32)
    length = tf.maximum(tf.reduce_max(x) + 1, minlength)
    amounts = tf.ones_like(x) if weights is None else weights
    if s.rank(x) == 1:
        found = tf.math.unsorted_segment_sum(amounts, x, length)
    else:
        rows = s.sizes(x)[0]
        flat = s.reshape(x + tf.range(rows)[:, None] * length, (-1,))
        amounts = s.reshape(tf.broadcast_to(amounts, tf.shape(x)), (-1,))
        found = tf.math.unsorted_segment_sum(amounts, flat, rows * length)
        found = s.reshape(found, (rows, length))
    return found
