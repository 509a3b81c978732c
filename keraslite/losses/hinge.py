"""Hinge losses, for maximum-margin classification."""

from __future__ import annotations

from typing import Any

from keraslite import ops
from keraslite.core.op import Tensor, TensorLike
from keraslite.losses.loss import AVERAGE, LossFunctionWrapper
from keraslite.losses.weighting import matched


def _signs(y_true: Tensor) -> Tensor:
    """Labels as -1 and 1; when all are 0 or 1, the zeros become -1."""
    is_binary = ops.all(ops.logical_or(ops.equal(y_true, 0), ops.equal(y_true, 1)))
    return ops.where(is_binary, 2.0 * y_true - 1.0, y_true)


def _margins(y_true: TensorLike, y_pred: TensorLike) -> Tensor:
    y_true, y_pred = matched(y_true, y_pred)
    return ops.maximum(1.0 - _signs(y_true) * y_pred, 0.0)


def hinge(y_true: TensorLike, y_pred: TensorLike) -> Tensor:
    """Mean distance to the right side of the margin: `mean(max(1 - y_true * y_pred, 0))`.

    Args:
        y_true: labels -1 and 1, or 0 and 1; of shape `(..., n)`.
        y_pred: predictions, of the same shape.

    Returns:
        Tensor of shape `(...)`.

    Example:
        >>> keras.losses.hinge([[0.0, 1.0]], [[0.5, 0.5]])
        [1.0]
    """
    return ops.mean(_margins(y_true, y_pred), axis=-1)


def squared_hinge(y_true: TensorLike, y_pred: TensorLike) -> Tensor:
    """Mean squared distance to the margin: `mean(max(1 - y_true * y_pred, 0)**2)`.

    Args:
        y_true: labels -1 and 1, or 0 and 1; of shape `(..., n)`.
        y_pred: predictions, of the same shape.

    Returns:
        Tensor of shape `(...)`.

    Example:
        >>> keras.losses.squared_hinge([[0.0, 1.0]], [[0.5, 0.5]])
        [1.25]
    """
    return ops.mean(ops.square(_margins(y_true, y_pred)), axis=-1)


def categorical_hinge(y_true: TensorLike, y_pred: TensorLike) -> Tensor:
    """Hinge between the true class and the best wrong one: `max(wrong - right + 1, 0)`.

    `right = sum(y_true * y_pred)` and `wrong = max((1 - y_true) * y_pred)`, along the last
    axis.

    Args:
        y_true: one-hot labels, of shape `(..., classes)`.
        y_pred: predictions, of the same shape.

    Returns:
        Tensor of shape `(...)`.

    Example:
        >>> keras.losses.categorical_hinge([[0.0, 1.0]], [[0.5, 0.75]])
        [0.75]
    """
    y_true, y_pred = matched(y_true, y_pred)
    right = ops.sum(y_true * y_pred, axis=-1)
    wrong = ops.max((1.0 - y_true) * y_pred, axis=-1)
    return ops.maximum(wrong - right + 1.0, 0.0)


class Hinge(LossFunctionWrapper):
    """Mean distance to the right side of the margin: see `hinge`.

    Args:
        reduction, name, dtype: see `Loss`.
    """

    def __init__(
        self, reduction: str | None = AVERAGE, name: str = "hinge", dtype: Any = None
    ) -> None:
        super().__init__(hinge, reduction, name, dtype)


class SquaredHinge(LossFunctionWrapper):
    """Mean squared distance to the right side of the margin: see `squared_hinge`.

    Args:
        reduction, name, dtype: see `Loss`.
    """

    def __init__(
        self, reduction: str | None = AVERAGE, name: str = "squared_hinge", dtype: Any = None
    ) -> None:
        super().__init__(squared_hinge, reduction, name, dtype)


class CategoricalHinge(LossFunctionWrapper):
    """Hinge between the true class and the best wrong one: see `categorical_hinge`.

    Args:
        reduction, name, dtype: see `Loss`.
    """

    def __init__(
        self, reduction: str | None = AVERAGE, name: str = "categorical_hinge", dtype: Any = None
    ) -> None:
        super().__init__(categorical_hinge, reduction, name, dtype)
