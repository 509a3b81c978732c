"""Images as files and arrays, under the names of earlier releases."""

from __future__ import annotations

from typing import Any

import numpy as np

from keraslite import ops
from keraslite.preprocessing.file_iterators import DataFrameIterator, DirectoryIterator
from keraslite.preprocessing.generators import ImageDataGenerator
from keraslite.preprocessing.iterators import Iterator, NumpyArrayIterator
from keraslite.preprocessing.transforms import (
    apply_affine_transform,
    apply_brightness_shift,
    apply_channel_shift,
    random_brightness,
    random_channel_shift,
    random_rotation,
    random_shear,
    random_shift,
    random_zoom,
)
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


__all__ = [
    "DataFrameIterator",
    "DirectoryIterator",
    "ImageDataGenerator",
    "Iterator",
    "NumpyArrayIterator",
    "apply_affine_transform",
    "apply_brightness_shift",
    "apply_channel_shift",
    "array_to_img",
    "img_to_array",
    "load_img",
    "random_brightness",
    "random_channel_shift",
    "random_rotation",
    "random_shear",
    "random_shift",
    "random_zoom",
    "save_img",
    "smart_resize",
]
