"""Kernels that read, write or order by index."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from keraslite.backend.numpy.kernels.precision import least
from keraslite.core.dtypes import numpy_dtype

Array = Any


def top_k(x: Array, k: int, sorted: bool = True) -> tuple[Array, Array]:
    # Reversed twice, so that of equal elements the first comes first.
    order = np.argsort(x[..., ::-1], axis=-1, stable=True)[..., : -k - 1 : -1]
    indices = x.shape[-1] - 1 - order
    return np.take_along_axis(x, indices, -1), indices.astype("int32")


def bincount(x: Array, weights: Array | None = None, minlength: int = 0) -> Array:
    if weights is None:
        weights = np.ones(x.shape, "int32")
    length = max(minlength, int(x.max()) + 1 if x.size else 0)
    counts = np.zeros((*x.shape[:-1], length), weights.dtype)
    lead = np.indices(x.shape, sparse=True)[:-1]
    np.add.at(counts, (*lead, x), weights)
    return counts


def _columns(indices: Array) -> tuple[Array, ...]:
    return tuple(np.moveaxis(indices, -1, 0))


def scatter(indices: Array, values: Array, shape: tuple[int, ...]) -> Array:
    found = np.zeros(shape, values.dtype)
    np.add.at(found, _columns(indices), values)
    return found


def scatter_update(inputs: Array, indices: Array, updates: Array) -> Array:
    found = np.array(inputs)
    found[_columns(indices)] = updates
    return found


def _region(inputs: Array, start_indices: Any, shape: Sequence[int]) -> tuple[slice, ...]:
    """Slices of the given sizes, moved inside the array where they stick out."""
    found = []
    for size, start, length in zip(inputs.shape, start_indices, shape, strict=True):
        length = size - int(start) if length == -1 else length
        if length > size:
            raise ValueError(f"{length} elements of an axis of {size}.")
        start = min(max(int(start), 0), size - length)
        found.append(slice(start, start + length))
    return tuple(found)


def slice_of(inputs: Array, start_indices: Any, shape: Sequence[int]) -> Array:
    return inputs[_region(inputs, start_indices, shape)]


def slice_update(inputs: Array, start_indices: Any, updates: Array) -> Array:
    found = np.array(inputs)
    found[_region(inputs, start_indices, updates.shape)] = updates
    return found


def one_hot(x: Array, num_classes: int, axis: int = -1, dtype: str = "float32") -> Array:
    axis = axis % (x.ndim + 1)
    classes = np.arange(num_classes).reshape([-1 if i == axis else 1 for i in range(x.ndim + 1)])
    return (np.expand_dims(x, axis) == classes).astype(numpy_dtype(dtype))


def _segmented(ufunc: np.ufunc, initial: Callable[[np.dtype], float]) -> Callable[..., Array]:
    def kernel(
        data: Array, segment_ids: Array, num_segments: int | None = None, sorted: bool = False
    ) -> Array:
        if num_segments is None:
            num_segments = int(segment_ids.max()) + 1 if segment_ids.size else 0
        # What belongs to no segment goes into one more, which is dropped.
        inside = (segment_ids >= 0) & (segment_ids < num_segments)
        found = np.full((num_segments + 1, *data.shape[1:]), initial(data.dtype), data.dtype)
        ufunc.at(found, np.where(inside, segment_ids, num_segments), data)
        return found[:-1]

    return kernel


_named = (top_k, bincount, scatter, scatter_update, slice_update, one_hot)

KERNELS: dict[str, Callable[..., Any]] = {
    **{fn.__name__: fn for fn in _named},
    "slice": slice_of,
    "segment_sum": _segmented(np.add, lambda _: 0),
    "segment_max": _segmented(np.maximum, least),
    "segment_prod": _segmented(np.multiply, lambda _: 1),
}
