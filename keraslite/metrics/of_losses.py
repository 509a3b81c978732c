"""Metrics that are the mean of a loss."""

from __future__ import annotations

from typing import Any

from keraslite import losses
from keraslite.metrics.reduction import MeanMetricWrapper


class MeanSquaredError(MeanMetricWrapper):
    """Mean of squared differences: see `losses.mean_squared_error`.

    Args:
        name, dtype: see `Metric`.
    """

    def __init__(self, name: str = "mean_squared_error", dtype: Any = None) -> None:
        super().__init__(losses.mean_squared_error, name, dtype)


class MeanAbsoluteError(MeanMetricWrapper):
    """Mean of absolute differences: see `losses.mean_absolute_error`.

    Args:
        name, dtype: see `Metric`.
    """

    def __init__(self, name: str = "mean_absolute_error", dtype: Any = None) -> None:
        super().__init__(losses.mean_absolute_error, name, dtype)


class MeanAbsolutePercentageError(MeanMetricWrapper):
    """Mean difference in percent of the target: see `losses.mean_absolute_percentage_error`.

    Args:
        name, dtype: see `Metric`.
    """

    def __init__(self, name: str = "mean_absolute_percentage_error", dtype: Any = None) -> None:
        super().__init__(losses.mean_absolute_percentage_error, name, dtype)


class MeanSquaredLogarithmicError(MeanMetricWrapper):
    """Mean squared difference of logarithms: see `losses.mean_squared_logarithmic_error`.

    Args:
        name, dtype: see `Metric`.
    """

    def __init__(self, name: str = "mean_squared_logarithmic_error", dtype: Any = None) -> None:
        super().__init__(losses.mean_squared_logarithmic_error, name, dtype)


class LogCoshError(MeanMetricWrapper):
    """Mean of `log(cosh(error))`: see `losses.log_cosh`.

    Args:
        name, dtype: see `Metric`.
    """

    def __init__(self, name: str = "logcosh", dtype: Any = None) -> None:
        super().__init__(losses.log_cosh, name, dtype)


class Hinge(MeanMetricWrapper):
    """Mean distance to the right side of the margin: see `losses.hinge`.

    Args:
        name, dtype: see `Metric`.
    """

    def __init__(self, name: str = "hinge", dtype: Any = None) -> None:
        super().__init__(losses.hinge, name, dtype)


class SquaredHinge(MeanMetricWrapper):
    """Mean squared distance to the margin: see `losses.squared_hinge`.

    Args:
        name, dtype: see `Metric`.
    """

    def __init__(self, name: str = "squared_hinge", dtype: Any = None) -> None:
        super().__init__(losses.squared_hinge, name, dtype)


class CategoricalHinge(MeanMetricWrapper):
    """Hinge between the true class and the best wrong one: see `losses.categorical_hinge`.

    Args:
        name, dtype: see `Metric`.
    """

    def __init__(self, name: str = "categorical_hinge", dtype: Any = None) -> None:
        super().__init__(losses.categorical_hinge, name, dtype)


class KLDivergence(MeanMetricWrapper):
    """Kullback-Leibler divergence: see `losses.kl_divergence`.

    Args:
        name, dtype: see `Metric`.
    """

    def __init__(self, name: str = "kl_divergence", dtype: Any = None) -> None:
        super().__init__(losses.kl_divergence, name, dtype)


class Poisson(MeanMetricWrapper):
    """Negative log-likelihood of counts: see `losses.poisson`.

    Args:
        name, dtype: see `Metric`.
    """

    def __init__(self, name: str = "poisson", dtype: Any = None) -> None:
        super().__init__(losses.poisson, name, dtype)


class BinaryCrossentropy(MeanMetricWrapper):
    """Cross-entropy of yes-or-no labels: see `losses.binary_crossentropy`.

    Args:
        name, dtype: see `Metric`.
        from_logits: whether predictions are logits.
        label_smoothing: how far labels move towards 1/2.
    """

    def __init__(
        self,
        name: str = "binary_crossentropy",
        dtype: Any = None,
        from_logits: bool = False,
        label_smoothing: float = 0,
    ) -> None:
        super().__init__(
            losses.binary_crossentropy,
            name,
            dtype,
            from_logits=from_logits,
            label_smoothing=label_smoothing,
        )


class CategoricalCrossentropy(MeanMetricWrapper):
    """Cross-entropy of one-hot labels: see `losses.categorical_crossentropy`.

    Args:
        name, dtype: see `Metric`.
        from_logits: whether predictions are logits.
        label_smoothing: fraction of the probability to spread over all classes.
        axis: the axis of the classes.
    """

    def __init__(
        self,
        name: str = "categorical_crossentropy",
        dtype: Any = None,
        from_logits: bool = False,
        label_smoothing: float = 0,
        axis: int = -1,
    ) -> None:
        super().__init__(
            losses.categorical_crossentropy,
            name,
            dtype,
            from_logits=from_logits,
            label_smoothing=label_smoothing,
            axis=axis,
        )


class SparseCategoricalCrossentropy(MeanMetricWrapper):
    """Cross-entropy of class numbers: see `losses.sparse_categorical_crossentropy`.

    Args:
        name, dtype: see `Metric`.
        from_logits: whether predictions are logits.
        ignore_class: a number that marks places without a label; their loss is 0.
        axis: the axis of the classes.
    """

    def __init__(
        self,
        name: str = "sparse_categorical_crossentropy",
        dtype: Any = None,
        from_logits: bool = False,
        ignore_class: int | None = None,
        axis: int = -1,
    ) -> None:
        super().__init__(
            losses.sparse_categorical_crossentropy,
            name,
            dtype,
            from_logits=from_logits,
            ignore_class=ignore_class,
            axis=axis,
        )
