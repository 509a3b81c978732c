"""Metrics of predicted numbers beyond the losses: RMSE, cosine, R2 and correlations."""

from __future__ import annotations

import math
from typing import Any

from keraslite import config, losses, ops
from keraslite.core.errors import check_choice
from keraslite.core.op import Tensor, TensorLike
from keraslite.losses.weighting import mask_of, matched
from keraslite.metrics.confusion import spread
from keraslite.metrics.fscore import check_2d, check_seen
from keraslite.metrics.metric import ExactMetric
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
        Tensor of the shape of `y_pred` without `axis`; NaN where either does not vary.

    Example:
        >>> keras.metrics.pearson_correlation([[0.0, 1.0, 0.5]], [[0.1, 0.9, 1.0]])
        [0.821]
    """
    y_true, y_pred = matched(y_true, y_pred)
    y_true, y_pred = _centred(y_true, axis), _centred(y_pred, axis)
    sizes = ops.sum(ops.square(y_true), axis) * ops.sum(ops.square(y_pred), axis)
    # Not a division by zero, which NumPy warns of.
    sizes = ops.where(ops.equal(sizes, 0.0), math.nan, sizes)
    return ops.sum(y_true * y_pred, axis) / ops.sqrt(sizes)


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
    variance = ops.mean(ops.square(y_true), axis) + ops.mean(ops.square(y_pred), axis)
    return 2.0 * ops.mean(y_true * y_pred, axis) / (variance + distance + config.epsilon())


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


_AGGREGATIONS = (None, "uniform_average", "variance_weighted_average")


class R2Score(ExactMetric):
    """Share of the targets' variance that predictions explain: `1 - sum(e**2) / sum(c**2)`.

    `e` are errors, `c` targets less their mean. 1 is perfect, 0 as good as the mean.

    Args:
        class_aggregation: `"uniform_average"` is the mean over columns,
            `"variance_weighted_average"` that by the variance of their targets, None gives one
            score for each column.
        num_regressors: number of inputs of the model; above 0 the score is adjusted for them,
            unless there are too few samples for that.
        name, dtype: see `Metric`.

    Raises:
        ValueError: for an unknown aggregation, or a negative number.

    Example:
        >>> metric = keras.metrics.R2Score()
        >>> float(metric([[1.0], [4.0], [3.0]], [[2.0], [4.0], [4.0]]))
        0.571
    """

    _direction = "up"

    def __init__(
        self,
        class_aggregation: str | None = "uniform_average",
        num_regressors: int = 0,
        name: str = "r2_score",
        dtype: Any = None,
    ) -> None:
        super().__init__(name=name, dtype=dtype)
        check_choice(self, _AGGREGATIONS, class_aggregation=class_aggregation)
        if num_regressors < 0:
            raise ValueError(
                f"R2Score: `num_regressors` must be at least 0. Received: {num_regressors}"
            )
        self.class_aggregation = class_aggregation
        self.num_regressors = num_regressors
        self.num_samples = self.add_weight(name="num_samples")

    def _prepare(self, y_true: Any, y_pred: Any) -> None:
        if "count" not in vars(self):
            check_2d(self, y_pred, y_pred)
            shape = (y_pred.shape[1],)
            self.squared_sum = self.add_weight(shape, name="squared_sum")
            self.sum = self.add_weight(shape, name="sum")
            self.residual = self.add_weight(shape, name="residual")
            self.count = self.add_weight(shape, name="count")

    def update_state(
        self, y_true: TensorLike, y_pred: TensorLike, sample_weight: TensorLike | None = None
    ) -> None:
        """Take a batch in.

        Args:
            y_true: targets, of shape `(batch, columns)`.
            y_pred: predictions, of the same shape.
            sample_weight: one weight for each sample, or for each number.
        """
        y_true = ops.convert_to_tensor(y_true, self._sums_in)
        y_pred = ops.convert_to_tensor(y_pred, self._sums_in)
        check_2d(self, y_true, y_pred)
        self._prepare(y_true, y_pred)
        weights = spread(1.0 if sample_weight is None else sample_weight, y_true, self._sums_in)
        for variable, values in (
            (self.squared_sum, weights * ops.square(y_true)),
            (self.sum, weights * y_true),
            (self.residual, weights * ops.square(y_true - y_pred)),
            (self.count, weights),
        ):
            variable.assign(variable.value + ops.sum(values, axis=0))
        self.num_samples.assign(self.num_samples.value + ops.sum(ops.ones_like(y_true)))

    def result(self) -> Tensor:
        check_seen(self, "count")
        total = self.squared_sum.value - ops.square(self.sum.value) / self.count.value
        score = 1.0 - self.residual.value / total
        # Targets that do not vary explain nothing.
        score = ops.where(ops.isinf(score), ops.zeros_like(score), score)
        if self.class_aggregation == "uniform_average":
            score = ops.mean(score)
        elif self.class_aggregation == "variance_weighted_average":
            score = ops.sum(score * total) / ops.sum(total)
        if not self.num_regressors:
            return score
        free = self.num_samples.value - self.num_regressors - 1.0
        enough = free > 0
        adjusted = 1.0 - (1.0 - score) * (self.num_samples.value - 1.0) / ops.where(
            enough, free, 1.0
        )
        return ops.where(enough, adjusted, score)
