"""The shape of `x[key]`, for NumPy's indexing."""

from __future__ import annotations

from typing import Any

import numpy as np

from keraslite.core.shapes import Shape, broadcast, slice_size


def get_item(x: Shape, key: Any) -> Shape:
    """NumPy's indexing: ints, slices, None, `...`, integer arrays and boolean masks."""
    keys = list(key) if isinstance(key, tuple) else [key]
    used = sum(_axes_used(k) for k in keys)
    if used > len(x):
        raise ValueError(f"Too many indices: {used} for a tensor of {len(x)} axes.")
    if not any(k is Ellipsis for k in keys):
        keys.append(Ellipsis)
    sizes: list[int | None] = []
    arrays: list[Any] = []  # shapes of the integer arrays and masks
    places: list[int] = []  # where they stand in the key
    at, spot = 0, 0
    for i, k in enumerate(keys):
        if k is None:
            sizes.append(1)
        elif k is Ellipsis:
            stop = at + len(x) - used
            sizes.extend(x[at:stop])
            at = stop
        elif isinstance(k, slice):
            sizes.append(slice_size(k, x[at]) if _is_static(k) else None)
            at += 1
        else:
            shape, taken = _index_shape(k), _axes_used(k)
            if shape == () and _is_plain_int(k):
                _check_index(k, x[at])
            if not arrays and not _is_plain_int(k):
                spot = len(sizes)
            if not _is_plain_int(k):
                places.append(i)
                arrays.append(shape)
            at += taken
    if not arrays:
        return tuple(sizes)
    # Plain ints count as arrays for the question whether these stand side by side.
    marks = [i for i, k in enumerate(keys) if _is_array(k)]
    together = marks == list(range(marks[0], marks[-1] + 1))
    if not together:
        spot = 0
    return (*sizes[:spot], *broadcast(*arrays), *sizes[spot:])


def _is_array(k: Any) -> bool:
    return not (k is None or k is Ellipsis or isinstance(k, slice))


def _is_plain_int(k: Any) -> bool:
    return not isinstance(k, (bool, list)) and hasattr(k, "__index__") and not hasattr(k, "shape")


def _is_static(k: slice) -> bool:
    return all(n is None or hasattr(n, "__index__") for n in (k.start, k.stop, k.step))


def _is_mask(k: Any) -> bool:
    if isinstance(k, (list, bool)):
        return np.asarray(k).dtype == bool
    return "bool" in str(getattr(k, "dtype", ""))


def _rank_of(k: Any) -> int:
    return len(k.shape) if hasattr(k, "shape") else np.ndim(k)


def _axes_used(k: Any) -> int:
    if not _is_array(k):
        return int(isinstance(k, slice))
    return _rank_of(k) if _is_mask(k) else 1


def _index_shape(k: Any) -> Shape:
    if _is_mask(k):
        return (None,)
    return tuple(k.shape) if hasattr(k, "shape") else np.shape(k)


def _check_index(k: Any, n: int | None) -> None:
    if n is not None and not -n <= k < n:
        raise ValueError(f"Index {k} lies outside an axis of size {n}.")
