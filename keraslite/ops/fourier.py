"""Fourier transforms, whole or by short stretches of a signal.

Complex numbers are pairs `(real, imaginary)` of real tensors of one shape.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from keraslite.core import shapes
from keraslite.core.errors import check_choice
from keraslite.core.op import Tensor, TensorLike, composite, kernel
from keraslite.core.promotion import FLOAT, KEEP
from keraslite.ops.arithmetic import add, floor_divide, maximum, multiply, square, true_divide
from keraslite.ops.core import cast, convert_to_tensor, dtype, shape, widened
from keraslite.ops.creation import arange, ones
from keraslite.ops.indexing import get_item, take
from keraslite.ops.joining import pad
from keraslite.ops.logic import greater, where
from keraslite.ops.shaping import broadcast_to, expand_dims, reshape

__all__ = [
    "extract_sequences",
    "fft",
    "fft2",
    "ifft2",
    "irfft",
    "istft",
    "rfft",
    "stft",
]

_fft, _rfft, _irfft = map(kernel, ("fft", "rfft", "irfft"))

Pair = tuple[Tensor, Tensor]

# Whole signals -------------------------------------------------------------------------


def _pair_shape(x: Any, rank: int) -> Any:
    if len(x) != 2:
        raise ValueError("`x` must be a pair of tensors, the real and the imaginary part.")
    if len(x[0]) != len(x[1]):
        raise ValueError("Both parts must have the same shape.")
    shapes.rank_at_least(x[0], rank)
    return tuple(
        shapes.common(n, m, "Sizes of the real and the imaginary part")
        for n, m in zip(*x, strict=True)
    )


def _transform_shape(x: Any) -> Any:
    return (_pair_shape(x, 1),) * 2


def _plane_shape(x: Any) -> Any:
    return (_pair_shape(x, 2),) * 2


def _as(x: Tensor, found: Pair) -> Pair:
    """A computed pair in the dtype of `x`."""
    return cast(found[0], dtype(x)), cast(found[1], dtype(x))


def _transformed(x: Sequence[Tensor], rank: int, inverse: bool) -> Pair:
    return _as(x[0], _fft(widened(x[0]), widened(x[1]), rank, inverse))


@composite(_transform_shape, FLOAT, native=False, checked=True)
def fft(x: Sequence[TensorLike]) -> tuple[Tensor, Tensor]:
    """The discrete Fourier transform along the last axis.

    `y[k]` is the sum of `x[n] * exp(-2j * pi * k * n / N)` over all `n`.

    Args:
        x: `(real, imaginary)`, tensors of one shape.

    Returns:
        `(real, imaginary)`, each of this shape.

    Raises:
        ValueError: if `x` is no pair, or the shapes differ.

    Example:
        >>> keras.ops.fft(([1.0, 2.0], [0.0, 0.0]))
        (array([ 3., -1.]), array([0., 0.]))
    """
    return _transformed(x, 1, False)


@composite(_plane_shape, FLOAT, native=False, checked=True)
def fft2(x: Sequence[TensorLike]) -> tuple[Tensor, Tensor]:
    """The discrete Fourier transform along the last two axes. See `fft`."""
    return _transformed(x, 2, False)


@composite(_plane_shape, FLOAT, native=False, checked=True)
def ifft2(x: Sequence[TensorLike]) -> tuple[Tensor, Tensor]:
    """The inverse of `fft2`."""
    return _transformed(x, 2, True)


def _check_positive(**sizes: Any) -> None:
    for name, n in sizes.items():
        if not isinstance(n, (int, np.integer)) or n < 1:
            raise ValueError(f"`{name}` must be a positive int; it is {n}.")


def _rfft_shape(x: Any, fft_length: int | None = None) -> Any:
    shapes.rank_at_least(x, 1)
    if fft_length is not None:
        _check_positive(fft_length=fft_length)
    n = x[-1] if fft_length is None else fft_length
    return ((*x[:-1], None if n is None else n // 2 + 1),) * 2


@composite(_rfft_shape, FLOAT, native=False, checked=True)
def rfft(x: TensorLike, fft_length: int | None = None) -> tuple[Tensor, Tensor]:
    """The discrete Fourier transform of real numbers along the last axis.

    The other half of the result would be conjugate to this one. See `fft`.

    Args:
        x: a real tensor.
        fft_length: the size to cut the axis to, or to fill it up to with zeros.

    Returns:
        `(real, imaginary)` with a last axis of size `fft_length // 2 + 1`.

    Raises:
        ValueError: if `fft_length` is not positive.
    """
    return _as(x, _rfft(widened(x), shape(x)[-1] if fft_length is None else fft_length))


def _irfft_shape(x: Any, fft_length: int | None = None) -> Any:
    *rest, n = _pair_shape(x, 1)
    if fft_length is not None:
        _check_positive(fft_length=fft_length)
        return (*rest, fft_length)
    return (*rest, None if n is None else 2 * (n - 1))


@composite(_irfft_shape, FLOAT, native=False, checked=True)
def irfft(x: Sequence[TensorLike], fft_length: int | None = None) -> Tensor:
    """The inverse of `rfft`.

    Args:
        x: `(real, imaginary)`, tensors of one shape.
        fft_length: the size of the last axis of the result. By default it is even:
            `2 * (n - 1)` for `n` frequencies.

    Returns:
        A real tensor.

    Raises:
        ValueError: if `x` is no pair, shapes differ, or `fft_length` is not positive.
    """
    n = 2 * (shape(x[0])[-1] - 1) if fft_length is None else fft_length
    return cast(_irfft(widened(x[0]), widened(x[1]), n), dtype(x[0]))


# Stretches of signals --------------------------------------------------------------------


def _count(n: Any, length: int, stride: int) -> Any:
    """How many sequences of a length start `stride` apart in one of length `n`."""
    if n is None:
        return None
    if isinstance(n, int):
        return max(0, (n - length) // stride + 1)
    return maximum(0, floor_divide(n - length, stride) + 1)


def _sequences_shape(x: Any, sequence_length: int, sequence_stride: int) -> Any:
    shapes.rank_at_least(x, 1)
    _check_positive(sequence_length=sequence_length, sequence_stride=sequence_stride)
    return (*x[:-1], _count(x[-1], sequence_length, sequence_stride), sequence_length)


@composite(_sequences_shape, KEEP, native=False, checked=True)
def extract_sequences(x: TensorLike, sequence_length: int, sequence_stride: int) -> Tensor:
    """Stretches of equal length of the last axis.

    Args:
        x: a tensor of shape `(..., n)`.
        sequence_length: how long they are.
        sequence_stride: how far apart they start.

    Returns:
        A tensor of shape `(..., count, sequence_length)`.

    Raises:
        ValueError: if the length or the stride is not positive.

    Example:
        >>> keras.ops.extract_sequences([1, 2, 3, 4], 2, 1)
        array([[1, 2],
               [2, 3],
               [3, 4]], dtype=int32)
    """
    starts = multiply(
        arange(_count(shape(x)[-1], sequence_length, sequence_stride)), sequence_stride
    )
    return take(x, add(expand_dims(starts, 1), arange(sequence_length)), -1)


_WINDOWS = {"hann": (0.5, 0.5), "hamming": (0.54, 0.46)}


def _check_stretches(
    sequence_length: int, sequence_stride: int, fft_length: int, window: Any
) -> None:
    _check_positive(sequence_length=sequence_length, sequence_stride=sequence_stride)
    if fft_length < sequence_length:
        raise ValueError("`fft_length` must not be less than `sequence_length`.")
    if isinstance(window, str):
        check_choice("", _WINDOWS, window=window)
    elif window is not None and tuple(np.shape(window)) != (sequence_length,):
        raise ValueError("`window` must be a vector of `sequence_length` weights.")


def _weights(window: Any, sequence_length: int, fft_length: int, name: str) -> Tensor:
    """The window as a vector of `fft_length` weights, with zeros on both sides."""
    if window is None:
        return ones((fft_length,), name)
    if isinstance(window, str):
        mean, swing = _WINDOWS[window]
        turns = np.arange(sequence_length) / sequence_length
        window = mean - swing * np.cos(2 * np.pi * turns)
    before = (fft_length - sequence_length) // 2
    behind = fft_length - sequence_length - before
    return pad(convert_to_tensor(window, name), ((before, behind),))


def _at_the_end(x: Tensor, before: Any, behind: Any, mode: str = "constant") -> Tensor:
    """`x` with its last axis padded."""
    return pad(x, (*[(0, 0)] * (len(x.shape) - 1), (before, behind)), mode)


def _stft_shape(
    x: Any, sequence_length: int, sequence_stride: int, fft_length: int, window: Any, center: bool
) -> Any:
    shapes.rank_at_least(x, 1)
    _check_stretches(sequence_length, sequence_stride, fft_length, window)
    n, half = x[-1], fft_length // 2
    if center and n is not None:
        if n <= half:
            raise ValueError(f"A centered transform needs more than {half} samples; there are {n}.")
        n += 2 * half
    return ((*x[:-1], _count(n, fft_length, sequence_stride), half + 1),) * 2


@composite(_stft_shape, FLOAT, native=False, checked=True)
def stft(
    x: TensorLike,
    sequence_length: int,
    sequence_stride: int,
    fft_length: int,
    window: Any = "hann",
    center: bool = True,
) -> tuple[Tensor, Tensor]:
    """The short-time Fourier transform: `rfft` of stretches of a signal under a window.

    Args:
        x: real signals of shape `(..., samples)`.
        sequence_length: the length of the window.
        sequence_stride: how far apart the stretches start.
        fft_length: the length of a stretch; the window stands in its middle.
        window: `"hann"`, `"hamming"`, a vector of `sequence_length` weights, or None.
        center: whether to put `fft_length // 2` mirrored samples at both ends, so that each
            stretch is centered at a multiple of the stride.

    Returns:
        `(real, imaginary)`, each of shape `(..., stretches, fft_length // 2 + 1)`.

    Raises:
        ValueError: for lengths that do not fit, or an unknown window.
    """
    wide = widened(x)
    if center:
        wide = _at_the_end(wide, fft_length // 2, fft_length // 2, "reflect")
    frames = extract_sequences(wide, fft_length, sequence_stride)
    weights = _weights(window, sequence_length, fft_length, dtype(wide))
    return _as(x, rfft(multiply(frames, weights)))


def _istft_shape(
    x: Any,
    sequence_length: int,
    sequence_stride: int,
    fft_length: int,
    length: int | None,
    window: Any,
    center: bool,
) -> Any:
    *rest, count, frequencies = _pair_shape(x, 2)
    _check_stretches(sequence_length, sequence_stride, fft_length, window)
    shapes.common(frequencies, fft_length // 2 + 1, "The last size and `fft_length // 2 + 1`")
    if length is not None:
        _check_positive(length=length)
        return (*rest, length)
    cut = 2 * (fft_length // 2) if center else 0
    total = None if count is None else _total(count, fft_length, sequence_stride) - cut
    return (*rest, total)


@composite(_istft_shape, FLOAT, native=False, checked=True)
def istft(
    x: Sequence[TensorLike],
    sequence_length: int,
    sequence_stride: int,
    fft_length: int,
    length: int | None = None,
    window: Any = "hann",
    center: bool = True,
) -> Tensor:
    """The inverse of `stft`: the signal whose stretches come nearest to the given ones.

    D. Griffin, J. Lim, "Signal estimation from modified short-time Fourier transform" (1984).

    Args:
        x: `(real, imaginary)`, each of shape `(..., stretches, fft_length // 2 + 1)`.
        sequence_length, sequence_stride, fft_length, window, center: as in `stft`.
        length: the number of samples to return, zeros if there are no more. By default all.

    Returns:
        Real signals of shape `(..., samples)`; 0 where all windows are.

    Raises:
        ValueError: for lengths that do not fit, or an unknown window.
    """
    wide = [widened(part) for part in x]
    frames = irfft(wide, fft_length)
    weights = _weights(window, sequence_length, fft_length, dtype(frames))
    signal = _overlapped(multiply(frames, weights), sequence_stride)
    count = shape(frames)[-2]
    weight = _overlapped(broadcast_to(square(weights), (count, fft_length)), sequence_stride)
    heard = greater(weight, 1e-10)
    signal = where(heard, true_divide(signal, where(heard, weight, 1)), 0)
    start = fft_length // 2 if center else 0
    end = (-start or None) if length is None else start + length
    if length is not None and not (
        isinstance(count, int) and _total(count, fft_length, sequence_stride) >= end
    ):
        signal = _at_the_end(signal, 0, length + start)
    return cast(get_item(signal, (..., slice(start, end))), dtype(x[0]))


def _total(count: int, length: int, stride: int) -> int:
    return (count - 1) * stride + length


def _overlapped(frames: Tensor, stride: int) -> Tensor:
    """The sum of stretches, each of which starts `stride` behind the one before."""
    *batch, count, length = shape(frames)
    parts = -(-length // stride)
    missing = parts * stride - length
    blocks = reshape(_at_the_end(frames, 0, missing), (*batch, count, parts, stride))
    total: Any = 0
    # The i-th parts of all stretches lie side by side.
    for i in range(parts):
        part = reshape(get_item(blocks, (..., i, slice(None))), (*batch, count * stride))
        total = add(total, _at_the_end(part, i * stride, (parts - 1 - i) * stride))
    return get_item(total, (..., slice(None, -missing or None)))
