"""Divisors and multiples of integers."""

from __future__ import annotations

from typing import Any

from keraslite.core import shapes
from keraslite.core.errors import describe
from keraslite.core.op import Tensor, TensorLike, composite, kernel
from keraslite.core.promotion import PROMOTE
from keraslite.ops.arithmetic import absolute, add, floor_divide, mod, multiply
from keraslite.ops.control import while_loop
from keraslite.ops.core import dtype
from keraslite.ops.logic import equal, not_equal, where
from keraslite.ops.reductions import any

__all__ = ["gcd", "lcm"]


def check_integers(where: str, **arguments: Any) -> None:
    """Raise the error for arguments that are no integers."""
    for name, value in arguments.items():
        if "int" not in dtype(value):
            raise TypeError(
                f"ops.{where}: `{name}` must hold integers. Received: {name}={describe(value)}. "
                "Cast it with `ops.cast`."
            )


def _euclid(x1: Tensor, x2: Tensor) -> Tensor:
    """Euclid's algorithm on all elements at once."""

    def rest(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
        done = equal(b, 0)
        return where(done, a, b), where(done, b, mod(a, where(done, 1, b)))

    # Of one shape and dtype, also where one is a number.
    start = absolute(add(x1, x2 * 0)), absolute(add(x2, x1 * 0))
    return while_loop(lambda a, b: any(not_equal(b, 0)), rest, start)[0]


_native_gcd = kernel("gcd", _euclid)


@composite(shapes.broadcast, PROMOTE, native=False)
def _gcd(x1: TensorLike, x2: TensorLike) -> Tensor:
    return _native_gcd(x1, x2)


def gcd(x1: TensorLike, x2: TensorLike) -> Tensor:
    """The greatest common divisor.

    Args:
        x1, x2: integers that broadcast with each other.

    Returns:
        An integer tensor of the broadcast shape, not negative; 0 where both are 0.

    Raises:
        TypeError: if an argument does not hold integers.

    Example:
        >>> keras.ops.gcd([12, 18], 8)
        array([4, 2], dtype=int32)
    """
    check_integers("gcd", x1=x1, x2=x2)
    return _gcd(x1, x2)


@composite(shapes.broadcast, PROMOTE)
def _lcm(x1: TensorLike, x2: TensorLike) -> Tensor:
    common = _gcd(x1, x2)
    return absolute(multiply(floor_divide(x1, where(equal(common, 0), 1, common)), x2))


def lcm(x1: TensorLike, x2: TensorLike) -> Tensor:
    """The least common multiple, 0 where an element is 0. See `gcd`.

    Example:
        >>> keras.ops.lcm([4, 6], 10)
        array([20, 30], dtype=int32)
    """
    check_integers("lcm", x1=x1, x2=x2)
    return _lcm(x1, x2)
