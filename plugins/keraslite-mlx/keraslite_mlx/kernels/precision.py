"""Computing in a wider dtype than that of the arguments."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import mlx.core as mx

from keraslite_mlx.dtypes import HALF, INEXACT

Array = mx.array


def _map(fn: Callable[[Array], Array], found: Any) -> Any:
    if isinstance(found, (tuple, list)):
        return type(found)(_map(fn, x) for x in found)
    return fn(found) if isinstance(found, Array) else found


def widened(kernel: Callable[..., Any]) -> Callable[..., Any]:
    """`kernel`, computed in float32 where its arguments are half floats."""

    @functools.wraps(kernel)
    def run(x: Array, *args: Any, **kwargs: Any) -> Any:
        if x.dtype not in HALF:
            return kernel(x, *args, **kwargs)
        args = tuple(_map(lambda a: a.astype(mx.float32) if a.dtype in HALF else a, args))
        found = kernel(x.astype(mx.float32), *args, **kwargs)
        return _map(lambda a: a.astype(x.dtype) if a.dtype == mx.float32 else a, found)

    return run


def exact(product: Callable[..., Array]) -> Callable[..., Array]:
    """`product` of arrays, which MLX has for inexact dtypes only, for whole numbers too."""

    @functools.wraps(product)
    def run(*args: Any) -> Array:
        dtype = next(x.dtype for x in args if isinstance(x, Array))
        if dtype in INEXACT:
            return product(*args)
        # Exact up to 2**53; only the CPU has such numbers.
        with mx.stream(mx.cpu):
            wide = _map(lambda x: x.astype(mx.float64), args)
            return product(*wide).astype(dtype)

    return run
