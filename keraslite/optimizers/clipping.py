"""Clipping of gradients by their norms (https://arxiv.org/abs/1211.5063)."""

from __future__ import annotations

from keraslite import ops
from keraslite.core.op import Tensor


def _shrink(norm: Tensor, limit: float) -> Tensor:
    """By what to multiply so that a norm is at most `limit`."""
    return limit / ops.maximum(norm, limit)


def clip_by_norm(gradient: Tensor, limit: float) -> Tensor:
    """A gradient of norm at most `limit`, in the same direction."""
    return gradient * _shrink(ops.sqrt(ops.sum(ops.square(gradient))), limit)


def global_norm(gradients: list[Tensor]) -> Tensor:
    """The norm of all gradients together, in float32."""
    squares = [ops.cast(ops.sum(ops.square(g)), "float32") for g in gradients]
    return ops.sqrt(ops.sum(ops.stack(squares)))


def clip_by_global_norm(gradients: list[Tensor], limit: float) -> list[Tensor]:
    """Gradients whose norm together is at most `limit`, in the same direction."""
    factor = _shrink(global_norm(gradients), limit)
    return [g * ops.cast(factor, ops.dtype(g)) for g in gradients]
