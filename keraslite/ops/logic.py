"""Comparisons, boolean algebra, tests for special values and choices by condition."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from keraslite.core import dtypes, shapes
from keraslite.core.op import Tensor, TensorLike, composite, kernel, primitive
from keraslite.core.promotion import COMPARE, TO_BOOL, DtypeRule
from keraslite.ops.arithmetic import absolute, add, multiply, subtract
from keraslite.ops.core import cast, dtype

_all = kernel("all")

__all__ = [
    "allclose",
    "equal",
    "greater",
    "greater_equal",
    "isclose",
    "isfinite",
    "isinf",
    "isnan",
    "isneginf",
    "isposinf",
    "isreal",
    "less",
    "less_equal",
    "logical_and",
    "logical_not",
    "logical_or",
    "logical_xor",
    "not_equal",
    "select",
    "where",
]

# Comparisons ---------------------------------------------------------------------


@primitive(shapes.broadcast, COMPARE)
def equal(x1: TensorLike, x2: TensorLike) -> Tensor:
    """`x1 == x2`, element by element. NaN equals nothing.

    Args:
        x1, x2: tensors that broadcast with each other.

    Returns:
        A boolean tensor of the broadcast shape.

    Raises:
        ValueError: if the shapes do not broadcast.
    """


@primitive(shapes.broadcast, COMPARE)
def not_equal(x1: TensorLike, x2: TensorLike) -> Tensor:
    """`x1 != x2`, element by element. See `equal`."""


@primitive(shapes.broadcast, COMPARE)
def less(x1: TensorLike, x2: TensorLike) -> Tensor:
    """`x1 < x2`, element by element. See `equal`."""


@primitive(shapes.broadcast, COMPARE)
def less_equal(x1: TensorLike, x2: TensorLike) -> Tensor:
    """`x1 <= x2`, element by element. See `equal`."""


@primitive(shapes.broadcast, COMPARE)
def greater(x1: TensorLike, x2: TensorLike) -> Tensor:
    """`x1 > x2`, element by element. See `equal`."""


@primitive(shapes.broadcast, COMPARE)
def greater_equal(x1: TensorLike, x2: TensorLike) -> Tensor:
    """`x1 >= x2`, element by element. See `equal`."""


@composite(shapes.broadcast, COMPARE)
def isclose(
    x1: TensorLike,
    x2: TensorLike,
    rtol: float = 1e-05,
    atol: float = 1e-08,
    equal_nan: bool = False,
) -> Tensor:
    """Whether two elements are nearly the same: `|x1 - x2| <= atol + rtol * |x2|`.

    Args:
        x1, x2: tensors that broadcast with each other.
        rtol: tolerance relative to `x2`.
        atol: tolerance in absolute terms.
        equal_nan: whether NaN is close to NaN.

    Returns:
        A boolean tensor of the broadcast shape.
    """
    if not dtypes.is_float(dtype(x1)):
        x1, x2 = cast(x1, "float32"), cast(x2, "float32")
    near = less_equal(absolute(subtract(x1, x2)), add(atol, multiply(rtol, absolute(x2))))
    # Equal infinities are close, though their difference is NaN; unlike ones are not.
    close = logical_or(equal(x1, x2), logical_and(near, isfinite(x2)))
    return logical_or(close, logical_and(isnan(x1), isnan(x2))) if equal_nan else close


@composite(shapes.scalar, COMPARE)
def allclose(
    x1: TensorLike,
    x2: TensorLike,
    rtol: float = 1e-05,
    atol: float = 1e-08,
    equal_nan: bool = False,
) -> Tensor:
    """Whether all elements are nearly the same. See `isclose`.

    Returns:
        A boolean scalar.
    """
    return _all(isclose(x1, x2, rtol, atol, equal_nan), None, False)


# Boolean algebra -----------------------------------------------------------------


@primitive(shapes.broadcast, TO_BOOL)
def logical_and(x1: TensorLike, x2: TensorLike) -> Tensor:
    """Whether both elements are true (not zero).

    Args:
        x1, x2: tensors of any dtype that broadcast with each other.

    Returns:
        A boolean tensor of the broadcast shape.
    """


@primitive(shapes.broadcast, TO_BOOL)
def logical_or(x1: TensorLike, x2: TensorLike) -> Tensor:
    """Whether one element or both are true. See `logical_and`."""


@primitive(shapes.broadcast, TO_BOOL)
def logical_xor(x1: TensorLike, x2: TensorLike) -> Tensor:
    """Whether just one element is true. See `logical_and`."""


@primitive(shapes.same, TO_BOOL)
def logical_not(x: TensorLike) -> Tensor:
    """Whether each element is false (zero).

    Args:
        x: a tensor of any dtype.

    Returns:
        A boolean tensor shaped like `x`.
    """


# Special values ------------------------------------------------------------------


@primitive(shapes.same, TO_BOOL)
def isnan(x: TensorLike) -> Tensor:
    """Whether each element is NaN.

    Args:
        x: a tensor of any dtype; no integer is NaN.

    Returns:
        A boolean tensor shaped like `x`.
    """


@primitive(shapes.same, TO_BOOL)
def isinf(x: TensorLike) -> Tensor:
    """Whether each element is infinite. See `isnan`."""


@primitive(shapes.same, TO_BOOL)
def isfinite(x: TensorLike) -> Tensor:
    """Whether each element is neither infinite nor NaN. See `isnan`."""


@composite(shapes.same, TO_BOOL)
def isposinf(x: TensorLike) -> Tensor:
    """Whether each element is plus infinity. See `isnan`."""
    return logical_and(isinf(x), greater(x, 0))


@composite(shapes.same, TO_BOOL)
def isneginf(x: TensorLike) -> Tensor:
    """Whether each element is minus infinity. See `isnan`."""
    return logical_and(isinf(x), less(x, 0))


@composite(shapes.same, TO_BOOL)
def isreal(x: TensorLike) -> Tensor:
    """Whether each element has no imaginary part. See `isnan`."""
    # Complex engines have a kernel of this name.
    return logical_or(equal(x, x), True)


# Choices -------------------------------------------------------------------------


_where = kernel("where")


def _where_shape(condition: Any, x1: Any = None, x2: Any = None) -> Any:
    if (x1 is None) != (x2 is None):
        raise ValueError("Give both `x1` and `x2`, or neither.")
    return shapes.nonzero(condition) if x1 is None else shapes.broadcast(condition, x1, x2)


@composite(_where_shape, DtypeRule(dtypes.promote, apart={"condition": "bool"}), native=False)
def where(
    condition: TensorLike, x1: TensorLike | None = None, x2: TensorLike | None = None
) -> Tensor:
    """Take each element from `x1` where the condition holds, and from `x2` elsewhere.

    With `condition` alone, the indices where it holds, as `nonzero` gives them.

    Args:
        condition: a boolean tensor.
        x1, x2: tensors that broadcast with it and with each other.

    Returns:
        A tensor of the broadcast shape and the dtype that `x1` and `x2` promote to.

    Raises:
        ValueError: if just one of `x1` and `x2` is given, or shapes do not broadcast.

    Example:
        >>> keras.ops.where([True, False], [1, 2], 0)
        array([1, 0], dtype=int32)
    """
    if x1 is None or x2 is None:
        _where_shape(condition, x1, x2)
        return kernel("nonzero")(condition)
    return _where(condition, x1, x2)


def select(
    condlist: Sequence[TensorLike], choicelist: Sequence[TensorLike], default: TensorLike = 0
) -> Tensor:
    """Take each element from the first choice whose condition holds.

    Args:
        condlist: boolean tensors.
        choicelist: as many tensors to choose from.
        default: where no condition holds.

    Returns:
        A tensor of the broadcast shape and the promoted dtype.

    Raises:
        ValueError: if the two lists differ in length or are empty.

    Example:
        >>> keras.ops.select([[True, False], [True, True]], [[1, 2], [3, 4]])
        array([1, 4], dtype=int32)
    """
    if not condlist or len(condlist) != len(choicelist):
        raise ValueError(
            "ops.select: `condlist` and `choicelist` must have the same positive length. "
            f"Received: {len(condlist)} conditions and {len(choicelist)} choices"
        )
    found = default
    for condition, choice in zip(reversed(condlist), reversed(choicelist), strict=True):
        found = where(condition, choice, found)
    return found
