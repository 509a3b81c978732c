"""Images as files and arrays, under the names of earlier releases."""

from __future__ import annotations

from typing import Any

import numpy as np

from keraslite import ops
from keraslite.utils.images import array_to_img, img_to_array, load_img, save_img


def smart_resize(
    x: Any,
    size: tuple[int, int],
    interpolation: str = "bilinear",
    data_format: str | None = "channels_last",
    **kwargs: Any,
) -> Any:
    """Images of another size, cut to its proportions first.

    Args:
        x: one image or a batch of images.
        size: the new `(height, width)`.
        interpolation: as in `keras.ops.image.resize`.
        data_format: `"channels_last"` or `"channels_first"`.

    Returns:
        A tensor, or an array if `x` is one.

    Example:
        >>> keras.preprocessing.image.smart_resize(np.ones((8, 12, 3)), (4, 4)).shape
        (4, 4, 3)
    """
    # Keras's signature ends so, for an option that names an engine.
    kwargs.pop("backend_module", None)
    if kwargs:
        raise TypeError(f"smart_resize got unexpected arguments: {', '.join(kwargs)}")
    found = ops.image.resize(
        x, size, interpolation, crop_to_aspect_ratio=True, data_format=data_format
    )
    return ops.convert_to_numpy(found) if isinstance(x, np.ndarray) else found


__all__ = ["array_to_img", "img_to_array", "load_img", "save_img", "smart_resize"]
