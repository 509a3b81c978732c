"""Intersection over union of predicted and true classes, for segmentation."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

from keraslite import config, ops
from keraslite.core import dtypes
from keraslite.core.budget import MemoryBudget
from keraslite.core.errors import describe
from keraslite.core.op import Tensor, TensorLike
from keraslite.metrics.confusion import spread
from keraslite.metrics.metric import Metric


class IoU(Metric):
    """Mean over some classes of intersection over union: `tp / (tp + fp + fn)`.

    Classes that occur neither in targets nor in predictions do not count.

    Args:
        num_classes: how many classes there are.
        target_class_ids: the classes that the result is about.
        name: see `Metric`.
        dtype: of the counts, int32 by default. Weights that are not whole need a float.
        ignore_class: places with this label do not count.
        sparse_y_true: whether targets are class numbers; else one score for each class.
        sparse_y_pred: the same for predictions.
        axis: the axis of the scores.

    Raises:
        ValueError: for a class that does not exist.

    Example:
        >>> metric = keras.metrics.IoU(num_classes=2, target_class_ids=[0])
        >>> float(metric([0, 0, 1, 1], [0, 1, 0, 1]))
        0.333
    """

    _direction = "up"

    def __init__(
        self,
        num_classes: int,
        target_class_ids: Sequence[int],
        name: str | None = None,
        dtype: Any = None,
        ignore_class: int | None = None,
        sparse_y_true: bool = True,
        sparse_y_pred: bool = True,
        axis: int = -1,
    ) -> None:
        super().__init__(name=name, dtype=dtype or "int32")
        self.num_classes = num_classes
        self.target_class_ids = list(target_class_ids)
        self.ignore_class = ignore_class
        self.sparse_y_true = sparse_y_true
        self.sparse_y_pred = sparse_y_pred
        self.axis = axis
        ids = self.target_class_ids
        if not ids or any(not 0 <= i < num_classes for i in ids):
            raise ValueError(
                f"{type(self).__name__}: `target_class_ids` must be some of the classes 0 to "
                f"{num_classes - 1}. Received: {ids}"
            )
        self.total_cm = self.add_weight((num_classes, num_classes), name="total_confusion_matrix")

    def _classes(self, x: TensorLike, sparse: bool) -> Tensor:
        return ops.cast(x if sparse else ops.argmax(x, axis=self.axis), "int32")

    def update_state(
        self, y_true: TensorLike, y_pred: TensorLike, sample_weight: TensorLike | None = None
    ) -> None:
        """Take a batch in. Places whose class does not exist do not count.

        Args:
            y_true: targets.
            y_pred: predictions.
            sample_weight: one weight for each sample, or for each place.
        """
        true = self._classes(y_true, self.sparse_y_true)
        pred = self._classes(y_pred, self.sparse_y_pred)
        weights = self._weights(true, sample_weight)
        true, pred = ops.reshape(true, (-1,)), ops.reshape(pred, (-1,))
        if None not in (true.shape[0], pred.shape[0]) and true.shape != pred.shape:
            raise ValueError(
                f"{self.name}: expected as many targets as predictions. Received: "
                f"{describe(true)} and {describe(pred)}"
            )
        counts = ops.logical_and(_exists(true, self.num_classes), _exists(pred, self.num_classes))
        if self.ignore_class is not None:
            counts = ops.logical_and(counts, ops.not_equal(true, self.ignore_class))
        cells = ops.where(counts, true * self.num_classes + pred, 0)
        weights = ops.where(counts, weights, ops.zeros_like(weights))
        found = ops.segment_sum(weights, cells, self.num_classes**2)
        found = ops.reshape(found, (self.num_classes, self.num_classes))
        self.total_cm.assign(self.total_cm.value + found)

    def _weights(self, true: Tensor, sample_weight: TensorLike | None) -> Tensor:
        if sample_weight is None:
            return ops.ones_like(ops.reshape(true, (-1,)), dtype=self.dtype)
        weights = ops.convert_to_tensor(sample_weight)
        if dtypes.is_float(ops.dtype(weights)) and not dtypes.is_float(self.dtype):
            warnings.warn(
                f"{type(self).__name__} {self.name!r} counts in {self.dtype}, which cuts sample "
                "weights to whole numbers. Make it with `dtype='float32'`.",
                stacklevel=3,
            )
        return ops.reshape(spread(ops.cast(weights, self.dtype), true, self.dtype), (-1,))

    def result(self) -> Tensor:
        dtype = self.dtype if dtypes.is_float(self.dtype) else config.floatx()
        matrix = ops.cast(self.total_cm.value, dtype)
        right = ops.diagonal(matrix)
        union = ops.sum(matrix, axis=0) + ops.sum(matrix, axis=1) - right
        right, union = (ops.take(x, self.target_class_ids, axis=0) for x in (right, union))
        occurring = ops.sum(ops.cast(ops.greater(union, 0), dtype))
        return ops.divide_no_nan(ops.sum(ops.divide_no_nan(right, union)), occurring)


def _exists(classes: Tensor, number: int) -> Tensor:
    return ops.logical_and(classes >= 0, classes < number)


class BinaryIoU(IoU):
    """Intersection over union of classes 0 and 1, from predicted probabilities: see `IoU`.

    Args:
        target_class_ids: 0, 1 or both.
        threshold: from which on a prediction means 1.
        name, dtype: see `IoU`.
    """

    def __init__(
        self,
        target_class_ids: Sequence[int] = (0, 1),
        threshold: float = 0.5,
        name: str | None = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(2, target_class_ids, name, dtype)
        self.threshold = threshold

    def update_state(
        self, y_true: TensorLike, y_pred: TensorLike, sample_weight: TensorLike | None = None
    ) -> None:
        """Take a batch in: labels 0 and 1, predictions, and weights."""
        y_pred = ops.greater_equal(ops.convert_to_tensor(y_pred), self.threshold)
        super().update_state(y_true, y_pred, sample_weight)


class MeanIoU(IoU):
    """Mean over all classes of intersection over union: see `IoU`.

    Args:
        num_classes: how many classes there are.
        name, dtype, ignore_class, sparse_y_true, sparse_y_pred, axis: see `IoU`.
    """

    def __init__(
        self,
        num_classes: int,
        name: str | None = None,
        dtype: Any = None,
        ignore_class: int | None = None,
        sparse_y_true: bool = True,
        sparse_y_pred: bool = True,
        axis: int = -1,
    ) -> None:
        MemoryBudget.reserve(num_classes, type(self).__name__)
        super().__init__(
            num_classes,
            range(num_classes),
            name,
            dtype,
            ignore_class,
            sparse_y_true,
            sparse_y_pred,
            axis,
        )


class OneHotIoU(IoU):
    """Intersection over union for one-hot targets: see `IoU`.

    Args:
        num_classes: how many classes there are.
        target_class_ids: the classes that the result is about.
        name, dtype, ignore_class: see `IoU`.
        sparse_y_pred: whether predictions are class numbers; else one score for each class.
        axis: the axis of the classes.
    """

    def __init__(
        self,
        num_classes: int,
        target_class_ids: Sequence[int],
        name: str | None = None,
        dtype: Any = None,
        ignore_class: int | None = None,
        sparse_y_pred: bool = False,
        axis: int = -1,
    ) -> None:
        super().__init__(
            num_classes, target_class_ids, name, dtype, ignore_class, False, sparse_y_pred, axis
        )


class OneHotMeanIoU(MeanIoU):
    """Mean intersection over union for one-hot targets: see `IoU`.

    Args:
        num_classes: how many classes there are.
        name, dtype, ignore_class: see `IoU`.
        sparse_y_pred: whether predictions are class numbers; else one score for each class.
        axis: the axis of the classes.
    """

    def __init__(
        self,
        num_classes: int,
        name: str | None = None,
        dtype: Any = None,
        ignore_class: int | None = None,
        sparse_y_pred: bool = False,
        axis: int = -1,
    ) -> None:
        super().__init__(num_classes, name, dtype, ignore_class, False, sparse_y_pred, axis)
