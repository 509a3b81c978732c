"""Images of another size: products with a matrix of weights along each axis."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from keraslite.core.errors import check_choice
from keraslite.core.op import Tensor, TensorLike, composite
from keraslite.core.promotion import KEEP, like_first
from keraslite.core.shapes import Shape, canonical_axis
from keraslite.ops import numpy as np
from keraslite.ops.image import sampling
from keraslite.ops.image.layout import (
    as_wide,
    rounded,
    spatial_axes,
    two_numbers,
    with_sizes,
)
from keraslite.ops.nn.sliding import cut, extend

INTERPOLATIONS = {
    "nearest": "nearest",
    "bilinear": "linear",
    "bicubic": "cubic",
    "lanczos3": "lanczos3",
    "lanczos5": "lanczos5",
}
_METHODS = {
    **{prefix + name: name for name in ("linear", "cubic") for prefix in ("", "bi", "tri")},
    "lanczos3": "lanczos3",
    "lanczos5": "lanczos5",
}


def _resize_shape(images: Shape, size: Sequence[int], *options: Any) -> Shape:
    interpolation, _, crop_to_aspect_ratio, pad_to_aspect_ratio, fill_mode, _, layout = options
    check_choice("", INTERPOLATIONS, interpolation=interpolation)
    check_choice("", ("constant",), fill_mode=fill_mode)
    if crop_to_aspect_ratio and pad_to_aspect_ratio:
        raise ValueError("Only one of `crop_to_aspect_ratio` and `pad_to_aspect_ratio` may be set.")
    return with_sizes(images, spatial_axes(images, layout), two_numbers("size", size))


@composite(_resize_shape, KEEP, checked=True)
def resize(
    images: TensorLike,
    size: Sequence[int],
    interpolation: str = "bilinear",
    antialias: bool = False,
    crop_to_aspect_ratio: bool = False,
    pad_to_aspect_ratio: bool = False,
    fill_mode: str = "constant",
    fill_value: float = 0.0,
    data_format: str | None = None,
) -> Tensor:
    """Images of another size.

    Pixels are squares whose centers lie at half-integers, so that edges stay edges. Narrow
    floats and integers are computed in float32; integers are rounded.

    Args:
        images: tensor of shape `(height, width, channels)` or `(batch, height, width,
            channels)`, or with channels before height for `data_format="channels_first"`.
        size: the new `(height, width)`.
        interpolation: `"nearest"`, `"bilinear"`, `"bicubic"` (Keys' kernel with a = -1/2),
            `"lanczos3"` or `"lanczos5"`.
        antialias: whether to average over all pixels when shrinking, by widening the
            kernel; no matter for `"nearest"`.
        crop_to_aspect_ratio: whether to cut the images to the proportions of `size` first,
            in place of distorting them.
        pad_to_aspect_ratio: whether to pad them on both sides instead.
        fill_mode: `"constant"`.
        fill_value: what to pad with.
        data_format: `"channels_last"`, `"channels_first"`, or None for
            `keras.config.image_data_format()`.

    Returns:
        Tensor of the dtype of `images`.

    Raises:
        ValueError: for images of another rank, or options that do not exist.

    Example:
        >>> keras.ops.image.resize(np.ones((2, 32, 32, 3)), (16, 24)).shape
        (2, 16, 24, 3)
    """
    axes = spatial_axes(images.shape, data_format)
    if crop_to_aspect_ratio:
        images = _crop(images, axes, size)
    elif pad_to_aspect_ratio:
        images = _pad(images, axes, size, fill_value)
    kernel = INTERPOLATIONS[interpolation]
    if kernel == "nearest":
        for axis, new in zip(axes, size, strict=True):
            images = sampling.nearest(images, axis, new)
        return images
    found = as_wide(images)
    for axis, new in zip(axes, size, strict=True):
        found = sampling.resize_axis(found, axis, new, kernel, antialias)
    return rounded(found, np.dtype(images))


def _in_proportion(images: Tensor, axes: tuple[int, ...], size: Sequence[int]) -> list[Any]:
    """`(axis, its size, the size that would fit the other axis)` for both axes."""
    height, width = (np.shape(images)[axis] for axis in axes)
    return [
        (axes[0], height, width * size[0] // size[1]),
        (axes[1], width, height * size[1] // size[0]),
    ]


def _pick(of_numbers: Any, of_tensors: Any, a: Any, b: Any) -> Any:
    """The one of two sizes that a function chooses; they may be scalar tensors."""
    known = isinstance(a, int) and isinstance(b, int)
    return (of_numbers if known else of_tensors)(a, b)


def _crop(images: Tensor, axes: tuple[int, ...], size: Sequence[int]) -> Tensor:
    for axis, old, fitting in _in_proportion(images, axes, size):
        new = _pick(min, np.minimum, old, fitting)
        start = (old - new) // 2
        images = cut(images, axis, start, start + new)
    return images


def _pad(images: Tensor, axes: tuple[int, ...], size: Sequence[int], value: float) -> Tensor:
    for axis, old, fitting in _in_proportion(images, axes, size):
        margin = (_pick(max, np.maximum, old, fitting) - old) // 2
        images = extend(images, axis, margin, margin, value)
    return images


def _scale_and_translate_shape(
    images: Shape,
    output_shape: Sequence[int],
    scale: Shape,
    translation: Shape,
    spatial_dims: Sequence[int],
    method: str,
    antialias: bool = True,
) -> Shape:
    check_choice("", _METHODS, method=method)
    if len(output_shape) != len(images):
        raise ValueError(
            f"`output_shape` must have one size for each of the {len(images)} axes of `images`; "
            f"it is {tuple(output_shape)}."
        )
    dims = [canonical_axis(axis, len(images)) for axis in spatial_dims]
    for name, given in (("scale", scale), ("translation", translation)):
        if tuple(given) not in ((len(dims),), (None,)):
            raise ValueError(
                f"`{name}` must be a vector of {len(dims)} numbers, one for each of "
                f"`spatial_dims`; its shape is {tuple(given)}."
            )
    for i, (old, new) in enumerate(zip(images, output_shape, strict=True)):
        if i not in dims and old not in (new, None):
            raise ValueError(
                f"Sizes outside of `spatial_dims` must stay: `output_shape` has {new} in the place "
                f"of {old} at axis {i}."
            )
    return tuple(output_shape)


@composite(
    _scale_and_translate_shape, like_first(scale="float32", translation="float32"), checked=True
)
def scale_and_translate(
    images: TensorLike,
    output_shape: Sequence[int],
    scale: TensorLike,
    translation: TensorLike,
    spatial_dims: Sequence[int],
    method: str,
    antialias: bool = True,
) -> Tensor:
    """Images that are scaled and then moved, along chosen axes.

    A point at `x` comes to lie at `scale * x + translation`, where pixel `i` covers
    `[i, i + 1]`. Outside of the image there are zeros.

    Args:
        images: tensor of any rank.
        output_shape: shape of the result; outside of `spatial_dims` that of `images`.
        scale: tensor of one factor for each of `spatial_dims`.
        translation: tensor of one distance for each of `spatial_dims`.
        spatial_dims: the axes.
        method: `"linear"`, `"cubic"` (also with `bi` or `tri` before them), `"lanczos3"` or
            `"lanczos5"`.
        antialias: whether to widen the kernel when shrinking.

    Returns:
        Tensor of shape `output_shape` and the dtype of `images`; integers are rounded.

    Raises:
        ValueError: for shapes that do not fit, or a method that does not exist.

    Example:
        >>> x = np.arange(4.0).reshape(1, 4)
        >>> keras.ops.image.scale_and_translate(x, (1, 4), [1.0], [1.0], (1,), "linear")
        array([[0., 0., 1., 2.]])
    """
    found, rank = as_wide(images), len(images.shape)
    for i, axis in enumerate(spatial_dims):
        axis = canonical_axis(axis, rank) - rank
        old = np.shape(found)[axis]
        old = old if isinstance(old, int) else np.cast(old, "float32")
        matrix = sampling.weights(
            np, old, output_shape[axis], scale[i], translation[i], _METHODS[method], antialias
        )
        found = sampling.apply_weights(found, axis, matrix)
    return rounded(found, np.dtype(images))
