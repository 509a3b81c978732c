"""Losses of predicted numbers: squared, absolute, relative and robust errors."""

from __future__ import annotations

import math
from typing import Any

from keraslite import config, ops
from keraslite.core.op import Tensor, TensorLike
from keraslite.losses.loss import AVERAGE, LossFunctionWrapper
from keraslite.losses.weighting import matched

# Functions -----------------------------------------------------------------------


def mean_squared_error(y_true: TensorLike, y_pred: TensorLike) -> Tensor:
    """Mean of squared differences: `mean((y_true - y_pred)**2, axis=-1)`.

    Args:
        y_true: targets, of shape `(..., n)`.
        y_pred: predictions, of the same shape.

    Returns:
        Tensor of shape `(...)`.

    Example:
        >>> keras.losses.mean_squared_error([[0.0, 1.0]], [[2.0, 1.0]])
        [2.0]
    """
    y_true, y_pred = matched(y_true, y_pred)
    return ops.mean(ops.square(y_true - y_pred), axis=-1)


def mean_absolute_error(y_true: TensorLike, y_pred: TensorLike) -> Tensor:
    """Mean of absolute differences: `mean(|y_true - y_pred|, axis=-1)`.

    Args:
        y_true: targets, of shape `(..., n)`.
        y_pred: predictions, of the same shape.

    Returns:
        Tensor of shape `(...)`.

    Example:
        >>> keras.losses.mean_absolute_error([[0.0, 1.0]], [[2.0, 1.0]])
        [1.0]
    """
    y_true, y_pred = matched(y_true, y_pred)
    return ops.mean(ops.absolute(y_true - y_pred), axis=-1)


def mean_absolute_percentage_error(y_true: TensorLike, y_pred: TensorLike) -> Tensor:
    """Mean difference in percent of the target: `100 mean(|y_true - y_pred| / |y_true|)`.

    Targets nearer to 0 than `epsilon()` count as that.

    Args:
        y_true: targets, of shape `(..., n)`.
        y_pred: predictions, of the same shape.

    Returns:
        Tensor of shape `(...)`.

    Example:
        >>> keras.losses.mean_absolute_percentage_error([[2.0, 4.0]], [[1.0, 4.0]])
        [25.0]
    """
    y_true, y_pred = matched(y_true, y_pred)
    size = ops.maximum(ops.absolute(y_true), config.epsilon())
    return 100.0 * ops.mean(ops.absolute(y_true - y_pred) / size, axis=-1)


def mean_squared_logarithmic_error(y_true: TensorLike, y_pred: TensorLike) -> Tensor:
    """Mean squared difference of logarithms: `mean((log(1 + y_true) - log(1 + y_pred))**2)`.

    Negative values count as `epsilon()`.

    Args:
        y_true: targets, of shape `(..., n)`.
        y_pred: predictions, of the same shape.

    Returns:
        Tensor of shape `(...)`.

    Example:
        >>> keras.losses.mean_squared_logarithmic_error([[0.0]], [[1.0]])
        [0.480]
    """
    y_true, y_pred = matched(y_true, y_pred)
    least = config.epsilon()
    difference = ops.log1p(ops.maximum(y_pred, least)) - ops.log1p(ops.maximum(y_true, least))
    return ops.mean(ops.square(difference), axis=-1)


def huber(y_true: TensorLike, y_pred: TensorLike, delta: float = 1.0) -> Tensor:
    """Mean error, squared where it is small and linear where it is large.

    With `e = y_true - y_pred`: `e**2 / 2` where `|e| <= delta`, else
    `delta * |e| - delta**2 / 2`. Huber, https://doi.org/10.1214/aoms/1177703732

    Args:
        y_true: targets, of shape `(..., n)`.
        y_pred: predictions, of the same shape.
        delta: where the square ends.

    Returns:
        Tensor of shape `(...)`.

    Example:
        >>> keras.losses.huber([[0.0, 0.0]], [[1.0, 3.0]])
        [1.5]
    """
    y_true, y_pred = matched(y_true, y_pred)
    error = ops.absolute(y_true - y_pred)
    # One formula for both parts: with `near` the part of the error up to delta.
    near = ops.minimum(error, delta)
    return ops.mean(near * (error - 0.5 * near), axis=-1)


def log_cosh(y_true: TensorLike, y_pred: TensorLike) -> Tensor:
    """Mean of `log(cosh(y_pred - y_true))`: like squares when small, like `|e|` when large.

    Args:
        y_true: targets, of shape `(..., n)`.
        y_pred: predictions, of the same shape.

    Returns:
        Tensor of shape `(...)`.

    Example:
        >>> keras.losses.log_cosh([[0.0, 0.0]], [[1.0, 0.0]])
        [0.217]
    """
    y_true, y_pred = matched(y_true, y_pred)
    error = y_pred - y_true
    # log((exp(e) + exp(-e)) / 2), without the exponentials that would overflow.
    return ops.mean(ops.logaddexp(error, -error) - math.log(2.0), axis=-1)


# Classes ---------------------------------------------------------------------------


class MeanSquaredError(LossFunctionWrapper):
    """Mean of squared differences: see `mean_squared_error`.

    Args:
        reduction, name, dtype: see `Loss`.

    Example:
        >>> model.compile(optimizer="adam", loss=keras.losses.MeanSquaredError())
    """

    def __init__(
        self, reduction: str | None = AVERAGE, name: str = "mean_squared_error", dtype: Any = None
    ) -> None:
        super().__init__(mean_squared_error, reduction, name, dtype)


class MeanAbsoluteError(LossFunctionWrapper):
    """Mean of absolute differences: see `mean_absolute_error`.

    Args:
        reduction, name, dtype: see `Loss`.
    """

    def __init__(
        self, reduction: str | None = AVERAGE, name: str = "mean_absolute_error", dtype: Any = None
    ) -> None:
        super().__init__(mean_absolute_error, reduction, name, dtype)


class MeanAbsolutePercentageError(LossFunctionWrapper):
    """Mean difference in percent of the target: see `mean_absolute_percentage_error`.

    Args:
        reduction, name, dtype: see `Loss`.
    """

    def __init__(
        self,
        reduction: str | None = AVERAGE,
        name: str = "mean_absolute_percentage_error",
        dtype: Any = None,
    ) -> None:
        super().__init__(mean_absolute_percentage_error, reduction, name, dtype)


class MeanSquaredLogarithmicError(LossFunctionWrapper):
    """Mean squared difference of logarithms: see `mean_squared_logarithmic_error`.

    Args:
        reduction, name, dtype: see `Loss`.
    """

    def __init__(
        self,
        reduction: str | None = AVERAGE,
        name: str = "mean_squared_logarithmic_error",
        dtype: Any = None,
    ) -> None:
        super().__init__(mean_squared_logarithmic_error, reduction, name, dtype)


class Huber(LossFunctionWrapper):
    """Error that is squared where small and linear where large: see `huber`.

    Args:
        delta: where the square ends.
        reduction, name, dtype: see `Loss`.

    Example:
        >>> model.compile(optimizer="adam", loss=keras.losses.Huber(delta=0.5))
    """

    def __init__(
        self,
        delta: float = 1.0,
        reduction: str | None = AVERAGE,
        name: str = "huber_loss",
        dtype: Any = None,
    ) -> None:
        super().__init__(huber, reduction, name, dtype, delta=delta)


class LogCosh(LossFunctionWrapper):
    """Mean of `log(cosh(y_pred - y_true))`: see `log_cosh`.

    Args:
        reduction, name, dtype: see `Loss`.
    """

    def __init__(
        self, reduction: str | None = AVERAGE, name: str = "log_cosh", dtype: Any = None
    ) -> None:
        super().__init__(log_cosh, reduction, name, dtype)
