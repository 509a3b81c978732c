"""Reductions and cumulations. Half floats are summed up in float32."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import mlx.core as mx

from keraslite_mlx.dtypes import INEXACT
from keraslite_mlx.kernels.precision import widened

Array = mx.array
Axis = int | tuple[int, ...] | None


def _kept(reduce: Callable[..., Array]) -> Callable[..., Array]:
    """`reduce` with the dtype of its argument, where MLX would take a wider one."""

    def run(x: Array, axis: Axis = None, keepdims: bool = False) -> Array:
        return reduce(x, axis=axis, keepdims=keepdims).astype(x.dtype)

    return run


def _place(find: Callable[..., Array]) -> Callable[..., Array]:
    """`find` as an int32 kernel that takes nan for the extreme, as NumPy does."""

    def run(x: Array, axis: int | None = None, keepdims: bool = False) -> Array:
        if x.dtype == mx.bool_:
            x = x.astype(mx.uint8)
        found = find(x, axis=axis, keepdims=keepdims)
        if x.dtype in INEXACT:
            nan = mx.isnan(x)
            first = mx.argmax(nan, axis=axis, keepdims=keepdims)
            found = mx.where(mx.any(nan, axis=axis, keepdims=keepdims), first, found)
        return found.astype(mx.int32)

    return run


def _cumulate(cumulate: Callable[..., Array]) -> Callable[..., Array]:
    def run(x: Array, axis: int | None = None) -> Array:
        if axis is None:
            x, axis = x.reshape(-1), 0
        return cumulate(x, axis=axis).astype(x.dtype)

    return run


def _plain(reduce: Callable[..., Array]) -> Callable[..., Array]:
    def run(x: Array, axis: Axis = None, keepdims: bool = False) -> Array:
        return reduce(x, axis=axis, keepdims=keepdims)

    return run


KERNELS: dict[str, Callable[..., Any]] = {
    **{name: widened(_kept(getattr(mx, name))) for name in ("sum", "prod")},
    **{name: widened(_plain(getattr(mx, name))) for name in ("mean", "var", "std", "logsumexp")},
    **{name: _plain(getattr(mx, name)) for name in ("max", "min", "any", "all")},
    **{name: _place(getattr(mx, name)) for name in ("argmax", "argmin")},
    **{name: widened(_cumulate(getattr(mx, name))) for name in ("cumsum", "cumprod")},
}
