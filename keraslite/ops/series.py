"""Series of samples: correlations, integrals and powers."""

from __future__ import annotations

from typing import Any

from keraslite.core import shapes
from keraslite.core.errors import check_choice
from keraslite.core.op import Tensor, TensorLike, composite, kernel
from keraslite.core.promotion import FLOAT, NUMBER
from keraslite.ops.arithmetic import add, conj, multiply, sqrt, subtract, true_divide
from keraslite.ops.core import cast, convert_to_tensor, dtype, widened
from keraslite.ops.creation import ones_like, zeros
from keraslite.ops.indexing import get_item
from keraslite.ops.joining import pad, stack
from keraslite.ops.products import matmul
from keraslite.ops.reductions import mean, sum
from keraslite.ops.shaping import (
    diagonal,
    expand_dims,
    flip,
    moveaxis,
    reshape,
    swapaxes,
)
from keraslite.ops.sorting import diff

__all__ = ["corrcoef", "correlate", "trapezoid", "vander"]

_MODES = ("valid", "same", "full")
_conv = kernel("conv")


def _correlate_shape(x1: Any, x2: Any, mode: str = "valid") -> Any:
    check_choice("", _MODES, mode=mode)
    if len(x1) != 1 or len(x2) != 1:
        raise ValueError("Both arguments must be vectors.")
    if None in (*x1, *x2):
        raise ValueError("The lengths of both vectors must be known.")
    n, m = sorted((x1[0], x2[0]), reverse=True)
    if not m:
        raise ValueError("Both vectors must have elements.")
    return ({"valid": n - m + 1, "same": n, "full": n + m - 1}[mode],)


@composite(_correlate_shape, FLOAT, native=False, checked=True)
def correlate(x1: TensorLike, x2: TensorLike, mode: str = "valid") -> Tensor:
    """The cross-correlation of two vectors: `sum(x1[i + k] * x2[i])` for each shift `k`.

    Args:
        x1, x2: vectors.
        mode: which shifts: `"valid"` those at which the shorter vector lies within the
            longer one, `"full"` all at which they overlap, `"same"` as many of these, in the
            middle, as the longer one has elements.

    Returns:
        A float vector.

    Raises:
        ValueError: for another mode, or arguments that are no vectors.

    Example:
        >>> keras.ops.correlate([1.0, 2.0, 3.0], [0.0, 1.0])
        array([2., 3.])
    """
    (n,), (m,) = x1.shape, x2.shape
    if n < m:
        return flip(correlate(x2, x1, mode))
    before, behind = {"valid": (0, 0), "same": (m // 2, (m - 1) // 2), "full": (m - 1, m - 1)}[mode]
    signal = reshape(pad(widened(x1), ((before, behind),)), (1, -1, 1))
    weights = reshape(widened(x2), (-1, 1, 1))
    found = _conv(signal, weights, (1,), "valid", "channels_last", (1,))
    return cast(reshape(found, (-1,)), dtype(x1))


def _corrcoef_shape(x: Any) -> Any:
    if len(x) not in (1, 2):
        raise ValueError(f"`x` must have 1 or 2 axes; it has {len(x)}.")
    return () if len(x) == 1 else (x[0], x[0])


@composite(_corrcoef_shape, FLOAT, native=False, checked=True)
def corrcoef(x: TensorLike) -> Tensor:
    """Pearson's correlation coefficients between variables.

    Args:
        x: a row of samples for each variable, or a vector for one variable.

    Returns:
        A float matrix with a row and a column for each variable, or a scalar. NaN for a
        variable that is constant.

    Example:
        >>> keras.ops.corrcoef([[1.0, 2.0, 3.0], [3.0, 2.0, 1.0]])
        array([[ 1., -1.],
               [-1.,  1.]])
    """
    wide = widened(x)
    rows = wide if len(x.shape) == 2 else expand_dims(wide, 0)
    rows = subtract(rows, mean(rows, -1, True))
    products = matmul(rows, conj(swapaxes(rows, -1, -2)))
    lengths = sqrt(diagonal(products))
    found = true_divide(true_divide(products, expand_dims(lengths, 0)), expand_dims(lengths, 1))
    return cast(reshape(found, ()) if len(x.shape) == 1 else found, dtype(x))


def _trapezoid_shape(y: Any, x: Any = None, dx: Any = 1.0, axis: int = -1) -> Any:
    found = shapes.reduce(y, axis)
    if x is not None and tuple(x) != tuple(y):
        if len(x) != 1:
            raise ValueError("`x` must have the shape of `y`, or be a vector along the axis.")
        shapes.common(x[0], y[axis], "The length of `x` and the size of the axis")
    return found


@composite(_trapezoid_shape, FLOAT, native=False, checked=True)
def trapezoid(
    y: TensorLike, x: TensorLike | None = None, dx: float = 1.0, axis: int = -1
) -> Tensor:
    """The integral along an axis, by the trapezoidal rule.

    Args:
        y: the values of a function.
        x: where it has them: shaped like `y`, or a vector along the axis.
        dx: the distance between them, if there is no `x`.
        axis: the axis.

    Returns:
        A float tensor without this axis.

    Raises:
        ValueError: if `x` does not fit `y`.

    Example:
        >>> keras.ops.trapezoid([1.0, 2.0, 4.0])
        4.5
    """
    y = moveaxis(y, axis, -1)
    if x is not None and len(x.shape) > 1:
        x = moveaxis(x, axis, -1)
    steps = convert_to_tensor(dx, dtype(y)) if x is None else diff(x)
    after, before = get_item(y, (..., slice(1, None))), get_item(y, (..., slice(None, -1)))
    return multiply(0.5, sum(multiply(add(before, after), steps), -1))


def _vander_shape(x: Any, N: int | None = None, increasing: bool = False) -> Any:  # noqa: N803
    if len(x) != 1:
        raise ValueError(f"`x` must have 1 axis; it has {len(x)}.")
    count = x[0] if N is None else N
    if count is None:
        raise ValueError("The length of `x` is unknown: give `N`.")
    if count < 0:
        raise ValueError(f"`N` must not be negative; it is {count}.")
    return (x[0], count)


@composite(_vander_shape, NUMBER, native=False)
def vander(x: TensorLike, N: int | None = None, increasing: bool = False) -> Tensor:  # noqa: N803
    """The Vandermonde matrix: a column for each power.

    Args:
        x: a vector.
        N: how many powers, from 0 on; by default as many as `x` has elements.
        increasing: whether the powers rise from column to column. By default they fall.

    Returns:
        A tensor of shape `(len(x), N)`.

    Raises:
        ValueError: if `x` is no vector, or `N` is negative.

    Example:
        >>> keras.ops.vander([1, 2, 3], 3)
        array([[1, 1, 1],
               [4, 2, 1],
               [9, 3, 1]], dtype=int32)
    """
    count = _vander_shape(x.shape, N)[1]
    if not count:
        return zeros((x.shape[0], 0), dtype(x))
    # Products, not `power`: its gradient at 0 would be NaN.
    powers = [ones_like(x)]
    for _ in range(count - 1):
        powers.append(multiply(powers[-1], x))
    return stack(powers if increasing else powers[::-1], -1)
