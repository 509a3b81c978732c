"""Initializers by chance. One seed gives the same weights on every engine."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from keraslite.backend import engine
from keraslite.core import dtypes
from keraslite.core.errors import check_choice, describe
from keraslite.initializers.base import ArrayInitializer
from keraslite.random import SeedGenerator, make_default_seed

# The standard deviation of a standard normal distribution cut off at -2 and 2.
_TRUNCATED_STDDEV = 0.87962566103423978


class RandomInitializer(ArrayInitializer):
    """What initializers by chance share: the seed.

    Args:
        seed: an integer gives the same values at each call; None draws one at construction
            from Python's `random`; a `SeedGenerator` gives other values at each call.

    Raises:
        ValueError: for another seed.
    """

    def __init__(self, seed: int | SeedGenerator | None = None) -> None:
        whole = isinstance(seed, (int, np.integer))
        if not (seed is None or whole or isinstance(seed, SeedGenerator)):
            raise ValueError(
                f"{type(self).__name__}: `seed` must be an integer, a `keras.random.SeedGenerator` "
                f"or None. Received: {describe(seed)}"
            )
        self._given_seed = int(seed) if whole else seed
        self.seed = make_default_seed() if seed is None else self._given_seed

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        # A drawn seed is no argument: a copy of the initializer draws its own.
        return {**config, "seed": None} if self._given_seed is None else config

    get_config._derived = True  # type: ignore[attr-defined]

    def _generator(self) -> np.random.Generator:
        """Counter-based, so that equal seeds give equal streams on all machines."""
        if isinstance(self.seed, SeedGenerator):
            low, high = (int(part) for part in engine.to_numpy(self.seed.next()))
            key = (high << 32) | (low & 0xFFFFFFFF)
        else:
            key = self.seed
        return np.random.Generator(np.random.Philox(key=key % 2**128))

    def _drawn(
        self,
        draw: Callable[[np.random.Generator, tuple[int, ...], np.dtype], np.ndarray],
        shape: tuple[int, ...],
        dtype: str,
    ) -> np.ndarray:
        """`draw(generator, shape, dtype)` in float32, or in float64 if that is asked for."""
        if not dtypes.is_float(dtype):
            raise ValueError(
                f"{type(self).__name__} makes floating-point values. Received: dtype={dtype!r}"
            )
        wide = np.dtype("float64" if dtype == "float64" else "float32")
        values = draw(self._generator(), shape, wide)
        return np.asarray(values).astype(dtypes.numpy_dtype(dtype), copy=False)


def _truncated(
    generator: np.random.Generator, shape: tuple[int, ...], dtype: np.dtype
) -> np.ndarray:
    """Standard normal values; those beyond two deviations are drawn again."""
    values = generator.standard_normal(math.prod(shape), dtype)
    outside = np.flatnonzero(np.abs(values) > 2.0)
    while outside.size:
        values[outside] = generator.standard_normal(outside.size, dtype)
        outside = outside[np.abs(values[outside]) > 2.0]
    return values.reshape(shape)


class _Normal(RandomInitializer):
    """Values of mean 0 and deviation 1, scaled and moved."""

    _standard: Callable[..., np.ndarray]

    def __init__(
        self, mean: float = 0.0, stddev: float = 0.05, seed: int | SeedGenerator | None = None
    ) -> None:
        self.mean = mean
        self.stddev = stddev
        super().__init__(seed)

    def _values(self, shape: tuple[int, ...], dtype: str) -> np.ndarray:
        return self._drawn(
            lambda g, s, d: self.mean + self.stddev * self._standard(g, s, d), shape, dtype
        )


class RandomNormal(_Normal):
    """Normally distributed values.

    Args:
        mean: of the values.
        stddev: standard deviation of the values.
        seed: see `RandomInitializer`: an integer, a `keras.random.SeedGenerator` or None.

    Example:
        >>> keras.initializers.RandomNormal(stddev=0.1, seed=1)((2, 3)).shape
        (2, 3)
    """

    _standard = staticmethod(np.random.Generator.standard_normal)


class TruncatedNormal(_Normal):
    """Normally distributed values, none of them beyond two standard deviations.

    Args:
        mean: of the values.
        stddev: of the distribution before values beyond `2 * stddev` are drawn again.
        seed: see `RandomInitializer`: an integer, a `keras.random.SeedGenerator` or None.

    Example:
        >>> keras.initializers.TruncatedNormal(stddev=0.1, seed=1)((2, 3)).shape
        (2, 3)
    """

    _standard = staticmethod(_truncated)


class RandomUniform(RandomInitializer):
    """Uniformly distributed values.

    Args:
        minval: the least value.
        maxval: the bound that values stay below.
        seed: see `RandomInitializer`: an integer, a `keras.random.SeedGenerator` or None.

    Example:
        >>> keras.initializers.RandomUniform(seed=1)((2, 3)).shape
        (2, 3)
    """

    def __init__(
        self,
        minval: float = -0.05,
        maxval: float = 0.05,
        seed: int | SeedGenerator | None = None,
    ) -> None:
        self.minval = minval
        self.maxval = maxval
        super().__init__(seed)

    def _values(self, shape: tuple[int, ...], dtype: str) -> np.ndarray:
        width = self.maxval - self.minval
        return self._drawn(lambda g, s, d: self.minval + width * g.random(s, d), shape, dtype)


class VarianceScaling(RandomInitializer):
    """Values whose variance is `scale / n`, `n` being a count of inputs or outputs.

    Args:
        scale: a positive number.
        mode: `n` is the number of inputs of a unit (`"fan_in"`), of outputs (`"fan_out"`) or
            the mean of both (`"fan_avg"`).
        distribution: `"truncated_normal"` (or `"normal"`), `"untruncated_normal"` or
            `"uniform"`.
        seed: see `RandomInitializer`: an integer, a `keras.random.SeedGenerator` or None.
        input_axes: the axes whose sizes multiply to the number of inputs. By default the last
            but one, and all axes before it.
        output_axes: the same for outputs. Both are given or neither.

    Raises:
        ValueError: for a scale, mode or distribution other than these.

    Example:
        >>> initializer = keras.initializers.VarianceScaling(2.0, "fan_out", "uniform", seed=1)
        >>> initializer((100, 200)).shape
        (100, 200)
    """

    _MODES = ("fan_in", "fan_out", "fan_avg")
    _DISTRIBUTIONS = ("truncated_normal", "untruncated_normal", "uniform")

    def __init__(
        self,
        scale: float = 1.0,
        mode: str = "fan_in",
        distribution: str = "truncated_normal",
        seed: int | SeedGenerator | None = None,
        input_axes: Sequence[int] | None = None,
        output_axes: Sequence[int] | None = None,
    ) -> None:
        if not scale > 0.0:
            raise ValueError(f"`scale` must be a positive number. Received: {scale!r}")
        check_choice(self, self._MODES, mode=mode)
        if distribution == "normal":
            distribution = "truncated_normal"
        check_choice(self, self._DISTRIBUTIONS, distribution=distribution)
        self.scale = scale
        self.mode = mode
        self.distribution = distribution
        self.input_axes = input_axes
        self.output_axes = output_axes
        super().__init__(seed)

    def _fan(self, shape: tuple[int, ...]) -> float:
        fans = compute_fans(shape, self.input_axes, self.output_axes)
        return max(1.0, {"fan_in": fans[0], "fan_out": fans[1]}.get(self.mode, sum(fans) / 2))

    def _values(self, shape: tuple[int, ...], dtype: str) -> np.ndarray:
        stddev = math.sqrt(self.scale / self._fan(shape))
        if self.distribution == "uniform":
            limit = math.sqrt(3.0) * stddev
            return self._drawn(lambda g, s, d: limit * (2.0 * g.random(s, d) - 1.0), shape, dtype)
        if self.distribution == "untruncated_normal":
            return self._drawn(lambda g, s, d: stddev * g.standard_normal(s, d), shape, dtype)
        stddev /= _TRUNCATED_STDDEV
        return self._drawn(lambda g, s, d: stddev * _truncated(g, s, d), shape, dtype)


def compute_fans(
    shape: Sequence[int],
    input_axes: Sequence[int] | None = None,
    output_axes: Sequence[int] | None = None,
) -> tuple[int, int]:
    """How many inputs and outputs one unit of a weight of this shape has.

    Args:
        shape: `(*window, inputs, outputs)`.
        input_axes: the axes of inputs, if they are others; `output_axes` too must be given.
        output_axes: the axes of outputs.
    """
    if input_axes is not None and output_axes is not None:
        return math.prod(shape[i] for i in input_axes), math.prod(shape[i] for i in output_axes)
    if len(shape) < 2:
        return math.prod(shape), math.prod(shape)
    window = math.prod(shape[:-2])
    return window * shape[-2], window * shape[-1]


class _Scaled(VarianceScaling):
    """A `VarianceScaling` whose scale, mode and distribution are fixed."""

    _recipe: tuple[float, str, str]

    def __init__(
        self,
        seed: int | SeedGenerator | None = None,
        input_axes: Sequence[int] | None = None,
        output_axes: Sequence[int] | None = None,
    ) -> None:
        super().__init__(*self._recipe, seed, input_axes, output_axes)


class GlorotUniform(_Scaled):
    """Uniform values from `-limit` to `limit`, with `limit = sqrt(6 / (inputs + outputs))`.

    Args:
        seed: see `RandomInitializer`: an integer, a `keras.random.SeedGenerator` or None.
        input_axes: see `VarianceScaling`.
        output_axes: see `VarianceScaling`.

    Example:
        >>> keras.initializers.GlorotUniform(seed=1)((2, 3)).shape
        (2, 3)

    Reference: Glorot and Bengio, 2010 (https://proceedings.mlr.press/v9/glorot10a.html).
    """

    _recipe = (1.0, "fan_avg", "uniform")


class GlorotNormal(_Scaled):
    """Truncated normal values of the variance `2 / (inputs + outputs)`.

    Args:
        seed: see `RandomInitializer`: an integer, a `keras.random.SeedGenerator` or None.
        input_axes: see `VarianceScaling`.
        output_axes: see `VarianceScaling`.

    Example:
        >>> keras.initializers.GlorotNormal(seed=1)((2, 3)).shape
        (2, 3)

    Reference: Glorot and Bengio, 2010 (https://proceedings.mlr.press/v9/glorot10a.html).
    """

    _recipe = (1.0, "fan_avg", "truncated_normal")


class LecunUniform(_Scaled):
    """Uniform values from `-limit` to `limit`, with `limit = sqrt(3 / inputs)`.

    Args:
        seed: see `RandomInitializer`: an integer, a `keras.random.SeedGenerator` or None.
        input_axes: see `VarianceScaling`.
        output_axes: see `VarianceScaling`.

    Example:
        >>> keras.initializers.LecunUniform(seed=1)((2, 3)).shape
        (2, 3)

    Reference: Klambauer et al., 2017 (https://arxiv.org/abs/1706.02515).
    """

    _recipe = (1.0, "fan_in", "uniform")


class LecunNormal(_Scaled):
    """Truncated normal values of the variance `1 / inputs`; goes well with `selu`.

    Args:
        seed: see `RandomInitializer`: an integer, a `keras.random.SeedGenerator` or None.
        input_axes: see `VarianceScaling`.
        output_axes: see `VarianceScaling`.

    Example:
        >>> keras.initializers.LecunNormal(seed=1)((2, 3)).shape
        (2, 3)

    Reference: Klambauer et al., 2017 (https://arxiv.org/abs/1706.02515).
    """

    _recipe = (1.0, "fan_in", "truncated_normal")


class HeUniform(_Scaled):
    """Uniform values from `-limit` to `limit`, with `limit = sqrt(6 / inputs)`.

    Args:
        seed: see `RandomInitializer`: an integer, a `keras.random.SeedGenerator` or None.
        input_axes: see `VarianceScaling`.
        output_axes: see `VarianceScaling`.

    Example:
        >>> keras.initializers.HeUniform(seed=1)((2, 3)).shape
        (2, 3)

    Reference: He et al., 2015 (https://arxiv.org/abs/1502.01852).
    """

    _recipe = (2.0, "fan_in", "uniform")


class HeNormal(_Scaled):
    """Truncated normal values of the variance `2 / inputs`; goes well with `relu`.

    Args:
        seed: see `RandomInitializer`: an integer, a `keras.random.SeedGenerator` or None.
        input_axes: see `VarianceScaling`.
        output_axes: see `VarianceScaling`.

    Example:
        >>> keras.initializers.HeNormal(seed=1)((2, 3)).shape
        (2, 3)

    Reference: He et al., 2015 (https://arxiv.org/abs/1502.01852).
    """

    _recipe = (2.0, "fan_in", "truncated_normal")


class Orthogonal(RandomInitializer):
    """`gain` times a matrix with orthonormal rows or columns, whichever are fewer.

    Axes before the last one count as one.

    Args:
        gain: factor of the matrix.
        seed: see `RandomInitializer`: an integer, a `keras.random.SeedGenerator` or None.

    Raises:
        ValueError: when called for a shape with fewer than two axes.

    Example:
        >>> keras.initializers.Orthogonal(seed=1)((3, 3)).shape
        (3, 3)

    Reference: Saxe et al., 2014 (https://arxiv.org/abs/1312.6120).
    """

    def __init__(self, gain: float = 1.0, seed: int | SeedGenerator | None = None) -> None:
        self.gain = gain
        super().__init__(seed)

    def _values(self, shape: tuple[int, ...], dtype: str) -> np.ndarray:
        if len(shape) < 2:
            raise ValueError(f"Orthogonal needs at least two axes. Received: shape={shape}")
        return self._drawn(self._draw, shape, dtype)

    def _draw(
        self, generator: np.random.Generator, shape: tuple[int, ...], dtype: np.dtype
    ) -> np.ndarray:
        rows, columns = math.prod(shape[:-1]), shape[-1]
        tall = generator.standard_normal((max(rows, columns), min(rows, columns)))
        basis, triangle = np.linalg.qr(tall)
        # Without these signs the result would not be uniformly distributed.
        basis *= np.where(np.diagonal(triangle) < 0.0, -1.0, 1.0)
        return (self.gain * (basis if rows >= columns else basis.T)).reshape(shape).astype(dtype)
