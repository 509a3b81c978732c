"""Changes of single images, as arrays: functions of `keras.preprocessing.image`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from keraslite.core.optional import required
from keraslite.utils.images import array_to_img, img_to_array


def apply_affine_transform(
    x: np.ndarray,
    theta: float = 0,
    tx: float = 0,
    ty: float = 0,
    shear: float = 0,
    zx: float = 1,
    zy: float = 1,
    row_axis: int = 1,
    col_axis: int = 2,
    channel_axis: int = 0,
    fill_mode: str = "nearest",
    cval: float = 0.0,
    order: int = 1,
) -> np.ndarray:
    """An image turned, moved, sheared and scaled.

    Args:
        x: array of one image.
        theta: angle in degrees.
        tx, ty: shifts in pixels.
        shear: angle in degrees.
        zx, zy: factors; those below 1 enlarge.
        row_axis, col_axis, channel_axis: what the axes of `x` are.
        fill_mode: what lies outside: `"nearest"`, `"constant"`, `"reflect"` or `"wrap"`.
        cval: the value outside for `"constant"`.
        order: of the splines that interpolate.

    Raises:
        ImportError: without SciPy.
    """
    if (theta, tx, ty, shear, zx, zy) == (0, 0, 0, 0, 1, 1):
        return x
    ndimage = required("scipy.ndimage", "Transformed images need SciPy", "scipy")
    turn, lean = np.deg2rad(theta), np.deg2rad(shear)
    rotation = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    matrix = rotation @ [[1, -np.sin(lean)], [0, np.cos(lean)]] @ np.diag([zx, zy])
    centre = np.array([x.shape[row_axis], x.shape[col_axis]]) / 2 - 0.5
    offset = centre + rotation @ [tx, ty] - matrix @ centre
    # In Keras the first coordinate is the column, but for the centre, where it is the row.
    matrix, offset = matrix[::-1, ::-1], offset[::-1]
    axes = (channel_axis, row_axis, col_axis)
    moved = [
        ndimage.affine_transform(plane, matrix, offset, order=order, mode=fill_mode, cval=cval)
        for plane in np.moveaxis(x, axes, (0, 1, 2))
    ]
    return np.moveaxis(np.stack(moved), (0, 1, 2), axes)


def apply_brightness_shift(x: np.ndarray, brightness: float, scale: bool = True) -> np.ndarray:
    """An image whose bytes are multiplied by a factor, as Pillow does it.

    Args:
        x: array of one image.
        brightness: the factor.
        scale: whether its values are spread from 0 to 255 before. Those of an image that
            leaves this range always are; without `scale` they return to their range.
    """
    lowest, highest = np.min(x), np.max(x)
    outside = bool(lowest < 0 or highest > 255)
    image = array_to_img(x, scale=scale or outside)
    from PIL import ImageEnhance

    found = img_to_array(ImageEnhance.Brightness(image).enhance(brightness))
    return found / 255 * (highest - lowest) + lowest if outside and not scale else found


def apply_channel_shift(x: np.ndarray, intensity: float, channel_axis: int = 0) -> np.ndarray:
    """An image with `intensity` added to all its values, which stay in their range."""
    return np.clip(x + intensity, np.min(x), np.max(x))


def random_rotation(
    x: np.ndarray,
    rg: float,
    row_axis: int = 1,
    col_axis: int = 2,
    channel_axis: int = 0,
    fill_mode: str = "nearest",
    cval: float = 0.0,
    interpolation_order: int = 1,
) -> np.ndarray:
    """An image turned by up to `rg` degrees; see `apply_affine_transform` for the options."""
    return _moved(x, locals(), theta=np.random.uniform(-rg, rg))


def random_shift(
    x: np.ndarray,
    wrg: float,
    hrg: float,
    row_axis: int = 1,
    col_axis: int = 2,
    channel_axis: int = 0,
    fill_mode: str = "nearest",
    cval: float = 0.0,
    interpolation_order: int = 1,
) -> np.ndarray:
    """An image moved by up to these shares of its width and height."""
    down = np.random.uniform(-hrg, hrg) * x.shape[row_axis]
    right = np.random.uniform(-wrg, wrg) * x.shape[col_axis]
    return _moved(x, locals(), tx=down, ty=right)


def random_shear(
    x: np.ndarray,
    intensity: float,
    row_axis: int = 1,
    col_axis: int = 2,
    channel_axis: int = 0,
    fill_mode: str = "nearest",
    cval: float = 0.0,
    interpolation_order: int = 1,
) -> np.ndarray:
    """An image sheared by up to `intensity` degrees."""
    return _moved(x, locals(), shear=np.random.uniform(-intensity, intensity))


def random_zoom(
    x: np.ndarray,
    zoom_range: Sequence[float],
    row_axis: int = 1,
    col_axis: int = 2,
    channel_axis: int = 0,
    fill_mode: str = "nearest",
    cval: float = 0.0,
    interpolation_order: int = 1,
) -> np.ndarray:
    """An image scaled by factors from `(lowest, highest)`, one for each direction."""
    lowest, highest = pair("zoom_range", zoom_range)
    zx, zy = np.random.uniform(lowest, highest, 2)
    return _moved(x, locals(), zx=zx, zy=zy)


def random_channel_shift(x: np.ndarray, intensity_range: float, channel_axis: int = 0) -> Any:
    """An image with a number of up to `intensity_range` added."""
    shift = np.random.uniform(-intensity_range, intensity_range)
    return apply_channel_shift(x, shift, channel_axis)


def random_brightness(x: np.ndarray, brightness_range: Sequence[float], scale: bool = True) -> Any:
    """An image multiplied by a factor from `(lowest, highest)`."""
    return apply_brightness_shift(
        x, np.random.uniform(*pair("brightness_range", brightness_range)), scale
    )


def pair(name: str, value: Any) -> tuple[float, float]:
    """An argument that must have two numbers."""
    if not isinstance(value, (tuple, list, np.ndarray)) or len(value) != 2:
        raise ValueError(f"`{name}` must be a pair of numbers. Received: {name}={value!r}")
    return value[0], value[1]


def _moved(x: np.ndarray, options: dict[str, Any], **how: Any) -> np.ndarray:
    names = ("row_axis", "col_axis", "channel_axis", "fill_mode", "cval")
    order = options["interpolation_order"]
    return apply_affine_transform(x, **how, **{n: options[n] for n in names}, order=order)
