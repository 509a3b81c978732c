"""Products of vectors, matrices and tensors, norms and factorisations."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from keraslite.core import contraction, dtypes, shapes
from keraslite.core.op import Tensor, TensorLike, composite, kernel, primitive
from keraslite.core.promotion import ACCUMULATE, FLOAT, PROMOTE, DtypeRule
from keraslite.ops.arithmetic import absolute, conj, multiply, power, sqrt, square, subtract
from keraslite.ops.core import cast, shape
from keraslite.ops.indexing import take
from keraslite.ops.joining import stack
from keraslite.ops.logic import not_equal
from keraslite.ops.reductions import max, min, sum
from keraslite.ops.shaping import (
    diagonal,
    expand_dims,
    moveaxis,
    ravel,
    reshape,
    squeeze,
    swapaxes,
)

__all__ = [
    "cholesky",
    "cross",
    "det",
    "dot",
    "eigh",
    "einsum",
    "inner",
    "inv",
    "kron",
    "lu_factor",
    "matmul",
    "norm",
    "outer",
    "qr",
    "solve",
    "solve_triangular",
    "svd",
    "tensordot",
    "trace",
    "vdot",
]

# Products --------------------------------------------------------------------------


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


@composite(contraction.cross, PROMOTE)
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
    contraction.cross(shape(x1), shape(x2), axisa, axisb, axisc, axis)
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


# Norms -----------------------------------------------------------------------------


def _norm_axes(rank: int, ord: Any, axis: Any) -> tuple[int, ...]:
    if axis is None and ord is not None and rank > 2:
        raise ValueError("Name one or two axes: a tensor has a norm of an order over these only.")
    axes = shapes.canonical_axes(axis, rank)
    if axis is not None and len(axes) > 2:
        raise ValueError("`axis` must be an axis or a pair of axes.")
    if isinstance(ord, str) and (len(axes) != 2 or ord not in ("fro", "nuc")):
        raise ValueError("The orders of vectors are numbers, of matrices also 'fro' and 'nuc'.")
    if len(axes) == 2 and ord not in (None, "fro", "nuc", 1, -1, 2, -2, _INF, -_INF):
        raise ValueError("`ord` of matrices must be 'fro', 'nuc', 1, -1, 2, -2 or infinite.")
    return axes


_INF = float("inf")


def _norm_shape(x: Any, ord: Any = None, axis: Any = None, keepdims: bool = False) -> Any:
    return shapes.reduce(x, _norm_axes(len(x), ord, axis), keepdims)


@composite(_norm_shape, FLOAT)
def norm(
    x: TensorLike,
    ord: int | float | str | None = None,
    axis: int | Sequence[int] | None = None,
    keepdims: bool = False,
) -> Tensor:
    """The norm of vectors or matrices.

    Args:
        x: a tensor.
        ord: its order. For vectors a number `p`: the `p`-th root of the sum of the `p`-th
            powers; infinite ones take the largest and the smallest, 0 counts what is not
            zero. For matrices `"fro"`, `"nuc"` (the sum of singular values), 1 and infinity
            (the largest sum of a column and of a row), 2 (the largest singular value), and
            their negatives for the smallest. None: the root of the sum of squares.
        axis: the axis of vectors or the two of matrices; None takes all.
        keepdims: whether these axes stay with size 1.

    Returns:
        A float tensor without these axes.

    Raises:
        ValueError: for an order that the axes do not have.

    Example:
        >>> keras.ops.norm([3.0, 4.0])
        5.
    """
    axes = _norm_axes(len(x.shape), ord, axis)
    if ord in (None, "fro") or (ord == 2 and len(axes) == 1):
        return sqrt(sum(square(absolute(x)), axes, keepdims))
    if len(axes) == 1:
        return _vector_norm(absolute(x), ord, axes, keepdims)
    return _matrix_norm(x, ord, axes, keepdims)


def _vector_norm(size: Tensor, ord: Any, axes: tuple[int, ...], keepdims: bool) -> Tensor:
    if ord == _INF:
        return max(size, axes, keepdims)
    if ord == -_INF:
        return min(size, axes, keepdims)
    if ord == 0:
        return sum(cast(not_equal(size, 0), size.dtype), axes, keepdims)
    if ord == 1:
        return sum(size, axes, keepdims)
    return power(sum(power(size, ord), axes, keepdims), 1 / ord)


def _matrix_norm(x: Tensor, ord: Any, axes: tuple[int, ...], keepdims: bool) -> Tensor:
    extreme = min if isinstance(ord, (int, float)) and ord < 0 else max
    if ord in (2, -2, "nuc"):
        values = svd(moveaxis(x, axes, (-2, -1)), full_matrices=False, compute_uv=False)
        found = (sum if ord == "nuc" else extreme)(values, -1)
        return expand_dims(found, sorted(axes)) if keepdims else found
    rows, columns = axes
    if ord in (_INF, -_INF):
        rows, columns = columns, rows
    sums = sum(absolute(x), rows, keepdims=True)
    found = extreme(sums, columns, keepdims=True)
    return found if keepdims else squeeze(found, axes)


# Factorisations and solutions --------------------------------------------------------


@composite(shapes.square_matrix, FLOAT, native=False)
def cholesky(x: TensorLike, upper: bool = False) -> Tensor:
    """The triangular matrix `L` with `x = L L^T`.

    Args:
        x: symmetric positive definite matrices of shape `(..., n, n)`.
        upper: whether to return the upper triangle `L^T`.

    Returns:
        A tensor of the shape of `x`.

    Raises:
        ValueError: if a matrix is not square.
    """
    lower = _cholesky(x)
    return swapaxes(lower, -1, -2) if upper else lower


_cholesky = kernel("cholesky")


@primitive(shapes.square_matrix, FLOAT)
def inv(x: TensorLike) -> Tensor:
    """The inverse of square matrices.

    Args:
        x: of shape `(..., n, n)`.

    Returns:
        A tensor of the shape of `x`.

    Raises:
        ValueError: if a matrix is not square.
    """


def _det_shape(x: Any) -> Any:
    return shapes.square_matrix(x)[:-2]


@primitive(_det_shape, FLOAT)
def det(x: TensorLike) -> Tensor:
    """The determinant of square matrices.

    Args:
        x: of shape `(..., n, n)`.

    Returns:
        A tensor of shape `x.shape[:-2]`.
    """


def _solve_shape(a: Any, b: Any, *static: Any) -> Any:
    shapes.square_matrix(a)
    vectors = len(b) == 1
    return contraction.matmul(a, b) if vectors else (*contraction.matmul(a, b)[:-1], b[-1])


@primitive(_solve_shape, FLOAT)
def solve(a: TensorLike, b: TensorLike) -> Tensor:
    """The `x` of `a x = b`.

    Args:
        a: square matrices of shape `(..., n, n)`.
        b: of shape `(n,)` or `(..., n, k)`.

    Returns:
        A tensor of the shape of `b`.

    Raises:
        ValueError: if shapes do not fit.
    """


@primitive(_solve_shape, FLOAT)
def solve_triangular(a: TensorLike, b: TensorLike, lower: bool = False) -> Tensor:
    """The `x` of `a x = b`, for triangular `a`; its other triangle is not read.

    Args:
        a: triangular matrices of shape `(..., n, n)`.
        b: of shape `(n,)` or `(..., n, k)`.
        lower: whether `a` is a lower triangle.

    Returns:
        A tensor of the shape of `b`.
    """


@primitive(None, FLOAT)
def qr(x: TensorLike, mode: str = "reduced") -> tuple[Tensor, Tensor]:
    """Orthonormal `q` and upper triangular `r` with `x = q r`.

    Args:
        x: of shape `(..., m, n)`.
        mode: `"reduced"`: `q` has `min(m, n)` columns; `"complete"`: it is square.

    Returns:
        `(q, r)`.
    """


@primitive(None, FLOAT)
def svd(x: TensorLike, full_matrices: bool = True, compute_uv: bool = True) -> Any:
    """The singular value decomposition `x = u diag(s) v`.

    Args:
        x: of shape `(..., m, n)`.
        full_matrices: whether `u` and `v` are square.
        compute_uv: whether to return them, or `s` alone.

    Returns:
        `(u, s, v)` or `s`, with the singular values in falling order.
    """


@primitive(None, FLOAT)
def eigh(x: TensorLike) -> tuple[Tensor, Tensor]:
    """Eigenvalues, rising, and eigenvectors (columns) of symmetric matrices.

    Args:
        x: of shape `(..., n, n)`.

    Returns:
        `(values, vectors)` of shapes `(..., n)` and `(..., n, n)`.
    """


@primitive(None, FLOAT)
def lu_factor(x: TensorLike) -> tuple[Tensor, Tensor]:
    """The LU decomposition with partial pivoting.

    Args:
        x: of shape `(..., n, n)`.

    Returns:
        `(lu, pivots)`: both triangles in one tensor (the diagonal of the lower one is 1),
        and the rows that were exchanged, as int32.
    """
