"""Shapes of targets, predictions, weights and masks, and how weighted losses become one number."""

from __future__ import annotations

from typing import Any

from keraslite import ops
from keraslite.backend import engine
from keraslite.core.op import Tensor, TensorLike

REDUCTIONS = ("sum_over_batch_size", "sum", "mean", "mean_with_sample_weight", "none", None)


def same_rank(x1: Tensor, x2: Tensor) -> tuple[Tensor, Tensor]:
    """Give two tensors whose ranks differ by a last axis of size 1 the same rank.

    The last axis is dropped from the greater one, or added to the other where that one is
    a vector: a vector stands for a batch.
    """
    rank1, rank2 = len(x1.shape), len(x2.shape)
    if rank1 - rank2 == 1 and x1.shape[-1] == 1:
        return (x1, ops.expand_dims(x2, -1)) if rank2 == 1 else (ops.squeeze(x1, -1), x2)
    if rank2 - rank1 == 1 and x2.shape[-1] == 1:
        return (ops.expand_dims(x1, -1), x2) if rank1 == 1 else (x1, ops.squeeze(x2, -1))
    return x1, x2


def alike(y_true: TensorLike, y_pred: TensorLike) -> tuple[Tensor, Tensor]:
    """Targets and predictions as tensors of the predictions' dtype."""
    y_pred = ops.convert_to_tensor(y_pred)
    return ops.convert_to_tensor(y_true, ops.dtype(y_pred)), y_pred


def matched(y_true: TensorLike, y_pred: TensorLike) -> tuple[Tensor, Tensor]:
    """Targets and predictions as tensors of the predictions' dtype and of one rank."""
    return same_rank(*alike(y_true, y_pred))


def from_the_left(weights: Tensor, values: Tensor) -> Tensor:
    """`weights` with axes of size 1 at its end, so that its first axes meet those of `values`.

    Raises:
        ValueError: if the shapes do not fit.
    """
    given, wanted = tuple(weights.shape), tuple(values.shape)
    fit = len(given) <= len(wanted) and all(
        a is None or b is None or a in (1, b) for a, b in zip(given, wanted, strict=False)
    )
    if not fit:
        raise ValueError(
            f"Sample weights or mask do not fit the values that they weigh: expected shape "
            f"{wanted}, or its first sizes. Received: shape {given}"
        )
    if 0 < len(given) < len(wanted):
        # The batch may have a size that is not known, so `reshape` would not do.
        weights = ops.expand_dims(weights, tuple(range(len(given), len(wanted))))
    return weights


def weights_of(sample_weight: TensorLike | None, mask: Tensor | None, dtype: str) -> Tensor | None:
    """One tensor of weights from sample weights and a mask; None where there is neither."""
    weights = None if sample_weight is None else ops.convert_to_tensor(sample_weight, dtype)
    if mask is None:
        return weights
    mask = ops.cast(mask, dtype)
    if weights is None:
        return mask
    weights, mask = same_rank(weights, mask)
    if len(weights.shape) < len(mask.shape):
        weights = from_the_left(weights, mask)
    elif len(mask.shape) < len(weights.shape):
        mask = from_the_left(mask, weights)
    return weights * mask


def with_weights(
    values: Tensor, sample_weight: TensorLike | None, mask: Tensor | None, dtype: str
) -> tuple[Tensor, Tensor | None]:
    """`values` and weights of the same rank; the weights are None where there are none."""
    weights = weights_of(sample_weight, mask, dtype)
    if weights is not None:
        if not len(values.shape):
            # One value stands for the whole batch: it counts once for each weight.
            values = ops.broadcast_to(values, ops.shape(weights))
        values, weights = same_rank(values, weights)
        weights = from_the_left(weights, values)
    return values, weights


def reduce_weighted(
    values: Tensor,
    sample_weight: TensorLike | None,
    mask: Tensor | None,
    reduction: str | None,
    dtype: str,
) -> Tensor:
    """Weigh `values` and reduce them.

    What a mask hides counts neither in the sum nor in the number to divide by. The mean of
    nothing is 0.
    """
    values, weights = with_weights(values, sample_weight, mask, dtype)
    if weights is not None:
        values = values * weights
    if reduction in ("none", None):
        return values
    if reduction == "sum":
        return ops.sum(values)
    counted = weights if reduction == "mean_with_sample_weight" else mask
    if counted is None:
        return ops.mean(values)
    if counted is mask:
        mask = same_rank(values, ops.cast(mask, dtype))[1]
        counted = from_the_left(mask, values)
    return ops.divide_no_nan(ops.sum(values), ops.sum(ops.broadcast_to(counted, ops.shape(values))))


def mask_of(x: Any) -> Tensor | None:
    """The mask that a layer attached to `x`."""
    return engine.get_mask(x) if engine.is_tensor(x) else None
