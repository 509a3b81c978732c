"""Products, decompositions, Fourier transforms.

MLX decomposes on the CPU, and without derivatives. Those here are from Giles, "Collected matrix
derivative results for forward and reverse mode algorithmic differentiation" (2008).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import mlx.core as mx

from keraslite_mlx.kernels.elementwise import make_complex
from keraslite_mlx.kernels.precision import exact, widened
from keraslite_mlx.kernels.shape import tril, triu

Array = mx.array


# Products --------------------------------------------------------------------------


def tensordot(x1: Array, x2: Array, axes: Any = 2) -> Array:
    if not isinstance(axes, int):
        axes = [[a] if isinstance(a, int) else list(a) for a in axes]
    return mx.tensordot(x1, x2, axes)


def dot(x1: Array, x2: Array) -> Array:
    if x1.ndim == 0 or x2.ndim == 0:
        return x1 * x2
    return mx.tensordot(x1, x2, [[-1 % x1.ndim], [max(x2.ndim - 2, 0)]])


def einsum(subscripts: str, *operands: Array) -> Array:
    return exact(lambda *xs: mx.einsum(subscripts, *xs))(*operands)


# Decompositions ----------------------------------------------------------------------


def _t(x: Array) -> Array:
    return mx.swapaxes(x, -1, -2)


def _diagonal(values: Array) -> Array:
    return values[..., None] * mx.eye(values.shape[-1], dtype=values.dtype)


def _differentiable(
    forward: Callable[..., Any], backward: Callable[..., Any]
) -> Callable[..., Any]:
    """`forward(*arrays)` whose gradients are `backward(arrays, upstream, outputs)`."""
    run = mx.custom_function(forward)
    run.vjp(backward)
    return run


def _inv_grad(x: Array, g: Array, y: Array) -> Array:
    return -(_t(y) @ g @ _t(y))


inv = _differentiable(lambda x: mx.linalg.inv(x, stream=mx.cpu), _inv_grad)


def _solve_grad(xs: tuple[Array, Array], g: Array, y: Array) -> tuple[Array, Array]:
    a, _ = xs
    right = _solve(_t(a), g)
    return -(right @ _t(y)), right


_solve = _differentiable(lambda a, b: mx.linalg.solve(a, b, stream=mx.cpu), _solve_grad)


def solve(a: Array, b: Array) -> Array:
    return _solve(a, b[..., None])[..., 0] if b.ndim == a.ndim - 1 else _solve(a, b)


def solve_triangular(a: Array, b: Array, lower: bool = False) -> Array:
    # Masked, so that the gradient of the other triangle is zero.
    return solve(tril(a) if lower else triu(a), b)


def _cholesky_grad(x: Array, g: Array, y: Array) -> Array:
    inner = tril(_t(y) @ tril(g))
    inner = inner - _diagonal(mx.diagonal(inner, 0, -2, -1)) / 2
    inverse = inv(y)
    found = _t(inverse) @ inner @ inverse
    return (found + _t(found)) / 2


_cholesky = _differentiable(lambda x: mx.linalg.cholesky(x, stream=mx.cpu), _cholesky_grad)


def cholesky(x: Array, upper: bool = False) -> Array:
    found = _cholesky(x)
    return _t(found) if upper else found


def slogdet(x: Array) -> tuple[Array, Array]:
    return tuple(mx.linalg.slogdet(x, stream=mx.cpu))


def det(x: Array) -> Array:
    return mx.linalg.det(x, stream=mx.cpu)


def _without_gradient(name: str, forward: Callable[..., Any]) -> Callable[..., Any]:
    def refuse(*args: Any) -> Any:
        raise NotImplementedError(
            f"The engine 'mlx' does not support the gradient of `ops.{name}`. Choose another one: "
            "set KERAS_BACKEND to 'jax', 'torch' or 'tensorflow' before importing keraslite."
        )

    return _differentiable(forward, refuse)


_lu = _without_gradient("lu_factor", lambda x: list(mx.linalg.lu_factor(x, stream=mx.cpu)))


def lu_factor(x: Array) -> tuple[Array, Array]:
    lu, pivots = _lu(x)
    return lu, pivots.astype(mx.int32)


def _qr_grad(x: Array, upstream: Any, outputs: Any) -> Array:
    (gq, gr), (q, r) = upstream, outputs
    inner = r @ _t(gr) - _t(gq) @ q
    symmetric = tril(inner) + _t(tril(inner, -1))
    return _t(_solve(r, _t(gq + q @ symmetric)))


_qr = _differentiable(lambda x: list(mx.linalg.qr(x, stream=mx.cpu)), _qr_grad)
_wide_qr = _without_gradient("qr", lambda x: list(mx.linalg.qr(x, stream=mx.cpu)))


def qr(x: Array, mode: str = "reduced") -> tuple[Array, Array]:
    rows, columns = x.shape[-2:]
    if mode == "complete" and rows > columns:
        # The missing columns of Q come from more columns of x, whatever they are.
        more = mx.broadcast_to(mx.eye(rows, dtype=x.dtype), (*x.shape[:-1], rows))
        q, r = _wide_qr(mx.concatenate([x, more], -1))
        return q, r[..., :columns]
    return tuple(_qr(x) if rows >= columns else _wide_qr(x))


def _reduced(x: Array) -> list[Array]:
    left, values, right = mx.linalg.svd(x, stream=mx.cpu)
    n = values.shape[-1]
    return [left[..., :n], values, right[..., :n, :]]


def _svd_grad(x: Any, upstream: Any, outputs: Any) -> Array:
    (gu, gs, gv), (u, s, vt) = upstream, outputs
    v, gv = _t(vt), _t(gv)
    eye = mx.eye(s.shape[-1], dtype=s.dtype)
    gaps = mx.square(s)[..., None, :] - mx.square(s)[..., :, None]
    f = (1 - eye) / (gaps + eye)
    row, column = s[..., None, :], s[..., :, None]
    inverse = 1 / row

    def part(vectors: Array, g: Array) -> Array:
        inner = _t(vectors) @ g
        return f * (inner - _t(inner))

    middle = part(u, gu) * row + column * part(v, gv) + gs[..., None] * eye
    found = u @ middle @ vt
    # What the vectors leave out of their spaces.
    found = found + (gu - u @ (_t(u) @ gu)) * inverse @ vt
    return found + u * inverse @ _t(gv - v @ (_t(v) @ gv))


_svd = _differentiable(_reduced, _svd_grad)
_full_svd = _without_gradient("svd", lambda x: list(mx.linalg.svd(x, stream=mx.cpu)))


def svd(x: Array, full_matrices: bool = True, compute_uv: bool = True) -> Any:
    if full_matrices and compute_uv and x.shape[-1] != x.shape[-2]:
        return tuple(_full_svd(x))
    found = tuple(_svd(x))
    return found if compute_uv else found[1]


def _eigh_grad(x: Any, upstream: Any, outputs: Any) -> Array:
    (gw, gv), (w, v) = upstream, outputs
    eye = mx.eye(w.shape[-1], dtype=w.dtype)
    f = (1 - eye) / (w[..., None, :] - w[..., :, None] + eye)
    found = v @ (gw[..., None] * eye + f * (_t(v) @ gv)) @ _t(v)
    return (found + _t(found)) / 2


_eigh = _differentiable(lambda x: list(mx.linalg.eigh(x, stream=mx.cpu)), _eigh_grad)


def eigh(x: Array) -> tuple[Array, Array]:
    return tuple(_eigh(x))


_eig = _without_gradient("eig", lambda x: list(mx.linalg.eig(x, stream=mx.cpu)))


def eig(x: Array) -> tuple[Array, Array]:
    return tuple(_eig(x))


# Fourier transforms ------------------------------------------------------------------


def fft(real: Array, imag: Array, rank: int = 1, inverse: bool = False) -> tuple[Array, Array]:
    transform = mx.fft.ifftn if inverse else mx.fft.fftn
    return _parts(transform(make_complex(real, imag), axes=tuple(range(-rank, 0))), real)


def rfft(x: Array, n: int) -> tuple[Array, Array]:
    return _parts(mx.fft.rfft(x, n), x)


def irfft(real: Array, imag: Array, n: int) -> Array:
    return mx.fft.irfft(make_complex(real, imag), n).astype(real.dtype)


def _parts(x: Array, like: Array) -> tuple[Array, Array]:
    return mx.real(x).astype(like.dtype), mx.imag(x).astype(like.dtype)


_widened = (
    inv, solve, solve_triangular, cholesky, slogdet, det, lu_factor, qr, svd, eigh, eig,
)  # fmt: skip

KERNELS: dict[str, Callable[..., Any]] = {
    "matmul": exact(mx.matmul),
    "tensordot": exact(tensordot),
    "dot": exact(dot),
    "einsum": einsum,
    "inv": widened(lambda x: inv(x)),
    **{fn.__name__: widened(fn) for fn in _widened if fn is not inv},
    **{fn.__name__: fn for fn in (fft, rfft, irfft)},
}
