"""Losses of predicted distributions: Kullback-Leibler, Poisson and label sequences (CTC)."""

from __future__ import annotations

from typing import Any

from keraslite import config, ops
from keraslite.core.op import Tensor, TensorLike
from keraslite.losses.loss import AVERAGE, LossFunctionWrapper
from keraslite.losses.weighting import matched


def kl_divergence(y_true: TensorLike, y_pred: TensorLike) -> Tensor:
    """Kullback-Leibler divergence: `sum(y_true * log(y_true / y_pred), axis=-1)`.

    Probabilities below `epsilon()` count as that.

    Args:
        y_true: true distributions, of shape `(..., n)`.
        y_pred: predicted distributions, of the same shape.

    Returns:
        Tensor of shape `(...)`.

    Example:
        >>> keras.losses.kl_divergence([[0.5, 0.5]], [[0.25, 0.75]])
        [0.144]
    """
    y_true, y_pred = matched(y_true, y_pred)
    y_true = ops.clip(y_true, config.epsilon(), 1.0)
    y_pred = ops.clip(y_pred, config.epsilon(), 1.0)
    return ops.sum(y_true * ops.log(y_true / y_pred), axis=-1)


def poisson(y_true: TensorLike, y_pred: TensorLike) -> Tensor:
    """Negative log-likelihood of counts, but for a constant: `mean(y_pred - y_true log(y_pred))`.

    Args:
        y_true: counts, of shape `(..., n)`.
        y_pred: predicted rates, of the same shape.

    Returns:
        Tensor of shape `(...)`.

    Example:
        >>> keras.losses.poisson([[1.0, 2.0]], [[1.0, 1.0]])
        [1.0]
    """
    y_true, y_pred = matched(y_true, y_pred)
    return ops.mean(y_pred - y_true * ops.log(y_pred + config.epsilon()), axis=-1)


def ctc(y_true: TensorLike, y_pred: TensorLike) -> Tensor:
    """Connectionist temporal classification: -log of the probability of a label sequence.

    Graves et al., https://doi.org/10.1145/1143844.1143891

    Args:
        y_true: class numbers, of shape `(batch, labels)`; 0 is padding, and the blank.
        y_pred: logits, of shape `(batch, steps, classes)`.

    Returns:
        Tensor of shape `(batch,)`.

    Raises:
        ValueError: if the ranks are not 2 and 3.
    """
    y_true, y_pred = ops.convert_to_tensor(y_true), ops.convert_to_tensor(y_pred)
    if len(y_true.shape) != 2 or len(y_pred.shape) != 3:
        raise ValueError(
            "ctc: expected `y_true` of shape (batch, labels) and `y_pred` of shape (batch, steps, "
            f"classes). Received: {tuple(y_true.shape)} and {tuple(y_pred.shape)}"
        )
    batch, steps = ops.shape(y_pred)[:2]
    lengths = ops.sum(ops.cast(ops.not_equal(y_true, 0), "int32"), axis=-1)
    return ops.ctc_loss(
        ops.cast(y_true, "int32"),
        y_pred,
        lengths,
        ops.broadcast_to(ops.cast(steps, "int32"), (batch,)),
        mask_index=0,
    )


class KLDivergence(LossFunctionWrapper):
    """Kullback-Leibler divergence of two distributions: see `kl_divergence`.

    Args:
        reduction, name, dtype: see `Loss`.
    """

    def __init__(
        self, reduction: str | None = AVERAGE, name: str = "kl_divergence", dtype: Any = None
    ) -> None:
        super().__init__(kl_divergence, reduction, name, dtype)


class Poisson(LossFunctionWrapper):
    """Negative log-likelihood of counts: see `poisson`.

    Args:
        reduction, name, dtype: see `Loss`.
    """

    def __init__(
        self, reduction: str | None = AVERAGE, name: str = "poisson", dtype: Any = None
    ) -> None:
        super().__init__(poisson, reduction, name, dtype)


class CTC(LossFunctionWrapper):
    """Connectionist temporal classification: see `ctc`.

    Args:
        reduction, name, dtype: see `Loss`.
    """

    _casts_targets = False

    def __init__(
        self, reduction: str | None = AVERAGE, name: str = "ctc", dtype: Any = None
    ) -> None:
        super().__init__(ctc, reduction, name, dtype)
