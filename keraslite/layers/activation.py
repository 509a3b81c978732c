"""Activations as layers."""

from __future__ import annotations

from typing import Any

from keraslite import activations, ops
from keraslite.layers.options import WeightedLayer, WeightlessLayer, own_arguments

__all__ = ["Activation", "ELU", "LeakyReLU", "PReLU", "ReLU", "Softmax"]


class _Activation(WeightlessLayer):
    _is_activation = True
    supports_masking = True


class Activation(_Activation):
    """Applies an activation function.

    Args:
        activation: name or function.

    Example:
        >>> keras.layers.Activation("relu")(np.array([-1.0, 2.0]))
    """

    def __init__(self, activation: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.activation = activations.get(activation)

    def call(self, inputs: Any) -> Any:
        return self.activation(inputs)


class ReLU(_Activation):
    """`max(x, 0)`, with an optional ceiling, slope and threshold.

    Args:
        max_value: the largest output; None for no limit.
        negative_slope: slope below the threshold.
        threshold: where the linear part begins.
    """

    def __init__(
        self,
        max_value: float | None = None,
        negative_slope: float = 0.0,
        threshold: float = 0.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        limits = {
            "max_value": max_value,
            "negative_slope": negative_slope,
            "threshold": threshold,
        }
        for name, value in limits.items():
            if (value is None and name != "max_value") or (value is not None and value < 0):
                raise ValueError(f"ReLU: `{name}` must not be negative. Received: {value}")
        self.max_value = max_value
        self.negative_slope = negative_slope
        self.threshold = threshold

    def call(self, inputs: Any) -> Any:
        return activations.relu(
            inputs,
            negative_slope=self.negative_slope,
            max_value=self.max_value,
            threshold=self.threshold,
        )


class LeakyReLU(_Activation):
    """`x` where it is positive, `negative_slope * x` elsewhere.

    Args:
        negative_slope: slope of the negative part.
    """

    def __init__(self, negative_slope: float = 0.3, **kwargs: Any) -> None:
        if "alpha" in kwargs:
            negative_slope = kwargs.pop("alpha")
        super().__init__(**kwargs)
        if negative_slope is None or negative_slope < 0:
            raise ValueError(
                f"LeakyReLU: `negative_slope` must not be negative. Received: {negative_slope}"
            )
        self.negative_slope = negative_slope

    def call(self, inputs: Any) -> Any:
        return activations.leaky_relu(inputs, negative_slope=self.negative_slope)


class ELU(_Activation):
    """`x` where it is positive, `alpha * (exp(x) - 1)` elsewhere.

    Clevert et al., https://arxiv.org/abs/1511.07289

    Args:
        alpha: scale of the negative part.
    """

    def __init__(self, alpha: float = 1.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.alpha = alpha

    def call(self, inputs: Any) -> Any:
        return activations.elu(inputs, alpha=self.alpha)


class Softmax(_Activation):
    """Exponentials that sum to 1 along an axis.

    Args:
        axis: an axis, or several.

    Call arguments: `inputs`, and `mask`: True where a value takes part.
    """

    def __init__(self, axis: Any = -1, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.axis = axis

    def call(self, inputs: Any, mask: Any = None) -> Any:
        if mask is not None:
            # Far below any other value, and finite in half precision too.
            low = -3e4 if self.compute_dtype == "float16" else -1e9
            inputs = ops.add(inputs, (1.0 - ops.cast(mask, inputs.dtype)) * low)
        if isinstance(self.axis, (list, tuple)):
            if len(self.axis) > 1:
                return ops.exp(inputs - ops.logsumexp(inputs, axis=tuple(self.axis), keepdims=True))
            return activations.softmax(inputs, axis=self.axis[0])
        return activations.softmax(inputs, axis=self.axis)


class PReLU(WeightedLayer):
    """`x` where it is positive, `alpha * x` elsewhere, with a learned `alpha`.

    He et al., https://arxiv.org/abs/1502.01852

    Args:
        alpha_initializer, alpha_regularizer, alpha_constraint: options of the slopes.
        shared_axes: axes (counted with the batch axis) along which slopes are equal.
    """

    _is_activation = True
    supports_masking = True

    def __init__(
        self,
        alpha_initializer: Any = "Zeros",
        alpha_regularizer: Any = None,
        alpha_constraint: Any = None,
        shared_axes: Any = None,
        **kwargs: Any,
    ) -> None:
        if shared_axes is not None:
            shared_axes = (
                list(shared_axes) if isinstance(shared_axes, (list, tuple)) else [shared_axes]
            )
        self._construct(own_arguments(locals()))

    def build(self, input_shape: Any) -> None:
        shape = list(input_shape[1:])
        for axis in self.shared_axes or ():
            if not 0 < axis < len(input_shape):
                raise ValueError(
                    f"Layer {self.name!r} (PReLU): `shared_axes` must be axes of the input after "
                    f"the first. Received: {self.shared_axes}, shape={tuple(input_shape)}"
                )
            shape[axis - 1] = 1
        self.alpha = self._add("alpha", tuple(shape))

    def call(self, inputs: Any) -> Any:
        return activations.relu(inputs) - self.alpha * activations.relu(-inputs)
