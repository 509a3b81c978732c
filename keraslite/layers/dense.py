"""Dense layers."""

from __future__ import annotations

from typing import Any

from keraslite import activations, ops
from keraslite.layers.input_spec import InputSpec
from keraslite.layers.lora import main_weight
from keraslite.layers.options import check_positive, known_size, own_arguments
from keraslite.layers.quantization import QuantizableLayer
from keraslite.layers.quantization_schemes import Weight

__all__ = ["Dense"]


class Dense(QuantizableLayer):
    """`activation(inputs @ kernel + bias)`.

    Args:
        units: size of the last axis of the output.
        activation: name or function; None for the identity.
        use_bias: whether there is a bias.
        kernel_initializer, bias_initializer: initial values.
        kernel_regularizer, bias_regularizer: penalties on the weights.
        activity_regularizer: penalty on the output.
        kernel_constraint, bias_constraint: applied after each update.
        lora_rank, lora_alpha: rank and scale of a low-rank update, see `enable_lora`.
        quantization_config: how a quantized dtype policy quantizes, see `quantize`.

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
        self.units = int(units)
        self._is_linear = self.activation in (None, activations.linear)
        self.input_spec = InputSpec(min_ndim=2)
        self.supports_masking = True

    kernel = main_weight("kernel")

    def build(self, input_shape: Any) -> None:
        features = known_size(self, input_shape, -1)
        self._build_main((features, self.units))
        self.bias = self._add("bias", (self.units,)) if self.use_bias else None
        self.input_spec = InputSpec(min_ndim=2, axes={-1: features})
        self._finish_build()

    def _quantizable(self) -> list[Weight]:
        shape = self._main_shape
        return [Weight("kernel", shape, (0,), (1, 0), shape[1:], shape)]

    def _linear(self, inputs: Any, weight: Any) -> Any:
        return ops.matmul(inputs, weight)

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        if self._altered:
            x = self._affine(inputs)
        else:
            x = ops.matmul(inputs, self._kernel)
            if self.bias is not None:
                x = ops.add(x, self.bias)
        return x if self._is_linear else self.activation(x)
