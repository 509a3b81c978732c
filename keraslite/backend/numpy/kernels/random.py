"""Stateless random samplers: a seed of shape (2,) is the key of a Philox generator."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from keraslite.backend.numpy.kernels.special import KERNELS as SPECIAL
from keraslite.core.dtypes import numpy_dtype

Array = Any
Shape = tuple[int, ...]


def _generator(seed: Array) -> np.random.Generator:
    return np.random.Generator(np.random.Philox(key=np.asarray(seed, np.uint64)))


def _cast(values: Any, dtype: str) -> Array:
    return np.asarray(values).astype(numpy_dtype(dtype))


def _precise(dtype: str) -> type:
    return np.float64 if dtype == "float64" else np.float32


def normal(shape: Shape, mean: Any, stddev: Any, dtype: str, seed: Array) -> Array:
    values = _generator(seed).standard_normal(shape, dtype=_precise(dtype))
    return _cast(values * stddev + mean, dtype)


def uniform(shape: Shape, minval: Any, maxval: Any, dtype: str, seed: Array) -> Array:
    values = _generator(seed).random(shape, dtype=_precise(dtype))
    found = _cast(values * (np.asarray(maxval, np.float64) - minval) + minval, dtype)
    # Rounding to the dtype may reach the upper end, which is not included.
    below = np.nextafter(numpy_dtype(dtype).type(maxval), numpy_dtype(dtype).type(minval))
    return np.minimum(found, below)


def truncated_normal(shape: Shape, mean: Any, stddev: Any, dtype: str, seed: Array) -> Array:
    edge = math.erf(math.sqrt(2))  # two standard deviations
    values = _generator(seed).uniform(-edge, edge, shape)
    return _cast(math.sqrt(2) * SPECIAL["erfinv"](np.asarray(values)) * stddev + mean, dtype)


def randint(shape: Shape, minval: Any, maxval: Any, dtype: str, seed: Array) -> Array:
    return _cast(_generator(seed).integers(minval, maxval, shape), dtype)


def gamma(shape: Shape, alpha: Any, dtype: str, seed: Array) -> Array:
    return _cast(_generator(seed).standard_gamma(np.asarray(alpha, np.float64), shape), dtype)


def beta(shape: Shape, alpha: Any, beta: Any, dtype: str, seed: Array) -> Array:
    a, b = np.asarray(alpha, np.float64), np.asarray(beta, np.float64)
    return _cast(_generator(seed).beta(a, b, shape), dtype)


def binomial(shape: Shape, counts: Any, probabilities: Any, dtype: str, seed: Array) -> Array:
    n, p = np.asarray(counts).astype(np.int64), np.asarray(probabilities, np.float64)
    return _cast(_generator(seed).binomial(n, p, shape), dtype)


def poisson(shape: Shape, lam: Any, dtype: str, seed: Array) -> Array:
    return _cast(_generator(seed).poisson(np.asarray(lam, np.float64), shape), dtype)


def categorical(logits: Array, num_samples: int, dtype: str, seed: Array) -> Array:
    # The largest of logits plus Gumbel noise has the wanted distribution.
    shape = (*logits.shape[:-1], num_samples, logits.shape[-1])
    noise = _generator(seed).gumbel(size=shape)
    return _cast(np.argmax(logits[..., None, :] + noise, axis=-1), dtype)


def shuffle(x: Array, axis: int, seed: Array) -> Array:
    return _generator(seed).permutation(x, axis=axis)


KERNELS: dict[str, Callable[..., Any]] = {
    f"random_{fn.__name__}": fn
    for fn in (
        normal, uniform, truncated_normal, randint, gamma, beta, binomial, poisson,
        categorical, shuffle,
    )
}  # fmt: skip
