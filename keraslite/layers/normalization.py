"""Batch and layer normalization."""

from __future__ import annotations

from typing import Any

from keraslite import ops
from keraslite.layers.input_spec import InputSpec
from keraslite.layers.options import WeightedLayer, known_size


class BatchNormalization(WeightedLayer):
    """Normalise each channel over the batch; with moving averages in inference.

    Ioffe and Szegedy, https://arxiv.org/abs/1502.03167

    Args:
        axis: the axis of the channels.
        momentum: of the moving averages.
        epsilon: added to the variance.
        center, scale: whether there are `beta` and `gamma`.
        beta_initializer, gamma_initializer: initial values of these.
        moving_mean_initializer, moving_variance_initializer: initial averages.
        beta_regularizer, gamma_regularizer: penalties.
        beta_constraint, gamma_constraint: applied after each update.
        renorm, renorm_clipping, renorm_momentum: batch renormalization (not yet available).
        synchronized: whether replicas share their statistics.

    Shapes: any, unchanged.
    """

    def __init__(
        self,
        axis: int = -1,
        momentum: float = 0.99,
        epsilon: float = 0.001,
        center: bool = True,
        scale: bool = True,
        beta_initializer: Any = "zeros",
        gamma_initializer: Any = "ones",
        moving_mean_initializer: Any = "zeros",
        moving_variance_initializer: Any = "ones",
        beta_regularizer: Any = None,
        gamma_regularizer: Any = None,
        beta_constraint: Any = None,
        gamma_constraint: Any = None,
        renorm: bool = False,
        renorm_clipping: Any = None,
        renorm_momentum: float = 0.99,
        synchronized: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if renorm:
            raise NotImplementedError("BatchNormalization: `renorm` is not available yet.")
        self.renorm = renorm
        self.renorm_clipping = renorm_clipping
        self.renorm_momentum = renorm_momentum
        if isinstance(axis, (list, tuple)):
            if len(axis) != 1:
                raise ValueError(f"BatchNormalization: `axis` is one axis. Received: {axis}")
            axis = axis[0]
        self.axis = axis
        self.momentum = float(momentum)
        self.epsilon = epsilon
        self.center = center
        self.scale = scale
        self.synchronized = synchronized
        self._set_options(
            beta_initializer=beta_initializer,
            gamma_initializer=gamma_initializer,
            moving_mean_initializer=moving_mean_initializer,
            moving_variance_initializer=moving_variance_initializer,
            beta_regularizer=beta_regularizer,
            gamma_regularizer=gamma_regularizer,
            beta_constraint=beta_constraint,
            gamma_constraint=gamma_constraint,
        )
        self.supports_masking = True
        self.gamma = self.beta = None

    def build(self, input_shape: Any) -> None:
        channels = known_size(self, input_shape, self.axis)
        if self.scale:
            self.gamma = self._add("gamma", (channels,), autocast=False)
        if self.center:
            self.beta = self._add("beta", (channels,), autocast=False)
        statistics = {"trainable": False, "autocast": False, "aggregation": "mean"}
        self.moving_mean = self._add("moving_mean", (channels,), **statistics)
        self.moving_variance = self._add("moving_variance", (channels,), **statistics)
        self.input_spec = InputSpec(ndim=len(input_shape), axes={self.axis: channels})

    def call(self, inputs: Any, training: bool | None = None, mask: Any = None) -> Any:
        # Statistics of half-precision inputs are kept in float32.
        dtype = self.compute_dtype
        narrow = dtype in ("float16", "bfloat16")
        x = ops.cast(inputs, "float32") if narrow else inputs
        if training and self.trainable:
            mean, variance = self._moments(x, mask)
            self._update(self.moving_mean, mean)
            self._update(self.moving_variance, variance)
        else:
            mean, variance = self.moving_mean, self.moving_variance
        outputs = ops.batch_normalization(
            x, mean, variance, self.axis, self.beta, self.gamma, self.epsilon
        )
        return ops.cast(outputs, dtype) if narrow else outputs

    def _update(self, average: Any, value: Any) -> None:
        value = ops.stop_gradient(value)
        # `value`, which may be symbolic, on the left: jax refuses symbols on the right.
        average.assign(value * (1.0 - self.momentum) + average * self.momentum)

    def _moments(self, x: Any, mask: Any) -> tuple[Any, Any]:
        rank = len(x.shape)
        axes = tuple(i for i in range(rank) if i != self.axis % rank)
        if mask is None:
            return ops.moments(x, axes, synchronized=self.synchronized)
        weights = ops.cast(mask, x.dtype)
        weights = ops.reshape(weights, (*ops.shape(weights), *(1,) * (rank - len(mask.shape))))
        count = ops.sum(ops.ones_like(x) * weights, axis=axes, keepdims=True)
        mean = ops.sum(x * weights, axis=axes, keepdims=True) / count
        variance = ops.sum(ops.square(x - mean) * weights, axis=axes, keepdims=True) / count
        return ops.squeeze(mean, axes), ops.squeeze(variance, axes)


class LayerNormalization(WeightedLayer):
    """Normalise each sample over its features.

    Ba, Kiros and Hinton, https://arxiv.org/abs/1607.06450

    Args:
        axis: the axis, or axes, to normalise over.
        epsilon: added to the variance.
        center, scale: whether there are `beta` and `gamma`.
        beta_initializer, gamma_initializer: initial values of these.
        beta_regularizer, gamma_regularizer: penalties.
        beta_constraint, gamma_constraint: applied after each update.

    Shapes: any, unchanged.
    """

    def __init__(
        self,
        axis: int | list[int] = -1,
        epsilon: float = 0.001,
        center: bool = True,
        scale: bool = True,
        beta_initializer: Any = "zeros",
        gamma_initializer: Any = "ones",
        beta_regularizer: Any = None,
        gamma_regularizer: Any = None,
        beta_constraint: Any = None,
        gamma_constraint: Any = None,
        **kwargs: Any,
    ) -> None:
        # Keras writes this in its configs; True is another layer, `RMSNormalization`.
        if kwargs.pop("rms_scaling", False):
            raise NotImplementedError("LayerNormalization: `rms_scaling` is not available.")
        super().__init__(**kwargs)
        self.axis = list(axis) if isinstance(axis, (list, tuple)) else axis
        self.epsilon = epsilon
        self.center = center
        self.scale = scale
        self._set_options(
            beta_initializer=beta_initializer,
            gamma_initializer=gamma_initializer,
            beta_regularizer=beta_regularizer,
            gamma_regularizer=gamma_regularizer,
            beta_constraint=beta_constraint,
            gamma_constraint=gamma_constraint,
        )
        self.supports_masking = True
        self.gamma = self.beta = None

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "rms_scaling": False}

    get_config._derived = True  # type: ignore[attr-defined]

    def build(self, input_shape: Any) -> None:
        axes = self.axis if isinstance(self.axis, list) else [self.axis]
        shape = tuple(known_size(self, input_shape, a) for a in axes)
        if self.scale:
            self.gamma = self._add("gamma", shape, autocast=False)
        if self.center:
            self.beta = self._add("beta", shape, autocast=False)

    def call(self, inputs: Any) -> Any:
        x = ops.layer_normalization(inputs, self.gamma, self.beta, self.axis, self.epsilon)
        return ops.cast(x, self.compute_dtype)
