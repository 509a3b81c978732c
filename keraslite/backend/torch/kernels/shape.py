"""Shapes: reshaping, joining, repeating, padding, and the creation of tensors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from keraslite.backend.torch import tensors
from keraslite.backend.torch.tensors import DTYPES

Axes = int | tuple[int, ...] | None

reshape = torch.reshape
broadcast_to = torch.broadcast_to
concatenate = torch.cat
stack = torch.stack
tile = torch.tile
moveaxis = torch.movedim
swapaxes = torch.swapaxes
tril = torch.tril
triu = torch.triu
diagonal = torch.diagonal
diag = torch.diag
copy = torch.clone
unbind = torch.unbind


def transpose(x: torch.Tensor, axes: Sequence[int] | None = None) -> torch.Tensor:
    return x.permute(tuple(axes) if axes is not None else tuple(range(x.ndim))[::-1])


def expand_dims(x: torch.Tensor, axis: int | tuple[int, ...]) -> torch.Tensor:
    if isinstance(axis, int):
        return torch.unsqueeze(x, axis)
    rank = x.ndim + len(axis)
    for a in sorted(a % rank for a in axis):
        x = torch.unsqueeze(x, a)
    return x


def squeeze(x: torch.Tensor, axis: Axes = None) -> torch.Tensor:
    if axis is None:
        return torch.squeeze(x)
    for a in (axis,) if isinstance(axis, int) else axis:
        if x.shape[a] != 1:
            raise ValueError(
                f"`squeeze` removes axes of size 1. Received: axis={axis}, shape={tuple(x.shape)}"
            )
    return torch.squeeze(x, axis)


def pad(
    x: torch.Tensor,
    pad_width: Sequence[tuple[int, int]],
    mode: str = "constant",
    constant_values: Any = None,
) -> torch.Tensor:
    if mode == "constant":
        flat = [size for pair in reversed(pad_width) for size in pair]
        return torch.nn.functional.pad(x, flat, value=constant_values or 0)
    # torch pads some ranks in some modes; a gather along each axis does them all.
    for axis, width in enumerate(pad_width):
        if any(width):
            order = np.pad(np.arange(x.shape[axis]), width, mode=mode)
            x = torch.index_select(x, axis, torch.from_numpy(order).to(x.device))
    return x


def repeat(x: torch.Tensor, repeats: Any, axis: int | None = None) -> torch.Tensor:
    repeats = repeats if isinstance(repeats, int) else tensors.convert(repeats)
    return torch.repeat_interleave(x, repeats, dim=axis)


def flip(x: torch.Tensor, axis: Axes = None) -> torch.Tensor:
    if axis is None:
        axis = tuple(range(x.ndim))
    return torch.flip(x, (axis,) if isinstance(axis, int) else axis)


def roll(x: torch.Tensor, shift: Any, axis: Axes = None) -> torch.Tensor:
    if isinstance(axis, tuple) and isinstance(shift, int):
        shift = (shift,) * len(axis)
    return torch.roll(x, shift, axis)


def split(
    x: torch.Tensor, indices_or_sections: int | Sequence[int], axis: int = 0
) -> list[torch.Tensor]:
    if isinstance(indices_or_sections, int):
        if x.shape[axis] % indices_or_sections:
            raise ValueError(
                f"`split` into equal parts must divide the axis. Received: {indices_or_sections} "
                f"parts for axis={axis} of shape={tuple(x.shape)}"
            )
        return list(torch.tensor_split(x, indices_or_sections, dim=axis))
    return list(torch.tensor_split(x, [int(i) for i in indices_or_sections], dim=axis))


# Creation -------------------------------------------------------------------------


def full(shape: Sequence[int], fill_value: Any, dtype: str) -> torch.Tensor:
    if type(fill_value) not in tensors.NUMBERS:
        fill_value = tensors.convert(fill_value)
        return fill_value.to(DTYPES[dtype]).expand(tuple(shape)).clone()
    return torch.full(shape, fill_value, dtype=DTYPES[dtype], device=tensors.device())


def zeros(shape: Sequence[int], dtype: str) -> torch.Tensor:
    return torch.zeros(shape, dtype=DTYPES[dtype], device=tensors.device())


def ones(shape: Sequence[int], dtype: str) -> torch.Tensor:
    return torch.ones(shape, dtype=DTYPES[dtype], device=tensors.device())


def arange(start: Any, stop: Any = None, step: Any = 1, dtype: str = "int32") -> torch.Tensor:
    if stop is None:
        start, stop = 0, start
    native = DTYPES[dtype]
    if native.is_floating_point:
        counted = native
    else:
        # A start of 0.5 must not be truncated before it is stepped.
        fractional = any(isinstance(v, (float, np.floating)) for v in (start, stop, step))
        counted = torch.float64 if fractional else torch.int64
    return torch.arange(start, stop, step, dtype=counted, device=tensors.device()).to(native)


def linspace(
    start: Any,
    stop: Any,
    num: int = 50,
    endpoint: bool = True,
    dtype: str = "float32",
    axis: int = 0,
) -> torch.Tensor:
    native = DTYPES[dtype]
    counted = native if native.is_floating_point or native.is_complex else torch.float64
    start = torch.as_tensor(start, device=tensors.device()).to(counted)
    stop = torch.as_tensor(stop, device=tensors.device()).to(counted)
    start, stop = torch.broadcast_tensors(start, stop)
    divisions = num - 1 if endpoint else num
    index = torch.arange(num, device=start.device, dtype=counted)
    index = index.reshape((num,) + (1,) * start.ndim)
    result = start + index * ((stop - start) / (divisions or 1))
    if endpoint and num > 1:
        result = torch.where(index == num - 1, stop, result)
    if not native.is_floating_point and not native.is_complex:
        result = torch.floor(result)
    return torch.movedim(result, 0, axis).to(native)


def eye(N: int, M: int | None = None, k: int = 0, dtype: str = "float32") -> torch.Tensor:
    row = torch.arange(N, device=tensors.device()).unsqueeze(1)
    column = torch.arange(N if M is None else M, device=tensors.device())
    return (column - row == k).to(DTYPES[dtype])
