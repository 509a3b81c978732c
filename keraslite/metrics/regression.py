"""Metrics of predicted numbers beyond the losses: RMSE, cosine, R2 and correlations."""

from __future__ import annotations

from typing import Any

from keraslite import config, losses, ops
from keraslite.core.op import Tensor, TensorLike
from keraslite.losses.weighting import mask_of, matched
from keraslite.metrics.reduction import Mean, MeanMetricWrapper

# Functions -----------------------------------------------------------------------


def _cosine(y_true: TensorLike, y_pred: TensorLike, axis: int = -1) -> Tensor:
    return -losses.cosine_similarity(y_true, y_pred, axis)


def _centred(x: Tensor, axis: Any) -> Tensor:
    return x - ops.mean(x, axis, keepdims=True)


def pearson_correlation(y_true: TensorLike, y_pred: TensorLike, axis: Any = -1) -> Tensor:
    """Pearson's correlation coefficient: `cov(t, p) / (std(t) std(p))`.

    Args:
        y_true: targets.
        y_pred: predictions, of the same shape.
        axis: along which to correlate.

    Returns:
        Tensor of the shape of `y_pred` without `axis`.

    Example:
        >>> keras.metrics.pearson_correlation([[0.0, 1.0, 0.5]], [[0.1, 0.9, 1.0]])
        [0.821]
    """
    y_true, y_pred = matched(y_true, y_pred)
    y_true, y_pred = _centred(y_true, axis), _centred(y_pred, axis)
    sizes = ops.sum(ops.square(y_true), axis) * ops.sum(ops.square(y_pred), axis)
    return ops.sum(y_true * y_pred, axis) / ops.maximum(ops.sqrt(sizes), config.epsilon())


def concordance_correlation(y_true: TensorLike, y_pred: TensorLike, axis: Any = -1) -> Tensor:
    """Lin's concordance: `2 cov(t, p) / (var(t) + var(p) + (mean(t) - mean(p))**2)`.

    1 only where predictions equal targets. Lin, https://doi.org/10.2307/2532051

    Args:
        y_true: targets.
        y_pred: predictions, of the same shape.
        axis: along which to correlate.

    Returns:
        Tensor of the shape of `y_pred` without `axis`.

    Example:
        >>> keras.metrics.concordance_correlation([[0.0, 1.0, 0.5]], [[0.1, 0.9, 1.0]])
        [0.745]
    """
    y_true, y_pred = matched(y_true, y_pred)
    distance = ops.square(ops.mean(y_true, axis) - ops.mean(y_pred, axis))
    y_true, y_pred = _centred(y_true, axis), _centred(y_pred, axis)
    spread = ops.mean(ops.square(y_true), axis) + ops.mean(ops.square(y_pred), axis)
    return 2.0 * ops.mean(y_true * y_pred, axis) / (spread + distance + config.epsilon())


# Classes ---------------------------------------------------------------------------


class RootMeanSquaredError(Mean):
    """Square root of the mean of squared differences over all batches.

    Args:
        name, dtype: see `Metric`.

    Example:
        >>> metric = keras.metrics.RootMeanSquaredError()
        >>> float(metric([[0.0, 1.0]], [[3.0, 5.0]]))
        3.536
    """

    _direction = "down"

    def __init__(self, name: str = "root_mean_squared_error", dtype: Any = None) -> None:
        super().__init__(name, dtype)

    def update_state(
        self, y_true: TensorLike, y_pred: TensorLike, sample_weight: TensorLike | None = None
    ) -> None:
        """Take a batch in: targets, predictions, and one weight for each sample or value."""
        mask = mask_of(y_pred)
        y_true, y_pred = matched(y_true, y_pred)
        self._take(ops.square(y_true - y_pred), sample_weight, mask)

    def result(self) -> Tensor:
        return ops.sqrt(super().result())


class CosineSimilarity(MeanMetricWrapper):
    """Mean cosine of the angle between targets and predictions; 1 for one direction.

    Args:
        name, dtype: see `Metric`.
        axis: the axis of the vectors' elements.
    """

    _direction = "up"

    def __init__(self, name: str = "cosine_similarity", dtype: Any = None, axis: int = -1) -> None:
        super().__init__(_cosine, name, dtype, axis=axis)


class PearsonCorrelation(MeanMetricWrapper):
    """Mean of Pearson's correlation coefficients: see `pearson_correlation`.

    Args:
        name, dtype: see `Metric`.
        axis: along which to correlate.
    """

    _direction = "up"

    def __init__(
        self, name: str = "pearson_correlation", dtype: Any = None, axis: Any = -1
    ) -> None:
        super().__init__(pearson_correlation, name, dtype, axis=axis)


class ConcordanceCorrelation(MeanMetricWrapper):
    """Mean of Lin's concordance coefficients: see `concordance_correlation`.

    Args:
        name, dtype: see `Metric`.
        axis: along which to correlate.
    """

    _direction = "up"

    def __init__(
        self, name: str = "concordance_correlation", dtype: Any = None, axis: Any = -1
    ) -> None:
        super().__init__(concordance_correlation, name, dtype, axis=axis)
