"""Right and wrong yes-or-no predictions counted at thresholds: positives, precision, recall."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, NamedTuple

import numpy as np

from keraslite import ops
from keraslite.core.errors import describe
from keraslite.core.op import Tensor, TensorLike
from keraslite.losses.weighting import from_the_left, same_rank
from keraslite.metrics.metric import Metric

#: A threshold that every prediction exceeds, except those that `only_top_k` left out.
EVERYTHING = -1e10

# Counting --------------------------------------------------------------------------


class Counts(NamedTuple):
    """Weighted numbers of predictions, one row for each threshold."""

    true_positives: Tensor
    false_positives: Tensor
    true_negatives: Tensor
    false_negatives: Tensor


class Thresholds:
    """Thresholds, and how to find which of them a prediction exceeds.

    Args:
        values: in any order.
        even: they are `0, 1/n, ... 1`, the ends perhaps just outside, so that a multiplication
            finds the place of a prediction.
    """

    def __init__(self, values: Sequence[float], even: bool = False) -> None:
        self.values = [float(v) for v in values]
        self.even = even
        order = np.argsort(self.values, kind="stable")
        self._sorted = np.asarray(self.values)[order]
        in_order = bool((order == np.arange(len(order))).all())
        #: for each threshold its place in the sorted ones; None where they are sorted
        self.place = None if in_order else np.argsort(order).astype("int32")

    def exceeded(self, y_pred: Tensor) -> Tensor:
        """How many thresholds each prediction exceeds; none by what is not a number."""
        number = len(self._sorted)
        if self.even:
            steps = number - 1
            lowest = int(self._sorted[0] < 0)
            # The clip comes first: what is far outside of [0, 1] may not fit an integer.
            places = ops.ceil(ops.clip(y_pred, 0.0, 1.0) * steps)
            places = ops.maximum(ops.cast(places, "int32"), lowest)
        else:
            values = ops.cast(ops.convert_to_tensor(self._sorted), ops.dtype(y_pred))
            places = ops.cast(ops.searchsorted(values, y_pred), "int32")
        return ops.where(ops.isnan(y_pred), ops.zeros_like(places), places)


def fitting(where: str, y_true: TensorLike, y_pred: TensorLike, dtype: str) -> tuple[Any, Any]:
    """Targets and predictions as tensors of one shape.

    Raises:
        ValueError: if the shapes differ by more than a last axis of size 1.
    """
    y_true, y_pred = same_rank(
        ops.convert_to_tensor(y_true, dtype), ops.convert_to_tensor(y_pred, dtype)
    )
    true, pred = tuple(y_true.shape), tuple(y_pred.shape)
    if len(true) != len(pred) or any(
        a != b and None not in (a, b) for a, b in zip(true, pred, strict=True)
    ):
        raise ValueError(
            f"{where}: `y_true` and `y_pred` must have the same shape. Received: "
            f"{describe(y_true)} and {describe(y_pred)}"
        )
    return y_true, y_pred


def spread(sample_weight: TensorLike, values: Tensor, dtype: str) -> Tensor:
    """One weight for each element of `values`, from weights of samples or of elements."""
    weights = ops.convert_to_tensor(sample_weight, dtype)
    weights = same_rank(values, weights)[1]
    return ops.broadcast_to(from_the_left(weights, values), ops.shape(values))


def count_at(
    thresholds: Thresholds,
    y_true: Tensor,
    y_pred: Tensor,
    weights: Tensor | None = None,
    per_label: bool = False,
) -> Counts:
    """Count predictions at all thresholds, in one pass over them.

    Each prediction is added to a histogram of how many thresholds it exceeds; sums over the
    histogram from either end are the counts.

    Args:
        thresholds: above which a prediction means yes.
        y_true: labels; 0 means no and all else yes.
        y_pred: predictions, of the same shape.
        weights: one for each prediction.
        per_label: count each entry of the last axis apart.

    Returns:
        Tensors of shape `(thresholds,)`, or `(thresholds, labels)`.
    """
    number = len(thresholds.values)
    labels = y_pred.shape[-1] if per_label else 1
    yes = ops.cast(ops.not_equal(y_true, 0), "int32")
    segment = thresholds.exceeded(y_pred) * 2 + yes
    if per_label:
        segment = segment * labels + ops.arange(labels, dtype="int32")
    weights = ops.ones_like(y_pred) if weights is None else weights
    histogram = ops.segment_sum(
        ops.reshape(weights, (-1,)), ops.reshape(segment, (-1,)), (number + 1) * 2 * labels
    )
    histogram = ops.reshape(histogram, (number + 1, 2, labels) if per_label else (number + 1, 2))
    negative = ops.cumsum(histogram, axis=0)[:-1]
    positive = ops.flip(ops.cumsum(ops.flip(histogram, axis=0), axis=0), axis=0)[1:]
    if thresholds.place is not None:
        negative, positive = (ops.take(x, thresholds.place, axis=0) for x in (negative, positive))
    return Counts(positive[:, 1], positive[:, 0], negative[:, 0], negative[:, 1])


def only_top_k(y_pred: Tensor, k: int) -> Tensor:
    """Predictions along the last axis, with all but the `k` greatest out of the question."""
    chosen = ops.top_k(y_pred, k)[1]
    chosen = ops.any(ops.one_hot(chosen, y_pred.shape[-1], dtype="bool"), axis=-2)
    return ops.where(chosen, y_pred, ops.full_like(y_pred, 2 * EVERYTHING))


def of_class(where: str, x: Tensor, class_id: int) -> Tensor:
    """The entries of one class along the last axis.

    Raises:
        ValueError: if there is no such class.
    """
    classes = x.shape[-1] if len(x.shape) > 1 else 0
    if classes is not None and not 0 <= class_id < classes:
        raise ValueError(
            f"{where}: `class_id={class_id}` needs predictions of shape (batch, ..., classes) "
            f"with more than {class_id} classes. Received: {describe(x)}"
        )
    return ops.take(x, class_id, axis=-1)


# Metrics ---------------------------------------------------------------------------


class CountingMetric(Metric):
    """Base of metrics that keep some of the four counts in variables of their names."""

    _counted: ClassVar[tuple[str, ...]] = Counts._fields
    _class_id: int | None = None
    _top_k: int | None = None
    _thresholds: Thresholds

    def _keep_counts(self, thresholds: Thresholds) -> None:
        self._thresholds = thresholds
        for name in self._counted:
            setattr(self, name, self.add_weight((len(thresholds.values),), name=name))

    def update_state(
        self, y_true: TensorLike, y_pred: TensorLike, sample_weight: TensorLike | None = None
    ) -> None:
        """Take a batch in.

        Args:
            y_true: labels 0 and 1.
            y_pred: predictions, of the same shape.
            sample_weight: one weight for each sample, or for each prediction.
        """
        y_true, y_pred = fitting(self.name, y_true, y_pred, self.dtype)
        if self._top_k is not None:
            y_pred = only_top_k(y_pred, self._top_k)
        if self._class_id is not None:
            y_true, y_pred = (of_class(self.name, x, self._class_id) for x in (y_true, y_pred))
        weights = None if sample_weight is None else spread(sample_weight, y_pred, self.dtype)
        self._add(count_at(self._thresholds, y_true, y_pred, weights))

    def _add(self, counts: Counts) -> None:
        for name in self._counted:
            variable = getattr(self, name)
            variable.assign(variable.value + getattr(counts, name))

    def _of(self, part: str, other: str) -> Tensor:
        """`part / (part + other)` for two counts; 0 where both are."""
        part = getattr(self, part).value
        return ops.divide_no_nan(part, part + getattr(self, other).value)


class _AtGivenThresholds(CountingMetric):
    """Base of metrics that report one value for each threshold of the user."""

    def __init__(self, thresholds: Any, name: str | None, dtype: Any, default: float = 0.5) -> None:
        super().__init__(name=name, dtype=dtype)
        given = [default] if thresholds is None else thresholds
        self.thresholds = list(given) if isinstance(given, (list, tuple)) else [given]
        if thresholds is not None:
            check_thresholds(type(self).__name__, self.thresholds)
        self._keep_counts(Thresholds(self.thresholds))

    def _config_value(self, name: str, recorded: dict[str, Any], default: Any) -> Any:
        if name == "thresholds":
            return recorded.get(name, default)
        return super()._config_value(name, recorded, default)

    def _shown(self, values: Tensor) -> Tensor:
        return values[0] if len(self.thresholds) == 1 else values


def check_thresholds(where: str, values: list[Any]) -> None:
    """Raise unless there are some and all lie in [0, 1]."""
    if not values or any(v is None or not 0 <= v <= 1 for v in values):
        raise ValueError(
            f"{where}: `thresholds` must be a number in [0, 1], or a list of them. "
            f"Received: {values}"
        )


class _Count(_AtGivenThresholds):
    """Base of metrics that are one of the counts."""

    def __init__(self, thresholds: Any = None, name: str | None = None, dtype: Any = None) -> None:
        super().__init__(thresholds, name, dtype)

    def _keep_counts(self, thresholds: Thresholds) -> None:
        self._thresholds = thresholds
        self.accumulator = self.add_weight((len(thresholds.values),), name="accumulator")

    def _add(self, counts: Counts) -> None:
        (name,) = self._counted
        self.accumulator.assign(self.accumulator.value + getattr(counts, name))

    def result(self) -> Tensor:
        return self._shown(self.accumulator.value)


class TruePositives(_Count):
    """How often yes is predicted and true.

    Args:
        thresholds: above which a prediction means yes, 0.5 by default; a list gives a vector.
        name, dtype: see `Metric`.

    Example:
        >>> metric = keras.metrics.TruePositives()
        >>> float(metric([0, 1, 1, 1], [0.9, 0.2, 0.8, 0.6]))
        2.0
    """

    _counted = ("true_positives",)


class FalsePositives(_Count):
    """How often yes is predicted and not true: see `TruePositives`.

    Args:
        thresholds, name, dtype: see `TruePositives`.
    """

    _counted = ("false_positives",)


class TrueNegatives(_Count):
    """How often no is predicted and true: see `TruePositives`.

    Args:
        thresholds, name, dtype: see `TruePositives`.
    """

    _counted = ("true_negatives",)


class FalseNegatives(_Count):
    """How often no is predicted and not true: see `TruePositives`.

    Args:
        thresholds, name, dtype: see `TruePositives`.
    """

    _counted = ("false_negatives",)


class _Share(_AtGivenThresholds):
    """Base of `Precision` and `Recall`: true positives among what is counted."""

    _direction = "up"

    def __init__(
        self,
        thresholds: Any = None,
        top_k: int | None = None,
        class_id: int | None = None,
        name: str | None = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(thresholds, name, dtype, 0.5 if top_k is None else EVERYTHING)
        self.top_k = self._top_k = top_k
        self.class_id = self._class_id = class_id

    def result(self) -> Tensor:
        return self._shown(self._of(*self._counted))


class Precision(_Share):
    """Of what is predicted as yes, the share that is: `tp / (tp + fp)`.

    Args:
        thresholds: above which a prediction means yes, 0.5 by default; a list gives a vector.
        top_k: only the `k` greatest predictions along the last axis can mean yes. Without
            `thresholds` all of these do.
        class_id: only this entry of the last axis counts.
        name, dtype: see `Metric`.

    Raises:
        ValueError: for a threshold outside [0, 1].

    Example:
        >>> metric = keras.metrics.Precision()
        >>> float(metric([0, 1, 1, 1], [0.9, 0.2, 0.8, 0.6]))
        0.667
    """

    _counted = ("true_positives", "false_positives")


class Recall(_Share):
    """Of what is yes, the share that is predicted so: `tp / (tp + fn)`.

    Args:
        thresholds, top_k, class_id, name, dtype: see `Precision`.

    Raises:
        ValueError: for a threshold outside [0, 1].

    Example:
        >>> metric = keras.metrics.Recall()
        >>> float(metric([0, 1, 1, 1], [0.9, 0.2, 0.8, 0.6]))
        0.667
    """

    _counted = ("true_positives", "false_negatives")
