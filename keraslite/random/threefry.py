"""Threefry-2x32: random bits as a function of a key and a counter, the same on every engine.

Salmon et al., "Parallel Random Numbers: As Easy as 1, 2, 3" (2011),
https://doi.org/10.1145/2063384.2063405. It only adds, rotates and xors words of 32 bits.
"""

from __future__ import annotations

import functools
import operator
from collections.abc import Sequence
from typing import Any

import numpy as np

from keraslite import ops
from keraslite.backend import engine
from keraslite.core.op import Tensor
from keraslite.random.seed_generator import SEED_DTYPE

_ROTATIONS = ((13, 15, 26, 6), (17, 29, 16, 24))
_PARITY = 0x1BD11BDA
_GROUPS = 5  # of four rounds, as in `jax.random`
_MASK = 2**32 - 1


def _word(x: Tensor) -> Tensor:
    """The low 32 bits; wider integers stand in where an engine lacks `uint32`."""
    return x if SEED_DTYPE == "uint32" else ops.bitwise_and(x, _MASK)


def threefry2x32(key: tuple[Tensor, Tensor], counter: tuple[Tensor, Tensor]) -> tuple[Tensor, ...]:
    """Encrypt a counter of two words with a key of two words, in 20 rounds.

    Args:
        key, counter: two tensors each, of words below `2**32` in the dtype of seeds. They
            broadcast. Scalars are not wanted: NumPy warns when those overflow.

    Returns:
        Two tensors of words.
    """
    number = functools.cache(lambda n: engine.convert(np.array(n, SEED_DTYPE)))
    first, second = key
    keys = (first, second, ops.bitwise_xor(ops.bitwise_xor(first, second), _PARITY))
    x, y = ops.add(counter[0], first), _word(ops.add(counter[1], second))
    for group in range(_GROUPS):
        for distance in _ROTATIONS[group % 2]:
            x = ops.add(x, y)
            left, right = number(distance), number(32 - distance)
            turned = ops.bitwise_or(ops.left_shift(y, left), ops.right_shift(y, right))
            # Carries above 32 bits stay in `x` until the end: they never move down.
            y = _word(ops.bitwise_xor(turned, x))
        x = ops.add(x, keys[(group + 1) % 3])
        y = _word(ops.add(y, ops.add(keys[(group + 2) % 3], group + 1)))
    return _word(x), y


def count(shape: Sequence[Any]) -> Any:
    """How many elements a shape has; sizes may be scalar tensors."""
    return functools.reduce(operator.mul, shape, 1)


def words(length: Any, seed: Tensor, lane: int = 0) -> Tensor:
    """Random words: the `i`-th one depends on the seed, the lane and `i` alone.

    Args:
        length: how many; an int or a scalar tensor.
        seed: a tensor of two integers, which is the key.
        lane: the counter's second word: every lane is a sequence of its own.

    Returns:
        A vector of integers below `2**32` in the dtype of seeds.
    """
    # Slices of one element: see `threefry2x32` about scalars.
    key = (_word(seed[0:1]), _word(seed[1:2]))
    places = ops.arange((length + 1) // 2, dtype=SEED_DTYPE)
    pairs = threefry2x32(key, (places, ops.full_like(places, lane)))
    found = ops.reshape(ops.stack(pairs, axis=-1), (-1,))
    return found if isinstance(length, int) and length % 2 == 0 else found[:length]
