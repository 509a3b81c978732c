"""Elementwise kernels: arithmetic, comparisons, logic, special functions."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import tensorflow as tf

from keraslite.backend.tensorflow import support as s

_raw = tf.raw_ops
_BOOL = tf.bool
_Tensor = Any
_Kernel = Callable[..., Any]


def _unary(native: _Kernel) -> _Kernel:
    return lambda x: native(x=x)


def _binary(native: _Kernel) -> _Kernel:
    def kernel(x1: _Tensor, x2: _Tensor) -> _Tensor:
        if type(x1) in s.NUMBERS:
            # In a graph, a number that comes first would decide the dtype.
            x1 = tf.constant(x1, x2.dtype)
        return native(x=x1, y=x2)

    return kernel


# Functions of floats -------------------------------------------------------------------

exp = _unary(_raw.Exp)
expm1 = _unary(_raw.Expm1)
log = _unary(_raw.Log)
log1p = _unary(_raw.Log1p)
sqrt = _unary(_raw.Sqrt)
rsqrt = _unary(_raw.Rsqrt)
sin = _unary(_raw.Sin)
cos = _unary(_raw.Cos)
tan = _unary(_raw.Tan)
arcsin = _unary(_raw.Asin)
arccos = _unary(_raw.Acos)
arctan = _unary(_raw.Atan)
sinh = _unary(_raw.Sinh)
cosh = _unary(_raw.Cosh)
tanh = _unary(_raw.Tanh)
arcsinh = _unary(_raw.Asinh)
arccosh = _unary(_raw.Acosh)
arctanh = _unary(_raw.Atanh)


def erf(x: _Tensor) -> _Tensor:
    if x.dtype is tf.float64:
        # Infinities would give NaN, and behind 6 it is 1.
        x = _raw.ClipByValue(t=x, clip_value_min=-7.0, clip_value_max=7.0)
    return _raw.Erf(x=x)


erfc = _unary(_raw.Erfc)
erfinv = s.widened(_unary(_raw.Erfinv), s.WIDE_HALF)
reciprocal = _unary(_raw.Reciprocal)


def _i0(x: _Tensor) -> _Tensor:
    # XLA has only the scaled function.
    return tf.exp(tf.abs(x)) * tf.math.bessel_i0e(x)


i0 = s.widened(_i0, s.WIDE_HALF)
sigmoid = _unary(_raw.Sigmoid)
floor = _unary(_raw.Floor)
ceil = _unary(_raw.Ceil)


def log2(x: _Tensor) -> _Tensor:
    return _raw.RealDiv(x=_raw.Log(x=x), y=math.log(2.0))


def log10(x: _Tensor) -> _Tensor:
    return _raw.RealDiv(x=_raw.Log(x=x), y=math.log(10.0))


true_divide = _binary(_raw.RealDiv)


def arctan2(x1: _Tensor, x2: _Tensor) -> _Tensor:
    return _raw.Atan2(y=x1, x=x2)


def logaddexp(x1: _Tensor, x2: _Tensor) -> _Tensor:
    x1, x2 = s.pair(x1, x2)
    # Selected, because at equal numbers the gradients of a maximum and an absolute value would
    # not be one half each.
    first = _raw.GreaterEqual(x=x1, y=x2)
    top = _raw.SelectV2(condition=first, t=x1, e=x2)
    low = _raw.SelectV2(condition=first, t=x2, e=x1)
    # Infinities of one sign would give `inf - inf`.
    finite = _raw.IsFinite(x=top)
    gap = _raw.SelectV2(condition=finite, t=low - top, e=_raw.ZerosLike(x=top))
    found = top + _raw.Log1p(x=_raw.Exp(x=gap))
    return _raw.SelectV2(condition=finite, t=found, e=_raw.Maximum(x=x1, y=x2))


# Functions of any number -----------------------------------------------------------------


def absolute(x: _Tensor) -> _Tensor:
    if x.dtype in s.COMPLEX:
        return tf.abs(x)
    return x if x.dtype is _BOOL or x.dtype in s.UNSIGNED else _raw.Abs(x=x)


def negative(x: _Tensor) -> _Tensor:
    # Not `0 - x`: the graph optimizer makes that a `Neg`, which unsigned integers lack.
    return _raw.Invert(x=x) + 1 if x.dtype in s.UNSIGNED else _raw.Neg(x=x)


def sign(x: _Tensor) -> _Tensor:
    if x.dtype is _BOOL:
        return x
    return s.cast(x != 0, x.dtype) if x.dtype in s.UNSIGNED else _raw.Sign(x=x)


def square(x: _Tensor) -> _Tensor:
    return x if x.dtype is _BOOL else _raw.Square(x=x)


def round(x: _Tensor, decimals: int = 0) -> _Tensor:
    if decimals == 0:
        return _raw.Round(x=x)
    factor = 10.0 ** abs(decimals)
    if decimals > 0:
        return _raw.RealDiv(x=_raw.Round(x=x * factor), y=factor)
    return _raw.Round(x=_raw.RealDiv(x=x, y=factor)) * factor


def _classified(native: _Kernel, of_exact: bool, both: _Kernel) -> _Kernel:
    def kernel(x: _Tensor) -> _Tensor:
        if x.dtype in s.COMPLEX:
            return both(native(x=tf.math.real(x)), native(x=tf.math.imag(x)))
        if x.dtype.is_floating:
            return native(x=x)
        return tf.fill(tf.shape(x), of_exact)

    return kernel


isnan = _classified(_raw.IsNan, False, _binary(_raw.LogicalOr))
isinf = _classified(_raw.IsInf, False, _binary(_raw.LogicalOr))
isfinite = _classified(_raw.IsFinite, True, _binary(_raw.LogicalAnd))


# Arithmetic ------------------------------------------------------------------------------


def _bool_aware(native: _Kernel, of_bools: _Kernel) -> _Kernel:
    """NumPy adds and multiplies bools by logic; TensorFlow does not."""

    def kernel(x1: _Tensor, x2: _Tensor) -> _Tensor:
        if type(x1) in s.NUMBERS:
            x1 = tf.constant(x1, x2.dtype)
        if x1.dtype is _BOOL:
            return of_bools(x=x1, y=x2)
        return native(x=x1, y=x2)

    return kernel


add = _bool_aware(_raw.AddV2, _raw.LogicalOr)
multiply = _bool_aware(_raw.Mul, _raw.LogicalAnd)
maximum = _bool_aware(_raw.Maximum, _raw.LogicalOr)
minimum = _bool_aware(_raw.Minimum, _raw.LogicalAnd)
subtract = _binary(_raw.Sub)


def _power(x1: _Tensor, x2: _Tensor) -> _Tensor:
    x1, x2 = s.pair(x1, x2)
    if x1.dtype not in s.INTS:
        return _raw.Pow(x=x1, y=x2)
    # TensorFlow refuses negative exponents of integers: 1 and -1 have whole inverses.
    fraction = _raw.LogicalAnd(x=x2 < 0, y=_raw.Abs(x=x1) != 1)
    base = _raw.SelectV2(condition=fraction, t=_raw.ZerosLike(x=x1), e=x1)
    return _raw.Pow(x=base, y=_raw.Abs(x=x2))


power = s.widened(_power, s.WIDE_INT)


def _floor_divide(x1: _Tensor, x2: _Tensor) -> _Tensor:
    x1, x2 = s.pair(x1, x2)
    if x1.dtype in s.INTS:
        return _int_floor_divide(x1, x2)
    x1, x2 = tf.stop_gradient(x1), tf.stop_gradient(x2)
    # From the remainder: `floor(x1 / x2)` may round up to a number that is too large.
    rest = _raw.TruncateMod(x=x1, y=x2)
    one = _raw.LogicalAnd(x=rest != 0, y=(rest < 0) != (x2 < 0))
    whole = _raw.Round(x=(x1 - rest) / x2) - s.cast(one, x1.dtype)
    return _raw.SelectV2(condition=x2 == 0, t=x1 / x2, e=whole)


floor_divide = s.widened(_floor_divide, s.WIDE_HALF)


def _int_floor_divide(x1: _Tensor, x2: _Tensor) -> _Tensor:
    # Division by zero has all bits set, then is rounded down.
    zero = x2 == 0
    dtype = x1.dtype
    if dtype in s.UNSIGNED:
        undefined = tf.constant(dtype.max, dtype)
    else:
        undefined = -1 - s.cast(x1 != 0, dtype)
    safe = _raw.SelectV2(condition=zero, t=tf.ones([], dtype), e=x2)
    return _raw.SelectV2(condition=zero, t=undefined, e=_raw.FloorDiv(x=x1, y=safe))


def mod(x1: _Tensor, x2: _Tensor) -> _Tensor:
    x1, x2 = s.pair(x1, x2)
    if x1.dtype not in s.INTS:
        return _raw.FloorMod(x=x1, y=x2)
    zero = x2 == 0
    safe = _raw.SelectV2(condition=zero, t=tf.ones([], x1.dtype), e=x2)
    return _raw.SelectV2(condition=zero, t=tf.zeros([], x1.dtype), e=_raw.FloorMod(x=x1, y=safe))


bitwise_and = _bool_aware(_raw.BitwiseAnd, _raw.LogicalAnd)
bitwise_or = _bool_aware(_raw.BitwiseOr, _raw.LogicalOr)
bitwise_xor = _bool_aware(_raw.BitwiseXor, _raw.NotEqual)


def bitwise_not(x: _Tensor) -> _Tensor:
    return _raw.LogicalNot(x=x) if x.dtype is _BOOL else _raw.Invert(x=x)


def _shift(native: _Kernel, keeps_sign: bool) -> _Kernel:
    def kernel(x1: _Tensor, x2: _Tensor) -> _Tensor:
        x1, x2 = s.pair(x1, x2)
        bits = x1.dtype.size * 8
        inside = x2 < bits if x2.dtype in s.UNSIGNED else tf.logical_and(x2 >= 0, x2 < bits)
        outside = -s.cast(x1 < 0, x1.dtype) if keeps_sign and x1.dtype not in s.UNSIGNED else None
        return _raw.SelectV2(
            condition=inside,
            t=native(x=x1, y=_raw.SelectV2(condition=inside, t=x2, e=tf.zeros([], x2.dtype))),
            e=tf.zeros([], x1.dtype) if outside is None else outside,
        )

    return kernel


left_shift = _shift(_raw.LeftShift, keeps_sign=False)
right_shift = _shift(_raw.RightShift, keeps_sign=True)


# Comparisons and logic --------------------------------------------------------------------


def _ordering(native: _Kernel) -> _Kernel:
    def kernel(x1: _Tensor, x2: _Tensor) -> _Tensor:
        x1, x2 = s.pair(x1, x2)
        if x1.dtype is _BOOL:
            x1, x2 = s.cast(x1, tf.uint8), s.cast(x2, tf.uint8)
        return native(x=x1, y=x2)

    return kernel


equal = _binary(_raw.Equal)
not_equal = _binary(_raw.NotEqual)
less = _ordering(_raw.Less)
less_equal = _ordering(_raw.LessEqual)
greater = _ordering(_raw.Greater)
greater_equal = _ordering(_raw.GreaterEqual)


def logical_not(x: _Tensor) -> _Tensor:
    return _raw.LogicalNot(x=s.cast(x, _BOOL))


def logical_and(x1: _Tensor, x2: _Tensor) -> _Tensor:
    return _raw.LogicalAnd(x=s.cast(x1, _BOOL), y=s.cast(x2, _BOOL))


def logical_or(x1: _Tensor, x2: _Tensor) -> _Tensor:
    return _raw.LogicalOr(x=s.cast(x1, _BOOL), y=s.cast(x2, _BOOL))


def logical_xor(x1: _Tensor, x2: _Tensor) -> _Tensor:
    return _raw.NotEqual(x=s.cast(x1, _BOOL), y=s.cast(x2, _BOOL))


def where(condition: _Tensor, x1: _Tensor, x2: _Tensor) -> _Tensor:
    return _raw.SelectV2(condition=condition, t=x1, e=x2)
