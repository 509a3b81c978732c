"""Convolution and pooling in 1, 2 and 3 dimensions, with Keras's layouts.

TensorFlow's CPU kernels know channels-last data only, and lack gradients of grouped and dilated
convolutions; XLA and GPUs have all of these. `support.limited` tells the two apart. One dimension
is computed as two, of which the first has size 1.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import tensorflow as tf

from keraslite.backend.tensorflow import support as s
from keraslite.backend.tensorflow.kernels import shape as _shape

_raw = tf.raw_ops
_Tensor = Any
_Ints = Sequence[int]
_Native = Callable[[_Tensor, tuple[int, ...], str], _Tensor]
"""`native(x, strides, padding)`, channels last."""


# Layouts -----------------------------------------------------------------------------------


def _planar(kernel: Callable[..., _Tensor]) -> Callable[..., _Tensor]:
    """`kernel(x, *tensors, options...)` for rank 2 and 3, as one for rank 1 to 3 in any layout.

    The first options are tuples of one number an axis; `data_format` becomes that of
    TensorFlow, and "channels_first" reaches `kernel` only where it is native.
    """

    def outer(
        x: _Tensor, weights: _Tensor | None, geometry: dict[str, Any], data_format: str, **more: Any
    ) -> _Tensor:
        n = s.rank(x) - 2
        first = data_format == "channels_first"
        moved = first and s.limited()
        if moved:
            x = _shape.moveaxis(x, 1, -1)
        keeps = first and not moved
        if n == 1:
            x = _raw.ExpandDims(input=x, axis=2 if keeps else 1)
            weights = None if weights is None else _raw.ExpandDims(input=weights, axis=0)
            geometry = {k: None if v is None else (_NEUTRAL[k], *v) for k, v in geometry.items()}
        found = kernel(x, weights, channels_first=keeps, **geometry, **more)
        if n == 1:
            found = _raw.Squeeze(input=found, axis=[2 if keeps else 1])
        return _shape.moveaxis(found, -1, 1) if moved else found

    return outer


#: What the added axis of size 1 gets.
_NEUTRAL = {"window": 1, "strides": 1, "dilation": 1, "extra": 0}


def _full(values: _Ints, channels_first: bool) -> list[int]:
    """Numbers for the spatial axes as a list for all axes."""
    return [1, 1, *values] if channels_first else [1, *values, 1]


def _format(n: int, channels_first: bool) -> str:
    letters = "DHW"[-n:]
    return f"NC{letters}" if channels_first else f"N{letters}C"


# Reducing to what the CPU kernels can do ---------------------------------------------------


def _reduced(
    native: _Native,
    x: _Tensor,
    window: _Ints,
    strides: tuple[int, ...],
    padding: str,
    dilation: tuple[int, ...],
    equal_strides: bool = False,
) -> _Tensor:
    """`native` without dilation (and with one stride), giving the asked-for result."""
    plain = max(dilation) == 1
    if plain and (len(set(strides)) == 1 or not equal_strides):
        return native(x, strides, padding)
    if padding == "SAME":
        x = _padded(x, window, strides, dilation)
    if plain:
        own = (math.gcd(*strides),) * len(strides)
        found = native(x, own, "VALID")
    else:
        own = (1,) * len(strides)
        found = _interleaved(lambda x: native(x, own, "VALID"), x, dilation)
    steps = (slice(None, None, stride // mine) for stride, mine in zip(strides, own, strict=True))
    return found if own == strides else found[(slice(None), *steps)]


def _padded(x: _Tensor, window: _Ints, strides: _Ints, dilation: _Ints) -> _Tensor:
    widths = [(0, 0)]
    for size, k, stride, d in zip(s.sizes(x)[1:-1], window, strides, dilation, strict=True):
        total = (-(-size // stride) - 1) * stride + (k - 1) * d + 1 - size
        total = max(total, 0) if isinstance(total, int) else tf.maximum(total, 0)
        widths.append((total // 2, total - total // 2))
    return _shape.pad(x, [*widths, (0, 0)])


def _interleaved(native: Callable[[_Tensor], _Tensor], x: _Tensor, dilation: _Ints) -> _Tensor:
    """A dilated window on `x` is a dense one on each of its phases."""
    rest = [-size % d for size, d in zip(s.sizes(x)[1:-1], dilation, strict=True)]
    edges = s.reshape(s.int_vector(w for after in rest for w in (0, after)), (-1, 2))
    block = s.int_vector(dilation)
    phases = _raw.SpaceToBatchND(input=x, block_shape=block, paddings=edges)
    return _raw.BatchToSpaceND(input=native(phases), block_shape=block, crops=edges)


# Convolution -------------------------------------------------------------------------------


def _native_conv(n: int, channels_first: bool, dilation: _Ints) -> Callable[..., _Tensor]:
    convolve = _raw.Conv2D if n == 2 else _raw.Conv3D
    layout = {
        "data_format": _format(n, channels_first),
        "dilations": _full(dilation, channels_first),
    }

    def native(x: _Tensor, weights: _Tensor, strides: _Ints, padding: str) -> _Tensor:
        strides = _full(strides, channels_first)
        return convolve(input=x, filter=weights, strides=strides, padding=padding, **layout)

    return native


@_planar
def _conv(
    x: _Tensor,
    weights: _Tensor,
    strides: tuple[int, ...],
    dilation: tuple[int, ...],
    padding: str,
    channels_first: bool,
) -> _Tensor:
    n = len(strides)
    if not s.limited():
        return _native_conv(n, channels_first, dilation)(x, weights, strides, padding)
    window = tuple(weights.shape[:n])
    groups = x.shape[-1] // weights.shape[-2]
    native = _native_conv(n, False, (1,) * n)
    if groups == 1:
        return _reduced(
            lambda x, *how: native(x, weights, *how), x, window, strides, padding, dilation
        )
    if groups == x.shape[-1] and n == 2:
        weights = s.reshape(weights, (*window, groups, -1))
        return _depthwise_on_cpu(x, weights, strides, padding, dilation)
    parts = tf.split(weights, groups, -1)

    def grouped(x: _Tensor, *how: Any) -> _Tensor:
        each = zip(tf.split(x, groups, -1), parts, strict=True)
        return tf.concat([native(x, weights, *how) for x, weights in each], -1)

    return _reduced(grouped, x, window, strides, padding, dilation)


def conv(
    inputs: _Tensor,
    kernel: _Tensor,
    strides: tuple[int, ...],
    padding: str,
    data_format: str,
    dilation_rate: tuple[int, ...],
) -> _Tensor:
    if inputs.shape[0] == 0:
        # TensorFlow's CPU kernel gives an empty batch a wrong shape.
        one = tf.zeros((1, *s.sizes(inputs)[1:]), inputs.dtype)
        return conv(one, kernel, strides, padding, data_format, dilation_rate)[:0]
    geometry = {"strides": strides, "dilation": dilation_rate}
    return _conv(inputs, kernel, geometry, data_format, padding=padding.upper())


def _depthwise_on_cpu(
    x: _Tensor, weights: _Tensor, strides: tuple, padding: str, dilation: tuple
) -> _Tensor:
    def native(x: _Tensor, strides: _Ints, padding: str) -> _Tensor:
        return _raw.DepthwiseConv2dNative(
            input=x, filter=weights, strides=_full(strides, False), padding=padding
        )

    window = tuple(weights.shape[:2])
    if window[0] == 1 and strides[0] == 1 and x.shape[1] == 1:
        # The added axis of one dimension takes any stride.
        strides = (strides[1],) * 2
    return _reduced(native, x, window, strides, padding, dilation, equal_strides=True)


def depthwise_conv(inputs: _Tensor, kernel: _Tensor, *options: Any) -> _Tensor:
    # As many groups as channels; the CPU's own kernel for these is chosen above.
    *window, channels, multiplier = kernel.shape
    return conv(inputs, s.reshape(kernel, (*window, 1, channels * multiplier)), *options)


@_planar
def _conv_transpose(
    x: _Tensor,
    weights: _Tensor,
    strides: tuple[int, ...],
    dilation: tuple[int, ...],
    extra: tuple[int, ...] | None,
    padding: str,
    channels_first: bool,
) -> _Tensor:
    n = len(strides)
    for axis, d in enumerate(dilation):
        weights = _spread(weights, axis, d)
    known = s.sizes(x)
    inner = slice(2, None) if channels_first else slice(1, -1)
    window = tuple(weights.shape[:n])
    how = padding if extra is None else "VALID"
    spatial = [
        _transposed_size(size, k, stride, padding, extra is not None)
        for size, k, stride in zip(known[inner], window, strides, strict=True)
    ]
    filters = weights.shape[n]
    result = [known[0], filters, *spatial] if channels_first else [known[0], *spatial, filters]
    backward = _raw.Conv2DBackpropInput if n == 2 else _raw.Conv3DBackpropInputV2
    found = backward(
        input_sizes=s.int_vector(result),
        filter=weights,
        out_backprop=x,
        strides=_full(strides, channels_first),
        padding=how,
        data_format=_format(n, channels_first),
    )
    if extra is None:
        return found
    # Any length that is asked for is a part of the whole result, or ends with zeros.
    before = (slice(None),) * inner.start
    for axis, (k, more) in enumerate(zip(window, extra, strict=True)):
        lost = 2 * (k // 2) - more if padding == "SAME" else -more
        if lost > 0:
            found = found[(*before, slice(lost // 2, lost // 2 - lost))]
        elif lost < 0:
            widths = [(0, 0)] * (n + 2)
            widths[inner.start + axis] = (0, -lost)
            found = _shape.pad(found, widths)
        before += (slice(None),)
    return found


def _spread(weights: _Tensor, axis: int, dilation: int) -> _Tensor:
    """`dilation - 1` zeros between the elements along `axis`."""
    if dilation == 1:
        return weights
    before, size, after = weights.shape[:axis], weights.shape[axis], weights.shape[axis + 1 :]
    zeros = tf.zeros((*before, size, dilation - 1, *after), weights.dtype)
    apart = tf.concat([tf.expand_dims(weights, axis + 1), zeros], axis + 1)
    dense = s.reshape(apart, (*before, size * dilation, *after))
    return dense[(slice(None),) * axis + (slice(0, (size - 1) * dilation + 1),)]


def _transposed_size(size: s.Size, k: int, stride: int, padding: str, whole: bool) -> s.Size:
    if whole:
        return (size - 1) * stride + k
    return size * stride + (max(k - stride, 0) if padding == "VALID" else 0)


def conv_transpose(
    inputs: _Tensor,
    kernel: _Tensor,
    strides: tuple[int, ...],
    padding: str,
    output_padding: tuple[int, ...] | None,
    data_format: str,
    dilation_rate: tuple[int, ...],
) -> _Tensor:
    geometry = {"strides": strides, "dilation": dilation_rate, "extra": output_padding}
    return _conv_transpose(inputs, kernel, geometry, data_format, padding=padding.upper())


# Pooling -------------------------------------------------------------------------------------

_POOLS = {"max": (_raw.MaxPool, _raw.MaxPool3D), "average": (_raw.AvgPool, _raw.AvgPool3D)}
_POOLED_3D = frozenset({tf.float32, tf.bfloat16})


@_planar
def _pool(
    x: _Tensor,
    weights: None,
    window: tuple[int, ...],
    strides: tuple[int, ...],
    kind: str,
    padding: str,
    channels_first: bool,
) -> _Tensor:
    n = len(window)
    if n == 3 and x.dtype not in _POOLED_3D and not channels_first:
        return _pool_in_two(x, window, strides, kind, padding)
    name = "input" if n == 3 or kind == "max" else "value"
    return _POOLS[kind][n - 2](
        **{name: x},
        ksize=_full(window, channels_first),
        strides=_full(strides, channels_first),
        padding=padding,
        data_format=_format(n, channels_first),
    )


def _pool_in_two(x: _Tensor, window: tuple, strides: tuple, kind: str, padding: str) -> _Tensor:
    """Three dimensions as two and one, for the dtypes that lack a kernel."""
    how = {"kind": kind, "padding": padding}
    batch, depth, height, width, channels = s.sizes(x)
    planes = s.reshape(x, (batch * depth, height, width, channels))
    planes = _pool(planes, None, {"window": window[1:], "strides": strides[1:]}, "", **how)
    _, height, width, _ = s.sizes(planes)
    lines = s.reshape(planes, (batch, depth, height * width, channels))
    geometry = {"window": (window[0], 1), "strides": (strides[0], 1)}
    lines = _pool(lines, None, geometry, "", **how)
    return s.reshape(lines, (batch, s.sizes(lines)[1], height, width, channels))


def _pooling(kind: str) -> Callable[..., _Tensor]:
    def kernel(
        inputs: _Tensor, pool_size: _Ints, strides: _Ints, padding: str, data_format: str
    ) -> _Tensor:
        geometry = {"window": pool_size, "strides": strides}
        return _pool(inputs, None, geometry, data_format, kind=kind, padding=padding.upper())

    return kernel


max_pool = _pooling("max")
average_pool = _pooling("average")
