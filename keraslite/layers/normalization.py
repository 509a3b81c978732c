"""Batch and layer normalization."""

from __future__ import annotations

from typing import Any

from keraslite import ops
from keraslite.core.shapes import canonical_axes
from keraslite.layers.constructors import takes
from keraslite.layers.input_spec import InputSpec
from keraslite.layers.options import (
    WeightedLayer,
    check_axes,
    check_equal,
    known_size,
    own_arguments,
)
from keraslite.ops.core import widened
from keraslite.ops.nn.normalization import along

__all__ = ["BatchNormalization", "LayerNormalization"]

HALVES = ("float16", "bfloat16")


def sizes_along(layer: Any, input_shape: Any) -> tuple[int, ...]:
    """The sizes of the axes that `layer` normalises over."""
    axes = layer.axis if isinstance(layer.axis, list) else [layer.axis]
    return tuple(known_size(layer, input_shape, axis) for axis in axes)


class ScaledNormalization(WeightedLayer):
    """A normalization that ends with a learned scale `gamma` and offset `beta`."""

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
        self._construct(own_arguments(locals()))

    def _construct(self, arguments: dict[str, Any]) -> None:
        super()._construct(arguments)
        self.supports_masking = True
        self.gamma = self.beta = None

    def _add_scaling(self, shape: tuple[int, ...]) -> None:
        if self.scale:
            self.gamma = self._add("gamma", shape, autocast=False)
        if self.center:
            self.beta = self._add("beta", shape, autocast=False)


class BatchNormalization(ScaledNormalization):
    """Normalise each channel over the batch; with moving averages in inference.

    Ioffe and Szegedy, https://arxiv.org/abs/1502.03167; with `renorm`, Ioffe,
    https://arxiv.org/abs/1702.03275: in training, too, outputs are as the averages over many
    batches have it, for batches that are small or all of one kind.

    Args:
        axis: the axis of the channels.
        momentum: of the moving averages.
        epsilon: added to the variance.
        center, scale: whether there are `beta` and `gamma`.
        beta_initializer, gamma_initializer: initial values of these.
        moving_mean_initializer, moving_variance_initializer: initial averages.
        beta_regularizer, gamma_regularizer: penalties.
        beta_constraint, gamma_constraint: applied after each update.
        renorm: whether outputs are corrected towards the averages.
        renorm_clipping: limits of the correction: a dict with some of `"rmax"`, `"rmin"` (of the
            factor) and `"dmax"` (of the shift).
        renorm_momentum: of the averages that it takes.
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
        if renorm:
            renorm_clipping = renorm_clipping or {}
        if not set(renorm_clipping or ()) <= {"rmax", "rmin", "dmax"}:
            raise ValueError(
                "BatchNormalization: `renorm_clipping` may have the keys 'rmax', 'rmin' and "
                f"'dmax'. Received: {renorm_clipping}"
            )
        if isinstance(axis, (list, tuple)):
            if len(axis) != 1:
                raise ValueError(f"BatchNormalization: `axis` is one axis. Received: {axis}")
            axis = axis[0]
        momentum = float(momentum)
        check_axes(self, axis)
        self._construct(own_arguments(locals()))

    def build(self, input_shape: Any) -> None:
        channels = known_size(self, input_shape, self.axis)
        self._add_scaling((channels,))
        statistics = {"trainable": False, "autocast": False, "aggregation": "mean"}
        self.moving_mean = self._add("moving_mean", (channels,), **statistics)
        self.moving_variance = self._add("moving_variance", (channels,), **statistics)
        if self.renorm:
            ones = {**statistics, "initializer": "ones"}
            self.moving_stddev = self._add("moving_stddev", (channels,), **ones)
            zeros = {**statistics, "initializer": "zeros"}
            self.renorm_mean = self._add("renorm_mean", (channels,), **zeros)
            self.renorm_stddev = self._add("renorm_stddev", (channels,), **ones)
        self.input_spec = InputSpec(ndim=len(input_shape), axes={self.axis: channels})

    def call(self, inputs: Any, training: bool | None = None, mask: Any = None) -> Any:
        # Statistics of half-precision inputs are kept in float32.
        dtype = self.compute_dtype
        narrow = dtype in HALVES
        x = ops.cast(inputs, "float32") if narrow else inputs
        offset, scale = self.beta, self.gamma
        if training and self.trainable:
            mean, variance = self._moments(x, mask)
            self._update(self.moving_mean, mean, self.momentum)
            if self.renorm:
                offset, scale = self._corrected(mean, variance)
            else:
                self._update(self.moving_variance, variance, self.momentum)
        else:
            mean, variance = self.moving_mean, self.moving_variance
        outputs = ops.batch_normalization(x, mean, variance, self.axis, offset, scale, self.epsilon)
        return ops.cast(outputs, dtype) if narrow else outputs

    def _corrected(self, mean: Any, variance: Any) -> tuple[Any, Any]:
        """Offset and scale that lead from this batch to the averages; these are updated."""
        limits = self.renorm_clipping
        mean = ops.stop_gradient(mean)
        stddev = ops.sqrt(ops.stop_gradient(variance) + self.epsilon)
        scale = stddev / self.renorm_stddev
        offset = (mean - self.renorm_mean) / self.renorm_stddev
        if "rmax" in limits:
            scale = ops.minimum(scale, limits["rmax"])
        if "rmin" in limits:
            scale = ops.maximum(scale, limits["rmin"])
        if "dmax" in limits:
            offset = ops.clip(offset, -limits["dmax"], limits["dmax"])
        self._update(self.renorm_mean, mean, self.renorm_momentum)
        self._update(self.renorm_stddev, stddev, self.renorm_momentum)
        average = self._update(self.moving_stddev, stddev, self.momentum)
        self.moving_variance.assign(ops.maximum(ops.square(average) - self.epsilon, 0.0))
        if self.gamma is not None:
            scale, offset = scale * self.gamma, offset * self.gamma
        return offset if self.beta is None else offset + self.beta, scale

    def _update(self, average: Any, value: Any, momentum: float) -> Any:
        # `value`, which may be symbolic, on the left: jax refuses symbols on the right.
        found = ops.stop_gradient(value) * (1.0 - momentum) + average * momentum
        average.assign(found)
        return found

    def _moments(self, x: Any, mask: Any) -> tuple[Any, Any]:
        rank = len(x.shape)
        axes = tuple(i for i in range(rank) if i != self.axis % rank)
        if mask is None:
            return ops.moments(x, axes, synchronized=self.synchronized)
        for axis, size in enumerate(mask.shape):
            check_equal(
                self, f"sizes of axis {axis}", {"the input": x.shape[axis], "the mask": size}
            )
        weights = ops.cast(mask, x.dtype)
        weights = ops.reshape(weights, (*ops.shape(weights), *(1,) * (rank - len(mask.shape))))
        count = ops.sum(ops.ones_like(x) * weights, axis=axes, keepdims=True)
        mean = ops.sum(x * weights, axis=axes, keepdims=True) / count
        variance = ops.sum(ops.square(x - mean) * weights, axis=axes, keepdims=True) / count
        return ops.squeeze(mean, axes), ops.squeeze(variance, axes)


class LayerNormalization(ScaledNormalization):
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

    @takes(ScaledNormalization)
    def __init__(self, **kwargs: Any) -> None:
        # An old option of Keras, which its configs have: divide by the deviation only.
        self.rms_scaling = bool(kwargs.pop("rms_scaling", False))
        super().__init__(**kwargs)
        self.axis = check_axes(self, self.axis)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "rms_scaling": self.rms_scaling}

    get_config._derived = True  # type: ignore[attr-defined]

    def build(self, input_shape: Any) -> None:
        shape = sizes_along(self, input_shape)
        if self.rms_scaling:
            self.gamma = self._add("gamma", shape, autocast=False)
        else:
            self._add_scaling(shape)

    def call(self, inputs: Any) -> Any:
        if self.rms_scaling:
            return self._scaled_only(inputs)
        x = ops.layer_normalization(inputs, self.gamma, self.beta, self.axis, self.epsilon)
        return ops.cast(x, self.compute_dtype)

    def _scaled_only(self, inputs: Any) -> Any:
        x = widened(inputs)
        axes = canonical_axes(self.axis, len(x.shape))
        scale = ops.rsqrt(ops.var(x, axis=axes, keepdims=True) + self.epsilon)
        return ops.cast(x * scale * along(x, axes, self.gamma), self.compute_dtype)
