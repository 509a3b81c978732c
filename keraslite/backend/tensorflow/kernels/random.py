"""Stateless samplers: the same seed gives the same values, eagerly and compiled.

All come from the bits of Philox (Salmon et al., 2011, https://doi.org/10.1145/2063384.2063405);
TensorFlow's own float samplers give other values under XLA than without.
"""

from __future__ import annotations

import math
from typing import Any

import tensorflow as tf

from keraslite.backend.tensorflow import support as s
from keraslite.backend.tensorflow.kernels import index as _index
from keraslite.backend.tensorflow.kernels import order as _order

_raw = tf.raw_ops
_Tensor = Any
_PHILOX = 1
# Bits of a random number that a float of each dtype holds exactly.
_PRECISION = {tf.float64: 53, tf.float32: 24, tf.float16: 11, tf.bfloat16: 8}
_TINY = {tf.float64: 2.0**-1022, tf.float32: 2.0**-126}


def _state(seed: _Tensor) -> dict[str, Any]:
    """Key and counter from the two words of a seed."""
    words = s.cast(seed, tf.uint64)
    key = _raw.BitwiseOr(x=_raw.LeftShift(x=words[1], y=32), y=words[0] & 0xFFFFFFFF)
    return {
        "key": s.reshape(key, (1,)),
        "counter": tf.zeros([2], tf.uint64),
        "alg": _PHILOX,
    }


def _bits(shape: Any, seed: _Tensor, dtype: tf.DType) -> _Tensor:
    return _raw.StatelessRandomUniformFullIntV2(
        shape=s.int_vector(shape), dtype=dtype, **_state(seed)
    )


def _unit(shape: Any, dtype: tf.DType, seed: _Tensor) -> _Tensor:
    """Uniform in [0, 1), every number a multiple of the same power of two."""
    precision = _PRECISION[dtype]
    word = tf.uint64 if precision > 32 else tf.uint32
    bits = _raw.RightShift(x=_bits(shape, seed, word), y=word.size * 8 - precision)
    signed = s.cast(bits, tf.int64 if precision > 32 else tf.int32)
    return s.cast(signed, dtype) * 2.0**-precision


def _open_unit(shape: Any, dtype: tf.DType, seed: _Tensor) -> _Tensor:
    """Uniform in (0, 1), for logarithms."""
    return _unit(shape, dtype, seed) + 2.0 ** (-_PRECISION[dtype] - 1)


def _wide(dtype: str) -> tf.DType:
    """Where to compute samples of `dtype`."""
    return tf.float64 if dtype == "float64" else tf.float32


def random_uniform(shape: Any, minval: Any, maxval: Any, dtype: str, seed: _Tensor) -> _Tensor:
    target = s.NATIVE[dtype]
    low, high = tf.cast(minval, target), tf.cast(maxval, target)
    return _unit(shape, target, seed) * (high - low) + low


def random_normal(shape: Any, mean: Any, stddev: Any, dtype: str, seed: _Tensor) -> _Tensor:
    wide = _wide(dtype)
    centred = 2 * _open_unit(shape, wide, seed) - 1
    return _scaled(_raw.Erfinv(x=centred) * math.sqrt(2.0), mean, stddev, dtype)


def random_truncated_normal(
    shape: Any, mean: Any, stddev: Any, dtype: str, seed: _Tensor
) -> _Tensor:
    wide = _wide(dtype)
    limit = math.erf(2.0 / math.sqrt(2.0))
    centred = (2 * _open_unit(shape, wide, seed) - 1) * limit
    return _scaled(_raw.Erfinv(x=centred) * math.sqrt(2.0), mean, stddev, dtype)


def _scaled(standard: _Tensor, mean: Any, stddev: Any, dtype: str) -> _Tensor:
    stddev, mean = tf.cast(stddev, standard.dtype), tf.cast(mean, standard.dtype)
    return s.cast(standard * stddev + mean, s.NATIVE[dtype])


def random_randint(shape: Any, minval: Any, maxval: Any, dtype: str, seed: _Tensor) -> _Tensor:
    target = s.NATIVE[dtype]
    wide = tf.int64 if target.size > 4 or target is tf.uint32 else tf.int32
    found = _raw.StatelessRandomUniformIntV2(
        shape=s.int_vector(shape),
        minval=tf.cast(minval, wide),
        maxval=tf.cast(maxval, wide),
        **_state(seed),
    )
    return s.cast(found, target)


def random_categorical(logits: _Tensor, num_samples: int, dtype: str, seed: _Tensor) -> _Tensor:
    # The Gumbel trick: the largest of the perturbed logits has the wanted probabilities.
    rows, classes = s.sizes(logits)
    wide = tf.float64 if logits.dtype is tf.float64 else tf.float32
    uniform = _open_unit((rows, num_samples, classes), wide, seed)
    perturbed = s.cast(logits, wide)[:, None] - tf.math.log(-tf.math.log(uniform))
    return s.cast(tf.argmax(perturbed, -1, tf.int32), s.NATIVE[dtype])


def random_shuffle(x: _Tensor, axis: int, seed: _Tensor) -> _Tensor:
    keys = _bits(s.sizes(x)[axis : axis + 1 or None], seed, tf.int64)
    return _index.take(x, _order.argsort(keys), axis)


def random_gamma(shape: Any, alpha: Any, dtype: str, seed: _Tensor) -> _Tensor:
    """Marsaglia and Tsang (2000), https://doi.org/10.1145/358407.358414."""
    wide = _wide(dtype)
    given = tf.broadcast_to(tf.cast(alpha, wide), s.int_vector(shape))
    alpha = tf.stop_gradient(given)
    # Below 1: Gamma(a) is Gamma(a + 1) * u^(1 / a).
    small = alpha < 1
    d = tf.where(small, alpha + 1, alpha) - 1 / 3
    c = 1 / tf.sqrt(9 * d)

    def attempt(i: _Tensor, found: _Tensor, done: _Tensor) -> tuple[_Tensor, _Tensor, _Tensor]:
        x = random_normal(shape, 0.0, 1.0, wide.name, _derived(seed, 2 * i))
        u = _open_unit(shape, wide, _derived(seed, 2 * i + 1))
        v = (1 + c * x) ** 3
        positive = tf.where(v > 0, v, tf.ones_like(v))
        fits = (v > 0) & (tf.math.log(u) < x * x / 2 + d * (1 - v + tf.math.log(positive)))
        return i + 1, tf.where(fits & ~done, d * v, found), done | fits

    state = (tf.constant(1), tf.zeros_like(d), tf.zeros_like(d, tf.bool))
    _, found, _ = tf.while_loop(lambda _, __, done: ~tf.reduce_all(done), attempt, state)
    u = _open_unit(shape, wide, _derived(seed, 1))
    # Not 0, so that two of them have a ratio.
    found = tf.maximum(tf.where(small, found * tf.pow(u, 1 / alpha), found), _TINY[wide])
    return s.cast(_moving(given, tf.stop_gradient(found)), s.NATIVE[dtype])


def random_gamma_slope(alpha: _Tensor, sample: _Tensor) -> _Tensor:
    return _raw.RandomGammaGrad(alpha=alpha, sample=sample)


@tf.custom_gradient
def _moving(alpha: _Tensor, sample: _Tensor) -> Any:
    """A sample that has a gradient, by which its probability stays as `alpha` changes."""
    return sample, lambda upstream: (upstream * random_gamma_slope(alpha, sample), None)


def _derived(seed: _Tensor, i: Any) -> _Tensor:
    """The `i`-th seed that follows from `seed`."""
    words = s.cast(seed, tf.int64)
    i = s.cast(tf.convert_to_tensor(i), tf.int64)
    mixed = words[0] * 0x9E3779B1 + i * 0x85EBCA77 + words[1] * 8192
    high = _raw.RightShift(x=mixed, y=tf.constant(32, tf.int64))
    return tf.stack([mixed & 0xFFFFFFFF, (words[1] + high) & 0xFFFFFFFF])
