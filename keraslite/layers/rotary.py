"""Positions as rotations, for attention. Keras itself has no such layer.

Su et al., "RoFormer", https://arxiv.org/abs/2104.09864
"""

from __future__ import annotations

from typing import Any

from keraslite import ops
from keraslite.layers.input_spec import InputSpec
from keraslite.layers.layer import Layer
from keraslite.layers.options import known_size

__all__ = ["RotaryEmbedding"]


class RotaryEmbedding(Layer):
    """Turns pairs of features by angles that grow with the position.

    Feature `i` of the first half and its partner in the second half are turned by
    `position / max_wavelength ** (2 * i / features)`. The product of a turned query and a
    turned key then depends on the distance of their positions, not on the positions.

    Args:
        max_wavelength: the base of the angles; larger for longer sequences.
        scaling_factor: positions are divided by it.
        sequence_axis: the axis of the positions.

    Call arguments:
        inputs: such as queries or keys `(batch, steps, heads, size)`.
        start_index: position of the first step, an int or a scalar tensor.

    Returns:
        A tensor of the shape and dtype of `inputs`.

    Raises:
        ValueError: for an odd number of features.

    Example:
        >>> attention = keras.layers.MultiHeadAttention(
        ...     8, 64, rotary_embedding=keras.layers.RotaryEmbedding()
        ... )
    """

    def __init__(
        self,
        max_wavelength: float = 10000,
        scaling_factor: float = 1.0,
        sequence_axis: int = 1,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if max_wavelength <= 0 or scaling_factor <= 0:
            raise ValueError(
                "RotaryEmbedding: `max_wavelength` and `scaling_factor` must be positive. "
                f"Received: {max_wavelength} and {scaling_factor}"
            )
        self.max_wavelength = max_wavelength
        self.scaling_factor = scaling_factor
        self.sequence_axis = sequence_axis
        self.input_spec = InputSpec(min_ndim=2)
        self.supports_masking = True

    def build(self, input_shape: Any) -> None:
        features = known_size(self, input_shape, -1)
        if features % 2:
            raise ValueError(
                f"Layer {self.name!r}: the number of features must be even. "
                f"Received: shape={tuple(input_shape)}"
            )

    def call(self, inputs: Any, start_index: Any = 0) -> Any:
        rank, half = len(inputs.shape), inputs.shape[-1] // 2
        axis = self.sequence_axis % rank
        # In float32: half precision cannot tell far positions from each other.
        steps = ops.arange(ops.shape(inputs)[axis], dtype="float32")
        positions = ops.add(steps, ops.cast(start_index, "float32")) / self.scaling_factor
        frequencies = self.max_wavelength ** -(ops.arange(half, dtype="float32") / half)
        angles = ops.multiply(ops.expand_dims(positions, 1), frequencies)
        shape = (*(1,) * axis, -1, *(1,) * (rank - axis - 2), half)
        dtype = ops.dtype(inputs)
        sine, cosine = (ops.cast(ops.reshape(f(angles), shape), dtype) for f in (ops.sin, ops.cos))
        first, second = ops.split(inputs, 2, axis=-1)
        return ops.concatenate(
            [first * cosine - second * sine, second * cosine + first * sine], axis=-1
        )

    def compute_output_shape(self, input_shape: Any) -> Any:
        return input_shape
