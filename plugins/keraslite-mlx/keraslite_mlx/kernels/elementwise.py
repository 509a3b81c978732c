"""Elementwise kernels: nearly all are MLX's own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import mlx.core as mx

from keraslite_mlx.dtypes import INEXACT, native
from keraslite_mlx.kernels.precision import widened

Array = mx.array

_ALIASES = """
    exp expm1 log log1p log2 log10 sqrt rsqrt reciprocal sin cos tan arcsin arccos arctan sinh cosh
    tanh arcsinh arccosh arctanh erf erfinv negative square
    isnan isinf isfinite logical_not
    add subtract multiply maximum minimum power floor_divide arctan2 logaddexp
    equal not_equal less less_equal greater greater_equal logical_and logical_or
    bitwise_and bitwise_or bitwise_xor left_shift right_shift where real imag
"""


def sign(x: Array) -> Array:
    # MLX has 0 for nan.
    return mx.where(mx.isnan(x), x, mx.sign(x)) if x.dtype in INEXACT else mx.sign(x)


def logical_xor(x1: Array, x2: Array) -> Array:
    return mx.not_equal(_bool(x1), _bool(x2))


def _bool(x: Any) -> Array:
    return mx.array(x).astype(mx.bool_)


def bitwise_not(x: Array) -> Array:
    return mx.logical_not(x) if x.dtype == mx.bool_ else mx.bitwise_invert(x)


def i0(x: Array) -> Array:
    """The polynomials of Abramowitz and Stegun, 9.8.1 and 9.8.2; good to 2e-7."""
    size = mx.abs(x)
    near = mx.square(mx.minimum(size, 3.75) / 3.75)
    far = 3.75 / mx.maximum(size, 3.75)
    return mx.where(
        size < 3.75,
        _polynomial(near, 1.0, 3.5156229, 3.0899424, 1.2067492, 0.2659732, 0.0360768, 0.0045813),
        mx.exp(size) * mx.rsqrt(mx.maximum(size, 3.75)) * _polynomial(
            far, 0.39894228, 0.01328592, 0.00225319, -0.00157565, 0.00916281, -0.02057706,
            0.02635537, -0.01647633, 0.00392377),
    )  # fmt: skip


def _polynomial(x: Array, *coefficients: float) -> Array:
    found: Any = 0.0
    for c in reversed(coefficients):
        found = found * x + c
    return found


def make_complex(real: Array, imag: Array) -> Array:
    return real.astype(mx.complex64) + imag.astype(mx.complex64) * mx.array(1j)


def view(x: Array, dtype: str) -> Array:
    return x.view(native(dtype))


_own = (sign, logical_xor, bitwise_not, make_complex, view)

KERNELS: dict[str, Callable[..., Any]] = {
    **{name: getattr(mx, name) for name in _ALIASES.split()},
    **{fn.__name__: fn for fn in _own},
    "absolute": mx.abs,
    "true_divide": mx.divide,
    "mod": mx.remainder,
    "floor": mx.floor,
    "ceil": mx.ceil,
    "round": mx.round,
    "conj": mx.conjugate,
    "i0": widened(i0),
}
