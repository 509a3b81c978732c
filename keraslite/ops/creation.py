"""New tensors: constants, ranges and grids of numbers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from keraslite.backend import engine
from keraslite.core import dtypes, shapes
from keraslite.core.op import Tensor, TensorLike, composite, kernel, plain
from keraslite.core.promotion import KEEP, DtypeRule
from keraslite.core.variable import Variable
from keraslite.ops.arithmetic import absolute, multiply, power, sign, subtract, true_divide
from keraslite.ops.core import as_tensor, cast, convert_to_tensor, sizes
from keraslite.ops.core import dtype as _dtype
from keraslite.ops.shaping import expand_dims, moveaxis
from keraslite.ops.transcendental import log10

__all__ = [
    "arange",
    "empty",
    "empty_like",
    "eye",
    "full",
    "full_like",
    "geomspace",
    "identity",
    "linspace",
    "logspace",
    "ones",
    "ones_like",
    "tri",
    "zeros",
    "zeros_like",
]

_arange, _eye, _full, _linspace, _ones, _zeros = map(
    kernel, ("arange", "eye", "full", "linspace", "ones", "zeros")
)


def _sizes(shape: int | Sequence[int]) -> tuple[Any, ...]:
    found = sizes(shape)
    if any(n is None or (isinstance(n, int) and n < 0) for n in found):
        raise ValueError(f"Every size must be known and not negative. Received: shape={found}")
    return found


# Constants -------------------------------------------------------------------------


def zeros(shape: int | Sequence[int], dtype: Any = None) -> Tensor:
    """A tensor full of zeros.

    Args:
        shape: its sizes.
        dtype: `floatx()` by default.

    Returns:
        A tensor.

    Example:
        >>> keras.ops.zeros((2,))
        array([0., 0.])
    """
    return _zeros(_sizes(shape), dtypes.standardize_dtype(dtype))


def ones(shape: int | Sequence[int], dtype: Any = None) -> Tensor:
    """A tensor full of ones. See `zeros`."""
    return _ones(_sizes(shape), dtypes.standardize_dtype(dtype))


def empty(shape: int | Sequence[int], dtype: Any = None) -> Tensor:
    """A tensor whose values nobody should rely on. See `zeros`."""
    return zeros(shape, dtype)


def full(shape: int | Sequence[int], fill_value: TensorLike, dtype: Any = None) -> Tensor:
    """A tensor full of one value.

    Args:
        shape: its sizes.
        fill_value: a number, or a tensor that broadcasts to `shape`.
        dtype: `floatx()` by default.

    Returns:
        A tensor.

    Example:
        >>> keras.ops.full((2,), 7, dtype="int32")
        array([7, 7], dtype=int32)
    """
    value = fill_value.value if isinstance(fill_value, Variable) else fill_value
    return _full(_sizes(shape), value, dtypes.standardize_dtype(dtype))


@composite(shapes.same, KEEP, native=False)
def zeros_like(x: TensorLike, dtype: Any = None) -> Tensor:
    """Zeros in the shape and dtype of another tensor.

    Args:
        x: a tensor.
        dtype: another dtype.

    Returns:
        A tensor shaped like `x`.
    """
    return _zeros(engine.dynamic_shape(x), dtypes.standardize_dtype(dtype or engine.dtype(x)))


@composite(shapes.same, KEEP, native=False)
def ones_like(x: TensorLike, dtype: Any = None) -> Tensor:
    """Ones in the shape and dtype of another tensor. See `zeros_like`."""
    return _ones(engine.dynamic_shape(x), dtypes.standardize_dtype(dtype or engine.dtype(x)))


def empty_like(x: TensorLike, dtype: Any = None) -> Tensor:
    """Values nobody should rely on, in the shape and dtype of another tensor."""
    return zeros_like(x, dtype)


@composite(shapes.same, DtypeRule(apart={"fill_value": None}), native=False)
def full_like(x: TensorLike, fill_value: TensorLike, dtype: Any = None) -> Tensor:
    """One value in the shape and dtype of another tensor.

    Args:
        x: a tensor.
        fill_value: a number, or a tensor that broadcasts to the shape of `x`.
        dtype: another dtype.

    Returns:
        A tensor shaped like `x`.
    """
    name = dtypes.standardize_dtype(dtype or engine.dtype(x))
    return _full(engine.dynamic_shape(x), fill_value, name)


# Ranges ----------------------------------------------------------------------------


def _number_dtype(*values: Any) -> str:
    """The dtype that numbers and scalar tensors promote to; Python numbers are weak."""
    names = [
        type(v) if isinstance(v, (bool, int, float)) else _dtype(v) for v in values if v is not None
    ]
    return dtypes.result_type(*names)


def arange(start: Any, stop: Any = None, step: Any = None, dtype: Any = None) -> Tensor:
    """Numbers from `start` on, `step` apart, before `stop`.

    Args:
        start: the first number; the end, when it is the only argument.
        stop: the end, which is not reached.
        step: 1 by default.
        dtype: by default int32 for ints and `floatx()` for floats.

    Returns:
        A vector.

    Raises:
        ValueError: if `step` is 0.

    Example:
        >>> keras.ops.arange(1, 10, 3)
        array([1, 4, 7], dtype=int32)
    """
    step = 1 if step is None else step
    if isinstance(step, (int, float)) and step == 0:
        raise ValueError("ops.arange: `step` must not be 0.")
    name = _number_dtype(start, stop, step) if dtype is None else dtypes.standardize_dtype(dtype)
    if stop is None:
        start, stop = 0, start
    return _arange(start, stop, step, name)


def linspace(
    start: TensorLike,
    stop: TensorLike,
    num: int = 50,
    endpoint: bool = True,
    retstep: bool = False,
    dtype: Any = None,
    axis: int = 0,
) -> Any:
    """`num` numbers at equal distances from `start` to `stop`.

    Args:
        start, stop: the ends: numbers, or tensors that broadcast with each other.
        num: how many.
        endpoint: whether `stop` is one of them.
        retstep: whether to return the distance too.
        dtype: a float by default.
        axis: where the new axis stands in the result.

    Returns:
        A tensor with one axis more than the ends, or a pair of it and the distance.

    Raises:
        ValueError: if `num` is negative.

    Example:
        >>> keras.ops.linspace(0.0, 1.0, 5)
        array([0.  , 0.25, 0.5 , 0.75, 1.  ])
    """
    if num < 0:
        raise ValueError(f"ops.linspace: `num` must not be negative. Received: num={num}")
    floats = dtypes.promote_float(_number_dtype(start, stop))
    name = floats if dtype is None else dtypes.standardize_dtype(dtype)
    points = _spaced(start, stop, num, endpoint, name, axis)
    if not retstep:
        return points
    parts = num - 1 if endpoint else num
    return points, true_divide(subtract(stop, start), parts if parts else float("nan"))


def _spaced_shape(start: Any, stop: Any, num: int, endpoint: bool, dtype: str, axis: int) -> Any:
    found = shapes.broadcast(start, stop)
    at = shapes.canonical_axis(axis, len(found) + 1)
    return (*found[:at], num, *found[at:])


@composite(_spaced_shape, DtypeRule(dtypes.promote_float), native=False)
def _spaced(
    start: TensorLike, stop: TensorLike, num: int, endpoint: bool, dtype: str, axis: int
) -> Tensor:
    return _linspace(start, stop, num, endpoint, dtype, axis)


def logspace(
    start: TensorLike,
    stop: TensorLike,
    num: int = 50,
    endpoint: bool = True,
    base: float = 10,
    dtype: Any = None,
    axis: int = 0,
) -> Tensor:
    """`num` numbers with equal ratios from `base ** start` to `base ** stop`.

    See `linspace` for the other arguments.

    Example:
        >>> keras.ops.logspace(0, 2, 3)
        array([  1.,  10., 100.])
    """
    exponents = linspace(start, stop, num, endpoint, axis=axis)
    found = power(cast(base, _dtype(exponents)), exponents)
    return found if dtype is None else cast(found, dtype)


def geomspace(
    start: TensorLike,
    stop: TensorLike,
    num: int = 50,
    endpoint: bool = True,
    dtype: Any = None,
    axis: int = 0,
) -> Tensor:
    """`num` numbers with equal ratios from `start` to `stop`.

    See `linspace` for the other arguments.

    Raises:
        ValueError: if an end is the number 0.

    Example:
        >>> keras.ops.geomspace(1, 1000, 4)
        array([   1.,   10.,  100., 1000.])
    """
    if all(isinstance(v, (int, float)) for v in (start, stop)):
        if start == 0 or stop == 0:
            raise ValueError(
                f"ops.geomspace: no ratio leads to or from 0. Received: start={start}, stop={stop}"
            )
        # Whole powers come out whole.
        values = np.geomspace(start, stop, num, endpoint)
        return convert_to_tensor(values, dtypes.standardize_dtype(dtype))
    start, stop = (x if isinstance(x, (int, float)) else as_tensor(x) for x in (start, stop))
    ends = (log10(absolute(x)) for x in (start, stop))
    found = multiply(sign(start), logspace(*ends, num, endpoint, axis=0))
    found = moveaxis(found, 0, axis)
    return found if dtype is None else cast(found, dtype)


# Matrices --------------------------------------------------------------------------


def eye(N: int, M: int | None = None, k: int = 0, dtype: Any = None) -> Tensor:  # noqa: N803
    """A matrix with ones on a diagonal.

    Args:
        N: the number of rows.
        M: the number of columns, `N` by default.
        k: which diagonal: 0 the main one, positive ones lie above it.
        dtype: `floatx()` by default.

    Returns:
        A tensor of shape `(N, M)`.
    """
    return _eye(plain(N), plain(N if M is None else M), k, dtypes.standardize_dtype(dtype))


def identity(n: int, dtype: Any = None) -> Tensor:
    """The identity matrix of `n` rows. See `eye`."""
    return eye(n, dtype=dtype)


def tri(N: int, M: int | None = None, k: int = 0, dtype: Any = None) -> Tensor:  # noqa: N803
    """A matrix with ones on and below a diagonal. See `eye`."""
    rows, columns = arange(N), arange(N if M is None else M)
    below = expand_dims(rows, 1) >= expand_dims(subtract(columns, k), 0)
    return cast(below, dtypes.standardize_dtype(dtype))
