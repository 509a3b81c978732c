"""Layers that arrange values anew."""

from __future__ import annotations

import math
from typing import Any

from keraslite import ops
from keraslite.config import standardize_data_format
from keraslite.layers.input_spec import InputSpec
from keraslite.layers.layer import Layer
from keraslite.layers.options import WeightlessLayer, check_positive

__all__ = ["Flatten", "Permute", "RepeatVector", "Reshape"]


class Flatten(Layer):
    """All axes but the first in one: `(batch, a, b)` to `(batch, a * b)`.

    Args:
        data_format: with `"channels_first"` the channels are moved last before.
    """

    def __init__(self, data_format: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.data_format = standardize_data_format(data_format)
        self.input_spec = InputSpec(min_ndim=1)

    def call(self, inputs: Any) -> Any:
        if self.data_format == "channels_first" and len(inputs.shape) > 2:
            inputs = ops.moveaxis(inputs, 1, -1)
        sizes = tuple(inputs.shape)[1:]
        if None in sizes:
            return ops.reshape(inputs, (ops.shape(inputs)[0], -1))
        return ops.reshape(inputs, (-1, math.prod(sizes)))


class Reshape(WeightlessLayer):
    """Samples in another shape.

    Args:
        target_shape: of one sample; one size may be -1.

    Example:
        >>> keras.layers.Reshape((3, -1))(np.ones((2, 12))).shape
        (2, 3, 4)
    """

    def __init__(self, target_shape: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        target_shape = tuple(target_shape)
        if any(not hasattr(n, "__index__") or n < -1 for n in target_shape):
            raise ValueError(
                f"Reshape: `target_shape` must hold sizes, or -1. Received: {target_shape}"
            )
        if target_shape.count(-1) > 1:
            raise ValueError(f"Reshape: `target_shape` may hold -1 once. Received: {target_shape}")
        self.target_shape = target_shape

    def call(self, inputs: Any) -> Any:
        sizes = tuple(inputs.shape)[1:]
        target = self.target_shape
        if None not in sizes:
            have, want = math.prod(sizes), math.prod(n for n in target if n != -1)
            if (-1 in target and (want == 0 or have % want)) or (-1 not in target and have != want):
                raise ValueError(
                    f"Layer {self.name!r}: cannot reshape samples of shape {sizes} into {target}."
                )
            target = tuple(have // want if n == -1 else n for n in target)
            return ops.reshape(inputs, (-1, *target))
        return ops.reshape(inputs, (ops.shape(inputs)[0], *target))


class Permute(Layer):
    """The axes of samples in another order.

    Args:
        dims: the order, counted from 1; the batch axis is not among them.
    """

    def __init__(self, dims: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.dims = tuple(dims)
        if sorted(self.dims) != list(range(1, len(self.dims) + 1)):
            raise ValueError(
                f"Permute: `dims` must hold 1 to {len(self.dims)} once each. Received: {dims}"
            )
        self.input_spec = InputSpec(ndim=len(self.dims) + 1)

    def call(self, inputs: Any) -> Any:
        return ops.transpose(inputs, (0, *self.dims))


class RepeatVector(Layer):
    """`(batch, features)` to `(batch, n, features)`.

    Args:
        n: number of repetitions.
    """

    def __init__(self, n: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if not isinstance(n, int):
            raise TypeError(f"RepeatVector: `n` must be an integer. Received: {n!r}")
        check_positive(self, n=n)
        self.n = n
        self.input_spec = InputSpec(ndim=2)

    def call(self, inputs: Any) -> Any:
        return ops.repeat(ops.expand_dims(inputs, 1), self.n, axis=1)
