"""Dense layers."""

from __future__ import annotations

from typing import Any

from keraslite import activations, ops
from keraslite.layers.input_spec import InputSpec
from keraslite.layers.options import (
    WeightedLayer,
    check_positive,
    known_size,
    own_arguments,
    refuse_low_rank,
)


class Dense(WeightedLayer):
    """`activation(inputs @ kernel + bias)`.

    Args:
        units: size of the last axis of the output.
        activation: name or function; None for the identity.
        use_bias: whether there is a bias.
        kernel_initializer, bias_initializer: initial values.
        kernel_regularizer, bias_regularizer: penalties on the weights.
        activity_regularizer: penalty on the output.
        kernel_constraint, bias_constraint: applied after each update.
        lora_rank, lora_alpha: rank and scale of a low-rank update (not yet available).
        quantization_config: how to quantize (not yet available).

    Shapes: `(..., features)` to `(..., units)`.

    Example:
        >>> keras.layers.Dense(4, activation="relu")(np.ones((2, 3))).shape
        (2, 4)
    """

    def __init__(
        self,
        units: int,
        activation: Any = None,
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None,
        bias_regularizer: Any = None,
        activity_regularizer: Any = None,
        kernel_constraint: Any = None,
        bias_constraint: Any = None,
        lora_rank: int | None = None,
        lora_alpha: float | None = None,
        quantization_config: Any = None,
        **kwargs: Any,
    ) -> None:
        self._construct(own_arguments(locals()))
        check_positive(self, units=units)
        refuse_low_rank(self, lora_rank, quantization_config)
        self.units = int(units)
        self._linear = self.activation in (None, activations.linear)
        self.input_spec = InputSpec(min_ndim=2)
        self.supports_masking = True

    _not_in_config = frozenset({"lora_rank", "lora_alpha"})

    def build(self, input_shape: Any) -> None:
        features = known_size(self, input_shape, -1)
        self.kernel = self._add("kernel", (features, self.units))
        self.bias = self._add("bias", (self.units,)) if self.use_bias else None
        self.input_spec = InputSpec(min_ndim=2, axes={-1: features})

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        x = ops.matmul(inputs, self.kernel)
        if self.bias is not None:
            x = ops.add(x, self.bias)
        return x if self._linear else self.activation(x)
