"""Factorisations of matrices, and what follows from them: inverses, solutions, determinants."""

from __future__ import annotations

from typing import Any

import ml_dtypes

from keraslite.core import contraction, dtypes, shapes
from keraslite.core.op import Tensor, TensorLike, composite, kernel, primitive
from keraslite.core.promotion import FLOAT, DtypeRule
from keraslite.ops.arithmetic import conj, maximum, multiply, reciprocal
from keraslite.ops.core import cast, convert_to_tensor, dtype, shape, widened
from keraslite.ops.creation import eye
from keraslite.ops.logic import greater, where
from keraslite.ops.products import matmul
from keraslite.ops.reductions import max, sum
from keraslite.ops.shaping import broadcast_to, expand_dims, swapaxes

__all__ = [
    "cholesky",
    "cholesky_inverse",
    "det",
    "eig",
    "eigh",
    "inv",
    "logdet",
    "lstsq",
    "lu_factor",
    "matrix_rank",
    "pinv",
    "qr",
    "slogdet",
    "solve",
    "solve_triangular",
    "svd",
]

# Factorisations ----------------------------------------------------------------------


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


_eig = kernel("eig")


@composite(None, FLOAT, native=False)
def eig(x: TensorLike) -> tuple[Tensor, Tensor]:
    """Eigenvalues and eigenvectors (columns) of square matrices.

    Args:
        x: of shape `(..., n, n)`.

    Returns:
        `(values, vectors)` of shapes `(..., n)` and `(..., n, n)`, both complex, in no
        particular order.

    Raises:
        ValueError: if a matrix is not square.
    """
    try:
        shapes.square_matrix(x.shape)
    except ValueError as error:
        raise ValueError(f"ops.eig: {error} Received: x of shape {tuple(x.shape)}") from None
    return _eig(widened(x))


# Inverses and solutions --------------------------------------------------------------


@composite(shapes.square_matrix, FLOAT, checked=True)
def cholesky_inverse(x: TensorLike, upper: bool = False) -> Tensor:
    """The inverse of `a` from its Cholesky factor.

    Args:
        x: triangular matrices `L` of shape `(..., n, n)`, with `a = L L^T`; the other
            triangle is not read.
        upper: whether they are upper triangles `U`, with `a = U^T U`.

    Returns:
        A tensor of the shape of `x`.

    Raises:
        ValueError: if a matrix is not square.
    """
    identity = broadcast_to(eye(shape(x)[-1], dtype=dtype(x)), shape(x))
    inverse = solve_triangular(x, identity, not upper)
    other = swapaxes(inverse, -1, -2)
    return matmul(inverse, other) if upper else matmul(other, inverse)


def _swapped(x: Any, *static: Any) -> Any:
    shapes.rank_at_least(x, 2)
    return (*x[:-2], x[-1], x[-2])


@composite(_swapped, FLOAT, native=False, checked=True)
def pinv(x: TensorLike, rcond: Any = None) -> Tensor:
    """The Moore-Penrose pseudo-inverse, by singular values.

    Args:
        x: matrices of shape `(..., m, n)`.
        rcond: singular values up to `rcond` times the largest count as 0: a number, or one
            for each matrix. By default `10 * max(m, n)` times the precision of the dtype.

    Returns:
        A tensor of shape `(..., n, m)`.
    """
    wide = widened(x)
    left, values, right = svd(wide, full_matrices=False)
    if rcond is None:
        rcond = 10 * _size_and_precision(wide, values)
    limit = multiply(max(values, -1, keepdims=True), _for_each(rcond, values))
    used = greater(values, limit)
    # The inner `where` keeps the gradient finite.
    inverse = where(used, reciprocal(where(used, values, 1)), 0)
    scaled = multiply(_adjoint(right), expand_dims(inverse, -2))
    return cast(matmul(scaled, _adjoint(left)), dtype(x))


def _adjoint(x: Tensor) -> Tensor:
    return conj(swapaxes(x, -1, -2))


def _size_and_precision(x: Tensor, values: Tensor) -> Any:
    """The larger of the two sizes times the distance of 1 from the next number."""
    info = ml_dtypes.finfo(dtypes.numpy_dtype(dtype(values)))
    return cast(maximum(*shape(x)[-2:]), dtype(values)) * float(info.eps)


def _for_each(limit: Any, values: Tensor) -> Any:
    """A limit, a number or one for each matrix, to compare singular values with."""
    limit = convert_to_tensor(limit, dtype(values))
    return expand_dims(limit, -1) if len(limit.shape) else limit


def _lstsq_shape(a: Any, b: Any, rcond: Any = None) -> Any:
    shapes.rank_at_least(a, 2, "a")
    return contraction.matmul(_swapped(a), b)


@composite(_lstsq_shape, FLOAT, native=False, checked=True)
def lstsq(a: TensorLike, b: TensorLike, rcond: Any = None) -> Tensor:
    """The `x` for which `a x` comes nearest to `b`; of several the one of least norm.

    Args:
        a: matrices of shape `(..., m, n)`.
        b: of shape `(m,)` or `(..., m, k)`.
        rcond: singular values up to `rcond` times the largest count as 0. See `pinv`.

    Returns:
        A tensor of shape `(n,)` or `(..., n, k)`.

    Raises:
        ValueError: if shapes do not fit.

    Example:
        >>> keras.ops.lstsq([[1.0], [1.0]], [1.0, 3.0])
        array([2.])
    """
    return matmul(pinv(a, rcond), b)


_RANK = DtypeRule(dtypes.promote_float, output="int32", passing=dtypes.FLOATS + dtypes.COMPLEX)


def _rank_shape(x: Any, tol: Any = None) -> Any:
    shapes.rank_at_least(x, 2)
    return tuple(x[:-2])


@composite(_rank_shape, _RANK, native=False, checked=True)
def matrix_rank(x: TensorLike, tol: Any = None) -> Tensor:
    """How many singular values are not zero: the number of independent rows.

    Args:
        x: matrices of shape `(..., m, n)`.
        tol: singular values up to it count as 0: a number, or one for each matrix. By
            default `max(m, n)` times the precision of the dtype times the largest value.

    Returns:
        An int32 tensor of shape `x.shape[:-2]`.
    """
    x = widened(x)
    values = svd(x, full_matrices=False, compute_uv=False)
    if tol is None:
        limit = multiply(max(values, -1, keepdims=True), _size_and_precision(x, values))
    else:
        limit = _for_each(tol, values)
    return sum(cast(greater(values, limit), "int32"), -1)


# Determinants --------------------------------------------------------------------------


def _determinant_shapes(x: Any) -> Any:
    return (_det_shape(x),) * 2


_slogdet = kernel("slogdet")


@composite(_determinant_shapes, FLOAT, native=False, checked=True)
def slogdet(x: TensorLike) -> tuple[Tensor, Tensor]:
    """The sign of the determinant, and the logarithm of its size, without overflow.

    Args:
        x: of shape `(..., n, n)`.

    Returns:
        `(sign, logarithm)`, each of shape `x.shape[:-2]`: the determinant is
        `sign * exp(logarithm)`. Of a singular matrix 0 and -inf.

    Raises:
        ValueError: if a matrix is not square.

    Example:
        >>> keras.ops.slogdet([[0.0, 1.0], [1.0, 0.0]])
        (-1., 0.)
    """
    sign, logarithm = _slogdet(widened(x))
    return cast(sign, dtype(x)), cast(logarithm, dtype(x))


@composite(_det_shape, FLOAT, native=False, checked=True)
def logdet(x: TensorLike) -> Tensor:
    """The logarithm of the size of the determinant. See `slogdet`."""
    return slogdet(x)[1]
