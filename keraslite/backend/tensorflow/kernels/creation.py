"""Kernels that make tensors of nothing but numbers."""

from __future__ import annotations

import math
from typing import Any

import tensorflow as tf

from keraslite.backend.tensorflow import support as s
from keraslite.core.dtypes import FLOAT8 as _FLOAT8

_raw = tf.raw_ops
_Tensor = Any
# What `Fill` and `Range` cannot make is cast from this.
_FILLED = {s.NATIVE[name]: tf.float32 for name in _FLOAT8}


def full(shape: Any, fill_value: Any, dtype: str) -> _Tensor:
    target = s.NATIVE[dtype]
    wide = _FILLED.get(target, target)
    if type(fill_value) in s.TENSORS:
        value = s.cast(fill_value, wide)
    else:
        value = tf.cast(tf.constant(fill_value), wide)
    if value.shape.rank:
        value = _raw.BroadcastTo(input=value, shape=_vector(shape))
    else:
        value = _raw.Fill(dims=_vector(shape), value=value)
    return s.cast(value, target)


def zeros(shape: Any, dtype: str) -> _Tensor:
    return full(shape, "" if dtype == "string" else 0, dtype)


def ones(shape: Any, dtype: str) -> _Tensor:
    return full(shape, 1, dtype)


def _vector(shape: Any) -> _Tensor:
    return s.int_vector((shape,) if s.is_int(shape) else shape)


def _computing(target: tf.DType) -> tf.DType:
    """Where sequences of `target` are computed: 64 or 32 bits."""
    if target.is_floating:
        return tf.float64 if target is tf.float64 else tf.float32
    return tf.int64 if target.size > 4 or target is tf.uint32 else tf.int32


def arange(start: Any, stop: Any = None, step: Any = 1, dtype: str = "int32") -> _Tensor:
    if stop is None:
        start, stop = 0, start
    step = 1 if step is None else step
    target = s.NATIVE[dtype]
    wide = _computing(target)
    if any(type(v) in s.TENSORS for v in (start, stop, step)):
        bounds = [tf.cast(v, wide) for v in (start, stop, step)]
        return s.cast(_raw.Range(start=bounds[0], limit=bounds[1], delta=bounds[2]), target)
    # The length follows from the numbers as given; 32 bits could give another one.
    count = max(math.ceil((stop - start) / step), 0)
    exact = not target.is_floating and s.is_int(start) and s.is_int(step)
    wide = wide if exact else tf.float64
    found = tf.cast(tf.range(count), wide) * tf.cast(step, wide) + tf.cast(start, wide)
    return s.cast(found, target)


def linspace(
    start: Any,
    stop: Any,
    num: int = 50,
    endpoint: bool = True,
    dtype: str = "float32",
    axis: int = 0,
) -> _Tensor:
    target = s.NATIVE[dtype]
    wide = tf.float64 if target is tf.float64 else tf.float32
    start, stop = (tf.cast(v, wide) for v in (start, stop))
    start, stop = start + tf.zeros_like(stop), stop + tf.zeros_like(start)
    parts = num - 1 if endpoint else num
    n = start.shape.rank
    place = axis % (n + 1)
    weight = s.reshape(tf.range(num), (num,) + (1,) * (n - place))
    ratio = tf.cast(weight, wide) / float(max(parts, 1))
    first, last = tf.expand_dims(start, place), tf.expand_dims(stop, place)
    found = first * (1 - ratio) + last * ratio
    if endpoint and num > 1:
        found = tf.where(weight == parts, last, found)
    # Integers are rounded down, as in NumPy.
    return s.cast(found if target.is_floating else tf.floor(found), target)


def eye(N: Any, M: Any = None, k: Any = 0, dtype: str = "float32") -> _Tensor:
    columns = tf.range(N if M is None else M)
    return s.cast(columns - k == tf.range(N)[:, None], s.NATIVE[dtype])
