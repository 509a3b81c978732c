"""The error function and its inverse, in double precision."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

Array = Any

# W. J. Cody, "Rational Chebyshev Approximations for the Error Function",
# Math. Comp. 23 (1969), 631-637: numerators and denominators, highest power first.
_NEAR = (
    (1.85777706184603153e-1, 3.16112374387056560, 1.13864154151050156e2, 3.77485237685302021e2,
     3.20937758913846947e3),
    (1.0, 2.36012909523441209e1, 2.44024637934444173e2, 1.28261652607737228e3,
     2.84423683343917062e3),
)  # fmt: skip
_MIDDLE = (
    (2.15311535474403846e-8, 5.64188496988670089e-1, 8.88314979438837594, 6.61191906371416295e1,
     2.98635138197400131e2, 8.81952221241769090e2, 1.71204761263407058e3, 2.05107837782607147e3,
     1.23033935479799725e3),
    (1.0, 1.57449261107098347e1, 1.17693950891312499e2, 5.37181101862009858e2,
     1.62138957456669019e3, 3.29079923573345963e3, 4.36261909014324716e3, 3.43936767414372164e3,
     1.23033935480374942e3),
)  # fmt: skip
_FAR = (
    (1.63153871373020978e-2, 3.05326634961232344e-1, 3.60344899949804439e-1,
     1.25781726111229246e-1, 1.60837851487422766e-2, 6.58749161529837803e-4),
    (1.0, 2.56852019228982242, 1.87295284992346725, 5.27905102951428412e-1,
     6.05183413124413191e-2, 2.33520497626869185e-3),
)  # fmt: skip
# M. Giles, "Approximating the erfinv function" (2010), single precision.
_INVERSE_NEAR = (
    2.81022636e-08, 3.43273939e-07, -3.5233877e-06, -4.39150654e-06, 0.00021858087,
    -0.00125372503, -0.00417768164, 0.246640727, 1.50140941,
)  # fmt: skip
_INVERSE_FAR = (
    -0.000200214257, 0.000100950558, 0.00134934322, -0.00367342844, 0.00573950773,
    -0.0076224613, 0.00943887047, 1.00167406, 2.83297682,
)  # fmt: skip


def _in_double(fn: Callable[[Array], Array]) -> Callable[[Array], Array]:
    @functools.wraps(fn)
    def run(x: Array) -> Array:
        with np.errstate(all="ignore"):
            return fn(np.asarray(x, np.float64)).astype(x.dtype)

    return run


def _polynomial(coefficients: Sequence[float], x: Array) -> Array:
    result = np.full_like(x, coefficients[0])
    for c in coefficients[1:]:
        result *= x
        result += c
    return result


def _ratio(coefficients: tuple[Sequence[float], Sequence[float]], x: Array) -> Array:
    return _polynomial(coefficients[0], x) / _polynomial(coefficients[1], x)


def _erf(x: Array) -> Array:
    y = np.minimum(np.abs(x), 6.0)  # 1 in double precision from here on
    small = np.minimum(y, 0.5)
    near = small * _ratio(_NEAR, small * small)
    return np.where(np.isnan(x), x, np.copysign(np.where(y <= 0.46875, near, 1 - _erf_tail(y)), x))


def _erf_tail(y: Array) -> Array:
    """`1 - erf(y)` from 0.46875 on."""
    middle = _ratio(_MIDDLE, np.clip(y, 0.46875, 4.0))
    z = 1 / np.square(np.maximum(y, 4.0))
    far = (1 / math.sqrt(math.pi) - z * _ratio(_FAR, z)) / np.maximum(y, 4.0)
    return np.exp(-y * y) * np.where(y <= 4, middle, far)


def _erfc(x: Array) -> Array:
    return np.where(x > 0.46875, _erf_tail(np.abs(x)), 1 - _erf(x))


def _erfinv(x: Array) -> Array:
    w = -np.log1p(-x * x)
    near = _polynomial(_INVERSE_NEAR, np.minimum(w, 5) - 2.5)
    far = _polynomial(_INVERSE_FAR, np.sqrt(np.maximum(w, 5)) - 3)
    y = x * np.where(w < 5, near, far)
    for _ in range(2):  # Newton's method doubles the correct digits
        y = y - (_erf(y) - x) * np.exp(y * y) * (math.sqrt(math.pi) / 2)
    edge = np.where(np.abs(x) == 1, np.copysign(np.inf, x), np.nan)
    return np.where(np.abs(x) < 1, y, edge)


KERNELS: dict[str, Callable[..., Any]] = {
    "erf": _in_double(_erf),
    "erfc": _in_double(_erfc),
    "erfinv": _in_double(_erfinv),
}
