"""Cross-entropies of predicted classes, plain, focal and robust."""

from __future__ import annotations

import warnings
from typing import Any

from keraslite import config, ops
from keraslite.backend import engine
from keraslite.core.configurable import shared_arguments
from keraslite.core.op import Tensor, TensorLike
from keraslite.core.shapes import canonical_axis
from keraslite.losses.loss import AVERAGE, LossFunctionWrapper
from keraslite.losses.weighting import alike

# Functions -----------------------------------------------------------------------


def _smooth(y_true: Tensor, label_smoothing: float, classes: int) -> Tensor:
    """Move the fraction `label_smoothing` of the probability evenly to all classes."""
    if not label_smoothing:
        return y_true
    return y_true * (1.0 - label_smoothing) + label_smoothing / classes


def _one_hot(
    name: str, y_true: TensorLike, y_pred: TensorLike, label_smoothing: float, axis: int
) -> tuple[Tensor, Tensor]:
    """Smoothed labels and predictions of one dtype; warns where there is only one class."""
    y_true, y_pred = alike(y_true, y_pred)
    classes = y_pred.shape[canonical_axis(axis, len(y_pred.shape))]
    if classes == 1:
        warnings.warn(
            f"{name}: `y_pred` has only 1 class (shape {tuple(y_pred.shape)}), so the loss is "
            "about 0 whatever the labels are. For two classes in one unit use "
            "`binary_crossentropy`.",
            SyntaxWarning,
            stacklevel=3,
        )
    return _smooth(y_true, label_smoothing, classes), y_pred


def binary_crossentropy(
    y_true: TensorLike,
    y_pred: TensorLike,
    from_logits: bool = False,
    label_smoothing: float = 0.0,
    axis: int = -1,
) -> Tensor:
    """Mean cross-entropy of independent yes-or-no labels.

    Args:
        y_true: labels 0 and 1, or probabilities; of shape `(..., n)`.
        y_pred: predicted probabilities, or logits; of the same shape.
        from_logits: whether `y_pred` holds logits.
        label_smoothing: how far labels move towards 1/2, from 0 to 1.
        axis: the axis to take the mean along.

    Returns:
        Tensor of the shape of `y_pred` without `axis`.

    Raises:
        ValueError: if the shapes differ.

    Example:
        >>> keras.losses.binary_crossentropy([[0.0, 1.0]], [[0.1, 0.8]])
        [0.164]
    """
    y_true, y_pred = alike(y_true, y_pred)
    y_true = _smooth(y_true, label_smoothing, 2)
    return ops.mean(ops.binary_crossentropy(y_true, y_pred, from_logits), axis)


def binary_focal_crossentropy(
    y_true: TensorLike,
    y_pred: TensorLike,
    apply_class_balancing: bool = False,
    alpha: float = 0.25,
    gamma: float = 2.0,
    from_logits: bool = False,
    label_smoothing: float = 0.0,
    axis: int = -1,
) -> Tensor:
    """Binary cross-entropy that counts easy examples less: `mean((1 - p)**gamma * ce)`.

    `p` is the probability given to the right label. Lin et al.,
    https://arxiv.org/abs/1708.02002

    Args:
        y_true: labels 0 and 1, or probabilities; of shape `(..., n)`.
        y_pred: predicted probabilities, or logits; of the same shape.
        apply_class_balancing: whether to weigh label 1 by `alpha` and 0 by `1 - alpha`.
        alpha: weight of label 1.
        gamma: how strongly easy examples are faded out; 0 gives the cross-entropy.
        from_logits: whether `y_pred` holds logits.
        label_smoothing: how far labels move towards 1/2, from 0 to 1.
        axis: the axis to take the mean along.

    Returns:
        Tensor of the shape of `y_pred` without `axis`.

    Raises:
        ValueError: if the shapes differ.

    Example:
        >>> keras.losses.binary_focal_crossentropy([[0.0, 1.0]], [[0.1, 0.8]])
        [0.005]
    """
    y_true, y_pred = alike(y_true, y_pred)
    y_true = _smooth(y_true, label_smoothing, 2)
    loss = ops.binary_crossentropy(y_true, y_pred, from_logits)
    p = ops.sigmoid(y_pred) if from_logits else y_pred
    right = y_true * p + (1.0 - y_true) * (1.0 - p)
    loss = (1.0 - right) ** gamma * loss
    if apply_class_balancing:
        loss = (y_true * alpha + (1.0 - y_true) * (1.0 - alpha)) * loss
    return ops.mean(loss, axis)


def categorical_crossentropy(
    y_true: TensorLike,
    y_pred: TensorLike,
    from_logits: bool = False,
    label_smoothing: float = 0.0,
    axis: int = -1,
) -> Tensor:
    """Cross-entropy of one of several classes, for one-hot labels.

    Args:
        y_true: one-hot labels or probabilities, of shape `(..., classes)`.
        y_pred: predicted probabilities, or logits; of the same shape.
        from_logits: whether `y_pred` holds logits.
        label_smoothing: the fraction of the probability to spread over all classes.
        axis: the axis of the classes.

    Returns:
        Tensor of the shape of `y_pred` without `axis`.

    Raises:
        ValueError: if the shapes differ, or `axis` does not exist.

    Example:
        >>> keras.losses.categorical_crossentropy([[0.0, 1.0]], [[0.2, 0.8]])
        [0.223]
    """
    y_true, y_pred = _one_hot("categorical_crossentropy", y_true, y_pred, label_smoothing, axis)
    return ops.categorical_crossentropy(y_true, y_pred, from_logits, axis)


def categorical_focal_crossentropy(
    y_true: TensorLike,
    y_pred: TensorLike,
    alpha: float = 0.25,
    gamma: float = 2.0,
    from_logits: bool = False,
    label_smoothing: float = 0.0,
    axis: int = -1,
) -> Tensor:
    """Categorical cross-entropy that counts easy examples less.

    `sum(alpha * (1 - p)**gamma * -y_true * log(p))`. Lin et al.,
    https://arxiv.org/abs/1708.02002

    Args:
        y_true: one-hot labels or probabilities, of shape `(..., classes)`.
        y_pred: predicted probabilities, or logits; of the same shape.
        alpha: weight of all classes, or one for each.
        gamma: how strongly easy examples are faded out; 0 gives `alpha` cross-entropies.
        from_logits: whether `y_pred` holds logits.
        label_smoothing: the fraction of the probability to spread over all classes.
        axis: the axis of the classes.

    Returns:
        Tensor of the shape of `y_pred` without `axis`.

    Example:
        >>> keras.losses.categorical_focal_crossentropy([[0.0, 1.0]], [[0.2, 0.8]])
        [0.002]
    """
    y_true, y_pred = _one_hot(
        "categorical_focal_crossentropy", y_true, y_pred, label_smoothing, axis
    )
    p = _distribution(y_pred, from_logits, axis)
    return ops.sum(alpha * (1.0 - p) ** gamma * -y_true * ops.log(p), axis)


def _distribution(y_pred: Tensor, from_logits: bool, axis: int) -> Tensor:
    """Probabilities that sum to 1 along `axis` and whose logarithms are finite."""
    p = ops.softmax(y_pred, axis) if from_logits else y_pred
    if not from_logits:
        p = p / ops.sum(p, axis, keepdims=True)
    return ops.clip(p, config.epsilon(), 1.0 - config.epsilon())


def sparse_categorical_crossentropy(
    y_true: TensorLike,
    y_pred: TensorLike,
    from_logits: bool = False,
    ignore_class: int | None = None,
    axis: int = -1,
) -> Tensor:
    """Cross-entropy of one of several classes, for class numbers.

    Args:
        y_true: class numbers, of the shape of `y_pred` without `axis`; a last size of 1 may
            follow.
        y_pred: predicted probabilities, or logits, of shape `(..., classes)`.
        from_logits: whether `y_pred` holds logits.
        ignore_class: a number that marks places without a label, such as padding or the void
            of a segmentation map. Their loss is 0, and `Loss` leaves them out of the mean.
        axis: the axis of the classes.

    Returns:
        Tensor of the shape of `y_pred` without `axis`.

    Raises:
        ValueError: if the shapes do not fit.

    Example:
        >>> keras.losses.sparse_categorical_crossentropy([1], [[0.2, 0.8]])
        [0.223]
    """
    if ignore_class is None:
        return ops.sparse_categorical_crossentropy(y_true, y_pred, from_logits, axis)
    y_true = ops.convert_to_tensor(y_true)
    labelled = ops.not_equal(y_true, ops.cast(ignore_class, ops.dtype(y_true)))
    y_true = ops.where(labelled, y_true, ops.zeros_like(y_true))
    loss = ops.sparse_categorical_crossentropy(y_true, y_pred, from_logits, axis)
    if len(labelled.shape) > len(loss.shape):
        labelled = ops.squeeze(labelled, -1)
    loss = ops.where(labelled, loss, ops.zeros_like(loss))
    engine.set_mask(loss, labelled)
    return loss


def categorical_generalized_cross_entropy(
    y_true: TensorLike, y_pred: TensorLike, q: float
) -> Tensor:
    """Cross-entropy that bears wrong labels: `(1 - p**q) / q`.

    `p` is the probability given to the true class. Between the cross-entropy (q to 0) and
    the mean absolute error (q = 1). Zhang and Sabuncu, https://arxiv.org/abs/1805.07836

    Args:
        y_true: class numbers, of shape `(...)`.
        y_pred: predicted probabilities, of shape `(..., classes)`.
        q: from 0 to 1, both excluded in training.

    Returns:
        Tensor of shape `(...)`.

    Example:
        >>> keras.losses.categorical_generalized_cross_entropy([1], [[0.2, 0.8]], q=0.5)
        [0.211]
    """
    y_pred = ops.convert_to_tensor(y_pred)
    labels = ops.one_hot(ops.cast(y_true, "int32"), y_pred.shape[-1], dtype=ops.dtype(y_pred))
    return (1.0 - ops.sum(labels * y_pred, axis=-1) ** q) / q


# Classes ---------------------------------------------------------------------------


class BinaryCrossentropy(LossFunctionWrapper):
    """Cross-entropy of independent yes-or-no labels: see `binary_crossentropy`.

    Args:
        from_logits: whether predictions are logits; more exact than probabilities.
        label_smoothing: how far labels move towards 1/2, from 0 to 1.
        axis: the axis to take the mean along.
        reduction, name, dtype: see `Loss`.

    Example:
        >>> model.compile("adam", keras.losses.BinaryCrossentropy(from_logits=True))
    """

    def __init__(
        self,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        axis: int = -1,
        reduction: str | None = AVERAGE,
        name: str = "binary_crossentropy",
        dtype: Any = None,
    ) -> None:
        given = shared_arguments(binary_crossentropy, locals())
        super().__init__(binary_crossentropy, reduction, name, dtype, **given)


class BinaryFocalCrossentropy(LossFunctionWrapper):
    """Binary cross-entropy that counts easy examples less: see `binary_focal_crossentropy`.

    Args:
        apply_class_balancing: whether to weigh label 1 by `alpha` and 0 by `1 - alpha`.
        alpha: weight of label 1.
        gamma: how strongly easy examples are faded out.
        from_logits: whether predictions are logits.
        label_smoothing: how far labels move towards 1/2, from 0 to 1.
        axis: the axis to take the mean along.
        reduction, name, dtype: see `Loss`.
    """

    def __init__(
        self,
        apply_class_balancing: bool = False,
        alpha: float = 0.25,
        gamma: float = 2.0,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        axis: int = -1,
        reduction: str | None = AVERAGE,
        name: str = "binary_focal_crossentropy",
        dtype: Any = None,
    ) -> None:
        given = shared_arguments(binary_focal_crossentropy, locals())
        super().__init__(binary_focal_crossentropy, reduction, name, dtype, **given)


class CategoricalCrossentropy(LossFunctionWrapper):
    """Cross-entropy of one of several classes, for one-hot labels: see `categorical_crossentropy`.

    Args:
        from_logits: whether predictions are logits; more exact than probabilities.
        label_smoothing: the fraction of the probability to spread over all classes.
        axis: the axis of the classes.
        reduction, name, dtype: see `Loss`.
    """

    def __init__(
        self,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        axis: int = -1,
        reduction: str | None = AVERAGE,
        name: str = "categorical_crossentropy",
        dtype: Any = None,
    ) -> None:
        given = shared_arguments(categorical_crossentropy, locals())
        super().__init__(categorical_crossentropy, reduction, name, dtype, **given)


class CategoricalFocalCrossentropy(LossFunctionWrapper):
    """Categorical cross-entropy that counts easy examples less.

    See `categorical_focal_crossentropy`.

    Args:
        alpha: weight of all classes, or one for each.
        gamma: how strongly easy examples are faded out.
        from_logits: whether predictions are logits.
        label_smoothing: the fraction of the probability to spread over all classes.
        axis: the axis of the classes.
        reduction, name, dtype: see `Loss`.
    """

    def __init__(
        self,
        alpha: float = 0.25,
        gamma: float = 2.0,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        axis: int = -1,
        reduction: str | None = AVERAGE,
        name: str = "categorical_focal_crossentropy",
        dtype: Any = None,
    ) -> None:
        given = shared_arguments(categorical_focal_crossentropy, locals())
        super().__init__(categorical_focal_crossentropy, reduction, name, dtype, **given)


class SparseCategoricalCrossentropy(LossFunctionWrapper):
    """Cross-entropy of one of several classes, for class numbers.

    See `sparse_categorical_crossentropy`.

    Args:
        from_logits: whether predictions are logits; more exact than probabilities.
        ignore_class: a number that marks places without a label; they do not count.
        reduction: see `Loss`.
        axis: the axis of the classes.
        name, dtype: see `Loss`.
    """

    _casts_targets = False

    def __init__(
        self,
        from_logits: bool = False,
        ignore_class: int | None = None,
        reduction: str | None = AVERAGE,
        axis: int = -1,
        name: str = "sparse_categorical_crossentropy",
        dtype: Any = None,
    ) -> None:
        given = shared_arguments(sparse_categorical_crossentropy, locals())
        super().__init__(sparse_categorical_crossentropy, reduction, name, dtype, **given)

    def call(self, y_true: Any, y_pred: Any) -> Tensor:
        return self.fn(y_true, y_pred, **self._fn_kwargs)


class CategoricalGeneralizedCrossEntropy(LossFunctionWrapper):
    """Cross-entropy that bears wrong labels: see `categorical_generalized_cross_entropy`.

    Args:
        q: from 0 (cross-entropy) to 1 (mean absolute error), both excluded.
        reduction, name, dtype: see `Loss`.

    Raises:
        ValueError: if `q` is not between 0 and 1.
    """

    _casts_targets = False

    def __init__(
        self,
        q: float = 0.5,
        reduction: str | None = AVERAGE,
        name: str = "categorical_generalized_cross_entropy",
        dtype: Any = None,
    ) -> None:
        if not 0 < q < 1:
            raise ValueError(
                f"CategoricalGeneralizedCrossEntropy: `q` must lie between 0 and 1. Received: {q}"
            )
        super().__init__(categorical_generalized_cross_entropy, reduction, name, dtype, q=q)
