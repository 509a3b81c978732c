"""Indexing: reads and writes at places given by tensors."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch

from keraslite.backend.torch import tensors
from keraslite.backend.torch.tensors import DTYPES

# Reading --------------------------------------------------------------------------


def _plain(key: Any) -> bool:
    """Whether torch reads `key` as NumPy does."""
    kind = type(key)
    if kind is slice:
        step = key.step
        return step is None or (type(step) is int and step > 0)
    return kind is int or key is None or key is Ellipsis


def _advanced(key: Any) -> Any:
    """Index arrays as int64 or bool tensors; other keys as they are."""
    if isinstance(key, (slice, int)) or key is None or key is Ellipsis:
        return key
    if isinstance(key, np.integer):
        return int(key)
    if isinstance(key, (list, tuple)) and not key:
        return torch.empty((0,), dtype=torch.int64, device=tensors.device())
    key = tensors.convert(key)
    return key if key.dtype in (torch.bool, torch.int64) else key.to(torch.int64)


def _width(key: Any) -> int:
    """How many axes of the tensor a key uses."""
    if key is None:
        return 0
    return key.ndim if isinstance(key, torch.Tensor) and key.dtype is torch.bool else 1


def _backward(x: torch.Tensor, axis: int, key: slice) -> tuple[torch.Tensor, slice]:
    """A slice with a negative step as a slice with a positive one over flipped `x`."""
    size = x.shape[axis]
    start, stop, step = key.indices(size)
    count = len(range(start, stop, step))
    first = size - 1 - start
    end = first + (count - 1) * -step + 1 if count else first
    return torch.flip(x, (axis,)), slice(first, end, -step)


def getitem(x: torch.Tensor, key: Any) -> torch.Tensor:
    if type(key) is not tuple:
        if _plain(key):
            return x[key]
        key = (key,)
    elif all(map(_plain, key)):
        return x[key]
    keys = [_advanced(k) for k in key]
    if any(k is Ellipsis for k in keys):
        place = next(i for i, k in enumerate(keys) if k is Ellipsis)
        used = sum(_width(k) for k in keys) - 1
        keys[place : place + 1] = [slice(None)] * (x.ndim - used)
    axis = 0
    for i, k in enumerate(keys):
        if isinstance(k, slice) and k.step is not None and k.step < 0:
            x, keys[i] = _backward(x, axis, k)
        axis += _width(k)
    if any(isinstance(k, torch.Tensor) and k.ndim for k in keys):
        # For NumPy an integer beside index arrays is an index array, which decides
        # where the indexed axes go.
        keys = [torch.tensor([k], device=x.device) if type(k) is int else k for k in keys]
    return x[tuple(keys)]


def _wrapped(indices: torch.Tensor, size: int) -> torch.Tensor:
    """Indices into an axis of `size`: negative ones from its end, wild ones clamped."""
    if indices.dtype not in (torch.int32, torch.int64):
        indices = indices.to(torch.int64)
    if size == 0:
        return indices
    return torch.remainder(indices.clamp(-size, size - 1), size)


def take(x: torch.Tensor, indices: torch.Tensor, axis: int | None = None) -> torch.Tensor:
    if axis is None:
        x, axis = x.reshape(-1), 0
    axis = axis % x.ndim
    indices = _wrapped(indices, x.shape[axis])
    if axis == 0 and x.ndim == 2:
        return torch.embedding(x, indices)
    found = torch.index_select(x, axis, indices.reshape(-1))
    return found.reshape((*x.shape[:axis], *indices.shape, *x.shape[axis + 1 :]))


def take_along_axis(x: torch.Tensor, indices: torch.Tensor, axis: int = -1) -> torch.Tensor:
    places = _wrapped(indices, x.shape[axis]).to(torch.int64)
    if x.movedim(axis, 0).shape[1:] == places.movedim(axis, 0).shape[1:]:
        return torch.gather(x, axis, places)
    return torch.take_along_dim(x, places, dim=axis)


def nonzero(x: torch.Tensor) -> tuple[torch.Tensor, ...]:
    return tuple(i.to(torch.int32) for i in torch.nonzero(x, as_tuple=True))


def slice_(inputs: torch.Tensor, start_indices: Any, shape: Sequence[int]) -> torch.Tensor:
    sizes = [
        inputs.shape[axis] - int(start_indices[axis]) if size == -1 else size
        for axis, size in enumerate(shape)
    ]
    for axis, (start, size) in enumerate(zip(_starts(inputs, start_indices, sizes), sizes,
                                             strict=True)):  # fmt: skip
        if isinstance(start, torch.Tensor):
            places = start + torch.arange(size, device=inputs.device)
            inputs = torch.index_select(inputs, axis, places)
        else:
            inputs = torch.narrow(inputs, axis, start, size)
    return inputs


def slice_update(inputs: torch.Tensor, start_indices: Any, updates: torch.Tensor) -> torch.Tensor:
    starts = _starts(inputs, start_indices, updates.shape)
    if not any(isinstance(s, torch.Tensor) for s in starts):
        result = inputs.clone()
        place = tuple(slice(s, s + n) for s, n in zip(starts, updates.shape, strict=True))
        result[place] = updates
        return result
    rank = inputs.ndim
    places = [
        (start + torch.arange(size, device=inputs.device)).reshape((-1,) + (1,) * (rank - 1 - i))
        for i, (start, size) in enumerate(zip(starts, updates.shape, strict=True))
    ]
    return torch.index_put(inputs, places, updates)


def _starts(inputs: torch.Tensor, start_indices: Any, sizes: Sequence[int]) -> list[Any]:
    """Starts, moved so that the slice fits in, as numbers where they are numbers."""
    starts = []
    for start, size, limit in zip(start_indices, sizes, inputs.shape, strict=True):
        if isinstance(start, torch.Tensor):
            start = start.to(device=inputs.device, dtype=torch.int64)
            starts.append(start.clamp(0, limit - size))
        else:
            starts.append(min(max(int(start), 0), limit - size))
    return starts


# Writing --------------------------------------------------------------------------


def _places(indices: torch.Tensor) -> tuple[torch.Tensor, ...]:
    return tuple(indices.to(torch.int64).unbind(-1))


def scatter(indices: torch.Tensor, values: torch.Tensor, shape: Sequence[int]) -> torch.Tensor:
    empty = torch.zeros(tuple(shape), dtype=values.dtype, device=values.device)
    return torch.index_put(empty, _places(indices), values, accumulate=True)


def scatter_update(
    inputs: torch.Tensor, indices: torch.Tensor, updates: torch.Tensor
) -> torch.Tensor:
    return torch.index_put(inputs, _places(indices), updates)


def one_hot(x: torch.Tensor, num_classes: int, axis: int = -1, dtype: str = "float32"):
    classes = torch.arange(num_classes, device=x.device, dtype=torch.int64)
    hot = (x.to(torch.int64).unsqueeze(-1) == classes).to(DTYPES[dtype])
    return hot if axis in (-1, x.ndim) else torch.movedim(hot, -1, axis)


def _segmented(
    join: Callable[..., torch.Tensor], empty: Callable[[torch.Tensor], float]
) -> Callable[..., torch.Tensor]:
    """`join(buckets, ids, data)`, one bucket a segment, each with `empty(data)` in it."""

    def kernel(
        data: torch.Tensor,
        segment_ids: torch.Tensor,
        num_segments: int | None = None,
        sorted: bool = False,
    ) -> torch.Tensor:
        ids = segment_ids.to(torch.int64)
        if num_segments is None:
            num_segments = int(ids.max()) + 1 if ids.numel() else 0
        # What is out of range goes to one bucket more.
        ids = ids.masked_fill((ids < 0) | (ids >= num_segments), num_segments)
        shape = (num_segments + 1, *data.shape[1:])
        buckets = torch.full(shape, empty(data), dtype=data.dtype, device=data.device)
        return join(buckets, ids, data)[:num_segments]

    return kernel


def _reduced(reduce: str) -> Callable[..., torch.Tensor]:
    def join(buckets: torch.Tensor, ids: torch.Tensor, data: torch.Tensor) -> torch.Tensor:
        ids = ids.reshape((-1,) + (1,) * (data.ndim - 1)).expand_as(data)
        return buckets.scatter_reduce(0, ids, data, reduce=reduce)

    return join


segment_sum = _segmented(lambda x, ids, data: torch.index_add(x, 0, ids, data), lambda _: 0)
segment_max = _segmented(_reduced("amax"), tensors.least)
segment_prod = _segmented(_reduced("prod"), lambda _: 1)
