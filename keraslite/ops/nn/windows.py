"""What convolutions and pooling share: options for each spatial axis, and channel layouts."""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from typing import Any

from keraslite.config import standardize_data_format
from keraslite.core.errors import check_choice
from keraslite.core.op import Tensor
from keraslite.core.shapes import Shape

_RANKS = (1, 2, 3)


def per_axis(name: str, value: int | Sequence[int], rank: int, least: int = 1) -> tuple[int, ...]:
    """An option as a tuple with one number for each of `rank` spatial axes.

    Raises:
        ValueError: for another count, no integer, or a number below `least`.
    """
    if type(value) is int and value >= least:
        return (value,) * rank
    try:
        found = (
            tuple(map(operator.index, value))
            if _is_list(value)
            else (operator.index(value),) * rank
        )
    except TypeError:
        found = ()
    if len(found) != rank or min(found) < least:
        raise ValueError(
            f"`{name}` must be an integer of at least {least}, or {rank} of them; it is {value!r}."
        )
    return found


def _is_list(value: object) -> bool:
    return isinstance(value, (tuple, list))


def check_padding(padding: str) -> str:
    """`padding` in lower case, if it is `"valid"` or `"same"`."""
    if padding in ("valid", "same"):
        return padding
    found = padding.lower() if isinstance(padding, str) else padding
    check_choice("", ("valid", "same"), padding=found)
    return found


def spatial_rank(inputs: Shape) -> int:
    """The number of spatial axes of `inputs`: all but batch and channels."""
    rank = len(inputs) - 2
    if rank not in _RANKS:
        raise ValueError(
            "`inputs` must have a batch axis, one to three spatial axes and a channel axis; "
            f"their shape is {tuple(inputs)}."
        )
    return rank


def check_rank(inputs: Shape, kernel: Shape) -> int:
    """The number of spatial axes, if `kernel` has as many."""
    rank = spatial_rank(inputs)
    if len(kernel) != rank + 2:
        raise ValueError(
            f"`kernel` must have {rank + 2} axes for `inputs` of shape {tuple(inputs)}: {rank} of "
            f"the window and two for channels; its shape is {tuple(kernel)}."
        )
    if None in kernel:
        raise ValueError(f"The sizes of `kernel` must be known; they are {tuple(kernel)}.")
    return rank


def channels_and_space(inputs: Shape, data_format: str | None) -> tuple[int | None, Shape]:
    """The channels and the spatial sizes of `inputs`."""
    if standardize_data_format(data_format) == "channels_last":
        return inputs[-1], tuple(inputs[1:-1])
    return inputs[1], tuple(inputs[2:])


def check_filled(outputs: Tensor, rule: Callable[..., Shape], *args: Any) -> Tensor:
    """`outputs`, unless they are empty because the window is too large; `rule` says so then."""
    if 0 in outputs.shape:
        rule(*args)
    return outputs


def join(
    batch: int | None, channels: int | None, space: Sequence[int | None], data_format: str | None
) -> Shape:
    """The shape made of these parts."""
    if standardize_data_format(data_format) == "channels_last":
        return (batch, *space, channels)
    return (batch, channels, *space)
