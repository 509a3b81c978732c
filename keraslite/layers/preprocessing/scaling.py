"""`Normalization` and `Rescaling`."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from keraslite import config, ops
from keraslite.backend import engine
from keraslite.backend.foreign import host_array
from keraslite.layers.data_layer import DataLayer
from keraslite.layers.preprocessing.base import Adaptable, Shape

__all__ = ["Normalization", "Rescaling"]


class Rescaling(DataLayer):
    """`inputs * scale + offset`.

    Args:
        scale: factor, a number or one for each entry of the last axis.
        offset: what is added.

    Example:
        >>> keras.layers.Rescaling(1 / 127.5, offset=-1)(np.array([0, 255]))
        array([-1.,  1.], dtype=float32)
    """

    def __init__(self, scale: Any, offset: Any = 0.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        for name, value in (("scale", scale), ("offset", offset)):
            if value is None or np.asarray(value).dtype.kind not in "biufV":
                raise ValueError(
                    f"Rescaling: `{name}` must be a number, or several. Received: {value!r}"
                )
        self.scale = scale
        self.offset = offset
        self.supports_masking = True

    def call(self, inputs: Any) -> Any:
        """The scaled values, in the compute dtype."""
        dtype = self.compute_dtype
        scale, offset = (ops.cast(x, dtype) for x in (self.scale, self.offset))
        return ops.cast(inputs, dtype) * scale + offset

    def compute_output_shape(self, input_shape: Any) -> Shape:
        """The shape of the inputs."""
        return tuple(input_shape)


class Normalization(Adaptable, DataLayer):
    """`(inputs - mean) / sqrt(variance)`, with a mean and a variance learnt by `adapt`.

    Args:
        axis: axis or axes along which every entry has a mean and variance of its own; None
            for one mean and variance of everything.
        mean, variance: the values, in place of `adapt`; numbers, or shaped like the kept axes.
        invert: whether to go back: `mean + inputs * sqrt(variance)`.

    Example:
        >>> layer = keras.layers.Normalization(axis=None)
        >>> layer.adapt(np.array([1.0, 2.0, 3.0, 4.0, 5.0], dtype="float32"))
        >>> layer(np.array([1.0, 2.0, 3.0], dtype="float32"))
        array([-1.4142135, -0.7071068,  0.       ], dtype=float32)
    """

    def __init__(
        self,
        axis: Any = -1,
        mean: Any = None,
        variance: Any = None,
        invert: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if (mean is None) != (variance is None):
            raise ValueError(
                "Normalization: `mean` and `variance` must be given together. "
                f"Received: mean={mean}, variance={variance}"
            )
        axes = () if axis is None else (axis,) if isinstance(axis, int) else axis
        self.axis: tuple[int, ...] = tuple(axes)
        self.input_mean = None if mean is None else host_array(mean).astype("float32")
        self.input_variance = None if variance is None else host_array(variance).astype("float32")
        self.invert = invert
        self.supports_masking = True
        self._sums: list[Any] | None = None

    def build(self, input_shape: Any) -> None:
        rank = len(input_shape)
        if any(not -rank <= a < rank for a in self.axis):
            raise ValueError(
                f"Layer {self.name!r} (Normalization): `axis` must lie in [-{rank}, {rank}) for "
                f"inputs of {rank} axes. Received: axis={self.axis}"
            )
        kept = self._kept(rank)
        if any(input_shape[a] is None for a in kept):
            raise ValueError(
                f"Layer {self.name!r} (Normalization): the sizes of the axes {kept} must be known. "
                f"Received: shape={tuple(input_shape)}"
            )
        shape = tuple(input_shape[a] for a in kept)
        if self.input_mean is None:
            for name, initializer, size, dtype in (
                ("mean", "zeros", shape, None),
                ("variance", "ones", shape, None),
                ("count", "zeros", (), "int64" if engine.capabilities.float64 else "int32"),
            ):
                weight = self.add_weight(
                    name=name, shape=size, initializer=initializer, dtype=dtype, trainable=False
                )
                setattr(self, f"_{name}", weight)
            return
        if self.input_mean.ndim > len(kept):
            raise ValueError(
                f"Layer {self.name!r} (Normalization): `mean` must be shaped like the axes "
                f"{self.axis}, {shape}. Received: shape {self.input_mean.shape}"
            )

    def _kept(self, rank: int) -> tuple[int, ...]:
        return tuple(sorted({a % rank for a in self.axis}))

    def _moments(self) -> tuple[Any, Any]:
        """Mean and variance in the variable dtype, shaped like the kept axes."""
        if self.input_mean is not None:
            return self.input_mean, self.input_variance
        return self._mean.value, self._variance.value

    def _spread(self, x: Any, shape: Shape) -> Any:
        """Moments shaped so that they go with inputs of `shape`."""
        kept = self._kept(len(shape))
        if getattr(x, "ndim", len(x.shape)) < len(kept):
            x = ops.broadcast_to(x, tuple(shape[a] for a in kept))
        return ops.reshape(x, tuple(shape[a] if a in kept else 1 for a in range(len(shape))))

    def _public(self, index: int) -> Any:
        if not self.built:
            return None
        moment = ops.cast(self._moments()[index], self.compute_dtype)
        return self._spread(moment, self._build_shapes["input_shape"])

    @property
    def mean(self) -> Any:
        """The mean, shaped so that it goes with the inputs; None before building."""
        return self._public(0)

    @property
    def variance(self) -> Any:
        """The variance, shaped so that it goes with the inputs; None before building."""
        return self._public(1)

    # Learning ------------------------------------------------------------------------

    def adapt(self, data: Any) -> None:
        """Learn mean and variance; what was learnt before is forgotten.

        Args:
            data: an array or tensor, or an iterable of batches.
        """
        if self.input_mean is not None:
            raise ValueError(
                f"Layer {self.name!r} (Normalization) was given its mean and variance, so there is "
                "nothing to adapt. Make a layer without them."
            )
        super().adapt(data)

    def reset_state(self) -> None:
        self._sums = None

    def update_state(self, data: Any) -> None:
        x = host_array(data).astype("float64")
        if not self.built:
            self.build(x.shape if x.ndim else (None,))
        known = self._build_shapes["input_shape"]
        kept = self._kept(max(x.ndim, 1)) if x.ndim else ()
        if [x.shape[a] for a in kept] != [known[a] for a in self._kept(len(known))]:
            raise ValueError(
                f"Layer {self.name!r} (Normalization) was built for inputs of shape {known}. "
                f"Received: data of shape {x.shape}"
            )
        others = tuple(a for a in range(x.ndim) if a not in kept)
        number = math.prod(x.shape[a] for a in others)
        if not number:
            return
        mean, variance = x.mean(axis=others), x.var(axis=others)
        if self._sums is None:
            self._sums = [number, mean, variance]
            return
        # Two sets as one (Chan, Golub and LeVeque, 1979).
        before, old_mean, old_variance = self._sums
        share = number / (before + number)
        delta = mean - old_mean
        self._sums = [
            before + number,
            old_mean + delta * share,
            old_variance * (1 - share) + variance * share + delta**2 * share * (1 - share),
        ]

    def finalize_state(self) -> None:
        if self.input_mean is None and self._sums is not None:
            self._mean.assign(self._sums[1].astype("float32"))
            self._variance.assign(self._sums[2].astype("float32"))
            self._sums = None

    # Use -----------------------------------------------------------------------------

    def call(self, inputs: Any) -> Any:
        """The normalized values, in the compute dtype."""
        dtype = self.compute_dtype
        shape = tuple(inputs.shape)
        mean, variance = (ops.cast(self._spread(x, shape), dtype) for x in self._moments())
        deviation = ops.maximum(ops.sqrt(variance), config.epsilon())
        inputs = ops.cast(inputs, dtype)
        return mean + inputs * deviation if self.invert else (inputs - mean) / deviation

    def compute_output_shape(self, input_shape: Any) -> Shape:
        """The shape of the inputs."""
        return tuple(input_shape)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments; what was learnt is a weight."""
        found = super().get_config()
        for name in ("mean", "variance"):
            given = getattr(self, f"input_{name}")
            found[name] = None if given is None else np.asarray(given).tolist()
        return found

    get_config._derived = True  # type: ignore[attr-defined]
