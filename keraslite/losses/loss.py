"""`Loss`: a function of targets and predictions, weighed and reduced to a number."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from keraslite import config, ops
from keraslite.core import dtypes, tree
from keraslite.core.configurable import Configurable
from keraslite.core.errors import check_choice
from keraslite.core.naming import auto_name, to_snake_case
from keraslite.core.op import Tensor, TensorLike
from keraslite.losses.weighting import REDUCTIONS, mask_of, reduce_weighted, same_rank

AVERAGE = "sum_over_batch_size"


class Loss(Configurable):
    """Base class of losses. Subclasses define `call`, with one value per sample.

    Args:
        name: of the loss; made from the class by default.
        reduction: what becomes of the values of a batch. `"sum_over_batch_size"` or
            `"mean"`: their sum by their number; `"sum"`; `"mean_with_sample_weight"`: their
            weighted sum by the sum of the weights; `"none"` or None: they stay as they are.
        dtype: in which the loss is computed, `floatx()` by default, also when layers
            compute in fewer bits.

    Raises:
        ValueError: for an unknown `reduction`.

    Example:
        >>> class Largest(keras.losses.Loss):
        ...     def call(self, y_true, y_pred):
        ...         return keras.ops.max(keras.ops.abs(y_true - y_pred), axis=-1)
        >>> float(Largest()([[0.0, 1.0]], [[0.5, 3.0]]))
        2.0
    """

    #: Whether targets get the loss's dtype. Class numbers would lose digits in it.
    _casts_targets = True

    def __init__(
        self, name: str | None = None, reduction: str | None = AVERAGE, dtype: Any = None
    ) -> None:
        check_choice(self, REDUCTIONS, reduction=reduction)
        self.name = name or auto_name(to_snake_case(type(self).__name__))
        self.reduction = reduction
        self._dtype_given = dtype is not None
        self._dtype = compute_dtype(dtype)

    @property
    def dtype(self) -> str:
        """In which the loss is computed."""
        return self._dtype

    def call(self, y_true: Any, y_pred: Any) -> Tensor:
        """The values of the loss, before weighting and reduction."""
        raise NotImplementedError(f"{type(self).__name__} must define `call(y_true, y_pred)`.")

    def __call__(self, y_true: Any, y_pred: Any, sample_weight: TensorLike | None = None) -> Tensor:
        """The loss of a batch.

        Args:
            y_true: targets; a tensor or, for a loss of your own, a tree of them.
            y_pred: predictions. A mask on it hides values from the loss.
            sample_weight: one weight for each sample, or for each value of the loss.

        Returns:
            A scalar; with `reduction="none"` the weighted values.
        """
        mask = mask_of(y_pred)
        y_true = _convert(y_true, self._dtype if self._casts_targets else None)
        y_pred = _convert(y_pred, self._dtype)
        values = self.call(y_true, y_pred)
        found = mask_of(values)
        if found is not None:
            mask = found if mask is None else ops.logical_and(mask, found)
        values = ops.convert_to_tensor(values, self._dtype)
        return reduce_weighted(values, sample_weight, mask, self.reduction, self._dtype)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments; `dtype` only where it was given."""
        found = super().get_config()
        if not self._dtype_given:
            found.pop("dtype", None)
        return found

    get_config._derived = True  # type: ignore[attr-defined]

    def __repr__(self) -> str:
        return f"<{type(self).__name__} name={self.name}>"


def compute_dtype(dtype: Any) -> str:
    """The dtype to compute in, for a dtype, a dtype policy, or None for `floatx()`."""
    if dtype is None:
        return config.floatx()
    dtype = getattr(dtype, "compute_dtype", dtype)
    if isinstance(dtype, str) and dtype.startswith("mixed_"):
        dtype = dtype.removeprefix("mixed_")
    return dtypes.standardize_dtype(dtype)


def _convert(x: Any, dtype: str | None) -> Any:
    if not tree.is_nested(x) or isinstance(x, (list, tuple)) and _is_numbers(x):
        return x if x is None else ops.convert_to_tensor(x, dtype)
    return tree.map_structure(lambda leaf: _convert(leaf, dtype), x)


def _is_numbers(x: Any) -> bool:
    """Whether a list is a nested list of numbers, which is one tensor."""
    return all(_is_numbers(v) if isinstance(v, (list, tuple)) else _is_number(v) for v in x)


def _is_number(x: Any) -> bool:
    return isinstance(x, (bool, int, float, np.generic))


class LossFunctionWrapper(Loss):
    """A loss that is a function of `(y_true, y_pred)`.

    Args:
        fn: the function; returns one value per sample.
        reduction, name, dtype: see `Loss`.
        **kwargs: passed on to `fn`, and kept as attributes.

    Example:
        >>> loss = LossFunctionWrapper(keras.losses.huber, delta=2.0)
    """

    def __init__(
        self,
        fn: Callable[..., Tensor],
        reduction: str | None = AVERAGE,
        name: str | None = None,
        dtype: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(name=name, reduction=reduction, dtype=dtype)
        self.fn = fn
        self._fn_kwargs = kwargs
        vars(self).update(kwargs)

    def call(self, y_true: Any, y_pred: Any) -> Tensor:
        if not (tree.is_nested(y_true) or tree.is_nested(y_pred)):
            y_true, y_pred = same_rank(y_true, y_pred)
        return self.fn(y_true, y_pred, **self._fn_kwargs)

    def get_config(self) -> dict[str, Any]:
        from keraslite.core.serialization import serialize_value

        found = super().get_config()
        if type(self) is LossFunctionWrapper:
            found.update({key: serialize_value(value) for key, value in self._fn_kwargs.items()})
        return found

    get_config._derived = True  # type: ignore[attr-defined]
