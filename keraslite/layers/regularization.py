"""Layers that act in training only."""

from __future__ import annotations

from typing import Any

from keraslite import ops, random, regularizers
from keraslite.layers.layer import Layer
from keraslite.random.seed_generator import SeedGenerator


class Dropout(Layer):
    """Zeros for a random share of the values in training; the rest is scaled up.

    Srivastava et al., https://jmlr.org/papers/v15/srivastava14a.html

    Args:
        rate: share of zeros, from 0 to 1.
        noise_shape: shape of the mask; sizes of 1 (or None for "as the input") broadcast.
        seed: for repeatable masks.
    """

    def __init__(
        self, rate: float, noise_shape: Any = None, seed: int | None = None, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        if isinstance(rate, bool) or not isinstance(rate, (int, float)) or not 0 <= rate <= 1:
            raise ValueError(
                f"{type(self).__name__}: `rate` must be a number from 0 to 1. Received: {rate!r}"
            )
        self.rate = rate
        self.seed = seed
        self.noise_shape = None if noise_shape is None else tuple(noise_shape)
        if rate > 0:
            self.seed_generator = SeedGenerator(seed)
        self.supports_masking = True
        self.built = True

    def _noise_shape(self, inputs: Any) -> Any:
        if self.noise_shape is None:
            return None
        sizes = ops.shape(inputs)
        return tuple(sizes[i] if n is None else n for i, n in enumerate(self.noise_shape))

    def call(self, inputs: Any, training: bool = False) -> Any:
        if not training or self.rate == 0:
            return inputs
        return random.dropout(inputs, self.rate, self._noise_shape(inputs), self.seed_generator)

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        # Keras writes the seed before the noise shape.
        config["noise_shape"] = config.pop("noise_shape", None)
        return config

    get_config._derived = True  # type: ignore[attr-defined]


class GaussianNoise(Layer):
    """Adds noise from a normal distribution in training.

    Args:
        stddev: standard deviation of the noise.
        seed: for repeatable noise.
    """

    def __init__(self, stddev: float, seed: int | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if stddev < 0:
            raise ValueError(f"GaussianNoise: `stddev` must not be negative. Received: {stddev}")
        self.stddev = stddev
        self.seed = seed
        if stddev > 0:
            self.seed_generator = SeedGenerator(seed)
        self.supports_masking = True
        self.built = True

    def call(self, inputs: Any, training: bool = False) -> Any:
        if not training or self.stddev == 0:
            return inputs
        noise = random.normal(
            ops.shape(inputs), 0.0, self.stddev, self.compute_dtype, self.seed_generator
        )
        return ops.add(inputs, noise)


class ActivityRegularization(Layer):
    """A penalty on its input, which passes unchanged.

    Args:
        l1, l2: factors of the sums of absolute values and of squares.
    """

    def __init__(self, l1: float = 0.0, l2: float = 0.0, **kwargs: Any) -> None:
        super().__init__(activity_regularizer=regularizers.L1L2(l1=l1, l2=l2), **kwargs)
        self.l1 = l1
        self.l2 = l2
        self.supports_masking = True
        self.built = True

    def call(self, inputs: Any) -> Any:
        return inputs

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        config.pop("activity_regularizer", None)
        return config

    get_config._derived = True  # type: ignore[attr-defined]
