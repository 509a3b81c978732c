"""Products of matrices and linear algebra."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

_linalg = torch.linalg


def _product(native: Callable[..., torch.Tensor]) -> Callable[..., torch.Tensor]:
    """A product that also takes bools, and integers where the device has no kernel for them."""

    def kernel(x1: torch.Tensor, x2: torch.Tensor, *rest: Any) -> torch.Tensor:
        if x1.is_floating_point():
            return native(x1, x2, *rest)
        if x1.dtype is torch.bool:
            return native(x1.to(torch.float32), x2.to(torch.float32), *rest) > 0
        if x1.device.type == "cpu" or x1.is_complex():
            return native(x1, x2, *rest)
        # Exact up to 2**53.
        return native(x1.to(torch.float64), x2.to(torch.float64), *rest).to(x1.dtype)

    return kernel


matmul = _product(torch.matmul)
tensordot = _product(torch.tensordot)


@_product
def dot(x1: torch.Tensor, x2: torch.Tensor) -> torch.Tensor:
    if x1.ndim == 0 or x2.ndim == 0:
        return torch.mul(x1, x2)
    if x2.ndim <= 2:
        return torch.matmul(x1, x2)
    return torch.tensordot(x1, x2, dims=([-1], [-2]))


def einsum(subscripts: str, *operands: torch.Tensor) -> torch.Tensor:
    first = operands[0]
    if first.dtype is torch.bool:
        return torch.einsum(subscripts, *(x.to(torch.float32) for x in operands)) > 0
    if first.is_floating_point() or first.is_complex() or first.device.type == "cpu":
        return torch.einsum(subscripts, *operands)
    return torch.einsum(subscripts, *(x.to(torch.float64) for x in operands)).to(first.dtype)


det = _linalg.det
inv = _linalg.inv
eig = _linalg.eig
slogdet = _linalg.slogdet
cholesky = _linalg.cholesky
cholesky_inverse = torch.cholesky_inverse


def eigh(x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    return tuple(_linalg.eigh(x))


def lu_factor(x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    packed, pivots = _linalg.lu_factor(x)
    return packed, pivots.to(torch.int32) - 1  # LAPACK counts from 1


def norm(x: torch.Tensor, ord: Any = None, axis: Any = None, keepdims: bool = False):
    return _linalg.norm(x, ord=ord, dim=axis, keepdim=keepdims)


def qr(x: torch.Tensor, mode: str = "reduced") -> tuple[torch.Tensor, torch.Tensor]:
    return tuple(_linalg.qr(x, mode=mode))


def solve(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    if b.ndim == a.ndim - 1:
        return _linalg.solve(a, b.unsqueeze(-1)).squeeze(-1)
    return _linalg.solve(a, b)


def solve_triangular(a: torch.Tensor, b: torch.Tensor, lower: bool = False) -> torch.Tensor:
    if b.ndim == a.ndim - 1:
        return solve_triangular(a, b.unsqueeze(-1), lower).squeeze(-1)
    return _linalg.solve_triangular(a, b, upper=not lower)


def svd(x: torch.Tensor, full_matrices: bool = True, compute_uv: bool = True) -> Any:
    if not compute_uv:
        return _linalg.svdvals(x)
    return tuple(_linalg.svd(x, full_matrices=full_matrices))
