"""F-scores: one number for precision and recall."""

from __future__ import annotations

from typing import Any

from keraslite import config, ops
from keraslite.core.errors import check_choice, describe
from keraslite.core.op import Tensor, TensorLike
from keraslite.losses.weighting import from_the_left
from keraslite.metrics.metric import Metric

_AVERAGES = (None, "micro", "macro", "weighted")
_NAMES = ("true_positives", "false_positives", "false_negatives", "intermediate_weights")


def check_2d(metric: Metric, y_true: Tensor, y_pred: Tensor) -> None:
    """Raise unless targets and predictions have shape `(batch, columns)`."""
    true, pred = tuple(y_true.shape), tuple(y_pred.shape)
    if len(true) != 2 or len(pred) != 2 or (true[1] != pred[1] and None not in (true[1], pred[1])):
        raise ValueError(
            f"{type(metric).__name__} {metric.name!r}: `y_true` and `y_pred` must have the same "
            f"shape (batch, columns). Received: {describe(y_true)} and {describe(y_pred)}"
        )


def check_seen(metric: Metric, attribute: str) -> None:
    """Raise if no batch has told the shapes of the variables yet."""
    if attribute not in vars(metric):
        raise ValueError(
            f"{type(metric).__name__} {metric.name!r} has seen no batch yet, so it has no result. "
            "Call `update_state` first."
        )


class FBetaScore(Metric):
    """Weighted harmonic mean of precision and recall, for each class.

    `F = (1 + beta**2) * precision * recall / (beta**2 * precision + recall)`

    Args:
        average: None for a score of each class; `"micro"` counts all classes together,
            `"macro"` is the mean over classes, `"weighted"` that by how often they occur.
        beta: weight of recall over precision.
        threshold: above which a prediction means yes; None for the greatest one of each sample.
        name, dtype: see `Metric`.

    Raises:
        ValueError: for an unknown average, or numbers out of range.

    Example:
        >>> metric = keras.metrics.FBetaScore(beta=2.0, threshold=0.5)
        >>> y_true = [[1, 1, 1], [1, 0, 0], [1, 1, 0]]
        >>> metric(y_true, [[0.2, 0.6, 0.7], [0.2, 0.6, 0.6], [0.6, 0.8, 0.0]])
        [0.385, 0.909, 0.833]
    """

    _direction = "up"

    def __init__(
        self,
        average: str | None = None,
        beta: float = 1.0,
        threshold: float | None = None,
        name: str = "fbeta_score",
        dtype: Any = None,
    ) -> None:
        super().__init__(name=name, dtype=dtype)
        where = type(self).__name__
        check_choice(self, _AVERAGES, average=average)
        if not isinstance(beta, float) or beta <= 0:
            raise ValueError(f"{where}: `beta` must be a float above 0. Received: beta={beta!r}")
        if threshold is not None and not (isinstance(threshold, float) and 0 < threshold <= 1):
            raise ValueError(
                f"{where}: `threshold` must be None, or a float above 0 and at most 1. "
                f"Received: threshold={threshold!r}"
            )
        self.average = average
        self.beta = beta
        self.threshold = threshold

    def _prepare(self, y_true: Any, y_pred: Any) -> None:
        if _NAMES[0] not in vars(self):
            check_2d(self, y_pred, y_pred)
            shape = () if self.average == "micro" else (y_pred.shape[1],)
            for name in _NAMES:
                setattr(self, name, self.add_weight(shape, name=name))

    def update_state(
        self, y_true: TensorLike, y_pred: TensorLike, sample_weight: TensorLike | None = None
    ) -> None:
        """Take a batch in.

        Args:
            y_true: labels 0 and 1, of shape `(batch, classes)`.
            y_pred: predictions, of the same shape.
            sample_weight: one weight for each sample.
        """
        y_true = ops.convert_to_tensor(y_true, self.dtype)
        y_pred = ops.convert_to_tensor(y_pred, self.dtype)
        check_2d(self, y_true, y_pred)
        self._prepare(y_true, y_pred)
        said = ops.cast(self._said(y_pred), self.dtype)
        weights = None
        if sample_weight is not None:
            weights = from_the_left(ops.convert_to_tensor(sample_weight, self.dtype), y_true)
        axis = None if self.average == "micro" else 0
        found = (said * y_true, said * (1.0 - y_true), (1.0 - said) * y_true, y_true)
        for name, values in zip(_NAMES, found, strict=True):
            variable = getattr(self, name)
            values = values if weights is None else values * weights
            variable.assign(variable.value + ops.sum(values, axis=axis))

    def _said(self, y_pred: Tensor) -> Tensor:
        if self.threshold is not None:
            return ops.greater(y_pred, self.threshold)
        greatest = ops.max(y_pred, axis=-1, keepdims=True)
        # A sample without any score says nothing.
        return ops.logical_and(y_pred >= greatest, ops.absolute(y_pred) > 1e-12)

    def result(self) -> Tensor:
        check_seen(self, _NAMES[0])
        tp, fp, fn, weights = (getattr(self, name).value for name in _NAMES)
        epsilon = config.epsilon()
        precision, recall = tp / (tp + fp + epsilon), tp / (tp + fn + epsilon)
        squared = self.beta**2
        score = (1.0 + squared) * precision * recall / (squared * precision + recall + epsilon)
        if self.average == "weighted":
            return ops.sum(score * weights / (ops.sum(weights) + epsilon))
        return ops.mean(score) if self.average == "macro" else score


class F1Score(FBetaScore):
    """Harmonic mean of precision and recall, for each class: see `FBetaScore`.

    Args:
        average, threshold: see `FBetaScore`.
        name, dtype: see `Metric`.
    """

    def __init__(
        self,
        average: str | None = None,
        threshold: float | None = None,
        name: str = "f1_score",
        dtype: Any = None,
    ) -> None:
        super().__init__(average, 1.0, threshold, name, dtype)
