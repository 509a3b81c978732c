"""`tf.SparseTensor`s: what runs on them without making them dense."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import tensorflow as tf

Tensor = Any
Sparse = tf.SparseTensor
#: Dtypes of TensorFlow's product of a sparse and a dense matrix.
_PRODUCTS = frozenset({tf.float32, tf.float64, tf.int32, tf.complex64, tf.complex128})


def map_values(x: Sparse, fn: Callable[[Tensor], Tensor]) -> Sparse:
    """The same places with `fn` of the values."""
    return tf.SparseTensor(x.indices, fn(x.values), x.dense_shape)


def dense(x: Sparse) -> Tensor:
    """As a dense tensor."""
    return tf.sparse.to_dense(tf.sparse.reorder(x))


def _at(x: Tensor, like: Sparse) -> Tensor:
    """The elements of a dense tensor at the places of a sparse one."""
    if x.shape.rank == 0:
        return x
    return tf.gather_nd(tf.broadcast_to(x, like.dense_shape), like.indices)


def _fits(x: Tensor, like: Sparse) -> bool:
    """Whether a dense tensor broadcasts to the shape of a sparse one, as far as is known."""
    if x.shape.rank > like.shape.rank:
        return False
    pairs = zip(reversed(tuple(x.shape)), reversed(tuple(like.shape)), strict=False)
    return all(n in (1, m) for n, m in pairs)


def _places(x: Sparse) -> Tensor:
    """One number for each place, in rising order of the places."""
    strides = tf.math.cumprod(x.dense_shape, exclusive=True, reverse=True)
    return tf.linalg.matvec(x.indices, strides)


def multiply(x1: Any, x2: Any) -> Any:
    if not isinstance(x1, Sparse):
        x1, x2 = x2, x1
    if not isinstance(x2, Sparse):
        if not _fits(x2, x1):
            return NotImplemented
        return map_values(x1, lambda values: values * _at(x2, x1))
    if not x1.shape.is_compatible_with(x2.shape):
        return NotImplemented
    x1, x2 = tf.sparse.reorder(x1), tf.sparse.reorder(x2)
    wanted, there = _places(x1), _places(x2)
    # One more at the end: a place behind all others is found there.
    there = tf.concat([there, [tf.int64.max]], 0)
    values = tf.concat([x2.values, tf.zeros(1, x2.dtype)], 0)
    found = tf.searchsorted(there, wanted)
    hit = tf.equal(tf.gather(there, found), wanted)
    return tf.sparse.retain(map_values(x1, lambda v: v * tf.gather(values, found)), hit)


def true_divide(x1: Sparse, x2: Tensor) -> Any:
    if not _fits(x2, x1):
        return NotImplemented
    return map_values(x1, lambda values: values / _at(x2, x1))


def _of_equal_shapes(fn: Callable[..., Sparse]) -> Callable[..., Any]:
    def kernel(x1: Sparse, x2: Sparse) -> Any:
        return fn(x1, x2) if x1.shape.is_compatible_with(x2.shape) else NotImplemented

    return kernel


add = _of_equal_shapes(tf.sparse.add)
subtract = _of_equal_shapes(lambda x1, x2: tf.sparse.add(x1, map_values(x2, tf.negative)))
maximum = _of_equal_shapes(tf.sparse.maximum)
minimum = _of_equal_shapes(tf.sparse.minimum)


def matmul(x1: Any, x2: Any) -> Any:
    if not x1.shape.rank == x2.shape.rank == 2 or x1.dtype not in _PRODUCTS:
        return NotImplemented
    if not isinstance(x1, Sparse):
        turned = tf.sparse.sparse_dense_matmul(tf.sparse.transpose(x2), tf.transpose(x1))
        return tf.transpose(turned)
    if isinstance(x2, Sparse):
        return tf.sparse.from_dense(tf.sparse.sparse_dense_matmul(x1, dense(x2)))
    return tf.sparse.sparse_dense_matmul(x1, x2)


def _sum(x: Sparse, axis: Any, keepdims: bool) -> Tensor:
    axes = list(axis) if isinstance(axis, tuple) else axis
    return tf.sparse.reduce_sum(x, axes, keepdims)


def _unless_scalar(x: Tensor) -> Any:
    return tf.sparse.from_dense(x) if x.shape.rank else x


def sum(x: Sparse, axis: Any = None, keepdims: bool = False) -> Any:
    return _unless_scalar(_sum(x, axis, keepdims))


def mean(x: Sparse, axis: Any = None, keepdims: bool = False) -> Any:
    total = _sum(x, axis, keepdims)
    size, rest = tf.reduce_prod(x.dense_shape), tf.size(total, tf.int64)
    return _unless_scalar(total / tf.cast(size / tf.maximum(rest, 1), total.dtype))


def reshape(x: Sparse, newshape: Any) -> Sparse:
    sizes = newshape if isinstance(newshape, Sequence) else [newshape]
    return tf.sparse.reshape(x, [-1 if n is None else n for n in sizes])


def expand_dims(x: Sparse, axis: Any) -> Any:
    return tf.sparse.expand_dims(x, axis) if isinstance(axis, int) else NotImplemented


def squeeze(x: Sparse, axis: Any = None) -> Any:
    shape = tuple(x.shape)
    axes = range(len(shape)) if axis is None else axis if isinstance(axis, tuple) else (axis,)
    gone = {a % len(shape) for a in axes if axis is not None or shape[a] == 1}
    if any(shape[a] != 1 for a in gone):
        raise ValueError(f"`axis` {axis} is not of size 1 in the shape {shape}.")
    kept = [n for a, n in enumerate(shape) if a not in gone]
    return NotImplemented if kept.count(None) > 1 else reshape(x, kept)


def transpose(x: Sparse, axes: Any = None) -> Sparse:
    return tf.sparse.transpose(x, axes)


def concatenate(xs: list[Sparse], axis: int | None = 0) -> Any:
    return NotImplemented if axis is None else tf.sparse.concat(axis, xs)
