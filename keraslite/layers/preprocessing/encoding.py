"""Integers as one-hot, multi-hot and count vectors, in NumPy and on tensors."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from keraslite import ops
from keraslite.core.dtypes import numpy_dtype

Shape = tuple[int | None, ...]


def encoded_shape(shape: Shape, depth: int | None, mode: str) -> Shape:
    """The shape of `encode` for indices of the given shape."""
    if mode == "int":
        return shape
    if mode != "one_hot":
        return (*shape[:-1], depth)
    if not shape:
        return (1, depth)
    return (*(shape[:-1] if shape[-1] == 1 and len(shape) > 1 else shape), depth)


def encode(
    indices: Any,
    depth: int | None,
    mode: str,
    dtype: str,
    weights: Any = None,
    scale: Any = None,
) -> Any:
    """Indices as vectors. Those outside of `[0, depth)` leave no trace.

    Args:
        indices: an integer array of NumPy, or a tensor.
        depth: length of the vectors.
        mode: `"int"`, `"one_hot"`, or one vector for the last axis: `"multi_hot"` (which
            occur), `"count"` (how often), `"tf_idf"` (counts times `scale`).
        dtype: of the result.
        weights: what every index counts, shaped like `indices`.
        scale: of every position of the vectors.

    Returns:
        NumPy for NumPy, a tensor for a tensor.
    """
    host = isinstance(indices, np.ndarray)
    if mode == "int":
        return indices.astype(dtype) if host else ops.cast(indices, dtype)
    shape = tuple(indices.shape)
    if not shape:
        indices = indices[None]
    if mode == "one_hot":
        if len(shape) > 1 and shape[-1] == 1:
            indices = indices[..., 0]
        if host:
            return _host_one_hot(indices, depth, dtype)
        return ops.one_hot(indices, depth, -1, dtype)
    if host:
        found = _host_counts(indices, depth, weights)
        found = found > 0 if mode == "multi_hot" else found
        return (found if scale is None else found * scale).astype(numpy_dtype(dtype))
    vectors = ops.one_hot(indices, depth, -1, "float32" if "16" in dtype else dtype)
    if mode == "multi_hot":
        # Not `max`, which an empty row has not.
        return ops.cast(ops.any(vectors, axis=-2), dtype)
    if weights is not None:
        vectors = vectors * ops.cast(weights, vectors.dtype)[..., None]
    found = ops.sum(vectors, axis=-2)
    return ops.cast(found if scale is None else ops.multiply(found, scale), dtype)


def _host_one_hot(indices: np.ndarray, depth: int | None, dtype: str) -> np.ndarray:
    return (indices[..., None] == np.arange(depth)).astype(numpy_dtype(dtype))


def _host_counts(indices: np.ndarray, depth: Any, weights: Any) -> np.ndarray:
    """Counts along the last axis, of any number of rows at once."""
    lead = indices.shape[:-1]
    rows = math.prod(lead)
    valid = (indices >= 0) & (indices < depth)
    places = np.arange(rows).reshape(lead)[..., None] * depth + indices
    amounts = None if weights is None else np.broadcast_to(weights, indices.shape)[valid]
    return np.bincount(places[valid], amounts, rows * depth).reshape(*lead, depth)
