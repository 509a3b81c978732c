"""Images as files, as Pillow's objects and as arrays. Pillow is imported where it is used."""

from __future__ import annotations

import io
import os
import warnings
from typing import Any

import numpy as np

from keraslite.config import floatx, standardize_data_format
from keraslite.core.errors import check_choice, short

MODES = {"grayscale": "L", "rgb": "RGB", "rgba": "RGBA"}
_INTERPOLATIONS = ("nearest", "bilinear", "bicubic", "hamming", "box", "lanczos")


def _pillow() -> Any:
    try:
        from PIL import Image
    except ImportError:
        raise ImportError(
            "Images as files need Pillow, which is not installed. Run `pip install pillow`."
        ) from None
    return Image


def array_to_img(
    x: Any, data_format: str | None = None, scale: bool = True, dtype: Any = None
) -> Any:
    """An array as an image of Pillow.

    Args:
        x: array of one image, with 1 channel (gray), 3 (red, green, blue) or 4 (and alpha).
        data_format: `"channels_last"`, `"channels_first"`, or None for
            `keras.config.image_data_format()`.
        scale: whether to spread the values from 0 to 255.
        dtype: to compute in, `floatx()` by default.

    Returns:
        A `PIL.Image.Image`.

    Raises:
        ImportError: without Pillow.
        ValueError: for another rank or number of channels.

    Example:
        >>> keras.utils.array_to_img(np.random.random((4, 5, 3))).size
        (5, 4)
    """
    image = _pillow()
    x = np.asarray(x, dtype=dtype or floatx())
    if x.ndim != 3:
        raise ValueError(
            "utils.array_to_img: `x` must be one image, with 3 axes. "
            f"Received: shape {tuple(x.shape)}"
        )
    if standardize_data_format(data_format) == "channels_first":
        x = np.moveaxis(x, 0, -1)
    if scale:
        x = x - x.min()
        highest = x.max()
        x = (x / highest if highest else x) * 255
    channels = x.shape[-1]
    if channels not in (1, 3, 4):
        raise ValueError(
            "utils.array_to_img: an image must have 1, 3 or 4 channels. "
            f"Received: shape {tuple(x.shape)}"
        )
    if channels > 1:
        return image.fromarray(x.astype("uint8"), MODES["rgba" if channels == 4 else "rgb"])
    gray = x[..., 0]
    # 8 bits are not enough for what is brighter.
    return image.fromarray(gray.astype("int32" if gray.max() > 255 else "uint8"))


def img_to_array(img: Any, data_format: str | None = None, dtype: Any = None) -> np.ndarray:
    """An image of Pillow as an array.

    Args:
        img: an image, or an array of 2 or 3 axes.
        data_format: `"channels_last"`, `"channels_first"`, or None for
            `keras.config.image_data_format()`.
        dtype: of the result, `floatx()` by default.

    Returns:
        Array of 3 axes, with values from 0 to 255 for images of bytes.

    Raises:
        ValueError: for other ranks.
    """
    first = standardize_data_format(data_format) == "channels_first"
    x = np.asarray(img, dtype=dtype or floatx())
    if x.ndim == 2:
        return x[None] if first else x[..., None]
    if x.ndim != 3:
        raise ValueError(
            f"utils.img_to_array: an image must have 2 or 3 axes. Received: shape {tuple(x.shape)}"
        )
    # What comes as an array has its channels where they shall be.
    return np.moveaxis(x, -1, 0) if first and not isinstance(img, np.ndarray) else x


def load_img(
    path: Any,
    color_mode: str = "rgb",
    target_size: tuple[int, int] | None = None,
    interpolation: str = "nearest",
    keep_aspect_ratio: bool = False,
) -> Any:
    """Read an image file.

    Args:
        path: of the file, or an `io.BytesIO` with what it has.
        color_mode: `"grayscale"`, `"rgb"` or `"rgba"`.
        target_size: `(height, width)` to resize to.
        interpolation: `"nearest"`, `"bilinear"`, `"bicubic"`, `"hamming"`, `"box"` or
            `"lanczos"`.
        keep_aspect_ratio: whether to cut the image to the proportions of `target_size` first,
            in place of distorting it.

    Returns:
        A `PIL.Image.Image`.

    Raises:
        ImportError: without Pillow.
        TypeError: if `path` is neither.
        ValueError: for options that do not exist, and for PostScript.
    """
    image = _pillow()
    check_choice("utils.load_img: ", MODES, color_mode=color_mode)
    check_choice("utils.load_img: ", _INTERPOLATIONS, interpolation=interpolation)
    if isinstance(path, io.BytesIO):
        found = image.open(path)
    elif isinstance(path, (str, os.PathLike)):
        with open(path, "rb") as file:
            found = image.open(io.BytesIO(file.read()))
    else:
        raise TypeError(
            f"utils.load_img: `path` must be a path or an io.BytesIO. Received: {type(path)}"
        )
    if found.format == "EPS":
        raise ValueError(
            f"utils.load_img: {short(repr(path), 300)} is a PostScript program, whatever its name "
            "says. Convert it to an image first, if you trust who made it."
        )
    deep = found.mode in ("I;16", "I", "I;16B")
    if found.mode != MODES[color_mode] and not (color_mode == "grayscale" and deep):
        found = found.convert(MODES[color_mode])
    if target_size is None:
        return found
    size = (target_size[1], target_size[0])
    if found.size == size:
        return found
    how = getattr(image.Resampling, interpolation.upper())
    box = _window(found.size, size) if keep_aspect_ratio else None
    return found.resize(size, how, box=box)


def _window(old: tuple[int, int], new: tuple[int, int]) -> tuple[int, int, int, int]:
    """The largest window in the middle of an image that has the proportions of another size."""
    width, height = old
    wide = min(width, int(height * new[0] / new[1]))
    tall = min(height, int(width * new[1] / new[0]))
    left, top = (width - wide) // 2, (height - tall) // 2
    return left, top, left + wide, top + tall


def save_img(
    path: Any,
    x: Any,
    data_format: str | None = None,
    file_format: str | None = None,
    scale: bool = True,
    **kwargs: Any,
) -> None:
    """Write an array to an image file.

    Args:
        path: of the file, or an open one.
        x: array of one image, as in `array_to_img`, or an image of Pillow.
        data_format: as in `array_to_img`.
        file_format: such as `"png"`; None to go by the name of the file.
        scale: whether to spread the values from 0 to 255.
        kwargs: options of `PIL.Image.Image.save`.

    Raises:
        ImportError: without Pillow.
    """
    image = _pillow()
    found = x if isinstance(x, image.Image) else array_to_img(x, data_format, scale)
    name = str(path).lower() if file_format is None else f".{file_format.lower()}"
    if found.mode == "RGBA" and name.endswith((".jpg", ".jpeg")):
        warnings.warn(
            "JPEG files have no alpha channel; the image is saved without its own.", stacklevel=2
        )
        found = found.convert("RGB")
    found.save(path, format=file_format, **kwargs)
