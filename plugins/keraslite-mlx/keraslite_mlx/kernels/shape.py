"""Kernels that make and rearrange arrays."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import mlx.core as mx
import numpy as np

from keraslite_mlx.dtypes import FLOATS, HALF, native

Array = mx.array
Shape = tuple[int, ...]


# Creation --------------------------------------------------------------------------


def zeros(shape: Shape, dtype: str) -> Array:
    return mx.zeros(shape, native(dtype))


def ones(shape: Shape, dtype: str) -> Array:
    return mx.ones(shape, native(dtype))


def full(shape: Shape, fill_value: Any, dtype: str) -> Array:
    # MLX would make integers of an int, whatever the dtype, where that is bool.
    value = fill_value if isinstance(fill_value, Array) else mx.array(np.asarray(fill_value))
    return mx.broadcast_to(value.astype(native(dtype)), shape)


def eye(N: int, M: int | None = None, k: int = 0, dtype: str = "float32") -> Array:  # noqa: N803
    return mx.array(np.eye(N, M, k, "uint8")).astype(native(dtype))


def arange(start: Any, stop: Any, step: Any, dtype: str) -> Array:
    start, stop, step = (x.item() if hasattr(x, "item") else x for x in (start, stop, step))
    return mx.array(np.arange(start, stop, step)).astype(native(dtype))


def linspace(
    start: Any, stop: Any, num: int, endpoint: bool = True, dtype: str = "float32", axis: int = 0
) -> Array:
    wanted = native(dtype)
    wide = wanted if wanted in FLOATS and wanted not in HALF else mx.float32
    start, stop = (mx.array(x).astype(wide) for x in (start, stop))
    parts = num - 1 if endpoint else num
    share = mx.arange(num).astype(wide) / max(parts, 1)
    shape = (num, *(1,) * max(start.ndim, stop.ndim))
    share = share.reshape(shape)
    # From both ends, so that both are met.
    length = stop - start
    found = mx.where(share < 0.5, start + length * share, stop - length * (1 - share))
    return moveaxis(found, 0, axis).astype(wanted)


# Form ------------------------------------------------------------------------------


def moveaxis(x: Array, source: Any, destination: Any) -> Array:
    if isinstance(source, int):
        return mx.moveaxis(x, source, destination)
    given = [a % x.ndim for a in source]
    order = [i for i in range(x.ndim) if i not in given]
    for to, a in sorted((d % x.ndim, a) for d, a in zip(destination, given, strict=True)):
        order.insert(to, a)
    return mx.transpose(x, order)


def transpose(x: Array, axes: Sequence[int] | None = None) -> Array:
    return mx.transpose(x, axes)


def flip(x: Array, axis: Any = None) -> Array:
    return mx.flip(x, axis)


def tile(x: Array, repeats: Shape) -> Array:
    return mx.tile(x, repeats)


def repeat(x: Array, repeats: Any, axis: int | None = None) -> Array:
    if isinstance(repeats, Array):
        repeats = repeats.tolist()
    if isinstance(repeats, int):
        return mx.repeat(x, repeats, axis)
    if axis is None:
        x, axis = x.reshape(-1), 0
    return mx.take(x, mx.array(np.repeat(np.arange(x.shape[axis], dtype="int32"), repeats)), axis)


def pad(x: Array, pad_width: Any, mode: str = "constant", constant_values: Any = 0) -> Array:
    if mode == "constant":
        return mx.pad(x, pad_width, constant_values=mx.array(constant_values).astype(x.dtype))
    for axis, (before, after) in enumerate(pad_width):
        if before or after:
            places = np.pad(np.arange(x.shape[axis], dtype="int32"), (before, after), mode)
            x = mx.take(x, mx.array(places), axis)
    return x


def stack(x: Sequence[Array], axis: int = 0) -> Array:
    return mx.stack(list(x), axis)


def concatenate(xs: Sequence[Array], axis: int | None = 0) -> Array:
    return mx.concatenate(list(xs), axis)


def split(x: Array, indices_or_sections: Any, axis: int = 0) -> list[Array]:
    if not isinstance(indices_or_sections, int):
        indices_or_sections = list(indices_or_sections)
    return list(mx.split(x, indices_or_sections, axis))


def tril(x: Array, k: int = 0) -> Array:
    return mx.where(_lower(x, k), x, mx.zeros((), x.dtype))


def triu(x: Array, k: int = 0) -> Array:
    return mx.where(_lower(x, k - 1), mx.zeros((), x.dtype), x)


def _lower(x: Array, k: int) -> Array:
    rows, columns = x.shape[-2:]
    return mx.arange(rows)[:, None] + k >= mx.arange(columns)


_own = (
    zeros, ones, full, eye, arange, linspace, moveaxis, transpose, flip, tile, repeat, pad, stack,
    concatenate, split, tril, triu,
)  # fmt: skip
_ALIASES = "reshape broadcast_to expand_dims squeeze swapaxes roll diagonal diag"

KERNELS: dict[str, Callable[..., Any]] = {
    **{name: getattr(mx, name) for name in _ALIASES.split()},
    **{fn.__name__: fn for fn in _own},
}
