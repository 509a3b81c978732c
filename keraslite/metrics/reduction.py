"""Means and sums over batches, and metrics that are the mean of a function."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from keraslite import ops
from keraslite.core.op import Tensor, TensorLike
from keraslite.losses.weighting import mask_of, with_weights
from keraslite.metrics.metric import Metric


class Sum(Metric):
    """Weighted sum of all values.

    Args:
        name, dtype: see `Metric`.

    Example:
        >>> metric = keras.metrics.Sum()
        >>> metric.update_state([1.0, 2.0], sample_weight=[1.0, 0.5])
        >>> float(metric.result())
        2.0
    """

    def __init__(self, name: str = "sum", dtype: Any = None) -> None:
        super().__init__(name=name, dtype=dtype)
        self.total = self.add_weight(name="total")

    def update_state(self, values: TensorLike, sample_weight: TensorLike | None = None) -> None:
        """Add values.

        Args:
            values: tensor of any shape.
            sample_weight: one weight for each sample or value.
        """
        mask = mask_of(values)
        values = ops.convert_to_tensor(values, self.dtype)
        values, weights = with_weights(values, sample_weight, mask, self.dtype)
        total = ops.sum(values if weights is None else values * weights)
        self.total.assign(self.total.value + total)

    def result(self) -> Tensor:
        return self.total.value


class Mean(Metric):
    """Weighted mean of all values, each sample counting once.

    Where values have several axes, the mean over all but the first stands for the sample.

    Args:
        name, dtype: see `Metric`.

    Example:
        >>> metric = keras.metrics.Mean()
        >>> metric.update_state([1.0, 4.0], sample_weight=[3.0, 1.0])
        >>> float(metric.result())
        1.75
    """

    def __init__(self, name: str = "mean", dtype: Any = None) -> None:
        super().__init__(name=name, dtype=dtype)
        self.total = self.add_weight(name="total")
        self.count = self.add_weight(name="count")

    def update_state(self, values: TensorLike, sample_weight: TensorLike | None = None) -> None:
        """Take values in.

        Args:
            values: tensor of any shape, samples along the first axis.
            sample_weight: one weight for each sample or value.
        """
        self._take(values, sample_weight, mask_of(values))

    def _take(
        self, values: TensorLike, sample_weight: TensorLike | None, mask: Tensor | None
    ) -> None:
        values = ops.convert_to_tensor(values, self.dtype)
        values, weights = with_weights(values, sample_weight, mask, self.dtype)
        shape = ops.shape(values)
        if weights is None:
            total, count = _sum(values), shape[0] if shape else 1
        else:
            total, count = _sum(values * weights), _sum(ops.broadcast_to(weights, shape))
        if len(shape) > 1:
            per_sample = _number(math.prod(shape[1:]), self.dtype)
            total = total / per_sample
            count = count if weights is None else count / per_sample
        self.total.assign(self.total.value + total)
        self.count.assign(self.count.value + _number(count, self.dtype))

    def result(self) -> Tensor:
        return ops.divide_no_nan(self.total.value, self.count.value)


def _sum(x: Tensor) -> Tensor:
    return ops.sum(x) if x.shape else x


def _number(x: Any, dtype: str) -> Any:
    """A Python number as it is; a tensor in `dtype`."""
    return float(x) if isinstance(x, int) else ops.cast(x, dtype)


class MeanMetricWrapper(Mean):
    """Mean of a function of targets and predictions.

    Args:
        fn: function of `(y_true, y_pred)` that gives one value per sample.
        name, dtype: see `Metric`.
        **kwargs: passed on to `fn`.

    Example:
        >>> metric = keras.metrics.MeanMetricWrapper(keras.losses.huber, name="huber", delta=2.0)
    """

    def __init__(
        self, fn: Callable[..., Tensor], name: str | None = None, dtype: Any = None, **kwargs: Any
    ) -> None:
        super().__init__(name=name, dtype=dtype)
        self._fn = fn
        self._fn_kwargs = kwargs
        vars(self).update(kwargs)
        # Code that was given to `exec` may have no module.
        if self._direction is None and str(fn.__module__).startswith("keraslite.losses"):
            self._direction = "down"

    def update_state(
        self, y_true: TensorLike, y_pred: TensorLike, sample_weight: TensorLike | None = None
    ) -> None:
        """Take a batch in.

        Args:
            y_true: targets.
            y_pred: predictions. A mask on them hides samples.
            sample_weight: one weight for each sample, or for each value of the function.
        """
        self._take(self._fn(y_true, y_pred, **self._fn_kwargs), sample_weight, mask_of(y_pred))

    def get_config(self) -> dict[str, Any]:
        from keraslite.core.serialization import serialize_value

        found = super().get_config()
        if type(self) is MeanMetricWrapper:
            found.update({key: serialize_value(value) for key, value in self._fn_kwargs.items()})
        return found

    get_config._derived = True  # type: ignore[attr-defined]
