"""Kernels that read, write or order by index."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import mlx.core as mx
import numpy as np

from keraslite_mlx.dtypes import FLOATS, native

Array = mx.array


# Reading ---------------------------------------------------------------------------


def _inside(indices: Array, size: int) -> Array:
    """Negative indices counted from the end, all others clamped to the axis."""
    # Indices may come from what is differentiated, by way of an order.
    indices = mx.stop_gradient(indices.astype(mx.int32))
    return mx.clip(mx.where(indices < 0, indices + size, indices), 0, size - 1)


def take(x: Array, indices: Array, axis: int | None = None) -> Array:
    if axis is None:
        x, axis = x.reshape(-1), 0
    return mx.take(x, _inside(indices, x.shape[axis]), axis)


def take_along_axis(x: Array, indices: Array, axis: int) -> Array:
    axis = axis % x.ndim
    shape = np.broadcast_shapes(*((*a.shape[:axis], 1, *a.shape[axis + 1 :]) for a in (x, indices)))
    x, indices = (
        mx.broadcast_to(a, (*shape[:axis], a.shape[axis], *shape[axis + 1 :])) for a in (x, indices)
    )
    return mx.take_along_axis(x, _inside(indices, x.shape[axis]), axis)


def getitem(x: Array, key: Any) -> Array:
    keys = [
        mx.array(k) if isinstance(k, (np.ndarray, np.generic, bool)) else k
        for k in (key if isinstance(key, tuple) else (key,))
    ]
    found: list[Any] = []
    axis = 0
    for i, k in enumerate(keys):
        if k is Ellipsis:
            axis = x.ndim - sum(map(_width, keys[i + 1 :]))
        if not isinstance(k, Array):
            found.append(k)
            axis += _width(k)
        elif k.dtype == mx.bool_:
            found.extend(nonzero(k))
            axis += k.ndim
        else:
            found.append(_inside(k, x.shape[axis]))
            axis += 1
    return x[tuple(found)] if isinstance(key, tuple) or len(found) != 1 else x[found[0]]


def _width(key: Any) -> int:
    """How many axes a key takes."""
    if key is None or key is Ellipsis:
        return 0
    is_mask = isinstance(key, Array) and key.dtype == mx.bool_
    return key.ndim if is_mask else 1


def nonzero(x: Array) -> tuple[Array, ...]:
    # How many there are depends on the values.
    return tuple(mx.array(i.astype("int32")) for i in np.nonzero(np.array(x)))


def _region(x: Array, start: Any, shape: Sequence[int]) -> tuple[list[Any], list[int]]:
    """Where a block begins, moved inside the array where it sticks out, and its sizes."""
    starts = list(start) if isinstance(start, (tuple, list)) else [start[i] for i in range(x.ndim)]
    sizes = [n - int(s) if m == -1 else m for n, s, m in zip(x.shape, starts, shape, strict=True)]
    limits = [n - m for n, m in zip(x.shape, sizes, strict=True)]
    if all(isinstance(s, int) for s in starts):
        return [min(max(s, 0), n) for s, n in zip(starts, limits, strict=True)], sizes
    return [
        mx.clip(mx.array(s).astype(mx.int32), 0, n) for s, n in zip(starts, limits, strict=True)
    ], sizes


def slice_of(inputs: Array, start_indices: Any, shape: Sequence[int]) -> Array:
    starts, sizes = _region(inputs, start_indices, shape)
    if all(isinstance(s, int) for s in starts):
        return inputs[tuple(slice(s, s + n) for s, n in zip(starts, sizes, strict=True))]
    return mx.slice(inputs, mx.stack(starts), tuple(range(inputs.ndim)), tuple(sizes))


# Writing ---------------------------------------------------------------------------


def slice_update(inputs: Array, start_indices: Any, updates: Array) -> Array:
    starts, _ = _region(inputs, start_indices, updates.shape)
    return mx.slice_update(
        inputs, updates, mx.stack([mx.array(s) for s in starts]), tuple(range(inputs.ndim))
    )


def _columns(indices: Array) -> tuple[Array, ...]:
    return tuple(indices[..., i] for i in range(indices.shape[-1]))


def scatter(indices: Array, values: Array, shape: tuple[int, ...]) -> Array:
    return mx.zeros(shape, values.dtype).at[_columns(indices)].add(values)


def scatter_update(inputs: Array, indices: Array, updates: Array) -> Array:
    found = mx.array(inputs)
    found[_columns(indices)] = updates
    return found


def one_hot(x: Array, num_classes: int, axis: int = -1, dtype: str = "float32") -> Array:
    axis = axis % (x.ndim + 1)
    classes = mx.arange(num_classes).reshape([-1 if i == axis else 1 for i in range(x.ndim + 1)])
    return (mx.expand_dims(x, axis) == classes).astype(native(dtype))


def bincount(
    x: Array, weights: Array | None = None, minlength: int = 0, sparse: bool = False
) -> Array:
    if sparse:
        raise NotImplementedError("`bincount` has no sparse result here. Pass `sparse=False`.")
    if weights is None:
        weights = mx.ones(x.shape, mx.int32)
    length = max(minlength, int(mx.max(x)) + 1 if x.size else 0)
    lead = np.indices(x.shape, sparse=True, dtype="int32")[:-1]
    counts = mx.zeros((*x.shape[:-1], length), weights.dtype)
    return counts.at[(*map(mx.array, lead), x)].add(weights)


def _segments(
    join: Callable[..., Array], initial: Callable[[mx.Dtype], Any]
) -> Callable[..., Array]:
    def run(
        data: Array, segment_ids: Array, num_segments: int | None = None, sorted: bool = False
    ) -> Array:
        if num_segments is None:
            num_segments = int(mx.max(segment_ids)) + 1 if segment_ids.size else 0
        # What belongs to no segment goes into one more, which is dropped.
        inside = mx.logical_and(segment_ids >= 0, segment_ids < num_segments)
        start = mx.full((num_segments + 1, *data.shape[1:]), initial(data.dtype), data.dtype)
        places = mx.where(inside, segment_ids, num_segments)
        return join(start, places, data)[:-1]

    return run


def _at(name: str) -> Callable[..., Array]:
    return lambda start, places, data: getattr(start.at[places], name)(data)


def _product(start: Array, places: Array, data: Array) -> Array:
    """`start.at[places].multiply(data)`, which MLX has no derivative of."""

    def apart(data: Array) -> Array:
        rows = mx.arange(start.shape[0]).reshape(-1, *(1,) * data.ndim)
        ours = rows == places.reshape(-1, *(1,) * (data.ndim - 1))
        return mx.prod(mx.where(ours, data, mx.ones((), data.dtype)), axis=1)

    multiply = mx.custom_function(lambda data: start.at[places].multiply(data))
    multiply.vjp(lambda data, g, found: mx.vjp(apart, [data], [g])[1][0])
    return multiply(data)


def _lowest(dtype: mx.Dtype) -> float:
    return -np.inf if dtype in FLOATS else mx.iinfo(dtype).min


# Order -----------------------------------------------------------------------------


def sort(x: Array, axis: int | None = -1) -> Array:
    return mx.sort(x, axis)


def argsort(x: Array, axis: int | None = -1) -> Array:
    return mx.argsort(x, axis).astype(mx.int32)


def top_k(x: Array, k: int, sorted: bool = True) -> tuple[Array, Array]:
    # Reversed twice, so that of equal elements the first comes first.
    order = mx.flip(mx.argsort(mx.flip(mx.stop_gradient(x), -1), -1), -1)[..., :k]
    indices = x.shape[-1] - 1 - order.astype(mx.int32)
    return mx.take_along_axis(x, indices, -1), indices


def searchsorted(sorted_sequence: Array, values: Array, side: str = "left") -> Array:
    return mx.searchsorted(sorted_sequence, values, side=side).astype(mx.int32)


KERNELS: dict[str, Callable[..., Any]] = {
    "slice": slice_of,
    "segment_sum": _segments(_at("add"), lambda dtype: 0),
    "segment_max": _segments(_at("maximum"), _lowest),
    "segment_prod": _segments(_product, lambda dtype: 1),
    **{
        fn.__name__: fn
        for fn in (
            take, take_along_axis, getitem, nonzero, slice_update, scatter, scatter_update, one_hot,
            bincount, sort, argsort, top_k, searchsorted,
        )
    },
}  # fmt: skip
