"""Hash functions of strings, computed for many strings at once with NumPy.

`fingerprint64` is FarmHash's Fingerprint64 (https://github.com/google/farmhash), `siphash`
is SipHash-2-4 (Aumasson and Bernstein, https://www.aumasson.jp/siphash/siphash.pdf). All
arithmetic is modulo 2**64.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

U64 = np.uint64
_K0, _K1, _K2 = (U64(k) for k in (0xC3A5C85C97CB3127, 0xB492B66FBE98F273, 0x9AE16A3B2F90404F))


def _rotated(x: Any, bits: int) -> Any:
    """`x` rotated to the right."""
    return (x >> U64(bits)) | (x << U64(64 - bits))


def _mixed(x: Any) -> Any:
    return x ^ (x >> U64(47))


def _grouped(
    strings: Sequence[bytes],
    group_of: Callable[[np.ndarray], np.ndarray],
    hash_group: Callable[[np.ndarray, np.ndarray], np.ndarray],
) -> np.ndarray:
    """`hash_group(bytes of shape (n, width), lengths)` for the strings of every group."""
    lengths = np.fromiter(map(len, strings), "int64", len(strings))
    found = np.zeros(len(strings), U64)
    groups = group_of(lengths)
    with np.errstate(over="ignore"):
        for group in np.unique(groups):
            rows = np.flatnonzero(groups == group)
            width = int(lengths[rows].max())
            # NumPy pads with zeros; at least a word, so that words can be fetched.
            block = np.array([strings[i] for i in rows], dtype=f"S{max(width, 8)}")
            data = block.view("uint8").reshape(len(rows), -1)
            found[rows] = hash_group(data, lengths[rows])
    return found


def _words(data: np.ndarray, starts: Any, size: int = 8) -> np.ndarray:
    """The little-endian integers of `size` bytes that begin at `starts`, one for each row."""
    places = np.broadcast_to(np.asarray(starts), len(data))[:, None] + np.arange(size)
    taken = np.ascontiguousarray(np.take_along_axis(data, places, axis=1))
    return taken.view(f"<u{size}")[:, 0].astype(U64)


# FarmHash ----------------------------------------------------------------------------------


def fingerprint64(strings: Sequence[bytes]) -> np.ndarray:
    """FarmHash's Fingerprint64 of every string.

    Example:
        >>> fingerprint64([b"a", b"b"]) % 7
        array([5, 2], dtype=uint64)
    """
    # Long strings go together when they have as many blocks of 64 bytes.
    steps = np.array([0, 3, 7, 16, 32, 64])

    def group_of(lengths: np.ndarray) -> np.ndarray:
        short = np.searchsorted(steps, lengths)
        return np.where(lengths > 64, len(steps) + (lengths - 1) // 64, short)

    return _grouped(strings, group_of, _farm)


def _farm(data: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    longest = int(lengths.max())
    n = lengths.astype(U64)
    if longest > 64:
        return _farm_long(data, lengths)
    if longest > 32:
        return _farm_33_to_64(data, lengths, n)
    if longest > 16:
        a, b, c, d, mul = _farm_ends(data, lengths, n, _K1)
        u = _rotated(a + b, 43) + _rotated(c, 30) + d
        return _farm_16(u, a + _rotated(b + _K2, 18) + c, mul)
    mul = _K2 + n * U64(2)
    if longest > 7:
        a, b = _words(data, 0) + _K2, _words(data, lengths - 8)
        c, d = _rotated(b, 37) * mul + a, (_rotated(a, 25) + b) * mul
        return _farm_16(c, d, mul)
    if longest > 3:
        first, last = _words(data, 0, 4), _words(data, lengths - 4, 4)
        return _farm_16(n + (first << U64(3)), last, mul)
    if longest > 0:
        a, b, c = (_words(data, at, 1) for at in (0, lengths >> 1, lengths - 1))
        y, z = a + (b << U64(8)), n + (c << U64(2))
        return _mixed(y * _K2 ^ z * _K0) * _K2
    return np.full(len(data), _K2)


def _farm_16(u: Any, v: Any, mul: Any) -> Any:
    a = _mixed((u ^ v) * mul)
    return _mixed((v ^ a) * mul) * mul


def _farm_ends(data: np.ndarray, lengths: np.ndarray, n: Any, first: Any) -> tuple[Any, ...]:
    """Two words from either end, and the multiplier that depends on the length."""
    mul = _K2 + n * U64(2)
    a, b = _words(data, 0) * first, _words(data, 8)
    return a, b, _words(data, lengths - 8) * mul, _words(data, lengths - 16) * _K2, mul


def _farm_33_to_64(data: np.ndarray, lengths: np.ndarray, n: Any) -> np.ndarray:
    a, b, c, d, mul = _farm_ends(data, lengths, n, _K2)
    y = _rotated(a + b, 43) + _rotated(c, 30) + d
    z = _farm_16(y, a + _rotated(b + _K2, 18) + c, mul)
    e, f = _words(data, 16) * mul, _words(data, 24)
    g, h = (y + _words(data, lengths - 32)) * mul, (z + _words(data, lengths - 24)) * mul
    u = _rotated(e + f, 43) + _rotated(g, 30) + h
    return _farm_16(u, e + _rotated(f + a, 18) + g, mul)


def _farm_32_bytes(data: np.ndarray, at: Any, a: Any, b: Any) -> tuple[Any, Any]:
    w, x, y, z = (_words(data, at + offset) for offset in (0, 8, 16, 24))
    a = a + w
    b = _rotated(b + a + z, 21)
    c = a
    a = a + x + y
    return a + z, b + _rotated(a, 44) + c


def _farm_long(data: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    seed = U64(81)
    zeros = np.zeros(len(data), U64)
    y = zeros + seed * _K1 + U64(113)
    z = _mixed(y * _K2 + U64(113)) * _K2
    v, w = (zeros, zeros), (zeros, zeros)
    x = seed * _K2 + _words(data, 0)

    def block(at: Any, x: Any, y: Any, z: Any, v: Any, w: Any, mul: Any, nine: Any) -> tuple:
        x = _rotated(x + y + v[0] + _words(data, at + 8), 37) * mul
        y = _rotated(y + v[1] + _words(data, at + 48), 42) * mul
        x = x ^ w[1] * nine
        y = y + v[0] * nine + _words(data, at + 40)
        z = _rotated(z + w[0], 33) * mul
        v = _farm_32_bytes(data, at, v[1] * mul, x + w[0])
        w = _farm_32_bytes(data, at + 32, z + w[1], y + _words(data, at + 16))
        return z, y, x, v, w

    # The last block ends with the string and may overlap the one before.
    for i in range(int(lengths[0] - 1) // 64):
        x, y, z, v, w = block(64 * i, x, y, z, v, w, _K1, U64(1))
    mul = _K1 + ((z & U64(0xFF)) << U64(1))
    w0 = w[0] + ((lengths - 1) & 63).astype(U64)
    v0 = v[0] + w0
    w0 = w0 + v0
    x, y, z, v, w = block(lengths - 64, x, y, z, (v0, v[1]), (w0, w[1]), mul, U64(9))
    u = _farm_16(v[0], w[0], mul) + _mixed(y) * _K0 + z
    return _farm_16(u, _farm_16(v[1], w[1], mul) + x, mul)


def combined(first: Any, second: Any) -> Any:
    """Two fingerprints as one, by a round of MurmurHash: the order matters."""
    mul = U64(0xC6A4A7935BD1E995)
    with np.errstate(over="ignore"):
        found = (first ^ mul) ^ (_mixed(second * mul) * mul)
        return _mixed(_mixed(found * mul) * mul)


# SipHash -----------------------------------------------------------------------------------


def siphash(strings: Sequence[bytes], key: Sequence[int]) -> np.ndarray:
    """SipHash-2-4 of every string.

    Args:
        strings: to be hashed.
        key: two integers of 64 bits.
    """
    k0, k1 = (U64(k % 2**64) for k in key)

    def hash_group(data: np.ndarray, lengths: np.ndarray) -> np.ndarray:
        blocks = int(lengths[0]) // 8
        padded = np.zeros((len(data), 8 * (blocks + 1)), "uint8")
        width = min(data.shape[1], padded.shape[1])
        padded[:, :width] = data[:, :width]
        padded[:, -1] = lengths % 256
        zeros = np.zeros(len(data), U64)
        state = tuple(
            zeros + (k ^ U64(c))
            for k, c in (
                (k0, 0x736F6D6570736575),
                (k1, 0x646F72616E646F6D),
                (k0, 0x6C7967656E657261),
                (k1, 0x7465646279746573),
            )
        )
        for i in range(blocks + 1):
            word = _words(padded, 8 * i)
            a, b, c, d = _sip_rounds((*state[:3], state[3] ^ word), 2)
            state = a ^ word, b, c, d
        a, b, c, d = _sip_rounds((*state[:2], state[2] ^ U64(0xFF), state[3]), 4)
        return a ^ b ^ c ^ d

    return _grouped(strings, lambda lengths: lengths // 8, hash_group)


def _sip_rounds(state: tuple[Any, ...], number: int) -> tuple[Any, ...]:
    a, b, c, d = state
    for _ in range(number):
        a, c = a + b, c + d
        b, d = _rotated(b, 51) ^ a, _rotated(d, 48) ^ c
        a = _rotated(a, 32)
        c, a = c + b, a + d
        b, d = _rotated(b, 47) ^ c, _rotated(d, 43) ^ a
        c = _rotated(c, 32)
    return a, b, c, d


# Strings -----------------------------------------------------------------------------------


def as_bytes(values: np.ndarray) -> list[bytes]:
    """The elements as UTF-8; integers in decimal."""
    flat = values.ravel().tolist()
    if values.dtype.kind in "iu":
        return [b"%d" % x for x in flat]
    return [x if isinstance(x, bytes) else str(x).encode() for x in flat]


def buckets(values: np.ndarray, number: int, salt: Sequence[int] | None = None) -> np.ndarray:
    """The bucket, of `number`, of every string or integer; by SipHash if there is a salt."""
    strings = as_bytes(values)
    hashes = fingerprint64(strings) if salt is None else siphash(strings, salt)
    return (hashes % U64(number)).astype("int64").reshape(values.shape)
