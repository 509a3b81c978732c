"""How kernels deal with half precision and with NumPy's warnings."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import ml_dtypes
import numpy as np

HALF = (np.dtype(np.float16), np.dtype(ml_dtypes.bfloat16))

_NUMBERS = (bool, int, float)

#: Divisions by zero and overflows give inf and nan, as on other engines, and no warning.
quiet = np.errstate(all="ignore")


def least(dtype: np.dtype) -> float:
    """What no number of a dtype lies below."""
    return np.iinfo(dtype).min if np.issubdtype(dtype, np.integer) else -np.inf


def weak_numbers(kernel: Callable[..., Any]) -> Callable[..., Any]:
    """`kernel`, silent, with Python numbers in the dtype of the other operand.

    NumPy does so by itself but for the dtypes of ml_dtypes: bfloat16 + 0.5 is float32.
    """

    @functools.wraps(kernel)
    def run(*args: Any) -> Any:
        *_, x1, x2 = args
        if type(x1) in _NUMBERS and x2.dtype.kind == "V":
            args = (*args[:-2], x2.dtype.type(x1), x2)
        elif type(x2) in _NUMBERS and x1.dtype.kind == "V":
            args = (*args[:-1], x1.dtype.type(x2))
        with np.errstate(all="ignore"):
            return kernel(*args)

    return run


def _half_of(args: tuple) -> np.dtype | None:
    for x in args:
        if isinstance(x, (np.ndarray, np.generic)):
            if x.dtype in HALF:
                return x.dtype
        elif isinstance(x, (list, tuple)):
            found = _half_of(tuple(x))
            if found is not None:
                return found
    return None


def _recast(x: Any, source: Callable[[np.dtype], bool], target: Any) -> Any:
    if isinstance(x, (np.ndarray, np.generic)):
        return x.astype(target) if source(x.dtype) else x
    if isinstance(x, (list, tuple)):
        return type(x)(_recast(item, source, target) for item in x)
    return x


def widened(kernel: Callable[..., Any]) -> Callable[..., Any]:
    """`kernel` computing in float32 where an argument has a 16-bit float, silently.

    NumPy has no BLAS or `linalg` for these, and sums of them lose what is small.
    """

    @functools.wraps(kernel)
    def run(*args: Any, **kwargs: Any) -> Any:
        with np.errstate(all="ignore"):
            half = _half_of(args)
            if half is None:
                return kernel(*args, **kwargs)
            found = kernel(*_recast(args, lambda d: d in HALF, np.float32), **kwargs)
            return _recast(found, lambda d: d == np.float32, half)

    return run
