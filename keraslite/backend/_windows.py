"""Geometry of convolution and pooling windows, in plain integers."""

from __future__ import annotations

import math
from collections.abc import Sequence

Pads = tuple[tuple[int, int], ...]


def window_padding(
    sizes: Sequence[int],
    window: Sequence[int],
    strides: Sequence[int],
    padding: str,
    dilation: Sequence[int] | None = None,
) -> Pads:
    """What `padding` ("valid" or "same") adds before and after each spatial axis."""
    if padding == "valid":
        return ((0, 0),) * len(window)
    found = []
    for size, k, s, d in zip(sizes, window, strides, dilation or (1,) * len(window), strict=True):
        total = max((math.ceil(size / s) - 1) * s + (k - 1) * d + 1 - size, 0)
        found.append((total // 2, total - total // 2))
    return tuple(found)


def transposed_padding(
    sizes: Sequence[int],
    kernel: Sequence[int],
    strides: Sequence[int],
    padding: str,
    output_padding: Sequence[int | None] | None,
    dilation: Sequence[int],
) -> Pads:
    """Padding around the input of a transposed convolution.

    The input with `stride - 1` zeros between its elements and this padding around it,
    convolved with the flipped kernel at stride 1, is the result.
    """
    found = []
    extra = output_padding or (None,) * len(sizes)
    for n, k, s, p, d in zip(sizes, kernel, strides, extra, dilation, strict=True):
        reach = (k - 1) * d + 1
        full = (n - 1) * s + reach
        if p is not None:
            length = full + p - (2 * (reach // 2) if padding == "same" else 0)
        else:
            length = n * s + (max(reach - s, 0) if padding == "valid" else 0)
        # The result is cut where the forward convolution of `length` would pad.
        cut = max(full - length, 0) // 2
        found.append((reach - 1 - cut, length - full + reach - 1 + cut))
    return tuple(found)
