"""Kernels that move elements about and compute nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as _np
import tensorflow as tf

from keraslite.backend.tensorflow import support as s

_raw = tf.raw_ops
_Tensor = Any


reshape = s.reshape


def transpose(x: _Tensor, axes: Sequence[int] | None = None) -> _Tensor:
    order = range(s.rank(x))[::-1] if axes is None else s.axes_of(x, tuple(axes))
    return _raw.Transpose(x=x, perm=s.int_vector(order))


def broadcast_to(x: _Tensor, shape: Any) -> _Tensor:
    return _raw.BroadcastTo(input=x, shape=s.int_vector(shape))


def expand_dims(x: _Tensor, axis: s.Axis) -> _Tensor:
    if s.is_int(axis):
        return _raw.ExpandDims(input=x, axis=axis)
    n = s.rank(x) + len(axis)
    for a in sorted(a % n for a in axis):
        x = _raw.ExpandDims(input=x, axis=a)
    return x


def squeeze(x: _Tensor, axis: s.Axis = None) -> _Tensor:
    if axis is None:
        axis = tuple(i for i, n in enumerate(x.shape) if n == 1)
    elif s.is_int(axis):
        axis = (axis,)
    # No axes would mean all of them to TensorFlow.
    return _raw.Squeeze(input=x, axis=list(axis)) if axis else x


def concatenate(xs: Sequence[_Tensor], axis: int = 0) -> _Tensor:
    return xs[0] if len(xs) == 1 else _raw.ConcatV2(values=xs, axis=axis)


def stack(xs: Sequence[_Tensor], axis: int = 0) -> _Tensor:
    return _raw.Pack(values=xs, axis=axis)


def pad(
    x: _Tensor,
    pad_width: Sequence[tuple[int, int]],
    mode: str = "constant",
    constant_values: Any = 0,
) -> _Tensor:
    if mode == "constant":
        value = tf.cast(0 if constant_values is None else constant_values, x.dtype)
        widths = s.reshape(s.int_vector(w for both in pad_width for w in both), (-1, 2))
        return _raw.PadV2(input=x, paddings=widths, constant_values=value)
    for axis, (before, after) in enumerate(pad_width):
        if before or after:
            size = s.sizes(x)[axis]
            source = _padded_from(tf.range(-before, size + after), size, mode)
            x = _raw.GatherV2(params=x, indices=source, axis=axis)
    return x


def _padded_from(position: _Tensor, size: s.Size, mode: str) -> _Tensor:
    """The index of the element that padding puts at each `position`."""
    if mode == "edge":
        return tf.clip_by_value(position, 0, size - 1)
    if mode == "wrap":
        return position % size
    if mode == "reflect":
        period = tf.maximum(2 * size - 2, 1)
        return tf.minimum(position % period, -position % period)
    if mode == "symmetric":
        return tf.minimum(position % (2 * size), (-position - 1) % (2 * size))
    raise ValueError(
        "`mode` must be 'constant', 'reflect', 'symmetric', 'edge' or 'wrap'. "
        f"Received: mode={mode!r}"
    )


def _tile(x: _Tensor, repeats: tuple[int, ...]) -> _Tensor:
    missing = len(repeats) - s.rank(x)
    if missing > 0:
        x = s.reshape(x, (1,) * missing + s.sizes(x))
    return _raw.Tile(input=x, multiples=s.int_vector((1,) * -missing + repeats))


# TensorFlow tiles all dtypes but this one.
_WIDE = {tf.uint16: s.INT32}
tile = s.widened(_tile, _WIDE)
repeat = s.widened(tf.repeat, _WIDE)


def flip(x: _Tensor, axis: s.Axis = None) -> _Tensor:
    return _raw.ReverseV2(tensor=x, axis=s.int_vector(s.axes_of(x, axis)))


def roll(x: _Tensor, shift: Any, axis: s.Axis = None) -> _Tensor:
    if axis is None:
        return s.reshape(roll(s.reshape(x, (-1,)), shift, 0), s.sizes(x))
    axes = s.axes_of(x, axis)
    if type(shift) not in s.TENSORS:
        shift = (shift,) * len(axes) if s.is_int(shift) else shift
        # One shift turns every axis.
        shift = tuple(shift) * (len(axes) if len(shift) == 1 else 1)
        shift = s.int_vector(shift)
    axes = axes * (shift.shape[0] if len(axes) == 1 and shift.shape.rank else 1)
    if shift.shape.rank == 0:
        shift = tf.fill([len(axes)], shift)
    return _raw.Roll(input=x, shift=shift, axis=s.int_vector(axes))


def split(x: _Tensor, indices_or_sections: Any, axis: int = 0) -> list[_Tensor]:
    axis = axis % s.rank(x)
    if s.is_int(indices_or_sections):
        return list(tf.split(x, int(indices_or_sections), axis))
    stops = [int(i) for i in _np.asarray(indices_or_sections)]
    before = (slice(None),) * axis
    return [
        x[(*before, slice(start, stop))]
        for start, stop in zip([None, *stops], [*stops, None], strict=True)
    ]


def moveaxis(x: _Tensor, source: s.Axis, destination: s.Axis) -> _Tensor:
    source, destination = s.axes_of(x, source), s.axes_of(x, destination)
    order = [i for i in range(s.rank(x)) if i not in source]
    for to, where in sorted(zip(destination, source, strict=True)):
        order.insert(to, where)
    return transpose(x, order)


def swapaxes(x: _Tensor, axis1: int, axis2: int) -> _Tensor:
    order = list(range(s.rank(x)))
    order[axis1], order[axis2] = order[axis2], order[axis1]
    return transpose(x, order)


def _below(x: _Tensor, k: Any) -> _Tensor:
    rows, columns = s.sizes(x)[-2:]
    return tf.range(columns) <= tf.range(rows)[:, None] + k


def tril(x: _Tensor, k: Any = 0) -> _Tensor:
    return _raw.SelectV2(condition=_below(x, k), t=x, e=_raw.ZerosLike(x=x))


def triu(x: _Tensor, k: Any = 0) -> _Tensor:
    return _raw.SelectV2(condition=_below(x, k - 1), t=_raw.ZerosLike(x=x), e=x)


def diagonal(x: _Tensor, offset: int = 0, axis1: int = 0, axis2: int = 1) -> _Tensor:
    x = moveaxis(x, (axis1, axis2), (-2, -1))
    *batch, rows, columns = s.sizes(x)
    row, column = max(-offset, 0), max(offset, 0)
    count = tf.maximum(tf.minimum(rows - row, columns - column), 0)
    flat = s.reshape(x, (*batch, rows * columns))
    where = tf.range(count) * (columns + 1) + row * columns + column
    found = _raw.GatherV2(params=flat, indices=where, axis=len(batch))
    if type(rows) is int and type(columns) is int:
        found.set_shape((*x.shape[:-2], max(min(rows - row, columns - column), 0)))
    return found


def diag(x: _Tensor, k: int = 0) -> _Tensor:
    if s.rank(x) == 2:
        return diagonal(x, k, 0, 1)
    return tf.linalg.diag(x, k=k)
