"""What ops on images share: where the axes stand, choices, and rounding back.

Axes count from the end, so that one image and a batch of images are the same.
"""

from __future__ import annotations

from keraslite.config import standardize_data_format
from keraslite.core import dtypes
from keraslite.core.op import Tensor
from keraslite.core.shapes import Shape
from keraslite.ops import numpy as np


def _channels_last(data_format: str | None) -> bool:
    return standardize_data_format(data_format) == "channels_last"


def spatial_axes(images: Shape, data_format: str | None, space: int = 2) -> tuple[int, ...]:
    """The axes of `images` that are neither batch nor channels.

    Raises:
        ValueError: unless there are `space` of them, channels, and perhaps a batch.
    """
    if len(images) not in (space + 1, space + 2):
        what = "one image or a batch of images" if space == 2 else "one volume or a batch of them"
        raise ValueError(
            f"`{'images' if space == 2 else 'volumes'}` must have {space + 1} or {space + 2} axes, "
            f"for {what} with channels; their shape is {tuple(images)}."
        )
    last = -2 if _channels_last(data_format) else -1
    return tuple(range(last - space + 1, last + 1))


def channel_axis(data_format: str | None, space: int = 2) -> int:
    return -1 if _channels_last(data_format) else -1 - space


def with_sizes(images: Shape, axes: tuple[int, ...], sizes: tuple[int | None, ...]) -> Shape:
    """`images` with other sizes at `axes`."""
    found = list(images)
    for axis, size in zip(axes, sizes, strict=True):
        found[axis] = size
    return tuple(found)


def two_numbers(name: str, value: object, least: int = 1) -> tuple[int, int]:
    """`value`, if it is two integers of at least `least`."""
    found = value if isinstance(value, (tuple, list)) else ()
    if len(found) != 2 or not all(isinstance(n, int) and n >= least for n in found):
        raise ValueError(f"`{name}` must be two integers of at least {least}; it is {value!r}.")
    return found[0], found[1]


# Numbers -----------------------------------------------------------------------------


def as_wide(x: Tensor) -> Tensor:
    """`x` in the float dtype that it is computed in: narrow floats and integers in float32."""
    return np.cast(x, dtypes.promote_float(np.dtype(x), "float32"))


def rounded(x: Tensor, dtype: str) -> Tensor:
    """Computed floats in the dtype of the images; integers are rounded and clipped."""
    if dtypes.is_float(dtype):
        return np.cast(x, dtype)
    whole = np.round(x)
    return np.not_equal(whole, 0) if dtype == "bool" else np.saturate_cast(whole, dtype)
