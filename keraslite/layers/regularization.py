"""Layers that act in training only."""

from __future__ import annotations

import math
from typing import Any

from keraslite import ops, random, regularizers
from keraslite.config import standardize_data_format
from keraslite.core.configurable import parameters_of
from keraslite.core.keras_tensor import KerasTensor
from keraslite.layers.input_spec import InputSpec
from keraslite.layers.options import WeightlessLayer, check_rate, doc_of, make_class
from keraslite.random.seed_generator import SeedGenerator

__all__ = [
    "ActivityRegularization",
    "AlphaDropout",
    "Dropout",
    "GaussianDropout",
    "GaussianNoise",
    "SpatialDropout1D",
    "SpatialDropout2D",
    "SpatialDropout3D",
]


class _Noise(WeightlessLayer):
    """A layer that changes its input at random in training, as long as its strength is not 0."""

    #: The attribute that says how strong the noise is.
    _strength = "rate"
    supports_masking = True
    noise_shape: tuple[int | None, ...] | None = None

    def _begin(self, seed: int | None) -> None:
        self.seed = seed
        if getattr(self, self._strength) > 0:
            self.seed_generator = SeedGenerator(seed)

    def _sizes(self, inputs: Any) -> Any:
        """The shape of the noise, None for that of the inputs."""
        if self.noise_shape is None:
            return None
        sizes = ops.shape(inputs)
        return tuple(sizes[i] if n is None else n for i, n in enumerate(self.noise_shape))

    def call(self, inputs: Any, training: bool = False) -> Any:
        return self._noisy(inputs) if training and getattr(self, self._strength) else inputs

    def _noisy(self, inputs: Any) -> Any:
        raise NotImplementedError

    def compute_output_spec(self, inputs: Any, training: bool = False) -> KerasTensor:
        return KerasTensor(inputs.shape, inputs.dtype, record_history=False)


class _Dropping(_Noise):
    """A layer that drops a share of the values."""

    #: Whether all of them may be dropped.
    _most_is_one = True

    def __init__(
        self, rate: float, noise_shape: Any = None, seed: int | None = None, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        check_rate(self, one=self._most_is_one, rate=rate)
        self.rate = rate
        self.noise_shape = None if noise_shape is None else tuple(noise_shape)
        self._begin(seed)


class Dropout(_Dropping):
    """Zeros for a random share of the values in training; the rest is scaled up.

    Srivastava et al., https://jmlr.org/papers/v15/srivastava14a.html

    Args:
        rate: share of zeros, from 0 to 1.
        noise_shape: shape of the mask; sizes of 1 (or None for "as the input") broadcast.
        seed: for repeatable masks.
    """

    def _noisy(self, inputs: Any) -> Any:
        return random.dropout(inputs, self.rate, self._sizes(inputs), self.seed_generator)

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        # Keras writes the seed before the noise shape.
        config["noise_shape"] = config.pop("noise_shape", None)
        return config

    get_config._derived = True  # type: ignore[attr-defined]


class _SpatialDropout(Dropout):
    """Drops whole channels of {what}. See `SpatialDropout1D`.

    Args:
        rate: share of channels that are dropped.
        data_format: `"channels_last"` or `"channels_first"`.
        seed: for repeatable masks.
        name: of the layer.
        dtype: of the layer.
    """

    rank: int

    def __init__(
        self,
        rate: float,
        data_format: str | None = None,
        seed: int | None = None,
        name: str | None = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(rate, seed=seed, name=name, dtype=dtype)
        self.data_format = standardize_data_format(data_format)
        self.input_spec = InputSpec(ndim=self.rank + 2)

    def _sizes(self, inputs: Any) -> Any:
        sizes, ones = ops.shape(inputs), (1,) * self.rank
        if self.data_format == "channels_first":
            return (*sizes[:2], *ones)
        return (sizes[0], *ones, sizes[-1])

    def get_config(self) -> dict[str, Any]:
        # The constructor takes nothing else.
        taken = parameters_of(type(self))
        return {k: v for k, v in super().get_config().items() if k in taken}

    get_config._derived = True  # type: ignore[attr-defined]


class SpatialDropout1D(_SpatialDropout):
    """Drops whole features, at all steps alike.

    Tompson et al., https://arxiv.org/abs/1411.4280

    Args:
        rate: share of features that are dropped.
        seed: for repeatable masks.
        name: of the layer.
        dtype: of the layer.
    """

    rank = 1

    def __init__(
        self, rate: float, seed: int | None = None, name: str | None = None, dtype: Any = None
    ) -> None:
        super().__init__(rate, "channels_last", seed, name, dtype)


def _spatial(name: str, rank: int, what: str) -> Any:
    doc = doc_of(_SpatialDropout, what=what)
    return make_class(__name__, name, _SpatialDropout, doc, rank=rank)


SpatialDropout2D = _spatial("SpatialDropout2D", 2, "images")
SpatialDropout3D = _spatial("SpatialDropout3D", 3, "volumes")


# What SELU tends to for low inputs: -scale * alpha.
_SELU_FLOOR = -1.7580993408473766


class AlphaDropout(_Dropping):
    """Dropout that keeps the mean and variance of inputs with mean 0 and variance 1.

    Dropped values become the floor of SELU; all are then scaled and shifted. Klambauer et
    al., "Self-Normalizing Neural Networks", https://arxiv.org/abs/1706.02515

    Args:
        rate: share of values that are dropped, less than 1.
        noise_shape: shape of the mask; sizes of 1 (or None for "as the input") broadcast.
        seed: for repeatable masks.
    """

    _most_is_one = False

    def _noisy(self, inputs: Any) -> Any:
        rate, floor = self.rate, _SELU_FLOOR
        sizes = self._sizes(inputs) or ops.shape(inputs)
        # float32 whatever the inputs: narrow floats would round the rate.
        kept = random.uniform(sizes, dtype="float32", seed=self.seed_generator) >= rate
        scale = ((1 - rate) * (1 + rate * floor**2)) ** -0.5
        return ops.subtract(
            ops.multiply(ops.where(kept, inputs, floor), scale), scale * floor * rate
        )


class GaussianDropout(_Noise):
    """Multiplies by noise of mean 1 that varies as much as that of `Dropout`.

    The standard deviation is `sqrt(rate / (1 - rate))`. Srivastava et al.,
    https://jmlr.org/papers/v15/srivastava14a.html

    Args:
        rate: that of the dropout it resembles, less than 1.
        seed: for repeatable noise.
    """

    def __init__(self, rate: float, seed: int | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        check_rate(self, one=False, rate=rate)
        self.rate = rate
        self._begin(seed)

    def _noisy(self, inputs: Any) -> Any:
        stddev = math.sqrt(self.rate / (1 - self.rate))
        noise = random.normal(
            ops.shape(inputs), 1.0, stddev, self.compute_dtype, self.seed_generator
        )
        return ops.multiply(inputs, noise)


class GaussianNoise(_Noise):
    """Adds noise from a normal distribution in training.

    Args:
        stddev: standard deviation of the noise.
        seed: for repeatable noise.
    """

    _strength = "stddev"

    def __init__(self, stddev: float, seed: int | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if stddev < 0:
            raise ValueError(f"GaussianNoise: `stddev` must not be negative. Received: {stddev}")
        self.stddev = stddev
        self._begin(seed)

    def _noisy(self, inputs: Any) -> Any:
        noise = random.normal(
            ops.shape(inputs), 0.0, self.stddev, self.compute_dtype, self.seed_generator
        )
        return ops.add(inputs, noise)


class ActivityRegularization(WeightlessLayer):
    """A penalty on its input, which passes unchanged.

    Args:
        l1, l2: factors of the sums of absolute values and of squares.
    """

    supports_masking = True

    def __init__(self, l1: float = 0.0, l2: float = 0.0, **kwargs: Any) -> None:
        super().__init__(activity_regularizer=regularizers.L1L2(l1=l1, l2=l2), **kwargs)
        self.l1 = l1
        self.l2 = l2

    def call(self, inputs: Any) -> Any:
        return inputs

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        config.pop("activity_regularizer", None)
        return config

    get_config._derived = True  # type: ignore[attr-defined]
