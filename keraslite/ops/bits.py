"""The bits of numbers: views as another dtype, neighbours, exponents."""

from __future__ import annotations

from typing import Any

from keraslite.core import dtypes, shapes
from keraslite.core.op import Tensor, TensorLike, composite, kernel
from keraslite.core.promotion import FLOAT, KEEP, DtypeRule
from keraslite.ops.arithmetic import add, floor_divide, multiply, power, subtract
from keraslite.ops.core import as_tensor, cast
from keraslite.ops.core import dtype as _dtype
from keraslite.ops.integers import check_integers
from keraslite.ops.logic import equal, greater, isnan, logical_or, where

__all__ = ["ldexp", "nextafter", "view"]

_view = kernel("view")


def _check_view(shape: Any, source: str, target: str) -> None:
    before, after = (dtypes.numpy_dtype(d).itemsize for d in (source, target))
    if before == after:
        return
    if not shape or (shape[-1] is not None and shape[-1] * before % after):
        raise ValueError(
            f"ops.view: the last axis must fill whole elements of {after} bytes. Received: x of "
            f"shape {tuple(shape)} and dtype {source}, dtype={target}"
        )


@composite(None, KEEP, native=False)
def view(x: TensorLike, dtype: Any = None) -> Tensor:
    """The same bits as another dtype.

    Args:
        x: a tensor.
        dtype: of the result; None leaves `x` as it is.

    Returns:
        A tensor shaped like `x` if both dtypes are equally wide. Otherwise the last axis
        grows or shrinks, so that it takes as many bytes.

    Raises:
        ValueError: if the bytes of the last axis do not fill whole elements.

    Example:
        >>> keras.ops.view(keras.ops.array([1.0]), "int32")
        array([1065353216], dtype=int32)
    """
    source = _dtype(x)
    target = source if dtype is None else dtypes.standardize_dtype(dtype)
    if source == target:
        return x
    _check_view(x.shape, source, target)
    # Booleans are bytes that are 0 or 1.
    if source == "bool":
        x = cast(x, "uint8")
    found = x if target in ("bool", "uint8") and source == "bool" else None
    if found is None:
        found = _view(x, "uint8" if target == "bool" else target)
    return cast(found, "bool") if target == "bool" else found


@composite(shapes.broadcast, FLOAT)
def nextafter(x1: TensorLike, x2: TensorLike) -> Tensor:
    """The number next to `x1` on the way to `x2`, in steps of the dtype.

    Args:
        x1, x2: tensors that broadcast with each other.

    Returns:
        A float tensor of the broadcast shape: `x2` where the two are equal.

    Example:
        >>> keras.ops.nextafter(1.0, 2.0) - 1.0
        1.1920929e-07
    """
    name = _dtype(x1)
    whole = f"int{8 * dtypes.numpy_dtype(name).itemsize}"
    # Counted as integers, the bits of positive numbers rise with their size.
    away = equal(greater(x2, x1), greater(x1, 0))
    bits = view(x1, whole)
    bits = where(away, add(bits, 1), subtract(bits, 1))
    # Next to 0 stands the smallest number, which has a single bit besides its sign.
    least = view(bits * 0 + 1, name)
    step = where(equal(x1, 0), where(greater(x2, 0), least, -least), view(bits, name))
    step = where(equal(x1, x2), x2, step)
    return where(logical_or(isnan(x1), isnan(x2)), float("nan"), step)


_LDEXP = DtypeRule(dtypes.promote_float, passing=dtypes.FLOATS, apart={"x2": None})


@composite(shapes.broadcast, _LDEXP)
def _ldexp(x1: TensorLike, x2: TensorLike) -> Tensor:
    # In two steps: one alone could overflow where the result does not.
    half = floor_divide(x2, 2)
    for part in (half, subtract(x2, half)):
        x1 = multiply(x1, power(cast(2, _dtype(x1)), cast(part, _dtype(x1))))
    return x1


def ldexp(x1: TensorLike, x2: TensorLike) -> Tensor:
    """`x1 * 2**x2`.

    Args:
        x1: a tensor.
        x2: integers that broadcast with it.

    Returns:
        A float tensor of the broadcast shape.

    Raises:
        TypeError: if `x2` does not hold integers.

    Example:
        >>> keras.ops.ldexp([1.0, 3.0], [4, -1])
        array([16. ,  1.5])
    """
    x2 = as_tensor(x2)
    check_integers("ldexp", x2=x2)
    return _ldexp(x1, x2)
