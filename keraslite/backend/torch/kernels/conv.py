"""Convolution and pooling for one, two and three spatial axes.

Channels-last tensors go to torch as permuted views: their memory is what torch calls
the channels-last format, which its kernels prefer, and results come back in it.
"""

from __future__ import annotations

import functools
import operator
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch

from keraslite.backend import _windows
from keraslite.backend.torch import tensors

_Sizes = Sequence[int]
_Kernel = Callable[..., torch.Tensor]

_CONV = {2: torch.conv2d, 3: torch.conv3d}
_TRANSPOSED = {2: torch.conv_transpose2d, 3: torch.conv_transpose3d}
_MAX_POOL = {2: torch.max_pool2d, 3: torch.max_pool3d}
_AVERAGE_POOL = {2: torch._C._nn.avg_pool2d, 3: torch._C._nn.avg_pool3d}
_FORMAT = {2: torch.channels_last, 3: torch.channels_last_3d}


def _channels_second(x: torch.Tensor, data_format: str) -> torch.Tensor:
    """View with channels on axis 1, and with two spatial axes at least.

    torch has no channels-last format for one spatial axis, so that gets a companion
    of size 1 in front.
    """
    if x.ndim == 3:
        x = x.unsqueeze(1 if data_format == "channels_last" else 2)
    return x.movedim(-1, 1) if data_format == "channels_last" else x


def _as_given(y: torch.Tensor, rank: int, data_format: str) -> torch.Tensor:
    """Undo `_channels_second`."""
    if rank == 1:
        y = y.squeeze(2)
    return y.movedim(1, -1) if data_format == "channels_last" else y


def _two(sizes: _Sizes, companion: int = 1) -> tuple[int, ...]:
    """Per-axis settings, with the companion's in front where there is one axis only."""
    return (companion, *sizes) if len(sizes) == 1 else tuple(sizes)


def _padded(
    x: torch.Tensor, pads: Sequence[tuple[int, int]], value: float
) -> tuple[torch.Tensor, list[int]]:
    """`x`, padded where it must be by hand, and the padding left for torch to do."""
    if all(low == high for low, high in pads):
        return x, [low for low, _ in pads]
    flat = [size for pair in reversed(pads) for size in pair]
    return torch.nn.functional.pad(x, flat, value=value), [0] * len(pads)


def _in_float(kernel: _Kernel) -> _Kernel:
    """A convolution that takes integers as well; exact up to 2**53."""

    @functools.wraps(kernel)
    def run(inputs: torch.Tensor, weight: torch.Tensor, *rest: object) -> torch.Tensor:
        if inputs.is_floating_point() or inputs.is_complex():
            return kernel(inputs, weight, *rest)
        return kernel(inputs.double(), weight.double(), *rest).to(inputs.dtype)

    return run


@_in_float
def conv(
    inputs: torch.Tensor,
    kernel: torch.Tensor,
    strides: _Sizes,
    padding: str = "valid",
    data_format: str = "channels_last",
    dilation_rate: _Sizes = (1,),
) -> torch.Tensor:
    rank = inputs.ndim - 2
    x = _channels_second(inputs, data_format)
    if rank == 1:
        kernel = kernel.unsqueeze(0)
    *window, depth, _ = kernel.shape
    weight = kernel.movedim((-1, -2), (0, 1)).contiguous(memory_format=_FORMAT[len(window)])
    strides, dilation = _two(strides), _two(dilation_rate)
    pads = _windows.window_padding(x.shape[2:], window, strides, padding, dilation)
    x, pad = _padded(x, pads, 0.0)
    y = _CONV[len(window)](x, weight, None, strides, pad, dilation, x.shape[1] // depth)
    return _as_given(y, rank, data_format)


def depthwise_conv(inputs: torch.Tensor, kernel: torch.Tensor, *options: Any) -> torch.Tensor:
    *window, channels, multiplier = kernel.shape
    return conv(inputs, kernel.reshape(*window, 1, channels * multiplier), *options)


@_in_float
def conv_transpose(
    inputs: torch.Tensor,
    kernel: torch.Tensor,
    strides: _Sizes,
    padding: str = "valid",
    output_padding: _Sizes | None = None,
    data_format: str = "channels_last",
    dilation_rate: _Sizes = (1,),
) -> torch.Tensor:
    rank = inputs.ndim - 2
    x = _channels_second(inputs, data_format)
    if rank == 1:
        kernel = kernel.unsqueeze(0)
    window = kernel.shape[:-2]
    weight = kernel.movedim((-1, -2), (0, 1))
    extra = None if output_padding is None else _two(output_padding, 0)
    strides, dilation = _two(strides), _two(dilation_rate)
    pads = _windows.transposed_padding(x.shape[2:], window, strides, padding, extra, dilation)
    # torch crops both ends alike, and then adds less than a stride after the end.
    crops = [(k - 1) * d - low for (low, _), k, d in zip(pads, window, dilation, strict=True)]
    lacking = [high - low for low, high in pads]
    added = [
        min(max(n, 0), max(s, d) - 1) for n, s, d in zip(lacking, strides, dilation, strict=True)
    ]
    y = _TRANSPOSED[len(window)](x, weight, None, strides, crops, added, 1, dilation)
    rest = [n - a for n, a in zip(lacking, added, strict=True)]
    if any(rest):
        y = torch.nn.functional.pad(y, [size for n in reversed(rest) for size in (0, n)])
    return _as_given(y, rank, data_format)


# Pooling --------------------------------------------------------------------------


def max_pool(
    inputs: torch.Tensor,
    pool_size: _Sizes,
    strides: _Sizes,
    padding: str = "valid",
    data_format: str = "channels_last",
) -> torch.Tensor:
    x = _channels_second(inputs, data_format)
    window, strides = _two(pool_size), _two(strides)
    pads = _windows.window_padding(x.shape[2:], window, strides, padding)
    x, pad = _padded(x, pads, tensors.least(x))
    return _as_given(_MAX_POOL[len(window)](x, window, strides, pad), inputs.ndim - 2, data_format)


def average_pool(
    inputs: torch.Tensor,
    pool_size: _Sizes,
    strides: _Sizes,
    padding: str = "valid",
    data_format: str = "channels_last",
) -> torch.Tensor:
    x = _channels_second(inputs, data_format)
    window, strides = _two(pool_size), _two(strides)
    pads = _windows.window_padding(x.shape[2:], window, strides, padding)
    padded, pad = _padded(x, pads, 0.0)
    pool = _AVERAGE_POOL[len(window)]
    # torch's CPU kernel for three axes knows float32 and float64 only.
    short = len(window) == 3 and padded.dtype.itemsize == 2
    y = pool(padded.float() if short else padded, window, strides, pad, False, False).to(x.dtype)
    if padded is not x:
        y = y * _share(x, y, window, strides, pads)
    return _as_given(y, inputs.ndim - 2, data_format)


def _share(
    x: torch.Tensor,
    y: torch.Tensor,
    window: _Sizes,
    strides: _Sizes,
    pads: Sequence[tuple[int, int]],
) -> torch.Tensor:
    """The size of each window over the number of its places that are no padding."""
    shares = []
    for axis, (k, s, (low, _)) in enumerate(zip(window, strides, pads, strict=True), start=2):
        start = np.arange(y.shape[axis]) * s - low
        inside = np.minimum(start + k, x.shape[axis]) - np.maximum(start, 0)
        shares.append((k / inside).reshape((-1,) + (1,) * (x.ndim - 1 - axis)))
    share = functools.reduce(operator.mul, shares)
    return torch.from_numpy(share).to(device=y.device, dtype=y.dtype)
