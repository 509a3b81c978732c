"""Kernels of neural networks: activations, convolution, pooling, normalization, attention."""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import mlx.core as mx

from keraslite.backend.support import transposed_padding, window_padding
from keraslite_mlx.dtypes import FLOATS
from keraslite_mlx.kernels.precision import widened

Array = mx.array
Ints = Sequence[int]
Pads = Sequence[tuple[int, int]]


# Activations -----------------------------------------------------------------------


def relu(x: Array) -> Array:
    return mx.maximum(x, 0)


def relu6(x: Array) -> Array:
    return mx.minimum(mx.maximum(x, 0), 6)


def leaky_relu(x: Array, negative_slope: float = 0.2) -> Array:
    return mx.where(x >= 0, x, negative_slope * x)


def elu(x: Array, alpha: float = 1.0) -> Array:
    return mx.where(x > 0, x, alpha * mx.expm1(mx.minimum(x, 0)))


def selu(x: Array) -> Array:
    # Klambauer et al., "Self-Normalizing Neural Networks", https://arxiv.org/abs/1706.02515
    return 1.0507009873554805 * elu(x, 1.6732632423543772)


def gelu(x: Array, approximate: bool = True) -> Array:
    if approximate:
        inner = math.sqrt(2 / math.pi) * (x + 0.044715 * x * x * x)
        return 0.5 * x * (1 + mx.tanh(inner))
    return 0.5 * x * (1 + mx.erf(x * math.sqrt(0.5)))


def silu(x: Array) -> Array:
    return x * mx.sigmoid(x)


def softplus(x: Array) -> Array:
    return mx.logaddexp(x, 0.0)


def softsign(x: Array) -> Array:
    return x / (1 + mx.abs(x))


def log_sigmoid(x: Array) -> Array:
    return -softplus(-x)


def softmax(x: Array, axis: Any = -1) -> Array:
    return mx.softmax(x, axis)


def log_softmax(x: Array, axis: Any = -1) -> Array:
    return x - mx.logsumexp(x, axis, keepdims=True)


# Windows ---------------------------------------------------------------------------


def _with_data_format(position: int) -> Callable[[Callable[..., Array]], Callable[..., Array]]:
    """Gives a kernel for channels-last inputs its `data_format`, at `position`."""

    def decorate(kernel: Callable[..., Array]) -> Callable[..., Array]:
        @functools.wraps(kernel)
        def run(inputs: Array, *args: Any) -> Array:
            rest = args[: position - 1] + args[position:]
            if args[position - 1] == "channels_last":
                return kernel(inputs, *rest)
            return mx.moveaxis(kernel(mx.moveaxis(inputs, 1, -1), *rest), -1, 1)

        return run

    return decorate


def _correlate(
    x: Array, weight: Array, strides: Ints, pads: Pads, dilation: Ints, groups: int = 1,
    spread: Ints | None = None, flip: bool = False,
) -> Array:  # fmt: skip
    """`mx.conv_general`, with negative padding, and groups for three axes too."""
    if groups > 1 and weight.ndim == 5:
        parts = zip(mx.split(x, groups, -1), mx.split(weight, groups, 0), strict=True)
        return mx.concatenate(
            [_correlate(a, w, strides, pads, dilation, 1, spread, flip) for a, w in parts], -1
        )
    inside = tuple((max(a, 0), max(b, 0)) for a, b in pads)
    found = mx.conv_general(
        x, weight, tuple(strides), ([a for a, _ in inside], [b for _, b in inside]),
        tuple(dilation), tuple(spread or (1,) * len(strides)), groups, flip,
    )  # fmt: skip
    if all(p == q for p, q in zip(inside, pads, strict=True)):
        return found
    # Only with strides of 1.
    cut = (
        slice(max(-a, 0), n - max(-b, 0)) for (a, b), n in zip(pads, found.shape[1:], strict=False)
    )
    return found[(slice(None), *cut)]


def _unfolded(x: Array, kernel: Array, strides: Ints, pads: Pads, dilation: Ints) -> Array:
    """Convolution as one product of matrices.

    On a CPU its gradients take half the time that those of `mx.conv_general` take.
    """
    *window, _, filters = kernel.shape
    columns = mx.concatenate(list(_offsets(_padded(x, pads, 0), window, strides, dilation)), -1)
    found = columns.reshape(-1, columns.shape[-1]) @ kernel.reshape(-1, filters)
    return found.reshape(*columns.shape[:-1], filters)


@_with_data_format(4)
def conv(inputs: Array, kernel: Array, strides: Ints, padding: str, dilation: Ints) -> Array:
    pads = window_padding(inputs.shape[1:-1], kernel.shape[:-2], strides, padding, dilation)
    groups = inputs.shape[-1] // kernel.shape[-2]
    if groups == 1 and mx.default_device() == mx.Device(mx.cpu):
        return _unfolded(inputs, kernel, strides, pads, dilation)
    return _correlate(inputs, mx.moveaxis(kernel, -1, 0), strides, pads, dilation, groups)


@_with_data_format(4)
def depthwise_conv(
    inputs: Array, kernel: Array, strides: Ints, padding: str, dilation: Ints
) -> Array:
    *spatial, channels, multiplier = kernel.shape
    pads = window_padding(inputs.shape[1:-1], spatial, strides, padding, dilation)
    # One group a channel.
    weight = mx.moveaxis(kernel.reshape(*spatial, 1, channels * multiplier), -1, 0)
    return _correlate(inputs, weight, strides, pads, dilation, channels)


@_with_data_format(5)
def conv_transpose(
    inputs: Array, kernel: Array, strides: Ints, padding: str, output_padding: Any, dilation: Ints
) -> Array:
    pads = transposed_padding(
        inputs.shape[1:-1], kernel.shape[:-2], strides, padding, output_padding, dilation
    )
    ones = (1,) * len(strides)
    weight = mx.moveaxis(kernel, -2, 0)
    return _correlate(inputs, weight, ones, pads, dilation, 1, strides, flip=True)


def _padded(x: Array, pads: Pads, value: Any) -> Array:
    if not any(map(any, pads)):
        return x
    return mx.pad(x, ((0, 0), *pads, (0, 0)), constant_values=mx.array(value, x.dtype))


def _offsets(
    x: Array, window: Ints, strides: Ints, dilation: Ints | None = None
) -> Iterator[Array]:
    """For each place in the window the elements of `x` that stand there."""
    dilation = dilation or (1,) * len(window)
    axes = list(zip(x.shape[1:-1], window, strides, dilation, strict=True))
    counts = [(n - (k - 1) * d - 1) // s + 1 for n, k, s, d in axes]
    for place in itertools.product(*(range(0, k * d, d) for _, k, _, d in axes)):
        cut = (
            slice(i, i + (n - 1) * s + 1, s) for i, n, s in zip(place, counts, strides, strict=True)
        )
        yield x[(slice(None), *cut)]


def _reduce(
    x: Array, window: Ints, strides: Ints, one: Callable[..., Array], two: Callable[..., Array]
) -> Array:
    """Reduce padded `x` over a window: by `one` over axes, by `two` pair by pair."""
    if tuple(window) != tuple(strides):
        return functools.reduce(two, _offsets(x, window, strides))
    # Windows that do not overlap are axes of their own.
    counts = [n // k for n, k in zip(x.shape[1:-1], window, strict=True)]
    x = x[(slice(None), *(slice(n * k) for n, k in zip(counts, window, strict=True)))]
    sizes = itertools.chain.from_iterable(zip(counts, window, strict=True))
    x = x.reshape(x.shape[0], *sizes, x.shape[-1])
    return one(x, axis=tuple(range(2, 2 * len(window) + 1, 2)))


@_with_data_format(4)
def max_pool(inputs: Array, pool_size: Ints, strides: Ints, padding: str) -> Array:
    lowest = -math.inf if inputs.dtype in FLOATS else mx.iinfo(inputs.dtype).min
    pads = window_padding(inputs.shape[1:-1], pool_size, strides, padding)
    return _reduce(_padded(inputs, pads, lowest), pool_size, strides, mx.max, mx.maximum)


@_with_data_format(4)
def average_pool(inputs: Array, pool_size: Ints, strides: Ints, padding: str) -> Array:
    pads = window_padding(inputs.shape[1:-1], pool_size, strides, padding)

    def total(x: Array) -> Array:
        return _reduce(_padded(x, pads, 0), pool_size, strides, mx.sum, mx.add)

    if not any(map(any, pads)):
        return total(inputs) / math.prod(pool_size)
    return total(inputs) / total(mx.ones((1, *inputs.shape[1:-1], 1), inputs.dtype))


# Normalization and attention ---------------------------------------------------------


def layer_normalization(
    x: Array, gamma: Array | None, beta: Array | None, axis: Any = -1, epsilon: float = 1e-3
) -> Array:
    axes = sorted(a % x.ndim for a in ((axis,) if isinstance(axis, int) else axis))
    shape = [size if i in axes else 1 for i, size in enumerate(x.shape)]
    if axes == [x.ndim - 1]:
        gamma, beta = (None if p is None else p.reshape(-1) for p in (gamma, beta))
        return mx.fast.layer_norm(x, gamma, beta, epsilon)
    found = (x - mx.mean(x, axes, keepdims=True)) * mx.rsqrt(
        mx.var(x, axes, keepdims=True) + epsilon
    )
    if gamma is not None:
        found = found * gamma.reshape(shape)
    return found if beta is None else found + beta.reshape(shape)


def dot_product_attention(
    query: Array,
    key: Array,
    value: Array,
    bias: Array | None = None,
    mask: Array | None = None,
    scale: float | None = None,
    is_causal: bool = False,
    flash_attention: bool | None = None,
) -> Array:
    q, k, v = (mx.swapaxes(x, 1, 2) for x in (query, key, value))
    scale = 1 / math.sqrt(query.shape[-1]) if scale is None else scale
    if is_causal:
        causal = mx.arange(q.shape[2])[:, None] >= mx.arange(k.shape[2])
        mask = causal if mask is None else mx.logical_and(mask, causal)
    if mask is not None:
        lowest = mx.where(mask, 0.0, mx.finfo(q.dtype).min / 2).astype(q.dtype)
        bias = lowest if bias is None else bias + lowest
    found = mx.fast.scaled_dot_product_attention(q, k, v, scale=scale, mask=bias)
    return mx.swapaxes(found, 1, 2)


_half = (gelu, log_softmax, softmax, softplus, log_sigmoid, elu, selu, silu, average_pool)

KERNELS: dict[str, Callable[..., Any]] = {
    **{fn.__name__: widened(fn) for fn in _half},
    **{
        fn.__name__: fn
        for fn in (
            relu, relu6, leaky_relu, softsign, conv, depthwise_conv, conv_transpose, max_pool,
            layer_normalization, dot_product_attention,
        )
    },
    "sigmoid": mx.sigmoid,
}  # fmt: skip
