"""Activations, normalization and attention."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from typing import Any

import torch

_nn = torch._C._nn

relu = torch.relu
relu6 = torch.nn.functional.relu6
leaky_relu = _nn.leaky_relu
elu = _nn.elu
selu = torch.selu
silu = _nn.silu
softplus = _nn.softplus
log_sigmoid = _nn.log_sigmoid
softmax = torch.softmax
log_softmax = torch.log_softmax


def gelu(x: torch.Tensor, approximate: bool = True) -> torch.Tensor:
    return _nn.gelu(x, approximate="tanh" if approximate else "none")


def softsign(x: torch.Tensor) -> torch.Tensor:
    return x / (1 + torch.abs(x))


# Normalization --------------------------------------------------------------------


def batch_normalization(
    x: torch.Tensor,
    mean: torch.Tensor,
    variance: torch.Tensor,
    axis: int,
    offset: torch.Tensor | None = None,
    scale: torch.Tensor | None = None,
    epsilon: float = 1e-3,
) -> torch.Tensor:
    x = x.movedim(axis, 1)
    parameters = (mean, variance, scale, offset)
    sizes = (x.shape[1],)
    mean, variance, scale, offset = (
        None if p is None else p.broadcast_to(sizes) for p in parameters
    )
    if not (mean.requires_grad or variance.requires_grad):
        # For torch's kernel both are constants.
        y = torch.batch_norm(x, scale, offset, mean, variance, False, 0.0, epsilon, False)
        return y.movedim(1, axis)
    factor = torch.rsqrt(variance + epsilon)
    if scale is not None:
        factor = factor * scale
    shift = -mean * factor
    if offset is not None:
        shift = shift + offset
    shape = (-1,) + (1,) * (x.ndim - 2)
    return torch.addcmul(shift.reshape(shape), x, factor.reshape(shape)).movedim(1, axis)


def _over_axes(
    native: Callable[..., torch.Tensor],
    x: torch.Tensor,
    axis: int | tuple[int, ...],
    parameters: Sequence[torch.Tensor | None],
    epsilon: float,
) -> torch.Tensor:
    """`native`, which normalizes over the last axes, over any."""
    rank = x.ndim
    axes = [a % rank for a in ((axis,) if isinstance(axis, int) else axis)]
    last = list(range(rank - len(axes), rank))
    trailing = axes == last
    if not trailing:
        x = x.movedim(axes, last)
    sizes = x.shape[rank - len(axes) :]
    given = (None if p is None else p.broadcast_to(sizes) for p in parameters)
    y = native(x, sizes, *given, epsilon)
    return y if trailing else y.movedim(last, axes)


def layer_normalization(
    x: torch.Tensor,
    gamma: torch.Tensor | None = None,
    beta: torch.Tensor | None = None,
    axis: int | tuple[int, ...] = -1,
    epsilon: float = 1e-3,
) -> torch.Tensor:
    return _over_axes(torch.layer_norm, x, axis, (gamma, beta), epsilon)


def rms_normalization(
    x: torch.Tensor,
    scale: torch.Tensor | None = None,
    axis: int | tuple[int, ...] = -1,
    epsilon: float = 1e-3,
) -> torch.Tensor:
    return _over_axes(torch.rms_norm, x, axis, (scale,), epsilon)


# Attention ------------------------------------------------------------------------


def _kernels(flash_attention: bool | None) -> contextlib.AbstractContextManager[Any]:
    if flash_attention is None:
        return contextlib.nullcontext()
    from torch.nn.attention import SDPBackend, sdpa_kernel

    if flash_attention:
        return sdpa_kernel([SDPBackend.FLASH_ATTENTION])
    return sdpa_kernel([SDPBackend.EFFICIENT_ATTENTION, SDPBackend.MATH])


def dot_product_attention(
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    bias: torch.Tensor | None = None,
    mask: torch.Tensor | None = None,
    scale: float | None = None,
    is_causal: bool = False,
    flash_attention: bool | None = None,
) -> torch.Tensor:
    if is_causal and (mask is not None or bias is not None):
        causal = torch.ones(
            query.shape[1], key.shape[1], dtype=torch.bool, device=query.device
        ).tril()
        mask = causal if mask is None else mask & causal
        is_causal = False
    if mask is not None:
        # A finite number: a row that is masked as a whole then gives the mean of the
        # values, as on other engines, where torch's own masks give 0.
        least = -0.7 * torch.finfo(query.dtype).max
        zero = torch.zeros((), dtype=query.dtype, device=query.device) if bias is None else bias
        bias = torch.where(mask, zero, least)
    with _kernels(flash_attention):
        attended = _nn.scaled_dot_product_attention(
            query.transpose(1, 2),
            key.transpose(1, 2),
            value.transpose(1, 2),
            attn_mask=None if bias is None else bias.to(query.dtype),
            is_causal=is_causal,
            scale=scale,
            enable_gqa=query.shape[2] != key.shape[2],
        )
    return attended.transpose(1, 2)
