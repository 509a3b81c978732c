"""Reductions and cumulations. Half floats are summed up in float32."""

from __future__ import annotations

from collections.abc import Callable
from math import inf, nan
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


def _plain(reduce: Callable[..., Array], of_nothing: float | None = None) -> Callable[..., Array]:
    """`reduce`, which gives `of_nothing` for no values: MLX's CPU kernels may never end there."""

    def run(x: Array, axis: Axis = None, keepdims: bool = False) -> Array:
        if x.size or of_nothing is None:
            return reduce(x, axis=axis, keepdims=keepdims)
        axes = range(x.ndim) if axis is None else [axis] if isinstance(axis, int) else axis
        gone = {n % x.ndim for n in axes}
        sizes = enumerate(x.shape)
        shape = [1 if i in gone else n for i, n in sizes if keepdims or i not in gone]
        return mx.full(shape, of_nothing, x.dtype)

    return run


#: Reductions of floats, and what is of no values.
FLOATS = {"mean": nan, "var": nan, "std": nan, "logsumexp": -inf}

KERNELS: dict[str, Callable[..., Any]] = {
    **{name: widened(_kept(_plain(getattr(mx, name), n))) for name, n in (("sum", 0), ("prod", 1))},
    **{name: widened(_plain(getattr(mx, name), value)) for name, value in FLOATS.items()},
    **{name: _plain(getattr(mx, name), n) for name, n in (("any", False), ("all", True))},
    **{name: _plain(getattr(mx, name)) for name in ("max", "min")},
    **{name: _place(getattr(mx, name)) for name in ("argmax", "argmin")},
    **{name: widened(_cumulate(getattr(mx, name))) for name in ("cumsum", "cumprod")},
}
