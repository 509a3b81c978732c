"""Stateless random samplers: a seed of shape (2,) is the key."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import mlx.core as mx

from keraslite_mlx.dtypes import native

Array = mx.array
Shape = tuple[int, ...]

#: Candidates for each gamma variate. One is refused with a chance below 0.05.
_ROUNDS = 8


def _key(seed: Array) -> Array:
    return seed.astype(mx.uint32)


def _scaled(values: Array, mean: Any, stddev: Any, dtype: str) -> Array:
    return (values * stddev + mean).astype(native(dtype))


def normal(shape: Shape, mean: Any, stddev: Any, dtype: str, seed: Array) -> Array:
    return _scaled(mx.random.normal(shape, key=_key(seed)), mean, stddev, dtype)


def truncated_normal(shape: Shape, mean: Any, stddev: Any, dtype: str, seed: Array) -> Array:
    values = mx.random.truncated_normal(-2.0, 2.0, shape, key=_key(seed))
    return _scaled(values, mean, stddev, dtype)


def uniform(shape: Shape, minval: Any, maxval: Any, dtype: str, seed: Array) -> Array:
    wanted = native(dtype)
    width = wanted if wanted != mx.float64 else mx.float32
    return mx.random.uniform(minval, maxval, shape, width, _key(seed)).astype(wanted)


def randint(shape: Shape, minval: Any, maxval: Any, dtype: str, seed: Array) -> Array:
    return mx.random.randint(minval, maxval, shape, native(dtype), _key(seed))


def gamma(shape: Shape, alpha: Any, dtype: str, seed: Array) -> Array:
    """Marsaglia and Tsang, "A Simple Method for Generating Gamma Variables" (2000)."""
    normals, uniforms, boost = mx.random.split(_key(seed), 3)
    alpha = mx.array(alpha, mx.float32)
    # Below 1, the variate of alpha + 1 is scaled down.
    d = mx.where(alpha < 1, alpha + 1, alpha) - 1 / 3
    x = mx.random.normal((_ROUNDS, *shape), key=normals)
    v = mx.power(1 + x * mx.rsqrt(9 * d), 3)
    u = mx.random.uniform(1e-30, 1.0, (_ROUNDS, *shape), key=uniforms)
    fits = mx.log(u) < x * x / 2 + d * (1 - v + mx.log(mx.maximum(v, 1e-30)))
    first = mx.argmax(mx.logical_and(v > 0, fits), axis=0, keepdims=True)
    found = d * mx.take_along_axis(v, first, 0)[0]
    small = mx.power(mx.random.uniform(1e-30, 1.0, shape, key=boost), 1 / mx.minimum(alpha, 1))
    return mx.where(alpha < 1, found * small, found).astype(native(dtype))


def categorical(logits: Array, num_samples: int, dtype: str, seed: Array) -> Array:
    found = mx.random.categorical(logits, num_samples=num_samples, key=_key(seed))
    return found.astype(native(dtype))


def shuffle(x: Array, axis: int, seed: Array) -> Array:
    return mx.random.permutation(x, axis, key=_key(seed))


_samplers = (
    normal, truncated_normal, uniform, randint, gamma, categorical, shuffle,
)  # fmt: skip

KERNELS: dict[str, Callable[..., Any]] = {f"random_{fn.__name__}": fn for fn in _samplers}
