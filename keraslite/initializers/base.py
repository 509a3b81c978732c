"""The base classes of initializers. Values are made by NumPy, so that engines agree."""

from __future__ import annotations

import abc
from collections.abc import Sequence
from typing import Any

import numpy as np

from keraslite.backend import engine
from keraslite.core import dtypes
from keraslite.core.configurable import Configurable
from keraslite.core.op import Tensor


class Initializer(Configurable):
    """Base class: a function from a shape and a dtype to the first value of a weight.

    Subclasses define `__call__`.

    Example:
        >>> class Ramp(keras.initializers.Initializer):
        ...     def __call__(self, shape, dtype=None):
        ...         return keras.ops.broadcast_to(keras.ops.arange(shape[-1], dtype=dtype), shape)
        >>> layer = keras.layers.Dense(4, bias_initializer=Ramp())
    """

    def __call__(self, shape: Sequence[int], dtype: Any = None) -> Tensor:
        """The value.

        Args:
            shape: of the value.
            dtype: of the value; None for `keras.config.floatx()`.

        Returns:
            Tensor.
        """
        raise NotImplementedError(f"{type(self).__name__} must define `__call__(shape, dtype)`.")

    def clone(self) -> Initializer:
        """A new initializer with the same config; without a seed it draws another one."""
        return type(self).from_config(self.get_config())


class ArrayInitializer(Initializer):
    """An initializer whose values are computed by NumPy and then converted."""

    def __call__(self, shape: Sequence[int], dtype: Any = None) -> Tensor:
        name = dtypes.standardize_dtype(dtype)
        return engine.convert(self._values(as_shape(shape), name), name)

    @abc.abstractmethod
    def _values(self, shape: tuple[int, ...], dtype: str) -> np.ndarray:
        """The value as an array of this shape and dtype."""


def as_shape(shape: Any) -> tuple[int, ...]:
    """`shape` as a tuple of known sizes.

    Raises:
        ValueError: for a size that is no non-negative integer.
    """
    try:
        found = (shape.__index__(),) if hasattr(shape, "__index__") else tuple(shape)
        found = tuple(size.__index__() for size in found)
    except (AttributeError, TypeError):
        found = (-1,)
    if any(size < 0 for size in found):
        raise ValueError(
            f"An initializer needs a shape of non-negative integers. Received: shape={shape!r}"
        )
    return found
