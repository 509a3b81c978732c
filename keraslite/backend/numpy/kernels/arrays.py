"""Kernels on arrays: elementwise, reductions, linear algebra, creation."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from keraslite.backend._arrays import ArrayKernels
from keraslite.backend.numpy.kernels.precision import HALF, quiet, weak_numbers, widened
from keraslite.core.dtypes import numpy_dtype

Array = Any

_shared = ArrayKernels(np).table()

# What NumPy cannot do, or does imprecisely, in half precision.
_WIDENED = """
    sum prod mean var std cumsum cumprod moments sort argsort matmul dot tensordot searchsorted
    cholesky det inv solve qr svd eigh norm batch_normalization layer_normalization i0
"""
_BINARY = """
    add subtract multiply maximum minimum floor_divide mod power true_divide arctan2 logaddexp hypot
    bitwise_and bitwise_or bitwise_xor left_shift right_shift gcd where
    equal not_equal less less_equal greater greater_equal logical_and logical_or logical_xor
"""


def einsum(subscripts: str, *operands: Array) -> Array:
    return np.einsum(subscripts, *operands, optimize=len(operands) > 1)


def logsumexp(x: Array, axis: Any = None, keepdims: bool = False) -> Array:
    top = np.max(x, axis=axis, keepdims=True, initial=-np.inf)
    # An infinite maximum is the result; subtracting it would give nan.
    top = np.where(np.isfinite(top), top, np.zeros_like(top))
    total = np.log(np.sum(np.exp(x - top), axis=axis, keepdims=True)) + top
    return total if keepdims else np.squeeze(total, axis)


# Creation ------------------------------------------------------------------------


def full(shape: tuple[int, ...], fill_value: Any, dtype: str) -> Array:
    return np.full(shape, fill_value, numpy_dtype(dtype))


def zeros(shape: tuple[int, ...], dtype: str) -> Array:
    return np.zeros(shape, numpy_dtype(dtype))


def ones(shape: tuple[int, ...], dtype: str) -> Array:
    return np.ones(shape, numpy_dtype(dtype))


def arange(start: Any, stop: Any, step: Any, dtype: str) -> Array:
    return np.arange(start, stop, step).astype(numpy_dtype(dtype))


def linspace(
    start: Any, stop: Any, num: int, endpoint: bool = True, dtype: str = "float32", axis: int = 0
) -> Array:
    wanted = numpy_dtype(dtype)
    wide = np.dtype(np.float32) if wanted in HALF else wanted
    start, stop = np.asarray(start), np.asarray(stop)
    if start.dtype in HALF or stop.dtype in HALF:
        start, stop = start.astype(wide), stop.astype(wide)
    return np.linspace(start, stop, num, endpoint=endpoint, dtype=wide, axis=axis).astype(wanted)


def eye(N: int, M: int | None = None, k: int = 0, dtype: str = "float32") -> Array:  # noqa: N803
    return np.eye(N, M, k, numpy_dtype(dtype))


# Linear algebra --------------------------------------------------------------------


def lu_factor(x: Array) -> tuple[Array, Array]:
    """LU with partial pivoting over leading batch axes, packed as LAPACK does."""
    lu = np.array(x).reshape(-1, *x.shape[-2:])
    rows, columns = lu.shape[1:]
    batch = np.arange(len(lu))
    pivots = np.empty((len(lu), min(rows, columns)), "int32")
    for i in range(pivots.shape[1]):
        best = i + np.argmax(np.abs(lu[:, i:, i]), axis=1)
        pivots[:, i] = best
        lu[batch, i], lu[batch, best] = lu[batch, best], lu[batch, i]
        lu[:, i + 1 :, i] /= lu[:, i, i, None]
        lu[:, i + 1 :, i + 1 :] -= lu[:, i + 1 :, i, None] * lu[:, i, None, i + 1 :]
    return lu.reshape(x.shape), pivots.reshape(*x.shape[:-2], -1)


def eig(x: Array) -> tuple[Array, Array]:
    # NumPy gives real numbers where it can; other engines cannot look.
    wide = np.result_type(x.dtype, np.complex64)
    return tuple(found.astype(wide) for found in np.linalg.eig(x))


def solve_triangular(a: Array, b: Array, lower: bool = False) -> Array:
    return _shared["solve"](np.tril(a) if lower else np.triu(a), b)


# Complex numbers and bits ------------------------------------------------------------


def make_complex(real: Array, imag: Array) -> Array:
    pairs = np.stack([real, imag], -1)
    return pairs.view(np.result_type(pairs.dtype, np.complex64))[..., 0]


def fft(real: Array, imag: Array, rank: int = 1, inverse: bool = False) -> tuple[Array, Array]:
    transform = np.fft.ifftn if inverse else np.fft.fftn
    found = transform(make_complex(real, imag), axes=tuple(range(-rank, 0)))
    return found.real, found.imag


def irfft(real: Array, imag: Array, n: int) -> Array:
    return np.fft.irfft(make_complex(real, imag), n)


def view(x: Array, dtype: str) -> Array:
    return np.asarray(x, order="C").view(numpy_dtype(dtype))


_plain = (make_complex, fft, irfft, view)
_own = {"power": np.power, "floor_divide": np.floor_divide, "mod": np.mod}
_own_widened = {
    "einsum": einsum,
    "logsumexp": logsumexp,
    "eig": eig,
    "lu_factor": lu_factor,
    "solve_triangular": solve_triangular,
}
_creation = (full, zeros, ones, arange, linspace, eye)

KERNELS: dict[str, Callable[..., Any]] = {
    **{name: quiet(fn) for name, fn in (_shared | _own).items()},
    **{name: weak_numbers((_shared | _own)[name]) for name in _BINARY.split()},
    **{name: widened(_shared[name]) for name in _WIDENED.split()},
    **{name: widened(fn) for name, fn in _own_widened.items()},
    **{fn.__name__: fn for fn in (*_creation, *_plain)},
    "getitem": _shared["getitem"],
}
