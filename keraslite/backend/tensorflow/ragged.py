"""`tf.RaggedTensor`s: what runs on their values, and TensorFlow's own ops on rows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import tensorflow as tf

from keraslite.backend.tensorflow import support as s
from keraslite.backend.tensorflow.kernels import index as _index

Tensor = Any
Ragged = tf.RaggedTensor


def _is_ragged(x: object) -> bool:
    return isinstance(x, Ragged)


def map_values(fn: Callable[..., Tensor], tensors: Sequence[Any]) -> Ragged:
    """`fn` of the values of ragged tensors, which stand one after the other.

    Dense tensors are broadcast; numbers and None stay.
    """
    like = next(filter(_is_ragged, tensors))
    if {x.shape.rank for x in tensors if _is_ragged(x)} != {like.shape.rank}:
        raise ValueError("Ragged tensors must have the same number of axes.")
    filled = [_filled(x, like) if type(x) in s.TENSORS else x for x in tensors]
    return tf.ragged.map_flat_values(fn, *filled)


def _filled(x: Tensor, like: Ragged) -> Tensor:
    """A dense tensor that broadcasts against the values of `like`."""
    if x.shape.rank < like.flat_values.shape.rank:
        return x
    return tf.where(tf.ones_like(like, tf.bool), x, x)


def inner_axes(x: Ragged, axis: Any) -> Any:
    """`axis`, counted from the end, if it spares the batch and the rows; else None."""
    rank = x.shape.rank
    axes = [a - rank for a in s.axes_of(x, axis)]
    if not axes or sorted(axes)[0] <= x.ragged_rank - rank:
        return None
    return axes[0] if s.is_int(axis) else tuple(axes)


def _reduction(native: Callable[..., Tensor]) -> Callable[..., Tensor]:
    def kernel(x: Ragged, axis: s.Axis = None, keepdims: bool = False, *rest: Any) -> Tensor:
        return native(x, list(axis) if isinstance(axis, tuple) else axis, keepdims)

    return kernel


sum = _reduction(tf.reduce_sum)
prod = _reduction(tf.reduce_prod)
mean = _reduction(tf.reduce_mean)
max = _reduction(tf.reduce_max)
min = _reduction(tf.reduce_min)
logsumexp = _reduction(tf.reduce_logsumexp)
any = _reduction(lambda x, *rest: tf.reduce_any(tf.cast(x, tf.bool), *rest))
all = _reduction(lambda x, *rest: tf.reduce_all(tf.cast(x, tf.bool), *rest))
var = _reduction(tf.math.reduce_variance)
std = _reduction(tf.math.reduce_std)


def moments(
    x: Ragged, axes: tuple[int, ...], keepdims: bool = False, synchronized: bool = False
) -> Any:
    axes = set(s.axes_of(x, axes))
    outer = set(range(x.ragged_rank + 1))
    if keepdims or synchronized or not outer <= axes:
        return NotImplemented
    return tf.nn.moments(x.flat_values, [0, *(a - x.ragged_rank for a in axes - outer)])


def softmax(x: Ragged, axis: Any = -1) -> Any:
    return tf.nn.softmax(x, axis) if axis in (-1, x.shape.rank - 1) else NotImplemented


def matmul(x1: Any, x2: Any) -> Any:
    if _is_ragged(x2) or x2.shape.rank != 2 or inner_axes(x1, -1) is None:
        return NotImplemented
    return tf.ragged.map_flat_values(tf.matmul, x1, x2)


def take(x: Any, indices: Any, axis: int | None = None) -> Any:
    if _is_ragged(x):
        return NotImplemented if axis is None else tf.gather(x, indices, axis=axis)
    if (axis or 0) % x.shape.rank or (axis is None and x.shape.rank > 1):
        return NotImplemented
    return tf.ragged.map_flat_values(lambda places: _index.take(x, places, 0), indices)


def concatenate(xs: list[Any], axis: int | None = 0) -> Any:
    return NotImplemented if axis is None else tf.concat(xs, axis)


def stack(xs: list[Any], axis: int = 0) -> Ragged:
    return tf.stack(xs, axis)


def expand_dims(x: Ragged, axis: Any) -> Any:
    return tf.expand_dims(x, axis) if isinstance(axis, int) else NotImplemented


def reshape(x: Ragged, newshape: Any) -> Any:
    flat = newshape in (-1, (-1,))
    return tf.reshape(x.flat_values, [-1]) if flat else NotImplemented


def cumsum(x: Ragged, axis: int | None = None, dtype: Any = None) -> Any:
    return NotImplemented if axis is None or dtype is not None else tf.cumsum(x, axis)


def flip(x: Ragged, axis: Any = None) -> Ragged:
    return tf.reverse(x, s.axes_of(x, axis))


def tile(x: Ragged, repeats: Any) -> Any:
    return NotImplemented if isinstance(repeats, int) else tf.tile(x, repeats)


def squeeze(x: Ragged, axis: Any = None) -> Any:
    return tf.squeeze(x, axis) if isinstance(axis, int) else NotImplemented
