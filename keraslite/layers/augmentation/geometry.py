"""Layers that move pixels: flips, and changes of coordinates."""

from __future__ import annotations

import math
from typing import Any

from keraslite import ops, random
from keraslite.core.errors import check_choice
from keraslite.core.op import Tensor
from keraslite.layers.augmentation.base import (
    MovingLayer,
    Range,
    Sizes,
    chosen,
    per_image,
    signs,
    uniform,
)
from keraslite.layers.augmentation.boxes import corner_points, hull
from keraslite.layers.constructors import takes
from keraslite.ops.image.geometry import projection

__all__ = [
    "RandomElasticTransform",
    "RandomFlip",
    "RandomPerspective",
    "RandomRotation",
    "RandomShear",
    "RandomTranslation",
    "RandomZoom",
]

_FLIPS = ("horizontal", "vertical", "horizontal_and_vertical")
_FILL_MODES = ("constant", "nearest", "wrap", "mirror", "reflect")
_INTERPOLATIONS = ("nearest", "bilinear")


class RandomFlip(MovingLayer):
    """Mirrors half of the images.

    Args:
        mode: `"horizontal"`, `"vertical"`, or `"horizontal_and_vertical"` for both at once.
        seed: for repeatable choices.
        data_format: `"channels_last"`, `"channels_first"`, or None for
            `keras.config.image_data_format()`.

    Raises:
        ValueError: for another mode.
    """

    def __init__(
        self,
        mode: str = "horizontal_and_vertical",
        seed: int | None = None,
        data_format: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(data_format=data_format, **kwargs)
        check_choice(self, _FLIPS, mode=mode)
        self._seed_with(seed)
        self.mode = mode

    def _draw(self, sizes: Sizes, seed: Any) -> dict[str, Tensor]:
        return {"flips": random.uniform((sizes.batch,), dtype="float32", seed=seed) < 0.5}

    def _move(self, x: Tensor, transformation: Any, interpolation: str) -> Tensor:
        rows, columns, _ = self._axes
        axes = [rows] if "vertical" in self.mode else []
        axes += [columns] if "horizontal" in self.mode else []
        return ops.where(per_image(transformation["flips"], x), ops.flip(x, axes), x)

    def _move_boxes(self, corners: Tensor, transformation: Any) -> Tensor:
        height, width = (ops.cast(n, "float32") for n in self._size_before(transformation))
        left, top, right, bottom = ops.unstack(corners, axis=-1)
        if "horizontal" in self.mode:
            left, right = width - right, width - left
        if "vertical" in self.mode:
            top, bottom = height - bottom, height - top
        flipped = ops.stack([left, top, right, bottom], -1)
        return ops.where(per_image(transformation["flips"], corners), flipped, corners)


class _Filling(MovingLayer):
    """A layer that fills the places where no pixels come to."""

    def __init__(
        self,
        fill_mode: str = "reflect",
        interpolation: str = "bilinear",
        seed: int | None = None,
        fill_value: float = 0.0,
        data_format: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(data_format=data_format, **kwargs)
        check_choice(self, _INTERPOLATIONS, interpolation=interpolation)
        check_choice(self, _FILL_MODES, fill_mode=fill_mode)
        self.interpolation, self.fill_mode, self.fill_value = interpolation, fill_mode, fill_value
        self._seed_with(seed)


class _Warp(_Filling):
    """Pixels come from elsewhere: from where a projective map takes their coordinates."""

    def _coefficients(self, transformation: Any) -> Tensor:
        """Of the map, of shape `(batch, 8)`; see `keras.ops.image.affine_transform`."""
        raise NotImplementedError

    def _last(self, transformation: Any) -> tuple[Tensor, Tensor]:
        """The coordinates of the last row and column."""
        height, width = self._size_before(transformation)
        return ops.cast(height, "float32") - 1.0, ops.cast(width, "float32") - 1.0

    def _move(self, x: Tensor, transformation: Any, interpolation: str) -> Tensor:
        return ops.image.affine_transform(
            x,
            self._coefficients(transformation),
            interpolation,
            self.fill_mode,
            self.fill_value,
            self.data_format,
        )

    def _move_boxes(self, corners: Tensor, transformation: Any) -> Tensor:
        coefficients = self._coefficients(transformation)
        whole = ops.concatenate([coefficients, ops.ones_like(coefficients[:, :1])], 1)
        back = ops.reshape(ops.inv(ops.reshape(whole, (-1, 3, 3))), (-1, 9))
        x, y = corner_points(corners)
        return hull(*self.get_transformed_x_y(x, y, ops.reshape(back, (-1, 1, 1, 9))))

    def get_transformed_x_y(self, x: Any, y: Any, transform: Any) -> tuple[Tensor, Tensor]:
        """Where a projective map of 8 coefficients (or 9) takes points.

        Args:
            x: the columns of the points.
            y: their rows.
            transform: tensor with the coefficients along the last axis, whose other axes
                broadcast with the points.

        Returns:
            The new columns and rows.
        """
        parts = ops.unstack(ops.convert_to_tensor(transform), axis=-1)
        a0, a1, a2, b0, b1, b2, c0, c1 = parts[:8]
        depth = c0 * x + c1 * y + (parts[8] if len(parts) > 8 else 1.0)
        return (a0 * x + a1 * y + a2) / depth, (b0 * x + b1 * y + b2) / depth


def _affine(like: Tensor, *values: Any) -> Tensor:
    """The coefficients of an affine map, each a number or one number for each image."""
    zeros = ops.zeros_like(like)
    return ops.stack([zeros + value for value in (*values, 0.0, 0.0)], -1)


class RandomTranslation(_Warp):
    """Moves images up or down, and to the sides.

    Args:
        height_factor: how far down, as a share of the height: a range, or a number for the
            range to both sides of 0; from -1 to 1.
        width_factor: how far to the right, as a share of the width.
        fill_mode: what comes in, as in `keras.ops.image.affine_transform`.
        interpolation: `"nearest"` or `"bilinear"`.
        seed: for repeatable numbers.
        fill_value: for `fill_mode="constant"`.
        data_format: `"channels_last"`, `"channels_first"`, or None for
            `keras.config.image_data_format()`.

    Raises:
        ValueError: for numbers out of range, or options that do not exist.
    """

    @takes(_Filling)
    def __init__(self, height_factor: Any, width_factor: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.height_factor, self.width_factor = height_factor, width_factor
        self._height_range = self._range("height_factor", height_factor, -1.0, 1.0)
        self._width_range = self._range("width_factor", width_factor, -1.0, 1.0)

    def _draw(self, sizes: Sizes, seed: Any) -> dict[str, Tensor]:
        down = uniform(sizes, self._height_range, seed) * ops.cast(sizes.height, "float32")
        right = uniform(sizes, self._width_range, seed) * ops.cast(sizes.width, "float32")
        return {"translations": ops.stack([right, down], -1)}

    def _coefficients(self, transformation: Any) -> Tensor:
        right, down = ops.unstack(transformation["translations"], axis=-1)
        return _affine(right, 1.0, 0.0, -right, 0.0, 1.0, -down)

    def get_shifted_bbox(
        self, bounding_boxes: dict[str, Any], w_shift_factor: Any, h_shift_factor: Any
    ) -> dict[str, Any]:
        """Boxes `xyxy` moved to the right and down."""
        sides = (w_shift_factor, h_shift_factor) * 2
        shift = ops.stack([ops.convert_to_tensor(v, "float32") for v in sides], -1)
        return {**bounding_boxes, "boxes": ops.add(bounding_boxes["boxes"], shift)}


class RandomRotation(_Warp):
    """Turns images about their middle.

    Args:
        factor: how far, as a share of a whole turn, counterclockwise where it is positive: a
            range, or a number for the range to both sides of 0; from -1 to 1.
        fill_mode: what comes in, as in `keras.ops.image.affine_transform`.
        interpolation: `"nearest"` or `"bilinear"`.
        seed: for repeatable numbers.
        fill_value: for `fill_mode="constant"`.
        data_format: `"channels_last"`, `"channels_first"`, or None for
            `keras.config.image_data_format()`.

    Raises:
        ValueError: for numbers out of range, or options that do not exist.
    """

    @takes(_Filling)
    def __init__(self, factor: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.factor = self._range("factor", factor, -1.0, 1.0)

    def _draw(self, sizes: Sizes, seed: Any) -> dict[str, Tensor]:
        return {"angle": uniform(sizes, self.factor, seed) * 360.0}

    def _coefficients(self, transformation: Any) -> Tensor:
        angle = transformation["angle"] * (math.pi / 180)
        cos, sin = ops.cos(angle), ops.sin(angle)
        bottom, right = self._last(transformation)
        x = (right - (cos * right - sin * bottom)) / 2.0
        y = (bottom - (sin * right + cos * bottom)) / 2.0
        return _affine(angle, cos, -sin, x, sin, cos, y)


class RandomZoom(_Warp):
    """Brings images nearer or farther.

    Args:
        height_factor: how much more of the height is seen, as a share of it, negative where
            less is: a range, or a number for the range to both sides of 0; from -1 to 1.
        width_factor: the same for the width; None to keep proportions.
        fill_mode: what comes in, as in `keras.ops.image.affine_transform`.
        interpolation: `"nearest"` or `"bilinear"`.
        seed: for repeatable numbers.
        fill_value: for `fill_mode="constant"`.
        data_format: `"channels_last"`, `"channels_first"`, or None for
            `keras.config.image_data_format()`.

    Raises:
        ValueError: for numbers out of range, or options that do not exist.
    """

    @takes(_Filling)
    def __init__(self, height_factor: Any, width_factor: Any = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.height_factor, self.width_factor = height_factor, width_factor
        self._height_range = self._range("height_factor", height_factor, -1.0, 1.0)
        self._width_range: Range | None = None
        if width_factor is not None:
            self._width_range = self._range("width_factor", width_factor, -1.0, 1.0)

    def _draw(self, sizes: Sizes, seed: Any) -> dict[str, Tensor]:
        rows = columns = uniform(sizes, self._height_range, seed) + 1.0
        if self._width_range is not None:
            columns = uniform(sizes, self._width_range, seed) + 1.0
        return {"height_zoom": rows, "width_zoom": columns}

    def _coefficients(self, transformation: Any) -> Tensor:
        rows, columns = (
            ops.reshape(transformation[key], (-1,)) for key in ("height_zoom", "width_zoom")
        )
        bottom, right = self._last(transformation)
        x, y = (1.0 - columns) * right / 2.0, (1.0 - rows) * bottom / 2.0
        return _affine(rows, columns, 0.0, x, 0.0, rows, y)

    def get_clipped_bbox(
        self, bounding_boxes: dict[str, Any], h_end: Any, h_start: Any, w_end: Any, w_start: Any
    ) -> dict[str, Any]:
        """Boxes `xyxy` cut off at the edges of a window."""
        first, last = (
            ops.stack([ops.convert_to_tensor(v, "float32") for v in ends * 2], -1)
            for ends in ((w_start, h_start), (w_end, h_end))
        )
        boxes = ops.minimum(ops.maximum(bounding_boxes["boxes"], first), last)
        return {**bounding_boxes, "boxes": boxes}


class RandomShear(_Warp):
    """Slants images.

    Args:
        x_factor: how far rows slide, as a share of their distance from the first one: a range,
            or a number for the range to both sides of 0; from -1 to 1. The side is drawn
            as well.
        y_factor: how far columns slide.
        interpolation: `"nearest"` or `"bilinear"`.
        fill_mode: what comes in, as in `keras.ops.image.affine_transform`.
        fill_value: for `fill_mode="constant"`.
        data_format: `"channels_last"`, `"channels_first"`, or None for
            `keras.config.image_data_format()`.
        seed: for repeatable numbers.

    Raises:
        ValueError: for numbers out of range, or options that do not exist.
    """

    @takes(_Filling, behind={"y_factor": "interpolation fill_mode fill_value data_format seed"})
    def __init__(self, x_factor: Any = 0.0, y_factor: Any = 0.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._x_range = self._range("x_factor", x_factor, -1.0, 1.0)
        self._y_range = self._range("y_factor", y_factor, -1.0, 1.0)
        # One number where that says the same: Keras does not take back the range it writes.
        self.x_factor, self.y_factor = (
            last if first == -last else (first, last)
            for first, last in (self._x_range, self._y_range)
        )

    def _draw(self, sizes: Sizes, seed: Any) -> dict[str, Tensor]:
        side = signs(sizes, seed)
        x, y = uniform(sizes, self._x_range, seed), uniform(sizes, self._y_range, seed)
        return {"shear_factor": ops.stack([x * side, y * side], -1)}

    def _coefficients(self, transformation: Any) -> Tensor:
        x, y = ops.unstack(transformation["shear_factor"], axis=-1)
        return _affine(x, 1.0, x, 0.0, y, 1.0, 0.0)

    get_shifted_bbox = RandomTranslation.get_shifted_bbox


class RandomPerspective(_Warp):
    """Images as seen from another side: their corners move, the first one excepted.

    Args:
        factor: how probable it is that an image changes: a range to draw that from, or a
            number for the range from 0; from 0 to 1.
        scale: how far corners move at most, as a share of half of the size; from 0 to 1.
        interpolation: `"nearest"` or `"bilinear"`.
        fill_value: what lies outside of the images.
        seed: for repeatable numbers.
        data_format: `"channels_last"`, `"channels_first"`, or None for
            `keras.config.image_data_format()`.

    Raises:
        ValueError: for numbers out of range, or options that do not exist.
    """

    _not_in_config = frozenset({"fill_mode"})

    @takes(
        _Filling, behind={"scale": "interpolation fill_value seed data_format"}, fixed="fill_mode"
    )
    def __init__(self, factor: Any = 1.0, scale: float = 1.0, **kwargs: Any) -> None:
        super().__init__(fill_mode="constant", **kwargs)
        self.factor = self._range("factor", factor, 0.0, 1.0, start=0.0)
        self.scale = self._range("scale", scale, 0.0, 1.0, start=0.0)[1]

    def _draw(self, sizes: Sizes, seed: Any) -> dict[str, Tensor]:
        right, bottom = (ops.cast(n, "float32") - 1.0 for n in (sizes.width, sizes.height))
        zero = ops.zeros_like(right)
        corners = [zero, zero, right, zero, zero, bottom, right, bottom]
        start = ops.reshape(ops.stack(corners), (1, 4, 2))
        moves = random.uniform((sizes.batch, 4, 2), -0.5, 0.5, dtype="float32", seed=seed)
        moved = start * (moves * self.scale + 1.0)
        return {
            "apply_perspective": chosen(sizes, self.factor, seed),
            "start_points": start + ops.zeros_like(moved),
            "end_points": moved,
        }

    def _coefficients(self, transformation: Any) -> Tensor:
        found = projection(transformation["end_points"], transformation["start_points"])
        same = ops.convert_to_tensor([1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0], "float32")
        return ops.where(per_image(transformation["apply_perspective"], found), found, same)


class RandomElasticTransform(_Filling):
    """Images whose pixels move a little, neighbours alike. See `keras.ops.image.elastic_transform`.

    Args:
        factor: how probable it is that an image changes: a range to draw that from, or a
            number for the range from 0; from 0 to 1.
        scale: how far pixels move: a range, or a number for the range from 0; from 0 to 1.
        interpolation: `"nearest"` or `"bilinear"`.
        fill_mode: what comes in, as in `keras.ops.image.affine_transform`.
        fill_value: for `fill_mode="constant"`.
        value_range: of the pixels; results stay inside.
        seed: for repeatable numbers.
        data_format: `"channels_last"`, `"channels_first"`, or None for
            `keras.config.image_data_format()`.

    Raises:
        ValueError: for numbers out of range.
        NotImplementedError: for bounding boxes, which would bend.
    """

    @takes(
        _Filling,
        behind={"scale": "interpolation fill_mode fill_value value_range seed data_format"},
    )
    def __init__(
        self, factor: Any = 1.0, scale: Any = 1.0, value_range: Any = (0, 255), **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.factor = self._range("factor", factor, 0.0, 1.0, start=0.0)
        self.scale = self._range("scale", scale, 0.0, 1.0, start=0.0)
        self.value_range = value_range

    def _draw(self, sizes: Sizes, seed: Any) -> dict[str, Tensor]:
        return {
            "apply_transform": chosen(sizes, self.factor, seed),
            "distortion_factor": random.uniform((), *self.scale, dtype="float32", seed=seed),
            # A seed, so that masks move as the images do.
            "seed": random.draw_seed(seed),
        }

    def get_elastic_transform_params(self, height: Any, width: Any, factor: Any) -> tuple[Any, Any]:
        """`alpha` and `sigma` of the elastic transform, for the size of images."""
        return 0.1 * max(height, width) * factor, 0.05 * min(height, width) * factor

    def _move(self, x: Tensor, transformation: Any, interpolation: str) -> Tensor:
        height, width = self._size_before(transformation)
        if not (isinstance(height, int) and isinstance(width, int)):
            raise ValueError(
                f"Layer {self.name!r} (RandomElasticTransform): the height and the width of the "
                f"images must be known. Received: shape {tuple(x.shape)}"
            )
        alpha, _ = self.get_elastic_transform_params(
            height, width, transformation["distortion_factor"]
        )
        # How many pixels the curve covers must be known, so its width is that of the middle.
        _, sigma = self.get_elastic_transform_params(height, width, sum(self.scale) / 2)
        moved = ops.image.elastic_transform(
            x,
            alpha,
            max(sigma, 0.1),
            interpolation,
            self.fill_mode,
            self.fill_value,
            transformation["seed"],
            self.data_format,
        )
        return ops.where(per_image(transformation["apply_transform"], x), moved, x)

    def _images(self, images: Tensor, transformation: Any) -> Tensor:
        return ops.clip(super()._images(images, transformation), *self.value_range)

    def _boxes(self, bounding_boxes: dict[str, Tensor], transformation: Any) -> dict[str, Tensor]:
        raise NotImplementedError(
            f"Layer {self.name!r} (RandomElasticTransform) cannot move bounding boxes. Take it "
            "out of the pipeline, or the key 'bounding_boxes' out of the data."
        )
