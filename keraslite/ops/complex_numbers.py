"""Complex numbers: their parts, and how they come from pairs of real numbers."""

from __future__ import annotations

from keraslite.core import dtypes
from keraslite.core.op import Tensor, TensorLike, composite, kernel, primitive
from keraslite.core.promotion import FLOAT, KEEP
from keraslite.ops.core import cast
from keraslite.ops.joining import stack
from keraslite.ops.transcendental import arctan2

__all__ = ["angle", "imag", "real", "view_as_complex", "view_as_real"]


@primitive(None, KEEP)
def real(x: TensorLike) -> Tensor:
    """The real part; a tensor that is not complex is its own.

    Args:
        x: a tensor.

    Returns:
        A tensor shaped like `x`.

    Example:
        >>> keras.ops.real(keras.ops.array([1 + 2j]))
        array([1.])
    """


@primitive(None, KEEP)
def imag(x: TensorLike) -> Tensor:
    """The imaginary part; 0 for a tensor that is not complex. See `real`."""


@composite(None, FLOAT)
def angle(x: TensorLike) -> Tensor:
    """The angle to the positive real axis, in radians from -pi to pi.

    Args:
        x: a tensor, complex or not.

    Returns:
        A float tensor shaped like `x`.

    Example:
        >>> keras.ops.angle(keras.ops.array([1j, -1]))
        array([1.5707964, 3.1415927])
    """
    return arctan2(imag(x), real(x))


_make_complex = kernel("make_complex")


@composite(None, FLOAT, native=False)
def view_as_complex(x: TensorLike) -> Tensor:
    """Pairs of real and imaginary parts as complex numbers.

    Args:
        x: a tensor with a last axis of size 2.

    Returns:
        A complex64 tensor without this axis.

    Raises:
        ValueError: for another size of the last axis.

    Example:
        >>> keras.ops.view_as_complex([[1.0, 2.0]])
        array([1.+2.j])
    """
    if "complex" in dtypes.standardize_dtype(x.dtype) or tuple(x.shape[-1:]) != (2,):
        raise ValueError(
            "ops.view_as_complex: `x` must be real, with a last axis of size 2, the real and the "
            f"imaginary parts. Received: x of shape {tuple(x.shape)} and dtype {x.dtype}"
        )
    x = cast(x, "float32")
    return _make_complex(x[..., 0], x[..., 1])


@composite(None, KEEP)
def view_as_real(x: TensorLike) -> Tensor:
    """Complex numbers as pairs of their real and imaginary parts.

    Args:
        x: a tensor.

    Returns:
        A real tensor with one more axis of size 2, the last.

    Example:
        >>> keras.ops.view_as_real(keras.ops.array([1 + 2j]))
        array([[1., 2.]])
    """
    return stack([real(x), imag(x)], -1)
