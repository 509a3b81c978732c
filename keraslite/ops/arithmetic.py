"""Elementwise arithmetic, rounding and bits.

Two tensors broadcast as in NumPy, and promote to a common dtype in which Python numbers
are weak: `add(x, 1.0)` keeps the dtype of a float tensor `x`.
"""

from __future__ import annotations

from keraslite.core import dtypes, shapes
from keraslite.core.op import Tensor, TensorLike, composite, kernel, primitive
from keraslite.core.promotion import FLOAT, KEEP, NUMBER, PROMOTE
from keraslite.ops.core import dtype

__all__ = [
    "abs",
    "absolute",
    "add",
    "bitwise_and",
    "bitwise_invert",
    "bitwise_left_shift",
    "bitwise_not",
    "bitwise_or",
    "bitwise_right_shift",
    "bitwise_xor",
    "ceil",
    "conj",
    "conjugate",
    "divide",
    "floor",
    "floor_divide",
    "left_shift",
    "maximum",
    "minimum",
    "mod",
    "multiply",
    "negative",
    "power",
    "reciprocal",
    "right_shift",
    "round",
    "rsqrt",
    "sign",
    "sqrt",
    "square",
    "subtract",
    "true_divide",
]

# Two tensors ---------------------------------------------------------------------


@primitive(shapes.broadcast, PROMOTE)
def add(x1: TensorLike, x2: TensorLike) -> Tensor:
    """`x1 + x2`, element by element; "or" for booleans.

    Args:
        x1, x2: tensors that broadcast with each other.

    Returns:
        A tensor of the broadcast shape and the promoted dtype.

    Raises:
        ValueError: if the shapes do not broadcast.

    Example:
        >>> keras.ops.add([1, 2], 0.5)
        array([1.5, 2.5])
    """


@primitive(shapes.broadcast, NUMBER)
def subtract(x1: TensorLike, x2: TensorLike) -> Tensor:
    """`x1 - x2`, element by element. See `add` for arguments and errors."""


@primitive(shapes.broadcast, PROMOTE)
def multiply(x1: TensorLike, x2: TensorLike) -> Tensor:
    """`x1 * x2`, element by element; "and" for booleans. See `add`."""


@primitive(shapes.broadcast, FLOAT)
def true_divide(x1: TensorLike, x2: TensorLike) -> Tensor:
    """`x1 / x2`, element by element, always a float. See `add`.

    Example:
        >>> keras.ops.true_divide([1, 2], 2)
        array([0.5, 1. ])
    """


def divide(x1: TensorLike, x2: TensorLike) -> Tensor:
    """`x1 / x2`: another name of `true_divide`."""
    return true_divide(x1, x2)


@primitive(shapes.broadcast, NUMBER)
def floor_divide(x1: TensorLike, x2: TensorLike) -> Tensor:
    """The largest integer not above `x1 / x2`, in the promoted dtype. See `add`."""


@primitive(shapes.broadcast, NUMBER)
def mod(x1: TensorLike, x2: TensorLike) -> Tensor:
    """The remainder of `floor_divide`: it has the sign of `x2`. See `add`.

    Example:
        >>> keras.ops.mod([5, -5], 3)
        array([2, 1], dtype=int32)
    """


@primitive(shapes.broadcast, NUMBER)
def power(x1: TensorLike, x2: TensorLike) -> Tensor:
    """`x1 ** x2`, element by element. See `add`."""


@primitive(shapes.broadcast, PROMOTE)
def maximum(x1: TensorLike, x2: TensorLike) -> Tensor:
    """The larger of two elements; NaN wins. See `add`."""


@primitive(shapes.broadcast, PROMOTE)
def minimum(x1: TensorLike, x2: TensorLike) -> Tensor:
    """The smaller of two elements; NaN wins. See `add`."""


# One tensor ----------------------------------------------------------------------


@primitive(shapes.same, NUMBER)
def negative(x: TensorLike) -> Tensor:
    """`-x`, element by element.

    Args:
        x: a tensor; booleans count as int32.

    Returns:
        A tensor shaped like `x`.
    """


@primitive(shapes.same, KEEP)
def absolute(x: TensorLike) -> Tensor:
    """The distance of each element from 0.

    Args:
        x: a tensor.

    Returns:
        A tensor of the shape and dtype of `x`.

    Example:
        >>> keras.ops.absolute([-1.5, 2.0])
        array([1.5, 2. ])
    """


def abs(x: TensorLike) -> Tensor:
    """Another name of `absolute`."""
    return absolute(x)


@primitive(shapes.same, NUMBER)
def sign(x: TensorLike) -> Tensor:
    """-1, 0 or 1 by the sign of each element.

    Args:
        x: a tensor; booleans count as int32.

    Returns:
        A tensor of the shape and dtype of `x`.
    """


@primitive(shapes.same, NUMBER)
def square(x: TensorLike) -> Tensor:
    """`x * x`.

    Args:
        x: a tensor; booleans count as int32.

    Returns:
        A tensor shaped like `x`.
    """


@primitive(shapes.same, FLOAT)
def sqrt(x: TensorLike) -> Tensor:
    """The square root of each element; NaN for negative ones.

    Args:
        x: a tensor; integers are computed as `floatx()`.

    Returns:
        A float tensor shaped like `x`.
    """


@primitive(shapes.same, FLOAT)
def rsqrt(x: TensorLike) -> Tensor:
    """`1 / sqrt(x)`. See `sqrt`."""


@primitive(shapes.same, FLOAT)
def reciprocal(x: TensorLike) -> Tensor:
    """`1 / x`, always a float. See `sqrt`."""


@primitive(shapes.same, FLOAT)
def floor(x: TensorLike) -> Tensor:
    """The largest whole number not above each element, as a float. See `sqrt`."""


@primitive(shapes.same, FLOAT)
def ceil(x: TensorLike) -> Tensor:
    """The smallest whole number not below each element, as a float. See `sqrt`."""


_round = kernel("round")


@composite(shapes.same, KEEP, native=False)
def round(x: TensorLike, decimals: int = 0) -> Tensor:
    """Round to the nearest; a half goes to the even neighbour.

    Args:
        x: a tensor.
        decimals: places after the point to keep; negative ones stand before it.

    Returns:
        A tensor of the shape and dtype of `x`.

    Example:
        >>> keras.ops.round([0.5, 1.5, 2.345], decimals=0)
        array([0., 2., 2.])
    """
    if dtypes.is_float(dtype(x)):
        return _round(x, decimals)
    return x if decimals >= 0 else _round_whole(x, 10**-decimals)


def _round_whole(x: Tensor, unit: int) -> Tensor:
    """Integers to the nearest multiple of `unit`; a half to the even one."""
    down = floor_divide(x, unit)
    twice = multiply(2, subtract(x, multiply(down, unit)))
    # An odd quotient turns "above the half" into "at the half or above".
    up = add(twice, mod(down, 2)) > unit
    return multiply(add(down, up), unit)


@composite(shapes.same, KEEP)
def conj(x: TensorLike) -> Tensor:
    """The complex conjugate; real tensors are their own.

    Args:
        x: a tensor.

    Returns:
        A tensor of the shape and dtype of `x`.
    """
    return x


def conjugate(x: TensorLike) -> Tensor:
    """Another name of `conj`."""
    return conj(x)


# Bits ----------------------------------------------------------------------------


@primitive(shapes.broadcast, PROMOTE)
def bitwise_and(x: TensorLike, y: TensorLike) -> Tensor:
    """The bits that both integers have.

    Args:
        x, y: integer or boolean tensors that broadcast with each other.

    Returns:
        A tensor of the broadcast shape and the promoted dtype.

    Example:
        >>> keras.ops.bitwise_and([12, 10], 6)
        array([4, 2], dtype=int32)
    """


@primitive(shapes.broadcast, PROMOTE)
def bitwise_or(x: TensorLike, y: TensorLike) -> Tensor:
    """The bits that one integer or both have. See `bitwise_and`."""


@primitive(shapes.broadcast, PROMOTE)
def bitwise_xor(x: TensorLike, y: TensorLike) -> Tensor:
    """The bits that just one integer has. See `bitwise_and`."""


@primitive(shapes.same, KEEP)
def bitwise_not(x: TensorLike) -> Tensor:
    """Every bit turned over.

    Args:
        x: an integer or boolean tensor.

    Returns:
        A tensor of the shape and dtype of `x`.
    """


def bitwise_invert(x: TensorLike) -> Tensor:
    """Another name of `bitwise_not`."""
    return bitwise_not(x)


@primitive(shapes.broadcast, NUMBER)
def left_shift(x: TensorLike, y: TensorLike) -> Tensor:
    """The bits of `x` moved up by `y` places. See `bitwise_and`."""


def bitwise_left_shift(x: TensorLike, y: TensorLike) -> Tensor:
    """Another name of `left_shift`."""
    return left_shift(x, y)


@primitive(shapes.broadcast, NUMBER)
def right_shift(x: TensorLike, y: TensorLike) -> Tensor:
    """The bits of `x` moved down by `y` places; the sign stays. See `bitwise_and`."""


def bitwise_right_shift(x: TensorLike, y: TensorLike) -> Tensor:
    """Another name of `right_shift`."""
    return right_shift(x, y)
