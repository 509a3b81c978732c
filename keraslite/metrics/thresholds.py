"""Metrics over a range of thresholds: areas under curves, and one share at a level of another."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from keraslite import config, ops
from keraslite.core.errors import check_choice, describe
from keraslite.core.op import Tensor, TensorLike
from keraslite.metrics.confusion import (
    CountingMetric,
    Thresholds,
    check_thresholds,
    count_at,
    fitting,
    spread,
)

# One share at a level of another -----------------------------------------------------


class _AtLevel(CountingMetric):
    """Base of metrics that are the best value of one share while another reaches a level."""

    _direction = "up"

    def __init__(
        self,
        level: str,
        value: float,
        num_thresholds: int,
        class_id: int | None,
        name: str | None,
        dtype: Any,
    ) -> None:
        super().__init__(name=name, dtype=dtype)
        if not 0 <= value <= 1:
            raise ValueError(
                f"{type(self).__name__}: `{level}` must lie in [0, 1]. Received: {level}={value}"
            )
        _check_number(type(self).__name__, num_thresholds, 1)
        setattr(self, level, value)
        self._level = value
        self.num_thresholds = num_thresholds
        self.class_id = self._class_id = class_id
        steps = num_thresholds - 1
        values = [i / steps for i in range(num_thresholds)] if steps else [0.5]
        self.thresholds = values
        self._keep_counts(Thresholds(values, even=bool(steps)))

    def _best(self, wanted: Tensor, level: Tensor) -> Tensor:
        """The greatest of `wanted` where `level` is reached; 0 where it never is."""
        return ops.max(ops.where(ops.greater_equal(level, self._level), wanted, 0.0))

    def _sensitivity(self) -> Tensor:
        return self._of("true_positives", "false_negatives")

    def _specificity(self) -> Tensor:
        return self._of("true_negatives", "false_positives")

    def _precision(self) -> Tensor:
        return self._of("true_positives", "false_positives")


_MOST = 10**6


def _check_number(where: str, number: Any, least: int) -> None:
    if not isinstance(number, int) or not least <= number <= _MOST:
        raise ValueError(
            f"{where}: `num_thresholds` must be an integer >= {least} and at most "
            f"{_MOST:,}. Received: {describe(number)}"
        )


class SensitivityAtSpecificity(_AtLevel):
    """The best sensitivity `tp / (tp + fn)` among thresholds with at least some specificity.

    Args:
        specificity: the least `tn / (tn + fp)`.
        num_thresholds: how many thresholds between 0 and 1 are tried.
        class_id: only this entry of the last axis counts.
        name, dtype: see `Metric`.

    Raises:
        ValueError: if `specificity` does not lie in [0, 1].

    Example:
        >>> metric = keras.metrics.SensitivityAtSpecificity(0.5)
        >>> float(metric([0, 0, 0, 1, 1], [0.0, 0.3, 0.8, 0.3, 0.8]))
        0.5
    """

    def __init__(
        self,
        specificity: float,
        num_thresholds: int = 200,
        class_id: int | None = None,
        name: str | None = None,
        dtype: Any = None,
    ) -> None:
        super().__init__("specificity", specificity, num_thresholds, class_id, name, dtype)

    def result(self) -> Tensor:
        return self._best(self._sensitivity(), self._specificity())


class SpecificityAtSensitivity(_AtLevel):
    """The best specificity `tn / (tn + fp)` among thresholds with at least some sensitivity.

    Args:
        sensitivity: the least `tp / (tp + fn)`.
        num_thresholds: how many thresholds between 0 and 1 are tried.
        class_id: only this entry of the last axis counts.
        name, dtype: see `Metric`.

    Raises:
        ValueError: if `sensitivity` does not lie in [0, 1].
    """

    def __init__(
        self,
        sensitivity: float,
        num_thresholds: int = 200,
        class_id: int | None = None,
        name: str | None = None,
        dtype: Any = None,
    ) -> None:
        super().__init__("sensitivity", sensitivity, num_thresholds, class_id, name, dtype)

    def result(self) -> Tensor:
        return self._best(self._specificity(), self._sensitivity())


class PrecisionAtRecall(_AtLevel):
    """The best precision `tp / (tp + fp)` among thresholds with at least some recall.

    Args:
        recall: the least `tp / (tp + fn)`.
        num_thresholds: how many thresholds between 0 and 1 are tried.
        class_id: only this entry of the last axis counts.
        name, dtype: see `Metric`.

    Raises:
        ValueError: if `recall` does not lie in [0, 1].
    """

    def __init__(
        self,
        recall: float,
        num_thresholds: int = 200,
        class_id: int | None = None,
        name: str | None = None,
        dtype: Any = None,
    ) -> None:
        super().__init__("recall", recall, num_thresholds, class_id, name, dtype)

    def result(self) -> Tensor:
        return self._best(self._precision(), self._sensitivity())


class RecallAtPrecision(_AtLevel):
    """The best recall `tp / (tp + fn)` among thresholds with at least some precision.

    Args:
        precision: the least `tp / (tp + fp)`.
        num_thresholds: how many thresholds between 0 and 1 are tried.
        class_id: only this entry of the last axis counts.
        name, dtype: see `Metric`.

    Raises:
        ValueError: if `precision` does not lie in [0, 1].
    """

    def __init__(
        self,
        precision: float,
        num_thresholds: int = 200,
        class_id: int | None = None,
        name: str | None = None,
        dtype: Any = None,
    ) -> None:
        super().__init__("precision", precision, num_thresholds, class_id, name, dtype)

    def result(self) -> Tensor:
        return self._best(self._sensitivity(), self._precision())


# Areas -------------------------------------------------------------------------------

_CURVES = ("ROC", "PR", "PRGAIN")
_SUMMATIONS = ("interpolation", "majoring", "minoring")


class AUC(CountingMetric):
    """The area under a curve that thresholds from 0 to 1 draw.

    The curve is approximated by its points at the thresholds: more of them, or thresholds
    where the predictions lie, make the area more exact.

    Args:
        num_thresholds: how many, at even distances.
        curve: `"ROC"` (true over false positive rate), `"PR"` (precision over recall), or
            `"PRGAIN"`, both of these as gains over always saying yes (Flach and Kull,
            https://papers.nips.cc/paper/5867-precision-recall-gain-curves-pr-analysis-done-right).
        summation_method: between two points the curve is a line (`"interpolation"`; for `"PR"`
            the true curve between them, Davis and Goadrich,
            https://doi.org/10.1145/1143844.1143874), or the higher (`"majoring"`) or lower
            (`"minoring"`) of the two.
        name, dtype: see `Metric`.
        thresholds: your own in [0, 1], in the place of `num_thresholds`.
        multi_label: whether each entry of the last axis has a curve of its own; the result is
            the mean area.
        num_labels: size of that axis, where it should be known before the first batch.
        label_weights: one weight for each label: of its area with `multi_label`, else of its
            predictions.
        from_logits: whether predictions are logits.

    Raises:
        ValueError: for an unknown curve or summation, or thresholds outside [0, 1].

    Example:
        >>> metric = keras.metrics.AUC(num_thresholds=3)
        >>> float(metric([0, 0, 1, 1], [0.0, 0.5, 0.3, 0.9]))
        0.75
    """

    _direction = "up"

    def __init__(
        self,
        num_thresholds: int = 200,
        curve: str = "ROC",
        summation_method: str = "interpolation",
        name: str | None = None,
        dtype: Any = None,
        thresholds: Sequence[float] | None = None,
        multi_label: bool = False,
        num_labels: int | None = None,
        label_weights: Sequence[float] | None = None,
        from_logits: bool = False,
    ) -> None:
        super().__init__(name=name, dtype=dtype)
        self.curve = str(curve).upper()
        method = str(summation_method).lower()
        self.summation_method = method
        check_choice(self, _CURVES, curve=self.curve)
        check_choice(self, _SUMMATIONS, summation_method=method)
        self._ends_given = thresholds is not None
        if thresholds is None:
            _check_number("AUC", num_thresholds, 2)
            inner = [i / (num_thresholds - 1) for i in range(1, num_thresholds - 1)]
        else:
            inner = sorted(float(v) for v in thresholds)
            check_thresholds("AUC", inner)
        # The ends lie outside, so that the first threshold takes all and the last one none.
        self._thresholds = Thresholds(
            [-config.epsilon(), *inner, 1.0 + config.epsilon()], even=thresholds is None
        )
        self.num_thresholds = len(inner) + 2
        if num_labels is not None and not multi_label:
            raise ValueError("AUC: `num_labels` goes with `multi_label=True` only.")
        self.multi_label = multi_label
        self.num_labels = num_labels
        self.label_weights = None if label_weights is None else [float(w) for w in label_weights]
        if any(w < 0 for w in self.label_weights or ()):
            raise ValueError(
                f"AUC: `label_weights` must not be negative. Received: {label_weights}"
            )
        self.from_logits = from_logits
        if not multi_label:
            self._make(())
        elif num_labels is not None:
            self._make((num_labels,))

    def _make(self, labels: tuple[int, ...]) -> None:
        if labels and self.label_weights and len(self.label_weights) != labels[0]:
            raise ValueError(
                f"AUC {self.name!r}: expected one of `label_weights` for each of {labels[0]} "
                f"labels. Received: {len(self.label_weights)} weights"
            )
        for name in self._counted:
            setattr(self, name, self.add_weight((self.num_thresholds, *labels), name=name))

    def _prepare(self, y_true: Any, y_pred: Any) -> None:
        if "true_positives" in vars(self):
            return
        if len(y_pred.shape) < 2:
            raise ValueError(
                f"AUC {self.name!r}: with `multi_label` predictions have shape (batch, labels). "
                f"Received: {describe(y_pred)}"
            )
        self._make((y_pred.shape[-1],))

    @property
    def thresholds(self) -> list[float]:
        """All thresholds, with the two ends."""
        return self._thresholds.values

    def _config_value(self, name: str, recorded: dict[str, Any], default: Any) -> Any:
        if name == "thresholds":
            return self.thresholds[1:-1] if self._ends_given else None
        return super()._config_value(name, recorded, default)

    def update_state(
        self, y_true: TensorLike, y_pred: TensorLike, sample_weight: TensorLike | None = None
    ) -> None:
        """Take a batch in.

        Args:
            y_true: labels 0 and 1.
            y_pred: predictions in [0, 1], of the same shape, or logits.
            sample_weight: one weight for each sample, or for each prediction.
        """
        y_true, y_pred = fitting(self.name, y_true, y_pred, self._sums_in)
        self._prepare(y_true, y_pred)
        if self.from_logits:
            y_pred = ops.sigmoid(y_pred)
        weights = None if sample_weight is None else spread(sample_weight, y_pred, self._sums_in)
        if self.label_weights is not None and not self.multi_label:
            of_labels = ops.convert_to_tensor(self.label_weights, self._sums_in)
            ones = ops.ones_like(y_pred) if weights is None else weights
            weights = ones * of_labels
        # Predictions of more axes than labels have are more samples.
        self._add(count_at(self._thresholds, y_true, y_pred, weights, self.multi_label))

    def _points(self) -> tuple[Tensor, Tensor]:
        """The curve: its points from right to left."""
        recall = self._of("true_positives", "false_negatives")
        if self.curve == "ROC":
            return self._of("false_positives", "true_negatives"), recall
        precision = self._of("true_positives", "false_positives")
        if self.curve == "PR":
            return recall, precision
        tp, fp, tn, fn = (getattr(self, name).value for name in self._counted)
        share = ops.divide_no_nan(tp + fn, tp + fp + tn + fn)

        def gain(x: Tensor) -> Tensor:
            return ops.clip(ops.divide_no_nan(x - share, (1.0 - share) * x), 0.0, 1.0)

        return gain(recall), gain(precision)

    def interpolate_pr_auc(self) -> Tensor:
        """The area under the curve of precision over recall, exact between two points.

        There true and false positives grow in proportion, so that with `p = tp + fp` precision
        is `slope + intercept / p`, whose integral has a logarithm.

        Returns:
            A scalar; a vector with `multi_label`, one area for each label.
        """
        tp, fp, fn = (
            getattr(self, name).value
            for name in ("true_positives", "false_positives", "false_negatives")
        )
        p = tp + fp
        gained = tp[:-1] - tp[1:]
        slope = ops.divide_no_nan(gained, p[:-1] - p[1:])
        intercept = tp[1:] - slope * p[1:]
        both = ops.logical_and(p[:-1] > 0, p[1:] > 0)
        ratio = ops.where(both, ops.divide_no_nan(p[:-1], p[1:]), 1.0)
        # From no prediction on, precision is the slope throughout.
        area = slope * (gained + intercept * ops.log(ops.where(both, ratio, 1.0)))
        return ops.sum(ops.divide_no_nan(area, tp[1:] + fn[1:]), axis=0)

    def result(self) -> Tensor:
        if "true_positives" not in vars(self):
            return ops.zeros((), self._sums_in)
        if self.curve == "PR" and self.summation_method == "interpolation":
            areas = self.interpolate_pr_auc()
        else:
            x, y = self._points()
            left, right = y[:-1], y[1:]
            heights = {
                "interpolation": lambda: (left + right) / 2.0,
                "majoring": lambda: ops.maximum(left, right),
                "minoring": lambda: ops.minimum(left, right),
            }[self.summation_method]()
            areas = ops.sum((x[:-1] - x[1:]) * heights, axis=0)
        if not self.multi_label:
            return areas
        if self.label_weights is None:
            return ops.mean(areas)
        weights = ops.convert_to_tensor(self.label_weights, self._sums_in)
        return ops.divide_no_nan(ops.sum(areas * weights), ops.sum(weights))
