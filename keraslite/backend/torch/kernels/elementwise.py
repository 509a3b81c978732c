"""Elementwise kernels: mostly torch's own functions under NumPy's names."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from keraslite.backend.torch.tensors import NUMBERS

_Kernel = Callable[..., torch.Tensor]

# Unary, float ---------------------------------------------------------------------

exp = torch.exp
exp2 = torch.exp2
expm1 = torch.expm1
log = torch.log
log1p = torch.log1p
log2 = torch.log2
log10 = torch.log10
sqrt = torch.sqrt
rsqrt = torch.rsqrt
sin = torch.sin
cos = torch.cos
tan = torch.tan
arcsin = torch.arcsin
arccos = torch.arccos
arctan = torch.arctan
sinh = torch.sinh
cosh = torch.cosh
tanh = torch.tanh
arcsinh = torch.arcsinh
arccosh = torch.arccosh
arctanh = torch.arctanh
erf = torch.erf
erfc = torch.erfc
erfinv = torch.erfinv
i0 = torch.special.i0
reciprocal = torch.reciprocal
sigmoid = torch.sigmoid
floor = torch.floor
ceil = torch.ceil

# Unary, any dtype -----------------------------------------------------------------

copy = torch.clone
logical_not = torch.logical_not
isnan = torch.isnan
isinf = torch.isinf
isfinite = torch.isfinite
negative = torch.neg
bitwise_not = torch.bitwise_not


def absolute(x: torch.Tensor) -> torch.Tensor:
    return x if x.dtype is torch.bool else torch.abs(x)


def square(x: torch.Tensor) -> torch.Tensor:
    return x if x.dtype is torch.bool else torch.square(x)


def sign(x: torch.Tensor) -> torch.Tensor:
    result = torch.sgn(x)
    # torch gives 0 for NaN.
    return torch.where(torch.isnan(x), x, result) if x.is_floating_point() else result


def round_(x: torch.Tensor, decimals: int = 0) -> torch.Tensor:
    return torch.round(x, decimals=decimals)


# Binary ---------------------------------------------------------------------------


def _pair(native: _Kernel) -> _Kernel:
    """`native`, which wants two tensors, taking a Python number for either."""

    def kernel(x1: Any, x2: Any) -> torch.Tensor:
        if type(x2) in NUMBERS:
            x2 = torch.scalar_tensor(x2, dtype=x1.dtype)
        elif type(x1) in NUMBERS:
            x1 = torch.scalar_tensor(x1, dtype=x2.dtype)
        return native(x1, x2)

    return kernel


def _compare(native: _Kernel, swapped: _Kernel) -> _Kernel:
    """A comparison; torch takes a number on the right only."""

    def kernel(x1: Any, x2: Any) -> torch.Tensor:
        return swapped(x2, x1) if type(x1) in NUMBERS else native(x1, x2)

    return kernel


add = torch.add
subtract = torch.subtract
multiply = torch.multiply
true_divide = torch.true_divide
power = torch.pow
maximum = _pair(torch.maximum)
minimum = _pair(torch.minimum)
gcd = _pair(torch.gcd)
arctan2 = _pair(torch.arctan2)
logaddexp = _pair(torch.logaddexp)
hypot = _pair(torch.hypot)
logical_and = _pair(torch.logical_and)
logical_or = _pair(torch.logical_or)
logical_xor = _pair(torch.logical_xor)
bitwise_and = torch.bitwise_and
bitwise_or = torch.bitwise_or
bitwise_xor = torch.bitwise_xor
equal = _compare(torch.eq, torch.eq)
not_equal = _compare(torch.ne, torch.ne)
less = _compare(torch.lt, torch.gt)
less_equal = _compare(torch.le, torch.ge)
greater = _compare(torch.gt, torch.lt)
greater_equal = _compare(torch.ge, torch.le)
left_shift = torch.bitwise_left_shift
right_shift = torch.bitwise_right_shift
where = torch.where


def _by_zero(native: _Kernel, at_zero: _Kernel) -> _Kernel:
    """An integer division that is defined at a divisor of 0, where torch raises or worse."""

    def kernel(x1: torch.Tensor, x2: torch.Tensor) -> torch.Tensor:
        if x1.is_floating_point():
            return native(x1, x2)
        zero = x2 == 0
        return torch.where(zero, at_zero(x1), native(x1, x2.masked_fill(zero, 1)))

    return _pair(kernel)


def _all_ones(x: torch.Tensor) -> torch.Tensor:
    """What XLA gives for x // 0: all bits set, and floored."""
    if x.dtype.is_signed:
        return -1 - (x != 0).to(x.dtype)
    return torch.full_like(x, torch.iinfo(x.dtype).max)


floor_divide = _by_zero(torch.floor_divide, _all_ones)
mod = _by_zero(torch.remainder, torch.zeros_like)
