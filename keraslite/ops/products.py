"""Products of vectors, matrices and tensors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from keraslite.core import contraction, dtypes, shapes
from keraslite.core.op import Tensor, TensorLike, composite, kernel, primitive
from keraslite.core.promotion import ACCUMULATE, PROMOTE, DtypeRule
from keraslite.ops.arithmetic import conj, multiply, subtract
from keraslite.ops.core import shape
from keraslite.ops.indexing import take
from keraslite.ops.joining import stack
from keraslite.ops.reductions import sum
from keraslite.ops.shaping import diagonal, ravel, reshape

__all__ = [
    "cross",
    "dot",
    "einsum",
    "inner",
    "kron",
    "matmul",
    "outer",
    "tensordot",
    "trace",
    "vdot",
]


def _product(*names: str) -> str:
    """Products of bytes add up in 32 bits: 8 would overflow at once."""
    return "int32" if all(n == "int8" for n in names) else dtypes.promote(*names)


_PRODUCT = DtypeRule(
    _product, passing=[d for d in (*dtypes.BOOL, *dtypes.INTS, *dtypes.FLOATS) if d != "int8"]
)


@primitive(contraction.matmul, _PRODUCT)
def matmul(x1: TensorLike, x2: TensorLike) -> Tensor:
    """The matrix product.

    Args:
        x1: of shape `(..., n, k)`, or a vector `(k,)`.
        x2: of shape `(..., k, m)`, or a vector `(k,)`.

    Returns:
        A tensor of shape `(..., n, m)` without the axes that a vector lacks; leading axes
        broadcast. Two int8 tensors give int32.

    Raises:
        ValueError: if the inner sizes differ.

    Example:
        >>> keras.ops.matmul([[1, 2], [3, 4]], [1, 1])
        array([3, 7], dtype=int32)
    """


_einsum_kernel = kernel("einsum")


@composite(contraction.einsum, PROMOTE, native=False, checked=True)
def _einsum(operands: Sequence[TensorLike], subscripts: str) -> Tensor:
    return _einsum_kernel(subscripts, *operands)


def einsum(subscripts: str, *operands: TensorLike, **kwargs: Any) -> Tensor:
    """A sum of products, in Einstein's notation.

    Letters name axes: those of one letter are equally long, and what the result does not
    name is summed over. `...` stands for axes that broadcast.

    Args:
        subscripts: such as `"bij,bjk->bik"`.
        operands: a tensor for each term.

    Returns:
        A tensor.

    Raises:
        ValueError: if operands and subscripts do not fit.

    Example:
        >>> keras.ops.einsum("ij,j->i", [[1, 2], [3, 4]], [1, 10])
        array([21, 43], dtype=int32)
    """
    if kwargs:
        raise TypeError(f"ops.einsum got unexpected arguments: {', '.join(kwargs)}")
    return _einsum(operands, subscripts)


@primitive(contraction.tensordot, PROMOTE)
def tensordot(x1: TensorLike, x2: TensorLike, axes: int | Sequence[Any] = 2) -> Tensor:
    """Sum products over pairs of axes.

    Args:
        x1, x2: tensors.
        axes: how many: the last of `x1` with the first of `x2`; or a list of axes for each.

    Returns:
        A tensor of the other axes, those of `x1` first.

    Raises:
        ValueError: if paired sizes differ.
    """


@primitive(contraction.dot, PROMOTE)
def dot(x1: TensorLike, x2: TensorLike) -> Tensor:
    """Sum products over the last axis of `x1` and the last but one of `x2`.

    For vectors the inner product, for matrices the matrix product; a scalar multiplies.

    Args:
        x1, x2: tensors.

    Returns:
        A tensor of the other axes, those of `x1` first.

    Raises:
        ValueError: if the paired sizes differ.
    """


@composite(contraction.inner, PROMOTE)
def inner(x1: TensorLike, x2: TensorLike) -> Tensor:
    """Sum products over the last axes. See `dot`."""
    if len(x1.shape) == 0 or len(x2.shape) == 0:
        return multiply(x1, x2)
    return tensordot(x1, x2, ((-1,), (-1,)))


@composite(contraction.outer, PROMOTE)
def outer(x1: TensorLike, x2: TensorLike) -> Tensor:
    """All products of an element of `x1` with one of `x2`.

    Args:
        x1, x2: tensors, which are flattened.

    Returns:
        A matrix, a row for each element of `x1`.
    """
    return multiply(reshape(x1, (-1, 1)), reshape(x2, (1, -1)))


def _vdot_shape(x1: Any, x2: Any) -> Any:
    return contraction.dot((shapes.size(x1),), (shapes.size(x2),))


@composite(_vdot_shape, PROMOTE)
def vdot(x1: TensorLike, x2: TensorLike) -> Tensor:
    """The inner product of two flattened tensors, the first conjugated.

    Args:
        x1, x2: tensors with the same number of elements.

    Returns:
        A scalar.
    """
    return dot(conj(ravel(x1)), ravel(x2))


def _kron_shape(x1: Any, x2: Any) -> Any:
    rank = len(x1) if len(x1) > len(x2) else len(x2)
    pairs = zip((1,) * (rank - len(x1)) + x1, (1,) * (rank - len(x2)) + x2, strict=True)
    return tuple(None if a is None or b is None else a * b for a, b in pairs)


@composite(_kron_shape, PROMOTE)
def kron(x1: TensorLike, x2: TensorLike) -> Tensor:
    """The Kronecker product: each element of `x1` times the whole of `x2`.

    Args:
        x1, x2: tensors.

    Returns:
        A tensor whose sizes are the products of theirs.
    """
    first, second = shape(x1), shape(x2)
    missing = len(first) - len(second)
    first, second = (1,) * -missing + tuple(first), (1,) * missing + tuple(second)
    left = reshape(x1, [n for size in first for n in (size, 1)])
    right = reshape(x2, [n for size in second for n in (1, size)])
    return reshape(multiply(left, right), [a * b for a, b in zip(first, second, strict=True)])


@composite(contraction.cross, PROMOTE, checked=True)
def cross(
    x1: TensorLike,
    x2: TensorLike,
    axisa: int = -1,
    axisb: int = -1,
    axisc: int = -1,
    axis: int | None = None,
) -> Tensor:
    """The vector product of vectors with 2 or 3 components.

    Args:
        x1, x2: tensors of vectors.
        axisa, axisb: the axes of their components.
        axisc: the axis of the components of the result.
        axis: all three at once.

    Returns:
        A tensor of vectors; of scalars, the third components, if both have 2.

    Raises:
        ValueError: for another number of components.
    """
    if axis is not None:
        axisa = axisb = axisc = axis
    a = [take(x1, i, axisa) for i in range(x1.shape[axisa])]
    b = [take(x2, i, axisb) for i in range(x2.shape[axisb])]
    third = subtract(multiply(a[0], b[1]), multiply(a[1], b[0]))
    if len(a) == len(b) == 2:
        return third
    zero = multiply(a[0], 0)
    a3, b3 = (v[2] if len(v) == 3 else zero for v in (a, b))
    first = subtract(multiply(a[1], b3), multiply(a3, b[1]))
    second = subtract(multiply(a3, b[0]), multiply(a[0], b3))
    return stack([first, second, third], axisc)


@composite(shapes.trace, ACCUMULATE)
def trace(x: TensorLike, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Tensor:
    """The sum of a diagonal. See `diagonal` for arguments."""
    return sum(diagonal(x, offset, axis1, axis2), -1)
