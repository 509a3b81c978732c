"""Normalizations of each sample on its own: by groups of channels, by size, to unit length."""

from __future__ import annotations

from typing import Any

from keraslite import ops
from keraslite.core.keras_tensor import KerasTensor
from keraslite.layers.constructors import takes
from keraslite.layers.input_spec import InputSpec
from keraslite.layers.normalization import HALVES, ScaledNormalization, sizes_along
from keraslite.layers.options import (
    WeightedLayer,
    WeightlessLayer,
    check_axes,
    known_size,
)

__all__ = ["GroupNormalization", "RMSNormalization", "UnitNormalization"]


class GroupNormalization(ScaledNormalization):
    """Normalise each sample over its positions and groups of its channels.

    Wu and He, https://arxiv.org/abs/1803.08494

    Args:
        groups: number of groups, a divisor of the number of channels; -1 for one group for
            each channel (instance normalization).
        axis: the axis of the channels.
        epsilon: added to the variance.
        center, scale: whether there are `beta` and `gamma`.
        beta_initializer, gamma_initializer: initial values of these.
        beta_regularizer, gamma_regularizer: penalties.
        beta_constraint, gamma_constraint: applied after each update.

    Shapes: any, unchanged.
    """

    @takes(ScaledNormalization)
    def __init__(self, groups: int = 32, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.groups = groups
        if not isinstance(groups, int) or (groups < 1 and groups != -1):
            raise ValueError(
                f"GroupNormalization: `groups` must be a positive integer or -1. Received: {groups}"
            )

    def build(self, input_shape: Any) -> None:
        channels = known_size(self, input_shape, self.axis)
        if self.groups == -1:
            self.groups = channels
        if self.axis % len(input_shape) == 0 or channels % self.groups:
            raise ValueError(
                f"Layer {self.name!r} (GroupNormalization): the channels, which must not lie on "
                f"axis 0, must divide into groups={self.groups}. Received: "
                f"shape={tuple(input_shape)}, axis={self.axis}"
            )
        self._add_scaling((channels,))
        self.input_spec = InputSpec(ndim=len(input_shape), axes={self.axis: channels})

    def call(self, inputs: Any) -> Any:
        x = ops.cast(inputs, "float32") if self.compute_dtype in HALVES else inputs
        sizes, rank = ops.shape(x), len(x.shape)
        axis = self.axis % rank
        channels = x.shape[axis]
        parts = (self.groups, channels // self.groups)
        x = ops.reshape(x, (*sizes[:axis], *parts, *sizes[axis + 1 :]))
        within = tuple(i for i in range(1, rank + 1) if i != axis)
        mean, variance = ops.moments(x, within, keepdims=True)
        x = ops.reshape((x - mean) * ops.rsqrt(variance + self.epsilon), sizes)
        along = (1,) * axis + (channels,) + (1,) * (rank - axis - 1)
        if self.gamma is not None:
            x = x * ops.reshape(self.gamma, along)
        if self.beta is not None:
            x = x + ops.reshape(self.beta, along)
        return ops.cast(x, self.compute_dtype)

    def compute_output_spec(self, inputs: Any) -> KerasTensor:
        return self._spec_of(inputs.shape)


class RMSNormalization(WeightedLayer):
    """Divide each sample by the root of its mean square, and scale.

    Zhang and Sennrich, https://arxiv.org/abs/1910.07467

    Args:
        axis: the axis, or axes, of the mean.
        epsilon: added to the mean square.

    Shapes: any, unchanged.
    """

    def __init__(self, axis: int | list[int] = -1, epsilon: float = 1e-6, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.axis = check_axes(self, axis)
        self.epsilon = epsilon

    def build(self, input_shape: Any) -> None:
        shape = sizes_along(self, input_shape)
        self.scale = self._add("scale", shape, initializer="ones", autocast=False)

    def call(self, x: Any) -> Any:
        x = ops.rms_normalization(x, self.scale, self.axis, self.epsilon)
        return ops.cast(x, self.compute_dtype)


class UnitNormalization(WeightlessLayer):
    """Scale vectors to length 1.

    Args:
        axis: the axis, or axes, of the vectors.

    Shapes: any, unchanged.
    """

    supports_masking = True

    def __init__(self, axis: int | list[int] = -1, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.axis = check_axes(self, axis)

    def call(self, inputs: Any) -> Any:
        return ops.normalize(inputs, axis=self.axis, order=2, epsilon=1e-12)
