"""Exponentials, logarithms, trigonometry and special functions, element by element.

All of them compute in a float dtype: integers and booleans become `floatx()`.
"""

from __future__ import annotations

import math

from keraslite.core import shapes
from keraslite.core.op import Tensor, TensorLike, composite, primitive
from keraslite.core.promotion import FLOAT
from keraslite.ops.arithmetic import multiply, subtract, true_divide

__all__ = [
    "arccos",
    "arccosh",
    "arcsin",
    "arcsinh",
    "arctan",
    "arctan2",
    "arctanh",
    "cos",
    "cosh",
    "deg2rad",
    "erf",
    "erfc",
    "erfinv",
    "exp",
    "exp2",
    "expm1",
    "i0",
    "log",
    "log10",
    "log1p",
    "log2",
    "logaddexp",
    "logaddexp2",
    "rad2deg",
    "sin",
    "sinh",
    "tan",
    "tanh",
]


@primitive(shapes.same, FLOAT)
def exp(x: TensorLike) -> Tensor:
    """`e ** x`.

    Args:
        x: a tensor.

    Returns:
        A float tensor shaped like `x`.

    Example:
        >>> keras.ops.exp([0.0, 1.0])
        array([1.       , 2.7182817])
    """


@composite(shapes.same, FLOAT)
def exp2(x: TensorLike) -> Tensor:
    """`2 ** x`. See `exp`."""
    return exp(multiply(x, math.log(2)))


@primitive(shapes.same, FLOAT)
def expm1(x: TensorLike) -> Tensor:
    """`e ** x - 1`, exact for small `x` too. See `exp`."""


@primitive(shapes.same, FLOAT)
def log(x: TensorLike) -> Tensor:
    """The natural logarithm; -inf at 0, NaN below. See `exp`."""


@primitive(shapes.same, FLOAT)
def log1p(x: TensorLike) -> Tensor:
    """`log(1 + x)`, exact for small `x` too. See `exp`."""


@primitive(shapes.same, FLOAT)
def log2(x: TensorLike) -> Tensor:
    """The logarithm to base 2. See `exp`."""


@primitive(shapes.same, FLOAT)
def log10(x: TensorLike) -> Tensor:
    """The logarithm to base 10. See `exp`."""


@primitive(shapes.broadcast, FLOAT)
def logaddexp(x1: TensorLike, x2: TensorLike) -> Tensor:
    """`log(exp(x1) + exp(x2))` without overflow.

    Args:
        x1, x2: tensors that broadcast with each other.

    Returns:
        A float tensor of the broadcast shape.
    """


@composite(shapes.broadcast, FLOAT)
def logaddexp2(x1: TensorLike, x2: TensorLike) -> Tensor:
    """`log2(2 ** x1 + 2 ** x2)` without overflow. See `logaddexp`."""
    base = math.log(2)
    return true_divide(logaddexp(multiply(x1, base), multiply(x2, base)), base)


@primitive(shapes.same, FLOAT)
def sin(x: TensorLike) -> Tensor:
    """The sine of an angle in radians. See `exp`."""


@primitive(shapes.same, FLOAT)
def cos(x: TensorLike) -> Tensor:
    """The cosine of an angle in radians. See `exp`."""


@primitive(shapes.same, FLOAT)
def tan(x: TensorLike) -> Tensor:
    """The tangent of an angle in radians. See `exp`."""


@primitive(shapes.same, FLOAT)
def arcsin(x: TensorLike) -> Tensor:
    """The angle in [-pi/2, pi/2] of which `x` is the sine; NaN outside [-1, 1]. See `exp`."""


@primitive(shapes.same, FLOAT)
def arccos(x: TensorLike) -> Tensor:
    """The angle in [0, pi] of which `x` is the cosine; NaN outside [-1, 1]. See `exp`."""


@primitive(shapes.same, FLOAT)
def arctan(x: TensorLike) -> Tensor:
    """The angle in (-pi/2, pi/2) of which `x` is the tangent. See `exp`."""


@primitive(shapes.broadcast, FLOAT)
def arctan2(x1: TensorLike, x2: TensorLike) -> Tensor:
    """The angle in [-pi, pi] of the point with ordinate `x1` and abscissa `x2`.

    Args:
        x1, x2: tensors that broadcast with each other.

    Returns:
        A float tensor of the broadcast shape.
    """


@primitive(shapes.same, FLOAT)
def sinh(x: TensorLike) -> Tensor:
    """The hyperbolic sine. See `exp`."""


@primitive(shapes.same, FLOAT)
def cosh(x: TensorLike) -> Tensor:
    """The hyperbolic cosine. See `exp`."""


@primitive(shapes.same, FLOAT)
def tanh(x: TensorLike) -> Tensor:
    """The hyperbolic tangent. See `exp`."""


@primitive(shapes.same, FLOAT)
def arcsinh(x: TensorLike) -> Tensor:
    """The inverse of `sinh`. See `exp`."""


@primitive(shapes.same, FLOAT)
def arccosh(x: TensorLike) -> Tensor:
    """The inverse of `cosh`; NaN below 1. See `exp`."""


@primitive(shapes.same, FLOAT)
def arctanh(x: TensorLike) -> Tensor:
    """The inverse of `tanh`; NaN outside [-1, 1]. See `exp`."""


@composite(shapes.same, FLOAT)
def deg2rad(x: TensorLike) -> Tensor:
    """Degrees to radians. See `exp`."""
    return multiply(x, math.pi / 180)


@composite(shapes.same, FLOAT)
def rad2deg(x: TensorLike) -> Tensor:
    """Radians to degrees. See `exp`."""
    return multiply(x, 180 / math.pi)


@primitive(shapes.same, FLOAT)
def erf(x: TensorLike) -> Tensor:
    """The error function, `2 / sqrt(pi)` times the integral of `exp(-t**2)` from 0 to `x`.

    See `exp` for arguments.
    """


@composite(shapes.same, FLOAT)
def erfc(x: TensorLike) -> Tensor:
    """`1 - erf(x)`. See `exp`."""
    return subtract(1, erf(x))


@primitive(shapes.same, FLOAT)
def erfinv(x: TensorLike) -> Tensor:
    """The inverse of `erf`; infinite at -1 and 1, NaN outside. See `exp`."""


@primitive(shapes.same, FLOAT)
def i0(x: TensorLike) -> Tensor:
    """The modified Bessel function of the first kind of order 0. See `exp`.

    `I0(x)` is the sum of `(x / 2)**(2 k) / (k!)**2` over all `k` from 0 on.
    """
