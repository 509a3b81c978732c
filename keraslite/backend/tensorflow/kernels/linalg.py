"""Products of matrices, decompositions, solvers."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from keraslite.backend.tensorflow import support as s
from keraslite.backend.tensorflow.kernels import elementwise as _elementwise

_raw = tf.raw_ops
_Tensor = Any


def _matmul(x1: _Tensor, x2: _Tensor) -> _Tensor:
    first, second = s.rank(x1), s.rank(x2)
    if first == 2 and second == 2:
        return _raw.MatMul(a=x1, b=x2)
    if first == 1:
        found = _matmul(_raw.ExpandDims(input=x1, axis=0), x2)
        return _raw.Squeeze(input=found, axis=[-1 if second == 1 else -2])
    if second == 1:
        return _raw.Squeeze(input=_matmul(x1, _raw.ExpandDims(input=x2, axis=1)), axis=[-1])
    if second == 2 and 0 not in x1.shape:
        # One large product runs faster than a batch of small ones.
        *batch, inner = s.sizes(x1)
        found = _raw.MatMul(a=s.reshape(x1, (-1, inner)), b=x2)
        return s.reshape(found, (*batch, s.sizes(x2)[1]))
    return _raw.BatchMatMulV2(x=x1, y=x2)


matmul = s.widened(_matmul, s.WIDE_INT)


def einsum(subscripts: str, *operands: _Tensor) -> _Tensor:
    dtype = operands[0].dtype
    wide = s.WIDE_INT.get(dtype)
    if wide is not None:
        return s.cast(einsum(subscripts, *(s.cast(x, wide) for x in operands)), dtype)
    equation = subscripts.replace(" ", "")
    if len(operands) <= 2 and "->" in equation:
        return _raw.Einsum(inputs=operands, equation=equation)
    return tf.einsum(equation, *operands)


tensordot = s.widened(lambda x1, x2, axes=2: tf.tensordot(x1, x2, axes), s.WIDE_INT)


def dot(x1: _Tensor, x2: _Tensor) -> _Tensor:
    x1, x2 = s.pair(x1, x2)
    first, second = s.rank(x1), s.rank(x2)
    if not first or not second:
        return _elementwise.multiply(x1, x2)
    if second <= 2:
        return matmul(x1, x2)
    return tensordot(x1, x2, [[first - 1], [second - 2]])


# Decompositions --------------------------------------------------------------------------


cholesky = tf.linalg.cholesky
det = tf.linalg.det
inv = tf.linalg.inv
eig = tf.linalg.eig
eigh = tf.linalg.eigh
slogdet = tf.linalg.slogdet


def qr(x: _Tensor, mode: str = "reduced") -> tuple[_Tensor, _Tensor]:
    return tuple(tf.linalg.qr(x, full_matrices=mode == "complete"))


def svd(x: _Tensor, full_matrices: bool = True, compute_uv: bool = True) -> Any:
    if not compute_uv:
        return tf.linalg.svd(x, compute_uv=False)
    values, left, right = tf.linalg.svd(x, full_matrices=full_matrices)
    return left, values, tf.linalg.adjoint(right)


def lu_factor(x: _Tensor) -> tuple[_Tensor, _Tensor]:
    """Packed factors and LAPACK's pivots: row `i` was exchanged with row `pivots[i]`."""
    factors, order = tf.linalg.lu(x)
    count = min(x.shape[-2:])
    place = tf.range(order.shape[-1])

    def exchange(i: _Tensor, rows: _Tensor, pivots: _Tensor) -> tuple[_Tensor, ...]:
        mine, wanted = rows[..., i, None], order[..., i, None]
        at = tf.argmax(s.cast(rows == wanted, tf.int32), -1, tf.int32)[..., None]
        rows = tf.where(place == i, wanted, tf.where(place == at, mine, rows))
        return i + 1, rows, tf.where(place == i, at, pivots)

    unsorted = tf.zeros_like(order) + place
    _, _, pivots = tf.while_loop(lambda i, *_: i < count, exchange, (0, unsorted, unsorted))
    return factors, pivots[..., :count]


# Solvers ---------------------------------------------------------------------------------


def _as_columns(solve: Any, a: _Tensor, b: _Tensor) -> _Tensor:
    """`solve(a, b)` where `b` may be one vector per matrix."""
    if s.rank(b) == s.rank(a) - 1:
        return _raw.Squeeze(input=solve(a, _raw.ExpandDims(input=b, axis=-1)), axis=[-1])
    return solve(a, b)


def solve(a: _Tensor, b: _Tensor) -> _Tensor:
    return _as_columns(tf.linalg.solve, a, b)


def solve_triangular(a: _Tensor, b: _Tensor, lower: bool = False) -> _Tensor:
    return _as_columns(lambda a, b: tf.linalg.triangular_solve(a, b, lower=lower), a, b)
