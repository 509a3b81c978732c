"""Conversion, dtypes, shapes: what a tensor is and how it is made from something else."""

from __future__ import annotations

import math
from typing import Any

import ml_dtypes
import numpy as np

from keraslite.backend import engine
from keraslite.core import dtypes, shapes
from keraslite.core.errors import describe
from keraslite.core.keras_tensor import KerasTensor
from keraslite.core.op import Tensor, TensorLike, composite, kernel, plain
from keraslite.core.promotion import TO_INDEX
from keraslite.core.variable import Variable

__all__ = [
    "array",
    "cast",
    "convert_to_numpy",
    "convert_to_tensor",
    "copy",
    "dtype",
    "is_tensor",
    "ndim",
    "shape",
    "size",
    "stop_gradient",
]


def is_tensor(x: object) -> bool:
    """Whether `x` is a tensor of the chosen engine (a `KerasTensor` is none).

    Example:
        >>> keras.ops.is_tensor(keras.ops.ones(2)), keras.ops.is_tensor([1.0])
        (True, False)
    """
    return engine.is_tensor(x)


def convert_to_tensor(
    x: TensorLike, dtype: Any = None, sparse: bool | None = None, ragged: bool | None = None
) -> Tensor:
    """Make a tensor of the chosen engine.

    Args:
        x: a tensor, variable, array, number or nested list of numbers.
        dtype: of the result. By default arrays and tensors keep theirs; Python numbers
            become bool, int32 or `floatx()`.
        sparse: False makes a sparse tensor dense.
        ragged: False makes a ragged tensor dense.

    Returns:
        A tensor. A `KerasTensor` comes back, with its dtype changed if asked for.

    Raises:
        ValueError: if `x` cannot be converted.

    Example:
        >>> keras.ops.convert_to_tensor([1, 2], dtype="float32")
        array([1., 2.])
    """
    wanted = None if dtype is None else dtypes.standardize_dtype(dtype)
    if isinstance(x, KerasTensor):
        return x if wanted in (None, x.dtype) else cast(x, wanted)
    if isinstance(x, Variable):
        x = x.value
    if type(x) in engine.tensor_types:
        return x if wanted in (None, engine.dtype(x)) else engine.cast(x, wanted)
    if x is None:
        raise ValueError("`convert_to_tensor` needs a value. Received: x=None")
    if engine.is_tensor(x) and not (sparse is False or ragged is False):
        return x if wanted in (None, engine.dtype(x)) else engine.cast(x, wanted)
    try:
        return engine.convert(x, wanted)
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"`convert_to_tensor` could not make a tensor: {error}. Received: x={describe(x)}, "
            f"dtype={dtype}"
        ) from error


def array(x: TensorLike, dtype: Any = None) -> Tensor:
    """Make a tensor, as `convert_to_tensor` does."""
    return convert_to_tensor(x, dtype)


def convert_to_numpy(x: TensorLike) -> np.ndarray:
    """Copy a tensor to host memory.

    Args:
        x: a tensor, variable, array, number or nested list.

    Returns:
        A NumPy array; bfloat16 and float8 have the dtypes of `ml_dtypes`.

    Raises:
        ValueError: for a `KerasTensor`, which has no value.

    Example:
        >>> keras.ops.convert_to_numpy(keras.ops.arange(3))
        array([0, 1, 2], dtype=int32)
    """
    if isinstance(x, KerasTensor):
        raise ValueError(f"{x!r} has no value that could become a NumPy array.")
    if isinstance(x, Variable):
        x = x.value
    return engine.to_numpy(x) if engine.is_tensor(x) else np.array(x)


@composite(shapes.same, native=False)
def _cast(x: TensorLike, dtype: str) -> Tensor:
    return engine.cast(x, dtype)


def cast(x: TensorLike, dtype: Any) -> Tensor:
    """Change the dtype.

    Floats become integers by dropping the fraction; anything but zero becomes True.

    Args:
        x: a tensor.
        dtype: of the result.

    Returns:
        A tensor shaped like `x`.

    Example:
        >>> keras.ops.cast([1.7, -1.7], "int32")
        array([ 1, -1], dtype=int32)
    """
    return _cast(x, dtypes.standardize_dtype(dtype))


def limits(dtype: str) -> tuple[Any, Any]:
    """The smallest and the largest finite number of a dtype."""
    if dtype == "bool":
        return 0, 1
    info = ml_dtypes.iinfo if dtypes.is_int(dtype) else ml_dtypes.finfo
    found = info(dtypes.numpy_dtype(dtype))
    return found.min, found.max


def sizes(shape: Any) -> tuple[Any, ...]:
    """A shape, given as a number, a list or integers in an array, as a tuple."""
    if type(shape) is tuple:
        return tuple(n if type(n) is int else plain(n) for n in shape)
    shape = plain(shape)
    if engine.is_tensor(shape) and len(shape.shape) == 1:
        return tuple(shape[i] for i in range(shape.shape[0]))
    return shape if isinstance(shape, tuple) else (shape,)


def widened(x: Tensor) -> Tensor:
    """`x` as float32 where it has only 16 bits: for what needs precision on the way."""
    return cast(x, "float32") if dtype(x) in ("float16", "bfloat16") else x


@composite(shapes.same, native=False)
def stop_gradient(variable: TensorLike) -> Tensor:
    """The value itself, through which no gradient flows.

    Args:
        variable: a tensor or variable.

    Returns:
        A tensor of the same value.
    """
    return engine.stop_gradient(variable)


# Tensors that are values need no copying; an engine whose tensors can change has a kernel.
_copy_kernel = kernel("copy", lambda x: x)


@composite(shapes.same, native=False)
def copy(x: TensorLike) -> Tensor:
    """A copy of `x`.

    Args:
        x: a tensor.

    Returns:
        A tensor with memory of its own.
    """
    return _copy_kernel(x)


def as_tensor(x: TensorLike) -> Any:
    """`x` as something that has a shape: symbolic tensors and variables stay themselves."""
    return x if isinstance(x, (KerasTensor, Variable)) else convert_to_tensor(x)


def shape(x: TensorLike) -> tuple[Any, ...]:
    """The shape, with scalar tensors for sizes that only a compiled graph will know.

    Args:
        x: a tensor; of a `KerasTensor` unknown sizes are None.

    Returns:
        A tuple.

    Example:
        >>> keras.ops.shape(keras.ops.zeros((2, 3)))
        (2, 3)
    """
    if isinstance(x, (KerasTensor, Variable)):
        return x.shape
    return engine.dynamic_shape(convert_to_tensor(x))


@composite(shapes.scalar, TO_INDEX, native=False)
def _size(x: TensorLike) -> Tensor:
    return engine.convert(math.prod(engine.dynamic_shape(x)), "int32")


def size(x: TensorLike) -> Any:
    """The number of elements.

    Args:
        x: a tensor.

    Returns:
        An int, or an int32 scalar where sizes are not known yet.

    Example:
        >>> keras.ops.size(keras.ops.zeros((2, 3)))
        6
    """
    known = as_tensor(x).shape
    return _size(x) if None in known else math.prod(known)


def ndim(x: TensorLike) -> int:
    """The number of axes.

    Example:
        >>> keras.ops.ndim(keras.ops.zeros((2, 3)))
        2
    """
    return len(as_tensor(x).shape)


def dtype(x: TensorLike) -> str:
    """The name of the dtype of a tensor.

    Example:
        >>> keras.ops.dtype(keras.ops.zeros(2))
        'float32'
    """
    x = as_tensor(x)
    return engine.dtype(x) if engine.is_tensor(x) else x.dtype
