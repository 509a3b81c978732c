"""Losses that compare directions, regions and embeddings."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from keraslite import config, ops
from keraslite.backend import engine
from keraslite.core.configurable import shared_arguments
from keraslite.core.op import Tensor, TensorLike
from keraslite.losses.loss import AVERAGE, LossFunctionWrapper
from keraslite.losses.weighting import matched

Axis = int | Sequence[int] | None


def cosine_similarity(y_true: TensorLike, y_pred: TensorLike, axis: int = -1) -> Tensor:
    """Minus the cosine of the angle between two vectors: -1 for one direction, 1 for opposite.

    Args:
        y_true: targets.
        y_pred: predictions, of the same shape.
        axis: the axis of the vectors' elements.

    Returns:
        Tensor of the shape of `y_pred` without `axis`; 0 where a vector is 0.

    Example:
        >>> keras.losses.cosine_similarity([[0.0, 1.0]], [[1.0, 1.0]])
        [-0.707]
    """
    y_true, y_pred = matched(y_true, y_pred)
    y_true, y_pred = ops.normalize(y_true, axis), ops.normalize(y_pred, axis)
    return -ops.sum(y_true * y_pred, axis)


def dice(y_true: TensorLike, y_pred: TensorLike, axis: Axis = None) -> Tensor:
    """One minus the Dice coefficient of two regions: `1 - 2 |t p| / (|t| + |p|)`.

    Milletari et al., https://arxiv.org/abs/1606.04797

    Args:
        y_true: memberships from 0 to 1.
        y_pred: predicted memberships, of the same shape.
        axis: the axes of a region; None takes the whole batch as one.

    Returns:
        Tensor of the shape of `y_pred` without `axis`.

    Example:
        >>> keras.losses.dice([1.0, 0.0], [1.0, 1.0])
        0.333
    """
    y_true, y_pred = matched(y_true, y_pred)
    both = ops.sum(y_true * y_pred, axis)
    total = ops.sum(y_true, axis) + ops.sum(y_pred, axis)
    return 1.0 - ops.divide(2.0 * both, total + config.epsilon())


def tversky(
    y_true: TensorLike,
    y_pred: TensorLike,
    alpha: float = 0.5,
    beta: float = 0.5,
    axis: Axis = None,
) -> Tensor:
    """Dice loss with weights for false negatives and false positives.

    `1 - tp / (tp + alpha fn + beta fp)`, as Keras computes it. Salehi et al., https://arxiv.org/abs/1706.05721

    Args:
        y_true: memberships from 0 to 1.
        y_pred: predicted memberships, of the same shape.
        alpha: weight of what was missed (false negatives).
        beta: weight of false alarms (false positives).
        axis: the axes of a region; None takes the whole batch as one.

    Returns:
        Tensor of the shape of `y_pred` without `axis`.

    Example:
        >>> keras.losses.tversky([1.0, 0.0], [1.0, 1.0], beta=1.0)
        0.5
    """
    y_true, y_pred = matched(y_true, y_pred)
    right = ops.sum(y_true * y_pred, axis)
    alarms = ops.sum((1.0 - y_true) * y_pred, axis)
    missed = ops.sum(y_true * (1.0 - y_pred), axis)
    total = right + alpha * missed + beta * alarms
    return 1.0 - ops.divide(right, total + config.epsilon())


def circle(
    y_true: TensorLike,
    y_pred: TensorLike,
    ref_labels: TensorLike | None = None,
    ref_embeddings: TensorLike | None = None,
    remove_diagonal: bool = True,
    gamma: float = 80,
    margin: float = 0.4,
) -> Tensor:
    """Circle loss: pulls embeddings of one class together and pushes others apart.

    Sun et al., https://arxiv.org/abs/2002.10857

    Args:
        y_true: class numbers, of shape `(batch,)`.
        y_pred: embeddings of length 1, of shape `(batch, n)`.
        ref_labels: class numbers to compare with; `y_true` by default.
        ref_embeddings: embeddings to compare with; `y_pred` by default.
        remove_diagonal: whether to leave out the similarity of an embedding with itself.
        gamma: scale of the similarities.
        margin: how far positive similarities should be from 1, and negative ones from 0.

    Returns:
        Tensor of shape `(batch,)`.
    """
    y_pred = ops.convert_to_tensor(y_pred)
    labels = ops.reshape(ops.cast(y_true, "int32"), (-1, 1))
    others = labels if ref_labels is None else ops.cast(ref_labels, "int32")
    embeddings = y_pred if ref_embeddings is None else ops.cast(ref_embeddings, ops.dtype(y_pred))
    # Cosines; rounding, and embeddings of another length, would lead beyond 1.
    similar = ops.minimum(ops.matmul(y_pred, ops.transpose(embeddings)), 1.0)
    same = ops.equal(labels, ops.reshape(others, (1, -1)))
    positive = same
    if remove_diagonal:
        rows, columns = ops.shape(similar)
        itself = ops.equal(
            ops.expand_dims(ops.arange(rows), 1), ops.expand_dims(ops.arange(columns), 0)
        )
        positive = ops.logical_and(same, ops.logical_not(itself))
    negative = ops.logical_not(same)
    pull = ops.relu(1.0 + margin - similar) * (1.0 - margin - similar)
    push = ops.relu(similar + margin) * (similar - margin)
    total = _log_sum_exp(gamma * pull, positive) + _log_sum_exp(gamma * push, negative)
    loss = ops.softplus(total)
    # Embeddings alone in their class do not count in the mean.
    engine.set_mask(loss, ops.any(positive, axis=-1))
    return loss


def _log_sum_exp(x: Tensor, where: Tensor) -> Tensor:
    """Over each row, of the elements that `where` chooses."""
    return ops.logsumexp(ops.where(where, x, -1e9), axis=-1)


class CosineSimilarity(LossFunctionWrapper):
    """Minus the cosine of the angle between two vectors: see `cosine_similarity`.

    Args:
        axis: the axis of the vectors' elements.
        reduction, name, dtype: see `Loss`.
    """

    def __init__(
        self,
        axis: int = -1,
        reduction: str | None = AVERAGE,
        name: str = "cosine_similarity",
        dtype: Any = None,
    ) -> None:
        super().__init__(cosine_similarity, reduction, name, dtype, axis=axis)


class Dice(LossFunctionWrapper):
    """One minus the Dice coefficient of two regions: see `dice`.

    Args:
        reduction, name: see `Loss`.
        axis: the axes of a region; None takes the whole batch as one.
        dtype: see `Loss`.
    """

    def __init__(
        self,
        reduction: str | None = AVERAGE,
        name: str = "dice",
        axis: Axis = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(dice, reduction, name, dtype, axis=axis)


class Tversky(LossFunctionWrapper):
    """Dice loss with weights for false negatives and false positives: see `tversky`.

    Args:
        alpha: weight of what was missed (false negatives).
        beta: weight of false alarms (false positives).
        reduction, name: see `Loss`.
        axis: the axes of a region; None takes the whole batch as one.
        dtype: see `Loss`.
    """

    def __init__(
        self,
        alpha: float = 0.5,
        beta: float = 0.5,
        reduction: str | None = AVERAGE,
        name: str = "tversky",
        axis: Axis = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(tversky, reduction, name, dtype, alpha=alpha, beta=beta, axis=axis)


class Circle(LossFunctionWrapper):
    """Pulls embeddings of one class together and pushes others apart: see `circle`.

    Args:
        gamma: scale of the similarities.
        margin: how far positive similarities should be from 1, and negative ones from 0.
        remove_diagonal: whether to leave out the similarity of an embedding with itself.
        reduction, name, dtype: see `Loss`.
    """

    _casts_targets = False

    def __init__(
        self,
        gamma: float = 80.0,
        margin: float = 0.4,
        remove_diagonal: bool = True,
        reduction: str | None = AVERAGE,
        name: str = "circle",
        dtype: Any = None,
    ) -> None:
        given = shared_arguments(circle, locals())
        super().__init__(circle, reduction, name, dtype, **given)
