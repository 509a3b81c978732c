"""Complex numbers, Fourier transforms and bits."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from keraslite.backend.tensorflow import support as s

_raw = tf.raw_ops
_Tensor = Any
_TRANSFORMS = {
    (1, False): tf.signal.fft,
    (1, True): tf.signal.ifft,
    (2, False): tf.signal.fft2d,
    (2, True): tf.signal.ifft2d,
}


def real(x: _Tensor) -> _Tensor:
    return tf.math.real(x) if x.dtype.is_complex else x


def imag(x: _Tensor) -> _Tensor:
    return tf.math.imag(x) if x.dtype.is_complex else tf.zeros_like(x)


make_complex = tf.complex


def fft(
    real: _Tensor, imag: _Tensor, rank: int = 1, inverse: bool = False
) -> tuple[_Tensor, _Tensor]:
    found = _TRANSFORMS[rank, inverse](tf.complex(real, imag))
    return tf.math.real(found), tf.math.imag(found)


def rfft(x: _Tensor, n: s.Size) -> tuple[_Tensor, _Tensor]:
    # TensorFlow cuts what is too long by itself, but not in the gradient.
    found = tf.signal.rfft(x[..., :n], [n])
    return tf.math.real(found), tf.math.imag(found)


def irfft(real: _Tensor, imag: _Tensor, n: s.Size) -> _Tensor:
    return tf.signal.irfft(tf.complex(real, imag)[..., : n // 2 + 1], [n])


def view(x: _Tensor, dtype: str) -> _Tensor:
    """The bits of `x` as another dtype; TensorFlow puts the parts along an axis of their own."""
    wanted = s.NATIVE[dtype]
    ratio = x.dtype.size / wanted.size
    if ratio == 1:
        return _raw.Bitcast(input=x, type=wanted)
    *lead, last = s.sizes(x)
    if ratio < 1:
        parts = wanted.size // x.dtype.size
        return _raw.Bitcast(input=s.reshape(x, (*lead, last // parts, parts)), type=wanted)
    return s.reshape(_raw.Bitcast(input=x, type=wanted), (*lead, last * int(ratio)))
