"""Right and wrong yes-or-no predictions counted at thresholds: positives, precision, recall."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np

from keraslite import ops
from keraslite.core.errors import describe
from keraslite.core.op import Tensor, TensorLike
from keraslite.losses.weighting import from_the_left, same_rank
from keraslite.metrics.metric import ExactMetric

#: A threshold that every prediction exceeds, except those that `only_top_k` left out.
EVERYTHING = -1e10
#: Up to so many pairs of a prediction and a threshold are compared one by one.
_FEW = 2**14

# Counting --------------------------------------------------------------------------


#: Weighted numbers of predictions, one for each threshold: right and wrong yes, and no.
COUNTED = ("true_positives", "false_positives", "true_negatives", "false_negatives")


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

    def comparable(self, y_pred: Tensor) -> tuple[Tensor, Tensor]:
        """Predictions and thresholds as numbers of which the greater one says yes."""
        dtype = ops.dtype(y_pred)
        if not self.even:
            return y_pred, ops.convert_to_tensor(self.values, dtype)
        places = ops.arange(len(self.values), dtype=dtype)
        if self._sorted[0] < 0:  # All exceed it.
            places = ops.where(ops.equal(places, 0.0), -1.0, places)
        return self._exceeded(y_pred), places

    def _exceeded(self, y_pred: Tensor) -> Tensor:
        # Where the bins end is a matter of rounding, and here they end where Keras's do.
        return ops.ceil(ops.clip(y_pred, 0.0, 1.0) * (len(self.values) - 1))

    def exceeded(self, y_pred: Tensor) -> Tensor:
        """How many thresholds each prediction exceeds; none by what is not a number."""
        if self.even:
            places = ops.maximum(self._exceeded(y_pred), int(self._sorted[0] < 0))
        else:
            values = ops.cast(ops.convert_to_tensor(self._sorted), ops.dtype(y_pred))
            places = ops.searchsorted(values, y_pred)
        places = ops.cast(places, "int32")
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
) -> dict[str, Tensor]:
    """Count predictions at all thresholds.

    Args:
        thresholds: above which a prediction means yes.
        y_true: labels; 0 means no and all else yes.
        y_pred: predictions, of the same shape.
        weights: one for each prediction.
        per_label: count each entry of the last axis apart.

    Returns:
        The tensors of `COUNTED`, of shape `(thresholds,)`, or `(thresholds, labels)`.
    """
    shape = y_pred.shape if per_label else (-1,)
    if len(y_pred.shape) != len(shape):
        y_true, y_pred = ops.reshape(y_true, shape), ops.reshape(y_pred, shape)
        weights = None if weights is None else ops.reshape(weights, shape)
    yes = ops.not_equal(y_true, 0)
    size = None if None in y_pred.shape else math.prod(y_pred.shape) * len(thresholds.values)
    sums = _by_comparing if size is not None and size <= _FEW else _by_histogram
    said, total = sums(thresholds, yes, y_pred, weights)
    denied = total - said
    if weights is not None:
        denied = ops.maximum(denied, 0.0)  # Sums of the same fractions may differ in the last bit.
    (right, wrong), (missed, left) = ops.unstack(said, 2), ops.unstack(denied, 2)
    return dict(zip(COUNTED, (right, wrong, left, missed), strict=True))


def _by_comparing(
    thresholds: Thresholds, yes: Tensor, y_pred: Tensor, weights: Tensor | None
) -> tuple[Tensor, Tensor]:
    """Sums over the predictions above each threshold, and over all: the fewest operations.

    Returns:
        Both with the sums of what is yes in the first row, and of what is no in the second one.
    """
    # Few operators, and the same ones for all metrics: where a step repeats operators, these
    # are the cost, and equal ones run once.
    row = ops.reshape(ops.arange(2, dtype=ops.dtype(y_pred)), (2, 1, *(1 for _ in y_pred.shape)))
    sides = ops.where(yes, 1.0 - row, row)
    if weights is not None:
        sides = sides * weights
    y_pred, values = thresholds.comparable(y_pred)
    values = ops.reshape(values, (-1, *(1 for _ in y_pred.shape)))
    said = ops.sum(ops.where(ops.greater(y_pred, values), sides, 0.0), axis=2)
    return said, ops.sum(sides, axis=2)


def _by_histogram(
    thresholds: Thresholds, yes: Tensor, y_pred: Tensor, weights: Tensor | None
) -> tuple[Tensor, Tensor]:
    """The same in one pass over the predictions: the least memory and, for many, time.

    Each is added to a histogram of how many thresholds it exceeds, one for what is yes and one
    for what is no, whose sums from the end are wanted.
    """
    bins, labels = len(thresholds.values) + 1, y_pred.shape[1:]
    places = thresholds.exceeded(y_pred)
    places = ops.where(yes, places, places + bins)
    for size in labels:
        places = places * size + ops.arange(size, dtype="int32")
    values = ops.ones_like(y_pred) if weights is None else weights
    histogram = ops.segment_sum(
        ops.reshape(values, (-1,)), ops.reshape(places, (-1,)), 2 * bins * math.prod(labels)
    )
    histogram = ops.reshape(histogram, (2, bins, *labels))
    sums = ops.flip(ops.cumsum(ops.flip(histogram, axis=1), axis=1), axis=1)
    said, total = sums[:, 1:], sums[:, :1]
    return said if thresholds.place is None else ops.take(said, thresholds.place, axis=1), total


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


class CountingMetric(ExactMetric):
    """Base of metrics that keep some of the four counts in variables of their names."""

    _counted: ClassVar[tuple[str, ...]] = COUNTED
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
        y_true, y_pred = fitting(self.name, y_true, y_pred, self._sums_in)
        if self._top_k is not None:
            y_pred = only_top_k(y_pred, self._top_k)
        if self._class_id is not None:
            y_true, y_pred = (of_class(self.name, x, self._class_id) for x in (y_true, y_pred))
        weights = None if sample_weight is None else spread(sample_weight, y_pred, self._sums_in)
        self._add(count_at(self._thresholds, y_true, y_pred, weights))

    def _add(self, counts: dict[str, Tensor]) -> None:
        for name in self._counted:
            variable = getattr(self, name)
            variable.assign(variable.value + counts[name])

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

    def _add(self, counts: dict[str, Tensor]) -> None:
        (name,) = self._counted
        self.accumulator.assign(self.accumulator.value + counts[name])

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
