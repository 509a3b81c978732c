"""Rows of the op table for images: sizes, margins, coordinates, colours and filters."""

from __future__ import annotations

import colorsys
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from keraslite.testing.oracle import oracle
from keraslite.testing.table import FLOATS, Fixed, Row

_rng = np.random.default_rng(23)
IMAGES = _rng.uniform(-3, 3, (2, 7, 9, 3))
BYTES = _rng.uniform(0, 120, (2, 7, 9, 3))
# Colours so far apart that a small step changes no order.
SPREAD = _rng.permutation(18).reshape(2, 3, 3) / 18 + 0.02
UNIT = _rng.uniform(0, 1, (2, 4, 5, 3))
LARGE = _rng.uniform(0, 1, (2, 13, 12, 3))
VOLUMES = _rng.uniform(-3, 3, (2, 5, 6, 7, 2))


def first(x: np.ndarray) -> np.ndarray:
    """The same with channels first."""
    return np.moveaxis(x, -1, 1)


# Sizes -------------------------------------------------------------------------------


def _lanczos(radius: int) -> Callable[[float], float]:
    return lambda d: float(np.sinc(d) * np.sinc(d / radius)) if d < radius else 0.0


def _keys(d: float) -> float:
    if d < 1:
        return 1.5 * d**3 - 2.5 * d**2 + 1
    return -0.5 * d**3 + 2.5 * d**2 - 4 * d + 2 if d < 2 else 0.0


_KERNELS = {
    "linear": lambda d: max(1 - d, 0.0),
    "cubic": _keys,
    "lanczos3": _lanczos(3),
    "lanczos5": _lanczos(5),
}


def _sample(
    x: np.ndarray, axis: int, new: int, scale: float, shift: float, kernel: str, antialias: bool
) -> np.ndarray:
    """Each new element as a sum over the old ones, one at a time."""
    x, found = np.moveaxis(x, axis, 0), []
    wide = max(1 / scale, 1.0) if antialias else 1.0
    for i in range(new):
        place = (i + 0.5 - shift) / scale - 0.5
        w = np.array([_KERNELS[kernel](abs(place - j) / wide) for j in range(len(x))])
        seen = -0.5 <= place <= len(x) - 0.5
        found.append(np.tensordot(w / w.sum(), x, 1) if seen else np.zeros_like(x[0]))
    return np.moveaxis(np.stack(found), 0, axis)


def _resize(
    x: np.ndarray, size: Sequence[int], interpolation: str = "bilinear", antialias: bool = False,
    **_: Any,
) -> np.ndarray:  # fmt: skip
    kernel = {"bilinear": "linear", "bicubic": "cubic"}.get(interpolation, interpolation)
    found = x.astype("float64")
    for axis, new in zip((1, 2), size, strict=True):
        found = _sample(found, axis, new, new / found.shape[axis], 0.0, kernel, antialias)
    return found if x.dtype.kind == "f" else np.round(found)


def _scale_and_translate(
    x: Any, shape: Any, scale: Any, translation: Any, dims: Any, method: str, antialias: bool = True
) -> Any:
    for axis, factor, shift in zip(dims, scale, translation, strict=True):
        x = _sample(x, axis, shape[axis], factor, shift, method, antialias)
    return x


_SCALE, _SHIFT = (Fixed(np.array(v, "float32")) for v in ([0.8, 1.4], [0.3, -1.7]))

RESIZING = [
    Row("image.resize", [IMAGES, (4, 13)], _resize, dtypes=FLOATS, gradient=True),
    *(
        Row("image.resize", [IMAGES, size, kernel, antialias], _resize, loose=2,
            label=f"{kernel}-{antialias}-{size[0]}", gradient=size[0] == 4)
        for kernel in ("bilinear", "bicubic", "lanczos3", "lanczos5")
        for antialias in (False, True)
        for size in ((4, 3), (13, 20))
    ),
    *(
        Row("image.resize", [IMAGES, size, "nearest"], oracle("image.resize"),
            label=f"nearest-{size}", dtypes=(*FLOATS, "uint8", "int32"))
        for size in ((4, 5), (13, 20), (7, 9), (3, 18))
    ),
    Row("image.resize", [np.round(BYTES / 8) * 8, (14, 18)], _resize, dtypes=("uint8", "int32"),
        label="ints"),
    Row("image.resize", [first(IMAGES), (4, 5)], lambda x, s, **_: first(_resize(
        np.moveaxis(x, 1, -1), s)), {"data_format": "channels_first"}, label="first"),
    Row("image.resize", [IMAGES[0], (4, 5)], lambda x, s: _resize(x[None], s)[0], label="one"),
    *(
        Row("image.resize", [IMAGES, size], oracle("image.resize"), {option: True, **more},
            label=f"{option}-{size}", loose=4)
        for size in ((4, 4), (10, 4), (4, 10), (14, 18), (20, 5))
        for option, more in (
            ("crop_to_aspect_ratio", {}),
            ("pad_to_aspect_ratio", {"fill_value": 7.0}),
        )
    ),
    *(
        Row("image.scale_and_translate",
            [IMAGES, (2, 5, 12, 3), _SCALE, _SHIFT, (1, 2), method, antialias],
            _scale_and_translate, label=f"{method}-{antialias}", loose=2, gradient=1,
            dtypes=FLOATS if method == "linear" else ("float32",))
        for method in ("linear", "cubic", "lanczos3")
        for antialias in (True, False)
    ),
    Row("image.scale_and_translate", [IMAGES, (2, 4, 9, 3), _SCALE, _SHIFT, (1, 2), "trilinear"],
        lambda x, s, a, b, d, m: _scale_and_translate(x, s, a, b, d, "linear")),
]  # fmt: skip

_CROPPED = (
    (1, 2, None, None, 4, 5),
    (None, None, 1, 2, 4, 5),
    (1, 2, 3, 4),
    (1, None, None, 2, 6, 7),
)
_PADDED = ((1, 2, None, None, 12, 15), (None, None, 1, 2, 12, 15), (1, 2, 3, 4))

MARGINS = [
    Row(f"image.{op}", [x, *numbers], oracle(f"image.{op}"), options,
        dtypes=("float32", "uint8", "bool"), label=f"{numbers}-{x.ndim}-{len(options)}",
        gradient=x.ndim == 4)
    for op, all_numbers in (("crop_images", _CROPPED), ("pad_images", _PADDED))
    for numbers in all_numbers
    for x, options in (
        (IMAGES, {}),
        (IMAGES[0], {}),
        (first(IMAGES), {"data_format": "channels_first"}),
    )
]  # fmt: skip


# Coordinates -------------------------------------------------------------------------

_MODES = {"constant": "grid-constant", "wrap": "grid-wrap"}
# In eighths, so that no rounding decides.
PLACES = Fixed((_rng.integers(-32, 56, (2, 5, 6)) / 4 + 0.125).astype("float32"))
TRANSFORMS = np.array(
    [[0.9, 0.2, -1.3, -0.1, 1.1, 0.4, 0.02, -0.03], [1.2, -0.3, 0.7, 0.2, 0.8, -0.6, 0, 0]]
).astype("float32")


def _map(x: Any, places: Any, order: int, mode: str = "constant", value: float = 0) -> Any:
    from scipy import ndimage

    found = ndimage.map_coordinates(
        x.astype("float64"), places, order=order, mode=_MODES.get(mode, mode), cval=value
    )
    return found if x.dtype.kind == "f" else np.round(found)


def _affine(
    x: Any, transform: Any, interpolation: str = "bilinear", fill_mode: str = "constant",
    fill_value: float = 0, data_format: str | None = None,
) -> Any:  # fmt: skip
    if x.ndim == 3:
        return _affine(x[None], transform, interpolation, fill_mode, fill_value)[0]
    if data_format == "channels_first":
        return first(_affine(np.moveaxis(x, 1, -1), transform, interpolation, fill_mode))
    found = np.empty(x.shape)
    v, u = np.meshgrid(np.arange(x.shape[1]), np.arange(x.shape[2]), indexing="ij")
    for i, a in enumerate(np.broadcast_to(transform, (len(x), 8))):
        depth = a[6] * u + a[7] * v + 1
        places = [(a[3] * u + a[4] * v + a[5]) / depth, (a[0] * u + a[1] * v + a[2]) / depth]
        for c in range(x.shape[-1]):
            order = int(interpolation == "bilinear")
            found[i, ..., c] = _map(x[i, ..., c], places, order, fill_mode, fill_value)
    return found


_CORNERS = np.array([[0, 0], [8, 0], [0, 6], [8, 6]], "float32")
_TILTED = np.array([[1, 0], [7, 1], [0, 5], [8, 6]], "float32")
START = Fixed(np.stack([_CORNERS, _TILTED]))
END = Fixed(np.stack([_TILTED, _CORNERS]))

GEOMETRY = [
    *(
        Row("image.map_coordinates", [IMAGES[0, :, :, 0], PLACES, order, mode, 2.5], _map,
            label=f"{order}-{mode}", gradient=order, loose=4,
            # The means of this mode end in .5, which rounds either way after float32 sums.
            dtypes=FLOATS if (order, mode) == (1, "constant")
            else (*FLOATS, "int32") if order else ("float32", "int32"))
        for order in (0, 1)
        for mode in ("constant", "nearest", "wrap", "mirror", "reflect")
    ),
    Row("image.map_coordinates", [VOLUMES[0], Fixed(_rng.uniform(-1, 5, (4, 8)).astype("float32")),
        1], _map, loose=4),
    Row("image.map_coordinates", [IMAGES[0, 0, :, 0], Fixed(np.array([[0.5, 1.5, -0.5, -2.5]],
        "float32")), 0, "nearest"], lambda x, *_: x[[1, 2, 0, 0]], label="halves"),
    *(
        Row("image.affine_transform", [x, Fixed(t), interpolation, mode, 2.5], _affine, options,
            label=f"{interpolation}-{mode}-{x.ndim}-{t.ndim}{''.join(options)}", loose=20,
            gradient=int(interpolation == "bilinear"))
        for x, t, interpolation, mode, options in (
            (IMAGES, TRANSFORMS, "bilinear", "constant", {}),
            (IMAGES, TRANSFORMS + 0.0001, "nearest", "reflect", {}),
            (IMAGES, TRANSFORMS[0], "bilinear", "wrap", {}),
            (IMAGES[0], TRANSFORMS[0], "bilinear", "mirror", {}),
            (first(IMAGES), TRANSFORMS, "bilinear", "nearest", {"data_format": "channels_first"}),
        )
    ),
    Row("image.affine_transform", [IMAGES, Fixed(TRANSFORMS)], _affine, dtypes=FLOATS, loose=20),
    Row("image.perspective_transform", [IMAGES, START, END],
        oracle("image.perspective_transform"), loose=400, gradient=1),
    Row("image.perspective_transform", [IMAGES[0], Fixed(START.value[0]), Fixed(END.value[0]),
        "nearest", 2.0], oracle("image.perspective_transform"), label="one"),
    Row("image.elastic_transform", [IMAGES], lambda x, **_: x, {"alpha": 0.0, "seed": 1},
        dtypes=(*FLOATS, "uint8")),
]  # fmt: skip


# Colours and filters -----------------------------------------------------------------


def _each_pixel(convert: Callable[..., Any]) -> Callable[..., Any]:
    return lambda x: np.apply_along_axis(lambda p: np.array(convert(*p)), -1, x)


def _gray(x: Any) -> Any:
    found = x @ np.array([[0.2989], [0.587], [0.114]])
    return found if x.dtype.kind == "f" else np.floor(found)


def _neighbours(x: Any, height: Any, width: Any) -> Any:
    from scipy import ndimage

    found = x.astype("float64")
    for axis, taps in ((1, height), (2, width)):
        # SciPy puts the middle of an even number of taps one further.
        origin = 0 if len(taps) % 2 else -1
        found = ndimage.correlate1d(found, taps, axis, mode="constant", origin=origin)
    return found if x.dtype.kind == "f" else np.round(found)


def _bell(size: int, sigma: float) -> Any:
    found = np.exp(-((np.arange(size) - (size - 1) / 2) ** 2) / (2 * sigma**2))
    return found / found.sum()


def _blur(x: Any, sizes: Any = (3, 3), sigmas: Any = (1.0, 1.0)) -> Any:
    return _neighbours(x, _bell(sizes[1], sigmas[1]), _bell(sizes[0], sigmas[0]))


def _sobel(x: Any) -> Any:
    change, smooth = [-1, 0, 1], [1, 2, 1]
    return np.stack([_neighbours(x, change, smooth), _neighbours(x, smooth, change)], -1)


def _firsts(fn: Callable[..., Any]) -> Callable[..., Any]:
    """A reference for channels last, used with channels first."""
    return lambda x, *args, data_format: np.moveaxis(fn(np.moveaxis(x, 1, 3), *args), 3, 1)


FIRST = {"data_format": "channels_first"}
_MORE = np.array(
    [[[0.0, 0, 0], [1, 1, 1], [0.5, 0.5, 0.5], [1, 0, 0], [0, 0.5, 0.5], [0.2, 0, 0.2]]]
)

COLOURS = [
    Row("image.rgb_to_grayscale", [UNIT], _gray, dtypes=FLOATS, gradient=True),
    Row("image.rgb_to_grayscale", [BYTES], _gray, dtypes=("uint8", "int32"), label="ints"),
    Row("image.rgb_to_grayscale", [first(UNIT)], _firsts(_gray), FIRST, label="first"),
    Row("image.rgb_to_grayscale", [UNIT[0, :, :, :1]], lambda x: x, label="gray"),
    Row("image.rgb_to_hsv", [UNIT], _each_pixel(colorsys.rgb_to_hsv), dtypes=FLOATS, loose=2),
    Row("image.rgb_to_hsv", [SPREAD], _each_pixel(colorsys.rgb_to_hsv), label="spread",
        gradient=True),
    Row("image.rgb_to_hsv", [_MORE], _each_pixel(colorsys.rgb_to_hsv), label="grays"),
    Row("image.rgb_to_hsv", [first(UNIT)], _firsts(_each_pixel(colorsys.rgb_to_hsv)), FIRST,
        label="first"),
    Row("image.hsv_to_rgb", [UNIT], _each_pixel(colorsys.hsv_to_rgb), dtypes=FLOATS, loose=2),
    Row("image.hsv_to_rgb", [SPREAD], _each_pixel(colorsys.hsv_to_rgb), label="spread",
        gradient=True),
    Row("image.hsv_to_rgb", [UNIT[0] + [1.0, 0, 0]], _each_pixel(colorsys.hsv_to_rgb), label="more",
        loose=4),
    Row("image.hsv_to_rgb", [first(UNIT)], _firsts(_each_pixel(colorsys.hsv_to_rgb)), FIRST,
        label="first"),
]  # fmt: skip

FILTERS = [
    Row("image.gaussian_blur", [IMAGES], _blur, dtypes=(*FLOATS, "int32"), gradient=True),
    Row("image.gaussian_blur", [IMAGES[0]], lambda x: _blur(x[None])[0], label="one"),
    *(
        Row("image.gaussian_blur", [IMAGES, size, sigma], _blur, label=f"{size}")
        for size, sigma in (((5, 3), (2.0, 0.5)), ((4, 4), (1.0, 2.0)), ((2, 3), (2.0, 0.5)))
    ),
    Row("image.gaussian_blur", [first(IMAGES), (5, 3), (2.0, 0.5)], _firsts(_blur), FIRST,
        label="first"),
    Row("image.sobel_edges", [IMAGES], _sobel, dtypes=("float32", "bfloat16", "int32", "uint8"),
        gradient=True, loose=4),
    Row("image.sobel_edges", [first(IMAGES)], _firsts(_sobel), FIRST, label="first", loose=4),
    Row("image.ssim", [LARGE, LARGE[::-1] + LARGE], oracle("image.ssim"), gradient=True,
        loose=20),
    Row("image.ssim", [LARGE[0], 1 - LARGE[1]], oracle("image.ssim"), {"max_val": 2.0,
        "filter_size": 4, "filter_sigma": 0.7, "k1": 0.1, "k2": 0.2}, label="options", loose=20),
    Row("image.ssim", [first(LARGE), first(LARGE) ** 2], oracle("image.ssim"), FIRST, label="first",
        loose=20),
]  # fmt: skip

ROWS = [*RESIZING, *MARGINS, *GEOMETRY, *COLOURS, *FILTERS]
