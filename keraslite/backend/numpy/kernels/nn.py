"""Kernels of neural networks: activations, convolution and pooling."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from keraslite.backend._windows import Pads, transposed_padding, window_padding
from keraslite.backend.numpy.kernels.precision import least, quiet, widened
from keraslite.backend.numpy.kernels.special import KERNELS as SPECIAL

Array = Any
Ints = Sequence[int]


# Activations -----------------------------------------------------------------------


def sigmoid(x: Array) -> Array:
    small = np.exp(-np.abs(x))  # never overflows
    return np.where(np.less(x, 0), small, 1) / (1 + small)


def relu(x: Array) -> Array:
    return np.maximum(x, 0)


def relu6(x: Array) -> Array:
    return np.minimum(np.maximum(x, 0), 6)


def leaky_relu(x: Array, negative_slope: float = 0.2) -> Array:
    return np.where(np.greater_equal(x, 0), x, x * negative_slope)


def elu(x: Array, alpha: float = 1.0) -> Array:
    return np.where(np.greater(x, 0), x, alpha * np.expm1(np.minimum(x, 0)))


def selu(x: Array) -> Array:
    # Klambauer et al., "Self-Normalizing Neural Networks", https://arxiv.org/abs/1706.02515
    return 1.0507009873554805 * elu(x, 1.6732632423543772)


def gelu(x: Array, approximate: bool = True) -> Array:
    if approximate:
        inner = math.sqrt(2 / math.pi) * (x + 0.044715 * x * x * x)
        return 0.5 * x * (1 + np.tanh(inner))
    return 0.5 * x * (1 + SPECIAL["erf"](x * math.sqrt(0.5)))


def silu(x: Array) -> Array:
    return x * sigmoid(x)


def softplus(x: Array) -> Array:
    return np.logaddexp(x, np.zeros_like(x))


def softsign(x: Array) -> Array:
    return x / (1 + np.abs(x))


def log_sigmoid(x: Array) -> Array:
    return -softplus(-x)


def log_softmax(x: Array, axis: Any = -1) -> Array:
    shifted = x - np.max(x, axis=axis, keepdims=True)
    return shifted - np.log(np.sum(np.exp(shifted), axis=axis, keepdims=True))


def softmax(x: Array, axis: Any = -1) -> Array:
    small = np.exp(x - np.max(x, axis=axis, keepdims=True))
    return small / np.sum(small, axis=axis, keepdims=True)


# Windows ---------------------------------------------------------------------------


def _with_data_format(position: int) -> Callable[[Callable[..., Array]], Callable[..., Array]]:
    """Gives a kernel for channels-last inputs its `data_format`, at `position`."""

    def decorate(kernel: Callable[..., Array]) -> Callable[..., Array]:
        @functools.wraps(kernel)
        def run(inputs: Array, *args: Any) -> Array:
            data_format = args[position - 1]
            rest = args[: position - 1] + args[position:]
            if data_format == "channels_last":
                return kernel(inputs, *rest)
            return np.moveaxis(kernel(np.moveaxis(inputs, 1, -1), *rest), -1, 1)

        return run

    return decorate


def _padded(x: Array, pads: Pads, value: Any = 0) -> Array:
    if not any(map(any, pads)):
        return x
    return np.pad(x, ((0, 0), *pads, (0, 0)), constant_values=value)


def _windows(x: Array, window: Ints, strides: Ints, dilation: Ints | None = None) -> Array:
    """A view (batch, *positions, channels, *window) of padded channels-last `x`."""
    rank = len(window)
    dilation = dilation or (1,) * rank
    reach = tuple((k - 1) * d + 1 for k, d in zip(window, dilation, strict=True))
    view = sliding_window_view(x, reach, tuple(range(1, rank + 1)))
    steps = tuple(slice(None, None, s) for s in strides)
    inside = tuple(slice(None, None, d) for d in dilation)
    return view[(slice(None), *steps, slice(None), *inside)]


def _offsets(windows: Array, window: Ints) -> Iterator[tuple[tuple[int, ...], Array]]:
    """Each place in the window with the elements that stand there."""
    for place in np.ndindex(*window):
        yield place, windows[(..., *place)]


def _correlate(x: Array, kernel: Array, strides: Ints, dilation: Ints) -> Array:
    """Grouped cross-correlation of padded channels-last `x`, one matrix product a group."""
    *spatial, depth, filters = kernel.shape
    rank = len(spatial)
    windows = np.moveaxis(_windows(x, spatial, strides, dilation), rank + 1, -1)
    groups = x.shape[-1] // depth
    kernels = np.split(kernel.reshape(-1, depth, filters), groups, axis=-1)
    found = []
    for part, weights in zip(np.split(windows, groups, axis=-1), kernels, strict=True):
        columns = part.reshape(-1, math.prod(spatial) * depth)
        found.append(columns @ weights.reshape(-1, filters // groups))
    return np.concatenate(found, axis=-1).reshape(*windows.shape[: rank + 1], filters)


@_with_data_format(4)
def conv(inputs: Array, kernel: Array, strides: Ints, padding: str, dilation: Ints) -> Array:
    pads = window_padding(inputs.shape[1:-1], kernel.shape[:-2], strides, padding, dilation)
    return _correlate(_padded(inputs, pads), kernel, strides, dilation)


@_with_data_format(4)
def depthwise_conv(
    inputs: Array, kernel: Array, strides: Ints, padding: str, dilation: Ints
) -> Array:
    *spatial, channels, multiplier = kernel.shape
    pads = window_padding(inputs.shape[1:-1], spatial, strides, padding, dilation)
    windows = _windows(_padded(inputs, pads), spatial, strides, dilation)
    places = _offsets(windows, spatial)
    found = sum(values[..., None] * kernel[place] for place, values in places)
    return found.reshape(*found.shape[:-2], channels * multiplier)


@_with_data_format(5)
def conv_transpose(
    inputs: Array, kernel: Array, strides: Ints, padding: str, output_padding: Any, dilation: Ints
) -> Array:
    sizes, rank = inputs.shape[1:-1], len(strides)
    pads = transposed_padding(sizes, kernel.shape[:-2], strides, padding, output_padding, dilation)
    spread = [(n - 1) * s + 1 for n, s in zip(sizes, strides, strict=True)]
    x = np.zeros((len(inputs), *spread, inputs.shape[-1]), inputs.dtype)
    x[(slice(None), *(slice(None, None, s) for s in strides))] = inputs
    flipped = np.swapaxes(np.flip(kernel, tuple(range(rank))), -1, -2)
    return _correlate(_padded(x, pads), flipped, (1,) * rank, dilation)


@_with_data_format(4)
def max_pool(inputs: Array, pool_size: Ints, strides: Ints, padding: str) -> Array:
    pads = window_padding(inputs.shape[1:-1], pool_size, strides, padding)
    windows = _windows(_padded(inputs, pads, least(inputs.dtype)), pool_size, strides)
    found = np.array(windows[(..., *(0,) * len(pool_size))])
    for _, values in _offsets(windows, pool_size):
        np.maximum(found, values, out=found)
    return found


@_with_data_format(4)
def average_pool(inputs: Array, pool_size: Ints, strides: Ints, padding: str) -> Array:
    pads = window_padding(inputs.shape[1:-1], pool_size, strides, padding)

    def total(x: Array) -> Array:
        windows = _windows(_padded(x, pads), pool_size, strides)
        return sum(values for _, values in _offsets(windows, pool_size))

    counts = total(np.ones((1, *inputs.shape[1:-1], 1), inputs.dtype))
    return total(inputs) / counts


_WIDENED = (
    sigmoid, leaky_relu, elu, selu, gelu, silu, softplus, softsign, log_sigmoid, log_softmax,
    softmax, conv, depthwise_conv, conv_transpose, average_pool,
)  # fmt: skip

KERNELS: dict[str, Callable[..., Any]] = {
    **{fn.__name__: widened(fn) for fn in _WIDENED},
    **{fn.__name__: quiet(fn) for fn in (relu, relu6, max_pool)},
}
