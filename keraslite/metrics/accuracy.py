"""Accuracies: how often predictions are right."""

from __future__ import annotations

from typing import Any

from keraslite import config, ops
from keraslite.core.op import Tensor, TensorLike
from keraslite.losses.weighting import matched, same_rank
from keraslite.metrics.reduction import MeanMetricWrapper

# Functions -----------------------------------------------------------------------


def _hits(condition: Tensor) -> Tensor:
    return ops.cast(condition, config.floatx())


def _labels(y_true: TensorLike, y_pred: Tensor) -> Tensor:
    """Class numbers without the last axis of size 1 that they may have."""
    y_true = ops.convert_to_tensor(y_true)
    if len(y_true.shape) == len(y_pred.shape) and y_true.shape[-1] == 1:
        y_true = ops.squeeze(y_true, -1)
    return ops.cast(y_true, "int32")


def accuracy(y_true: TensorLike, y_pred: TensorLike) -> Tensor:
    """1 where a prediction equals its target, else 0."""
    return _hits(ops.equal(*matched(y_true, y_pred)))


def binary_accuracy(y_true: TensorLike, y_pred: TensorLike, threshold: float = 0.5) -> Tensor:
    """1 where `y_pred > threshold` equals the label, else 0.

    Args:
        y_true: labels 0 and 1.
        y_pred: predictions, of the same shape.
        threshold: above which a prediction means 1.

    Returns:
        Tensor of the shape of `y_pred`.

    Example:
        >>> keras.metrics.binary_accuracy([1.0, 0.0], [0.8, 0.7])
        [1.0, 0.0]
    """
    y_true, y_pred = same_rank(ops.convert_to_tensor(y_true), ops.convert_to_tensor(y_pred))
    said = ops.cast(ops.greater(y_pred, threshold), ops.dtype(y_true))
    return _hits(ops.equal(y_true, said))


def categorical_accuracy(y_true: TensorLike, y_pred: TensorLike) -> Tensor:
    """1 where the greatest prediction is that of the true class, else 0; one-hot labels.

    Args:
        y_true: one-hot labels, of shape `(..., classes)`.
        y_pred: predictions, of the same shape.

    Returns:
        Tensor of shape `(...)`.

    Example:
        >>> keras.metrics.categorical_accuracy([[0, 1], [1, 0]], [[0.1, 0.9], [0.2, 0.8]])
        [1.0, 0.0]
    """
    return _hits(ops.equal(ops.argmax(y_true, axis=-1), ops.argmax(y_pred, axis=-1)))


def sparse_categorical_accuracy(y_true: TensorLike, y_pred: TensorLike) -> Tensor:
    """1 where the greatest prediction is that of the true class, else 0; class numbers.

    Args:
        y_true: class numbers, of shape `(...)` or `(..., 1)`.
        y_pred: predictions, of shape `(..., classes)`.

    Returns:
        Tensor of shape `(...)`.

    Example:
        >>> keras.metrics.sparse_categorical_accuracy([1, 0], [[0.1, 0.9], [0.2, 0.8]])
        [1.0, 0.0]
    """
    y_pred = ops.convert_to_tensor(y_pred)
    return _hits(ops.equal(_labels(y_true, y_pred), ops.argmax(y_pred, axis=-1)))


def top_k_categorical_accuracy(y_true: TensorLike, y_pred: TensorLike, k: int = 5) -> Tensor:
    """1 where the true class is among the `k` greatest predictions, else 0; one-hot labels.

    Args:
        y_true: one-hot labels, of shape `(..., classes)`.
        y_pred: predictions, of the same shape.
        k: how many predictions count.

    Returns:
        Tensor of shape `(...)`.

    Example:
        >>> keras.metrics.top_k_categorical_accuracy([[0, 0, 1]], [[0.1, 0.9, 0.5]], k=2)
        [1.0]
    """
    return sparse_top_k_categorical_accuracy(ops.argmax(y_true, axis=-1), y_pred, k)


def sparse_top_k_categorical_accuracy(
    y_true: TensorLike, y_pred: TensorLike, k: int = 5, from_sorted_ids: bool = False
) -> Tensor:
    """1 where the true class is among the `k` greatest predictions, else 0; class numbers.

    Args:
        y_true: class numbers, of shape `(...)` or `(..., 1)`.
        y_pred: predictions, of shape `(..., classes)`.
        k: how many predictions count.
        from_sorted_ids: whether `y_pred` holds class numbers, best first, in the place of
            predictions.

    Returns:
        Tensor of shape `(...)`.

    Example:
        >>> keras.metrics.sparse_top_k_categorical_accuracy([2], [[0.1, 0.9, 0.5]], k=2)
        [1.0]
    """
    y_pred = ops.convert_to_tensor(y_pred)
    labels = ops.expand_dims(_labels(y_true, y_pred), -1)
    if from_sorted_ids:
        best = ops.cast(y_pred[..., :k], "int32")
        return _hits(ops.any(ops.equal(best, labels), axis=-1))
    # Predictions that tie with the true one do not push it out.
    score = ops.take_along_axis(y_pred, labels, axis=-1)
    better = ops.sum(ops.cast(ops.greater(y_pred, score), "int32"), axis=-1)
    hit = ops.logical_and(better < k, ops.isfinite(ops.squeeze(score, -1)))
    return _hits(hit)


# Classes ---------------------------------------------------------------------------


class Accuracy(MeanMetricWrapper):
    """How often predictions equal targets.

    Args:
        name, dtype: see `Metric`.

    Example:
        >>> metric = keras.metrics.Accuracy()
        >>> float(metric([1, 2, 3, 4], [0, 2, 3, 4]))
        0.75
    """

    _direction = "up"

    def __init__(self, name: str = "accuracy", dtype: Any = None) -> None:
        super().__init__(accuracy, name, dtype)


class BinaryAccuracy(MeanMetricWrapper):
    """How often predictions are on the right side of a threshold: see `binary_accuracy`.

    Args:
        name, dtype: see `Metric`.
        threshold: above which a prediction means 1.
    """

    _direction = "up"

    def __init__(
        self, name: str = "binary_accuracy", dtype: Any = None, threshold: float = 0.5
    ) -> None:
        super().__init__(binary_accuracy, name, dtype, threshold=threshold)


class CategoricalAccuracy(MeanMetricWrapper):
    """How often the greatest prediction is right, for one-hot labels: see `categorical_accuracy`.

    Args:
        name, dtype: see `Metric`.
    """

    _direction = "up"

    def __init__(self, name: str = "categorical_accuracy", dtype: Any = None) -> None:
        super().__init__(categorical_accuracy, name, dtype)


class SparseCategoricalAccuracy(MeanMetricWrapper):
    """How often the greatest prediction is right, for class numbers.

    See `sparse_categorical_accuracy`.

    Args:
        name, dtype: see `Metric`.
    """

    _direction = "up"

    def __init__(self, name: str = "sparse_categorical_accuracy", dtype: Any = None) -> None:
        super().__init__(sparse_categorical_accuracy, name, dtype)


class TopKCategoricalAccuracy(MeanMetricWrapper):
    """How often the true class is among the best `k`, for one-hot labels.

    See `top_k_categorical_accuracy`.

    Args:
        k: how many predictions count.
        name, dtype: see `Metric`.
    """

    _direction = "up"

    def __init__(
        self, k: int = 5, name: str = "top_k_categorical_accuracy", dtype: Any = None
    ) -> None:
        super().__init__(top_k_categorical_accuracy, name, dtype, k=k)


class SparseTopKCategoricalAccuracy(MeanMetricWrapper):
    """How often the true class is among the best `k`, for class numbers.

    See `sparse_top_k_categorical_accuracy`.

    Args:
        k: how many predictions count.
        name, dtype: see `Metric`.
        from_sorted_ids: whether predictions are class numbers, best first.
    """

    _direction = "up"

    def __init__(
        self,
        k: int = 5,
        name: str = "sparse_top_k_categorical_accuracy",
        dtype: Any = None,
        from_sorted_ids: bool = False,
    ) -> None:
        super().__init__(
            sparse_top_k_categorical_accuracy, name, dtype, k=k, from_sorted_ids=from_sorted_ids
        )
