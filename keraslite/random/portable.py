"""Samplers whose numbers are the same on every engine, made of ops.

They take the place of the engine's own kernels, and have their signatures, when
`keraslite.config.set_portable_random` says so. Uniform bits, and with them dropout masks,
integers and orders, are equal bit by bit; functions of them to the precision of the engines'
elementary functions.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from keraslite import ops
from keraslite.backend import engine
from keraslite.core.op import Tensor, kernel
from keraslite.random.seed_generator import SEED_DTYPE
from keraslite.random.threefry import count, words

# Bits of a random number that a float of each dtype holds exactly.
_PRECISION = {"float64": 53, "float32": 24, "float16": 11, "bfloat16": 8}
# Of the proposals for a gamma variate at least 95 in 100 fit: none of 10 does once in 10**13.
_PROPOSALS = 10
# Lanes of one draw: what a sampler draws first, second, third; and the low bits of these.
_LOW = 4


def _wide(dtype: str) -> str:
    """Where to compute samples of `dtype`."""
    return "float64" if dtype == "float64" and engine.capabilities.float64 else "float32"


def _unit(length: Any, dtype: str, seed: Tensor, lane: int = 0) -> Tensor:
    """A vector, uniform in [0, 1), in the wide dtype of `dtype`.

    Every number is a multiple of the smallest power of two that `dtype` allows, so a draw in
    a narrower dtype gives the same numbers, cut off.
    """
    wide = _wide(dtype)
    bits = min(_PRECISION[dtype], _PRECISION[wide])
    high = _scaled_word(words(length, seed, lane), min(bits, 27), wide)
    if bits <= 32:
        return high
    # A second lane makes up for words that are too short.
    low = _scaled_word(words(length, seed, lane + _LOW), bits - 27, wide)
    return high + low * 2.0**-27


def _scaled_word(word: Tensor, bits: int, dtype: str) -> Tensor:
    """The upper bits of a word as a number in [0, 1)."""
    upper = ops.cast(ops.right_shift(word, 32 - bits), "int32")
    return ops.cast(upper, dtype) * 2.0**-bits


def _centred(length: Any, dtype: str, seed: Tensor) -> Tensor:
    """Uniform in (-1, 1), without the ends and 0."""
    return 2 * _unit(length, dtype, seed) - 1 + 2.0 ** -_PRECISION[dtype]


def _standard_normal(shape: Sequence[Any], dtype: str, seed: Tensor) -> Tensor:
    """Box and Muller (1958), https://doi.org/10.1214/aoms/1177706645."""
    length = count(shape)
    pairs = ops.reshape(_unit((length + 1) // 2 * 2, dtype, seed), (-1, 2))
    radius = ops.sqrt(-2 * ops.log(1 - pairs[:, 0]))
    angle = 2 * math.pi * pairs[:, 1]
    both = ops.stack([radius * ops.cos(angle), radius * ops.sin(angle)], axis=-1)
    return ops.reshape(ops.reshape(both, (-1,))[:length], shape)


def _located(standard: Tensor, mean: Any, stddev: Any, dtype: str) -> Tensor:
    wide = engine.dtype(standard)
    return ops.cast(standard * ops.cast(stddev, wide) + ops.cast(mean, wide), dtype)


def normal(shape: Sequence[Any], mean: Any, stddev: Any, dtype: str, seed: Tensor) -> Tensor:
    return _located(_standard_normal(shape, _wide(dtype), seed), mean, stddev, dtype)


def truncated_normal(
    shape: Sequence[Any], mean: Any, stddev: Any, dtype: str, seed: Tensor
) -> Tensor:
    # By inversion: uniform between the probabilities of the two bounds.
    centred = ops.reshape(_centred(count(shape), _wide(dtype), seed), shape)
    standard = ops.erfinv(centred * math.erf(math.sqrt(2))) * math.sqrt(2)
    return _located(ops.clip(standard, -2.0, 2.0), mean, stddev, dtype)


def uniform(shape: Sequence[Any], minval: Any, maxval: Any, dtype: str, seed: Tensor) -> Tensor:
    unit = ops.reshape(_unit(count(shape), dtype, seed), shape)
    if all(isinstance(x, (int, float)) for x in (minval, maxval)) and (minval, maxval) == (0, 1):
        return ops.cast(unit, dtype)
    wide = engine.dtype(unit)
    low, high = ops.cast(minval, wide), ops.cast(maxval, wide)
    found = ops.cast(unit * (high - low) + low, dtype)
    # Rounding to the dtype may reach the upper end, which is not included.
    return ops.minimum(found, ops.nextafter(ops.cast(high, dtype), ops.cast(low, dtype)))


def randint(shape: Sequence[Any], minval: Any, maxval: Any, dtype: str, seed: Tensor) -> Tensor:
    """One word modulo the range, which may have up to `2**32` numbers."""
    low, high = (int(x) if isinstance(x, (int, float)) else x for x in (minval, maxval))
    word = ops.reshape(words(count(shape), seed), shape)
    if isinstance(low, int) and isinstance(high, int):
        if not 0 < high - low <= 2**32:
            raise ValueError(
                "random.randint: portable numbers come from ranges of 1 to 2**32 integers. "
                f"Received: minval={minval}, maxval={maxval}"
            )
        span = np.array(high - low, "int64").astype(SEED_DTYPE)
        offset = ops.mod(word, span) if high - low < 2**32 else word
    else:
        offset = ops.mod(word, ops.cast(high, SEED_DTYPE) - ops.cast(low, SEED_DTYPE))
    # Narrow integers are counted in 32 bits, where a sum that overflows comes out right.
    wide = dtype if dtype in ("int64", "uint64", "uint32") else "int32"
    return ops.cast(ops.add(ops.cast(offset, wide), ops.cast(low, wide)), dtype)


def categorical(logits: Tensor, num_samples: int, dtype: str, seed: Tensor) -> Tensor:
    """The largest of logits with Gumbel noise: https://arxiv.org/abs/1411.0030."""
    rows, classes = engine.dynamic_shape(logits)
    wide = _wide(engine.dtype(logits))
    shape = (rows, num_samples, classes)
    u = ops.reshape((_centred(count(shape), wide, seed) + 1) / 2, shape)
    noise = -ops.log(-ops.log(ops.maximum(u, 2.0**-25)))
    perturbed = ops.expand_dims(ops.cast(logits, wide), 1) + noise
    return ops.cast(ops.argmax(perturbed, -1), dtype)


def shuffle(x: Tensor, axis: int, seed: Tensor) -> Tensor:
    keys = words(engine.dynamic_shape(x)[axis], seed)
    # 31 bits, because not every engine sorts unsigned integers.
    order = ops.argsort(ops.cast(ops.right_shift(keys, 1), "int32"))
    return ops.take(x, order, axis)


def gamma(shape: Sequence[Any], alpha: Any, dtype: str, seed: Tensor) -> Tensor:
    """Marsaglia and Tsang (2000), https://doi.org/10.1145/358407.358414.

    All proposals are drawn at once and the first that fits is taken: no loop, which a
    compiled step would have to run to the end.
    """
    wide = _wide(dtype)
    given = ops.broadcast_to(ops.cast(alpha, wide), shape)
    alpha = ops.stop_gradient(given)
    # Below 1: Gamma(a) is Gamma(a + 1) * u^(1 / a).
    small = alpha < 1
    d = ops.where(small, alpha + 1, alpha) - 1 / 3
    proposals = (_PROPOSALS, *shape)
    x = _standard_normal(proposals, wide, seed)
    u = ops.reshape(1 - _unit(count(proposals), wide, seed, lane=1), proposals)
    v = (1 + x / ops.sqrt(9 * d)) ** 3
    positive = ops.where(v > 0, v, 1.0)
    fits = ops.logical_and(v > 0, ops.log(u) < x * x / 2 + d * (1 - v + ops.log(positive)))
    first = ops.expand_dims(ops.argmax(ops.cast(fits, "int32"), 0), 0)
    found = d * ops.squeeze(ops.take_along_axis(positive, first, 0), 0)
    u = ops.reshape(1 - _unit(count(shape), wide, seed, lane=2), shape)
    boosted = found * ops.power(u, 1 / ops.where(small, alpha, 1.0))
    # Not 0, so that two of them have a ratio.
    found = ops.maximum(ops.where(small, boosted, found), float(np.finfo(wide).tiny))
    return ops.cast(_moving(given, found), dtype)


def _moving_with_alpha(alpha: Tensor, sample: Tensor) -> tuple[Tensor, Any]:
    """A sample that has a gradient, by which its probability stays as `alpha` changes.

    Figurnov, Mohamed and Mnih (2018), https://arxiv.org/abs/1805.08498.
    """

    def grad(*args: Tensor, upstream: Tensor) -> tuple[Tensor, Tensor]:
        return upstream * _slope(alpha, sample), ops.zeros_like(sample)

    return sample, grad


_slope = kernel("random_gamma_slope")
_moving = ops.custom_gradient(_moving_with_alpha)


#: By the name of the public sampler. What is missing is made of these by the samplers.
SAMPLERS = {
    fn.__name__: fn
    for fn in (normal, truncated_normal, uniform, randint, categorical, shuffle, gamma)
}
