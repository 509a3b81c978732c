"""Random tensors. Each call with the same seed gives the same values.

`seed` is an int, a `SeedGenerator` (each call draws other values), or None for the global
generator, which `keras.utils.set_random_seed` makes repeatable.

Each engine draws with its own generator, which is fastest; `keras.config.set_portable_random`
chooses one that gives the same numbers on all engines.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from keraslite import config, ops
from keraslite.backend import engine
from keraslite.core import dtypes, shapes
from keraslite.core.op import Tensor, TensorLike, composite, kernel
from keraslite.core.promotion import FLOAT, KEEP, DtypeRule
from keraslite.random import portable
from keraslite.random.seed_generator import draw_seed

Shape = Sequence[int]


def _float(where: str, dtype: Any) -> str:
    name = dtypes.standardize_dtype(dtype)
    if not dtypes.is_float(name):
        raise ValueError(f"random.{where}: `dtype` must be a float. Received: dtype={dtype!r}")
    return name


def _sizes(where: str, shape: Any) -> tuple[Any, ...]:
    sizes = tuple(shape) if isinstance(shape, (tuple, list)) else (shape,)
    if any(n is None or (isinstance(n, int) and n < 0) for n in sizes):
        raise ValueError(
            f"random.{where}: every size must be known and not negative. Received: shape={shape}"
        )
    return sizes


def _parameter(x: Any, dtype: str) -> Any:
    return x if isinstance(x, (int, float)) else ops.convert_to_tensor(x, dtype)


def _sampler(name: str, shared: Callable[..., Tensor] | None = None) -> Callable[..., Tensor]:
    """The engine's kernel of this name, or the portable sampler where that is asked for."""
    own = kernel(f"random_{name}", shared)
    everywhere = portable.SAMPLERS.get(name) or shared

    def draw(*args: Any) -> Tensor:
        return (everywhere if config.portable_random() else own)(*args)

    return draw


_beta = _sampler("beta", lambda *args: _beta_of_gammas(*args))
_binomial = _sampler("binomial", lambda *args: _binomial_of_trials(*args))
_categorical = _sampler("categorical")
_dropout = _sampler("dropout", lambda *args: _dropped(*args))
_gamma = _sampler("gamma")
_normal = _sampler("normal")
_randint = _sampler("randint")
_shuffle = _sampler("shuffle")
_truncated_normal = _sampler("truncated_normal")
_uniform = _sampler("uniform")


def normal(
    shape: Shape, mean: Any = 0.0, stddev: Any = 1.0, dtype: Any = None, seed: Any = None
) -> Tensor:
    """Draw from the normal distribution.

    Args:
        shape: of the result.
        mean, stddev: of the distribution.
        dtype: a float dtype, `floatx()` by default.
        seed: an int, a `SeedGenerator` or None.

    Returns:
        A tensor of that shape.

    Raises:
        ValueError: for a dtype that is no float.

    Example:
        >>> keras.random.normal((2, 3), seed=1).shape
        (2, 3)
    """
    name = _float("normal", dtype)
    mean, stddev = _parameter(mean, name), _parameter(stddev, name)
    return _normal(_sizes("normal", shape), mean, stddev, name, draw_seed(seed))


def truncated_normal(
    shape: Shape, mean: Any = 0.0, stddev: Any = 1.0, dtype: Any = None, seed: Any = None
) -> Tensor:
    """Draw from the normal distribution cut off at two standard deviations. See `normal`."""
    name = _float("truncated_normal", dtype)
    mean, stddev = _parameter(mean, name), _parameter(stddev, name)
    return _truncated_normal(_sizes("truncated_normal", shape), mean, stddev, name, draw_seed(seed))


def uniform(
    shape: Shape, minval: Any = 0.0, maxval: Any = 1.0, dtype: Any = None, seed: Any = None
) -> Tensor:
    """Draw evenly from `[minval, maxval)`. See `normal`; for integers see `randint`."""
    name = _float("uniform", dtype)
    minval, maxval = _parameter(minval, name), _parameter(maxval, name)
    return _uniform(_sizes("uniform", shape), minval, maxval, name, draw_seed(seed))


def randint(
    shape: Shape, minval: Any, maxval: Any, dtype: Any = "int32", seed: Any = None
) -> Tensor:
    """Draw integers evenly from `minval` up to, but not at, `maxval`.

    Args:
        shape: of the result.
        minval, maxval: the range.
        dtype: an integer dtype.
        seed: an int, a `SeedGenerator` or None.

    Returns:
        A tensor of that shape.

    Raises:
        ValueError: for a dtype that is no integer.
    """
    name = dtypes.standardize_dtype(dtype)
    if not dtypes.is_int(name):
        raise ValueError(f"random.randint: `dtype` must be an integer. Received: dtype={dtype!r}")
    minval, maxval = _parameter(minval, name), _parameter(maxval, name)
    return _randint(_sizes("randint", shape), minval, maxval, name, draw_seed(seed))


def gamma(shape: Shape, alpha: Any, dtype: Any = None, seed: Any = None) -> Tensor:
    """Draw from the gamma distribution of shape `alpha` and scale 1. See `normal`."""
    name = _float("gamma", dtype)
    return _gamma(_sizes("gamma", shape), _parameter(alpha, name), name, draw_seed(seed))


def beta(shape: Shape, alpha: Any, beta: Any, dtype: Any = None, seed: Any = None) -> Tensor:
    """Draw from the beta distribution.

    Args:
        shape: of the result.
        alpha, beta: the positive parameters of the distribution: numbers or tensors that
            broadcast to `shape`.
        dtype: a float dtype, `floatx()` by default.
        seed: an int, a `SeedGenerator` or None.

    Returns:
        A tensor of that shape with values in `[0, 1]`.
    """
    name = _float("beta", dtype)
    alpha, other = _parameter(alpha, name), _parameter(beta, name)
    return _beta(_sizes("beta", shape), alpha, other, name, draw_seed(seed))


def _beta_of_gammas(shape: Any, alpha: Any, beta: Any, dtype: str, seed: Tensor) -> Tensor:
    """`x / (x + y)` for gamma variates `x` and `y`, by logarithms: both may be tiny."""
    # Where both are tiny, half precision would make them 0.
    wide = dtype if dtype == "float64" else "float32"
    x = _gamma(shape, alpha, wide, seed)
    y = _gamma(shape, beta, wide, _other(seed))
    return ops.cast(ops.sigmoid(ops.log(x) - ops.log(y)), dtype)


def _other(seed: Tensor) -> Tensor:
    """A second seed for the same draw: the high half of the counter is never reached."""
    return ops.add(seed, np.array([0, 2**31], engine.dtype(seed)))


def binomial(
    shape: Shape, counts: Any, probabilities: Any, dtype: Any = None, seed: Any = None
) -> Tensor:
    """Draw how many of `counts` trials succeed.

    Args:
        shape: of the result.
        counts: how many trials: a number or a tensor that broadcasts to `shape`.
        probabilities: of success.
        dtype: a float dtype, `floatx()` by default.
        seed: an int, a `SeedGenerator` or None.

    Returns:
        A tensor of that shape with whole numbers.
    """
    name = _float("binomial", dtype)
    counts, chance = _parameter(counts, name), _parameter(probabilities, name)
    return _binomial(_sizes("binomial", shape), counts, chance, name, draw_seed(seed))


def _binomial_of_trials(shape: Any, counts: Any, chance: Any, dtype: str, seed: Tensor) -> Tensor:
    """Every trial on its own: memory grows with the largest count."""
    most = int(np.max(ops.convert_to_numpy(counts), initial=0))
    trials = _uniform((most, *shape), 0.0, 1.0, "float32", seed) < chance
    number = ops.reshape(ops.arange(most, dtype=dtype), (-1, *(1 for _ in shape)))
    return ops.sum(ops.cast(ops.logical_and(trials, number < counts), dtype), 0)


def _categorical_shape(logits: Any, num_samples: int, *static: Any) -> Any:
    if len(logits) != 2:
        raise ValueError(f"`logits` must have 2 axes, batch and classes; it has {len(logits)}.")
    return (logits[0], num_samples)


@composite(_categorical_shape, FLOAT, native=False)
def categorical(
    logits: TensorLike, num_samples: int, dtype: Any = "int32", seed: Any = None
) -> Tensor:
    """Draw classes with given unnormalised log-probabilities.

    Args:
        logits: of shape `(batch, classes)`.
        num_samples: how many to draw for each row.
        dtype: an integer dtype.
        seed: an int, a `SeedGenerator` or None.

    Returns:
        Class indices, of shape `(batch, num_samples)`.

    Raises:
        ValueError: unless `logits` has 2 axes.
    """
    if len(logits.shape) != 2:
        raise ValueError("`logits` must have 2 axes.")
    return _categorical(logits, num_samples, dtypes.standardize_dtype(dtype), draw_seed(seed))


@composite(shapes.along, KEEP, native=False)
def shuffle(x: TensorLike, axis: int = 0, seed: Any = None) -> Tensor:
    """The slices along an axis in random order.

    Args:
        x: a tensor.
        axis: the axis.
        seed: an int, a `SeedGenerator` or None.

    Returns:
        A tensor of the shape of `x`.
    """
    return _shuffle(x, axis, draw_seed(seed))


def _dropout_shape(inputs: Any, rate: float, noise_shape: Any = None, seed: Any = None) -> Any:
    if not 0 <= rate <= 1:
        raise ValueError("`rate` must lie in [0, 1].")
    if noise_shape is not None:
        if len(noise_shape) != len(inputs):
            raise ValueError("`noise_shape` must have an entry for each axis of `inputs`.")
        shapes.broadcast_to(tuple(noise_shape), inputs)
    return tuple(inputs)


@composite(_dropout_shape, DtypeRule(dtypes.promote_float, passing=dtypes.FLOATS), native=False)
def dropout(
    inputs: TensorLike,
    rate: float,
    noise_shape: Sequence[int | None] | None = None,
    seed: Any = None,
) -> Tensor:
    """Set a random part of the elements to 0 and scale the others up, to keep the mean.

    Srivastava et al., "Dropout: A Simple Way to Prevent Neural Networks from Overfitting"
    (2014).

    Args:
        inputs: a tensor.
        rate: the part to drop, in `[0, 1]`.
        noise_shape: of the pattern: where it has 1, elements along the axis fall together;
            None entries stand for the size of `inputs`.
        seed: an int, a `SeedGenerator` or None.

    Returns:
        A tensor of the shape of `inputs`.

    Raises:
        ValueError: for a `rate` outside of `[0, 1]`.
    """
    if not 0 <= rate <= 1:
        raise ValueError("`rate` must lie in [0, 1].")
    if rate == 0:
        return inputs
    sizes = engine.dynamic_shape(inputs)
    if noise_shape is not None:
        sizes = tuple(n if m is None else m for n, m in zip(sizes, noise_shape, strict=True))
    return _dropout(inputs, rate, sizes, draw_seed(seed))


def _dropped(inputs: Tensor, rate: float, sizes: Any, seed: Tensor) -> Tensor:
    if rate == 1:
        return ops.zeros_like(inputs)
    # float32 whatever the inputs: narrow floats would round the rate.
    kept = _uniform(sizes, 0.0, 1.0, "float32", seed) >= rate
    return ops.where(kept, inputs * (1 / (1 - rate)), 0)
