"""Reductions, scans over an axis, and sorting."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

Axis = int | tuple[int, ...] | None


def _reduction(native: Callable[..., torch.Tensor]) -> Callable[..., torch.Tensor]:
    """`native(x, axes, keepdims)`, where no axes at all means nothing to reduce.

    torch takes an empty tuple for all axes, NumPy for none.
    """

    def kernel(x: torch.Tensor, axis: Axis = None, keepdims: bool = False) -> torch.Tensor:
        if isinstance(axis, tuple) and not axis:
            return native(x.unsqueeze(-1), -1, False)
        return native(x, axis, keepdims)

    return kernel


def _axes(x: torch.Tensor, axis: Axis) -> Any:
    """`axis` with None spelt out."""
    return axis if axis is not None else tuple(range(x.ndim)) or 0


@_reduction
def sum_(x, axis, keepdims):
    return torch.sum(x, axis, keepdims, dtype=x.dtype)


@_reduction
def prod(x, axis, keepdims):
    places = range(x.ndim)
    axes = places if axis is None else axis if isinstance(axis, tuple) else (axis,)
    for a in sorted((places[a] for a in axes), reverse=True):
        x = torch.prod(x, a, keepdims, dtype=x.dtype)
    return x


@_reduction
def max_(x, axis, keepdims):
    return torch.amax(x, () if axis is None else axis, keepdims)


@_reduction
def min_(x, axis, keepdims):
    return torch.amin(x, () if axis is None else axis, keepdims)


@_reduction
def mean(x, axis, keepdims):
    return torch.mean(x, axis, keepdims)


@_reduction
def var(x, axis, keepdims):
    return torch.var(x, axis, correction=0, keepdim=keepdims)


@_reduction
def std(x, axis, keepdims):
    return torch.std(x, axis, correction=0, keepdim=keepdims)


@_reduction
def any_(x, axis, keepdims):
    return torch.any(x.to(torch.bool), axis, keepdims)


@_reduction
def all_(x, axis, keepdims):
    return torch.all(x.to(torch.bool), axis, keepdims)


@_reduction
def logsumexp(x, axis, keepdims):
    return torch.logsumexp(x, _axes(x, axis), keepdims)


def moments(
    x: torch.Tensor, axes: Axis, keepdims: bool = False
) -> tuple[torch.Tensor, torch.Tensor]:
    """Mean and variance in one pass."""
    variance, average = torch.var_mean(x, _axes(x, axes), correction=0, keepdim=keepdims)
    return average, variance


def _arg(native: Callable[..., torch.Tensor]) -> Callable[..., torch.Tensor]:
    def kernel(x: torch.Tensor, axis: int | None = None, keepdims: bool = False) -> torch.Tensor:
        if x.dtype is torch.bool:
            x = x.to(torch.uint8)
        if axis is None and keepdims:
            return native(x).to(torch.int32).reshape((1,) * x.ndim)
        return native(x, axis, keepdims).to(torch.int32)

    return kernel


argmax = _arg(torch.argmax)
argmin = _arg(torch.argmin)


def _scan(native: Callable[..., torch.Tensor]) -> Callable[..., torch.Tensor]:
    def kernel(x: torch.Tensor, axis: int | None = None) -> torch.Tensor:
        if axis is None:
            x, axis = x.reshape(-1), 0
        return native(x, axis, dtype=x.dtype)

    return kernel


cumsum = _scan(torch.cumsum)
cumprod = _scan(torch.cumprod)

# Sorting --------------------------------------------------------------------------


def sort(x: torch.Tensor, axis: int = -1) -> torch.Tensor:
    return torch.sort(x, dim=axis, stable=True).values


def argsort(x: torch.Tensor, axis: int = -1) -> torch.Tensor:
    return torch.sort(x, dim=axis, stable=True).indices.to(torch.int32)


def top_k(x: torch.Tensor, k: int, sorted: bool = True) -> tuple[torch.Tensor, torch.Tensor]:
    values, indices = torch.topk(x, k, sorted=sorted)
    return values, indices.to(torch.int32)


def searchsorted(
    sorted_sequence: torch.Tensor, values: torch.Tensor, side: str = "left"
) -> torch.Tensor:
    return torch.searchsorted(sorted_sequence, values.contiguous(), out_int32=True, side=side)


def bincount(
    x: torch.Tensor, weights: torch.Tensor | None = None, minlength: int = 0
) -> torch.Tensor:
    dtype = torch.int32 if weights is None else weights.dtype
    x = x.to(torch.int64)
    size = minlength or 0
    if x.numel():
        size = max(int(x.max()) + 1, size)
    rows = x.reshape(-1, x.shape[-1]) if x.ndim > 1 else x.reshape(1, -1)
    ones = torch.ones_like(rows, dtype=dtype) if weights is None else weights.reshape(rows.shape)
    counts = torch.zeros((rows.shape[0], size), dtype=dtype, device=x.device)
    return counts.scatter_add(1, rows, ones).reshape(*x.shape[:-1], size)
