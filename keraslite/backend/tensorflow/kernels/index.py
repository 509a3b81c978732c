"""Reading and writing elements by their positions."""

from __future__ import annotations

from collections.abc import Callable as _Callable
from typing import Any

import numpy as _np
import tensorflow as tf
from tensorflow.compiler.tf2xla.ops import gen_xla_ops as _xla

from keraslite.backend.tensorflow import support as s
from keraslite.backend.tensorflow.kernels import shape as _shape

_raw = tf.raw_ops
_Tensor = Any
_INDICES = frozenset({tf.int32, tf.int64})
# Before a kernel below takes the name.
_ALL = slice(None)


def _position(indices: _Tensor) -> _Tensor:
    if indices.dtype in _INDICES:
        return indices
    return s.cast(indices, tf.int64 if indices.dtype is tf.uint32 else tf.int32)


def _inside(indices: _Tensor, size: s.Size) -> _Tensor:
    """Negative indices counted from the end, all others clamped to the axis."""
    indices = _position(indices)
    size = s.cast(size, indices.dtype) if type(size) in s.TENSORS else size
    indices = _raw.SelectV2(condition=indices < 0, t=indices + size, e=indices)
    return _raw.Maximum(x=_raw.Minimum(x=indices, y=size - 1), y=0)


def take(x: _Tensor, indices: _Tensor, axis: int | None = None) -> _Tensor:
    if axis is None:
        x, axis = s.reshape(x, (-1,)), 0
    axis = axis % s.rank(x)
    return _raw.GatherV2(params=x, indices=_inside(indices, s.sizes(x)[axis]), axis=axis)


def take_along_axis(x: _Tensor, indices: _Tensor, axis: int = -1) -> _Tensor:
    indices = _inside(indices, s.sizes(x)[axis])
    x, indices = _shape.swapaxes(x, axis, -1), _shape.swapaxes(indices, axis, -1)
    batch = s.rank(x) - 1
    if x.shape[:-1] != indices.shape[:-1] or None in tuple(x.shape[:-1]):
        common = tf.broadcast_dynamic_shape(tf.shape(x)[:-1], tf.shape(indices)[:-1])
        x, indices = (
            tf.broadcast_to(t, tf.concat([common, tf.shape(t)[-1:]], 0)) for t in (x, indices)
        )
    found = _raw.GatherV2(params=x, indices=indices, axis=batch, batch_dims=batch)
    return _shape.swapaxes(found, axis, -1)


def nonzero(x: _Tensor) -> tuple[_Tensor, ...]:
    return tuple(tf.unstack(s.cast(tf.where(s.cast(x, tf.bool)), tf.int32), axis=1))


# NumPy indexing --------------------------------------------------------------------------


def getitem(x: _Tensor, key: Any) -> _Tensor:
    items = _aligned(key if isinstance(key, tuple) else (key,), x)
    if any(type(item) in s.TENSORS and s.rank(item) for item in items):
        return _advanced(x, items)
    return x[tuple(items)]


def _aligned(key: tuple, x: _Tensor) -> list[Any]:
    """`key` with the ellipsis written out, arrays as tensors, masks as their positions."""
    items: list[Any] = []
    for item in key:
        if isinstance(item, (list, _np.ndarray)):
            item = tf.convert_to_tensor(_np.asarray(item, "int32") if not len(item) else item)
        if type(item) in s.TENSORS and item.dtype is tf.bool:
            items.extend(nonzero(item))
        else:
            items.append(item)
    consumed = sum(item is not None and item is not Ellipsis for item in items)
    n = s.rank(x)
    if consumed > n:
        raise IndexError(f"Too many indices for a tensor of rank {n}. Received: {consumed}.")
    rest = [_ALL] * (n - consumed)
    at = next((i for i, item in enumerate(items) if item is Ellipsis), None)
    if at is None:
        items += rest
    else:
        items[at : at + 1] = rest
    axis = 0
    for item in items:
        if s.is_int(item):
            _check(int(item), x.shape[axis], axis)
        axis += item is not None
    return items


def _check(index: int, size: int | None, axis: int) -> None:
    # Python ends a loop over a tensor at this error.
    if size is not None and not -size <= index < size:
        raise IndexError(f"Index {index} is out of range for axis {axis} of size {size}.")


def _advanced(x: _Tensor, items: list[Any]) -> _Tensor:
    """NumPy's rule: indices broadcast; their axes stay in place when they are neighbours."""
    where = [i for i, item in enumerate(items) if type(item) in s.TENSORS or s.is_int(item)]
    indices = [_position(tf.convert_to_tensor(items[i])) for i in where]
    basic = [_ALL if i in where else item for i, item in enumerate(items)]
    if any(item is None or item != _ALL for item in basic):
        x = x[tuple(basic)]
    lengths = s.sizes(x)
    indices = [_inside(index, lengths[i]) for index, i in zip(indices, where, strict=True)]
    if len(where) == 1:
        return _raw.GatherV2(params=x, indices=indices[0], axis=where[0])
    wide = tf.int64 if any(index.dtype is tf.int64 for index in indices) else tf.int32
    indices = [s.cast(index, wide) for index in indices]
    nothing = sum(tf.zeros_like(index) for index in indices)
    others = [i for i in range(len(items)) if i not in where]
    found = tf.gather_nd(
        _shape.transpose(x, where + others), tf.stack([i + nothing for i in indices], -1)
    )
    if where != list(range(where[0], where[0] + len(where))):
        return found
    joint = s.rank(nothing)
    return _shape.moveaxis(found, tuple(range(joint)), tuple(range(where[0], where[0] + joint)))


# Writing -----------------------------------------------------------------------------------


def scatter(indices: _Tensor, values: _Tensor, shape: Any) -> _Tensor:
    return _raw.ScatterNd(
        indices=s.cast(indices, tf.int32), updates=values, shape=s.int_vector(shape)
    )


def scatter_update(inputs: _Tensor, indices: _Tensor, updates: _Tensor) -> _Tensor:
    indices = _position(indices)
    bounds = s.cast(s.int_vector(s.sizes(inputs)[: indices.shape[-1]]), indices.dtype)
    indices = _raw.SelectV2(condition=indices < 0, t=indices + bounds, e=indices)
    return _raw.TensorScatterUpdate(tensor=inputs, indices=indices, updates=updates)


def slice(inputs: _Tensor, start_indices: Any, shape: Any) -> _Tensor:
    return _raw.Slice(input=inputs, begin=s.int_vector(start_indices), size=s.int_vector(shape))


@tf.custom_gradient
def _moving_update(inputs: _Tensor, begin: _Tensor, updates: _Tensor) -> Any:
    """`slice_update` at a place that is computed, which XLA takes in this form only."""

    def gradient(upstream: _Tensor) -> tuple[_Tensor, None, _Tensor]:
        nothing = _xla.xla_dynamic_update_slice(
            input=upstream, update=tf.zeros_like(updates), indices=begin
        )
        return nothing, None, _raw.Slice(input=upstream, begin=begin, size=tf.shape(updates))

    return _xla.xla_dynamic_update_slice(input=inputs, update=updates, indices=begin), gradient


def slice_update(inputs: _Tensor, start_indices: Any, updates: _Tensor) -> _Tensor:
    begin = s.int_vector(start_indices)
    if s.is_for_xla() and tf.get_static_value(begin) is None:
        return _moving_update(inputs, begin, updates)
    return _raw.TensorStridedSliceUpdate(
        input=inputs,
        begin=begin,
        end=begin + tf.shape(updates),
        strides=tf.ones_like(begin),
        value=updates,
    )


def one_hot(x: _Tensor, num_classes: int, axis: int = -1, dtype: str = "float32") -> _Tensor:
    target = s.NATIVE[dtype]
    return _raw.OneHot(
        indices=_position(x),
        depth=num_classes,
        on_value=tf.cast(1, target),
        off_value=tf.cast(0, target),
        axis=axis,
    )


def _segmented(native: _Callable[..., _Tensor]) -> _Callable[..., _Tensor]:
    def kernel(
        data: _Tensor, segment_ids: _Tensor, num_segments: int | None = None, sorted: bool = False
    ) -> _Tensor:
        ids = _position(segment_ids)
        count = tf.reduce_max(ids) + 1 if num_segments is None else num_segments
        # What is too large is left out, as what is negative is; TensorFlow would refuse it.
        ids = _raw.SelectV2(condition=ids < tf.cast(count, ids.dtype), t=ids, e=-1)
        return native(data=data, segment_ids=ids, num_segments=count)

    return kernel


segment_sum = _segmented(_raw.UnsortedSegmentSum)
segment_prod = _segmented(_raw.UnsortedSegmentProd)


@_segmented
def segment_max(data: _Tensor, segment_ids: _Tensor, num_segments: int) -> _Tensor:
    found = _raw.UnsortedSegmentMax(data=data, segment_ids=segment_ids, num_segments=num_segments)
    if not data.dtype.is_floating:
        return found
    # Empty segments hold the lowest finite number.
    found = tf.where(found == data.dtype.min, tf.constant(float("-inf"), data.dtype), found)
    if s.is_for_xla():
        return found  # XLA keeps NaN.
    nan = _raw.IsNan(x=data)

    def marked() -> _Tensor:
        blots = tf.math.unsorted_segment_sum(s.cast(nan, tf.int32), segment_ids, num_segments)
        return tf.where(blots > 0, tf.constant(float("nan"), data.dtype), found)

    return tf.cond(tf.reduce_any(nan), marked, lambda: found)
