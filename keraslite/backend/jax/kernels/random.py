"""Stateless random samplers: a seed of shape (2,) decides the values."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from keraslite.backend.jax.dtypes import native
from keraslite.backend.jax.kernels.compiling import compiled

Array = Any
Shape = tuple[int, ...]


def _key(seed: Array) -> Array:
    return jax.random.wrap_key_data(seed.astype("uint32"), impl="threefry2x32")


def _sampler(sample: Callable[..., Array], parameters: int = 2) -> Callable[..., Array]:
    """`sample(key, shape, *parameters, dtype)` as a kernel `(shape, *parameters, dtype, seed)`."""

    def draw(shape: Shape, *rest: Any) -> Array:
        *values, dtype, seed = rest
        return sample(_key(seed), shape, *values, dtype)

    run = compiled(draw, 0, parameters + 1)

    def kernel(shape: Shape, *rest: Any) -> Array:
        *values, dtype, seed = rest
        return run(tuple(shape), *values, native(dtype), seed)

    return kernel


def _scaled(values: Array, mean: Any, stddev: Any, dtype: np.dtype) -> Array:
    return values * jnp.asarray(stddev, dtype) + jnp.asarray(mean, dtype)


def _normal(key: Array, shape: Shape, mean: Any, stddev: Any, dtype: np.dtype) -> Array:
    return _scaled(jax.random.normal(key, shape, dtype), mean, stddev, dtype)


def _truncated(key: Array, shape: Shape, mean: Any, stddev: Any, dtype: np.dtype) -> Array:
    return _scaled(jax.random.truncated_normal(key, -2, 2, shape, dtype), mean, stddev, dtype)


def _uniform(key: Array, shape: Shape, minval: Any, maxval: Any, dtype: np.dtype) -> Array:
    return jax.random.uniform(key, shape, dtype, minval, maxval)


def _randint(key: Array, shape: Shape, minval: Any, maxval: Any, dtype: np.dtype) -> Array:
    return jax.random.randint(key, shape, minval, maxval, dtype)


def _gamma(key: Array, shape: Shape, alpha: Any, dtype: np.dtype) -> Array:
    return jax.random.gamma(key, alpha, shape, dtype)


def _beta(key: Array, shape: Shape, alpha: Any, beta: Any, dtype: np.dtype) -> Array:
    return jax.random.beta(key, alpha, beta, shape, dtype)


def _binomial(key: Array, shape: Shape, counts: Any, probabilities: Any, dtype: np.dtype) -> Array:
    wide = jnp.promote_types(dtype, "float32")
    return jax.random.binomial(key, counts, probabilities, shape, wide).astype(dtype)


def _poisson(key: Array, shape: Shape, lam: Any, dtype: np.dtype) -> Array:
    return jax.random.poisson(key, lam, shape).astype(dtype)


def _categorical_of(logits: Array, num_samples: int, dtype: np.dtype, seed: Array) -> Array:
    shape = (*logits.shape[:-1], num_samples)
    found = jax.random.categorical(_key(seed), logits[..., None, :], axis=-1, shape=shape)
    return found.astype(dtype)


_categorical = compiled(_categorical_of, 1, 2)


def categorical(logits: Array, num_samples: int, dtype: str, seed: Array) -> Array:
    return _categorical(logits, num_samples, native(dtype), seed)


def shuffle(x: Array, axis: int, seed: Array) -> Array:
    return jax.random.permutation(_key(seed), x, axis=axis)


KERNELS: dict[str, Callable[..., Any]] = {
    "random_normal": _sampler(_normal),
    "random_uniform": _sampler(_uniform),
    "random_truncated_normal": _sampler(_truncated),
    "random_randint": _sampler(_randint),
    "random_gamma": _sampler(_gamma, 1),
    "random_gamma_slope": jax.lax.random_gamma_grad,
    "random_beta": _sampler(_beta),
    "random_binomial": _sampler(_binomial),
    "random_poisson": _sampler(_poisson, 1),
    "random_categorical": categorical,
    "random_shuffle": compiled(shuffle, 1),
}
