"""Bounding boxes: formats and changes of place.

Boxes stand along the last axis, four numbers each. Functions that say so also take the
dicts of the preprocessing layers: `{"boxes": tensor, "labels": tensor}`.
"""

from __future__ import annotations

import math
from typing import Any

from keraslite import ops
from keraslite.core.errors import check_choice
from keraslite.core.op import Tensor

_BASES = ("xyxy", "yxyx", "xywh", "center_xywh", "center_yxhw")
FORMATS = (*_BASES, *(f"rel_{name}" for name in _BASES))


# Formats -----------------------------------------------------------------------------


def known_format(name: Any, where: str) -> str:
    """The name of a format in lower case, checked."""
    found = name.lower() if isinstance(name, str) else name
    check_choice(f"bounding_boxes.{where}: ", FORMATS, format=found)
    return found


def is_relative(name: str) -> bool:
    """Whether numbers are shares of the size of the image."""
    return name.startswith("rel_")


def pairs(boxes: Tensor) -> tuple[Tensor, Tensor]:
    """The first two numbers, and the last two."""
    return boxes[..., :2], boxes[..., 2:]


def _swapped(boxes: Tensor) -> Tensor:
    """The numbers of each pair in the other order."""
    return ops.take(boxes, (1, 0, 3, 2), -1)


def _to_corners(boxes: Tensor, name: str) -> Tensor:
    """Any format as `xyxy`, relative ones as `rel_xyxy`."""
    base = name.removeprefix("rel_")
    if base.removeprefix("center_").startswith("y"):
        boxes = _swapped(boxes)
    if base in ("xyxy", "yxyx"):
        return boxes
    first, size = pairs(boxes)
    start = first - size / 2.0 if base.startswith("center") else first
    return ops.concatenate([start, start + size], -1)


def _from_corners(boxes: Tensor, name: str) -> Tensor:
    base = name.removeprefix("rel_")
    if base not in ("xyxy", "yxyx"):
        start, stop = pairs(boxes)
        first = (start + stop) / 2.0 if base.startswith("center") else start
        boxes = ops.concatenate([first, stop - start], -1)
    return _swapped(boxes) if base.removeprefix("center_").startswith("y") else boxes


def _sides(height: Any, width: Any, dtype: str) -> Tensor:
    """`(width, height, width, height)`: what numbers of `xyxy` are shares of."""
    sides = [ops.cast(side, dtype) for side in (width, height)]
    return ops.stack([*sides, *sides], -1)


def boxes_of(boxes: Any, where: str, dtype: str = "float32") -> Tensor:
    """Boxes as a tensor, checked."""
    tensor = ops.cast(ops.convert_to_tensor(boxes), dtype)
    if tensor.shape[-1] not in (4, None):
        raise ValueError(
            f"bounding_boxes.{where}: boxes must have 4 numbers along the last axis. "
            f"Received: shape {tuple(tensor.shape)}"
        )
    return tensor


def convert_format(
    boxes: Any,
    source: str,
    target: str,
    height: Any = None,
    width: Any = None,
    dtype: str = "float32",
) -> Any:
    """Boxes in another format.

    `xyxy` has left, top, right and bottom; `xywh` left, top, width and height; `center_xywh`
    has the center first. With `y` before `x` each pair has the other order, and with `rel_`
    numbers are shares of the size of the image.

    Args:
        boxes: tensor of shape `(..., 4)`, or a dict with one as `"boxes"`.
        source: the format they have.
        target: the format to get.
        height: of the image; needed between relative and other formats.
        width: of the image.
        dtype: of the result.

    Returns:
        Tensor of the shape of `boxes`; for a dict, a dict with that.

    Raises:
        ValueError: for other formats, shapes, or a missing size.

    Example:
        >>> keras.utils.bounding_boxes.convert_format([[1.0, 2.0, 4.0, 6.0]], "xyxy", "xywh")
        array([[1., 2., 3., 4.]])
    """
    source, target = known_format(source, "convert_format"), known_format(target, "convert_format")
    if isinstance(boxes, dict):
        found = convert_format(boxes["boxes"], source, target, height, width, dtype)
        return {**boxes, "boxes": found}
    boxes = boxes_of(boxes, "convert_format", dtype)
    if source == target:
        return boxes
    corners = _to_corners(boxes, source)
    if is_relative(source) != is_relative(target):
        if height is None or width is None:
            raise ValueError(
                "bounding_boxes.convert_format: `height` and `width` are needed between relative "
                f"and absolute formats. Received: source={source!r}, target={target!r}, "
                f"height={height}, width={width}"
            )
        sides = _sides(height, width, dtype)
        corners = corners * sides if is_relative(source) else corners / sides
    return _from_corners(corners, target)


def areas(boxes: Tensor) -> Tensor:
    """Of boxes `xyxy`."""
    start, stop = pairs(boxes)
    size = stop - start
    return size[..., 0] * size[..., 1]


# Changes of place --------------------------------------------------------------------


def _through_corners(boxes: Any, name: str, where: str, change: Any) -> Tensor:
    """`change` of the corners of boxes in an absolute format."""
    name = known_format(name, where)
    if is_relative(name):
        raise ValueError(
            f"bounding_boxes.{where}: boxes must be absolute; use `convert_format` first. "
            f"Received: bounding_box_format={name!r}"
        )
    found = change(convert_format(boxes, name, "xyxy"))
    return convert_format(found, "xyxy", name)


def clip_to_image_size(
    bounding_boxes: dict[str, Any],
    height: Any = None,
    width: Any = None,
    bounding_box_format: str = "xyxy",
) -> dict[str, Any]:
    """Boxes cut off at the edges of the image; boxes of which nothing is left get the label -1.

    Args:
        bounding_boxes: dict with `"boxes"` and, perhaps, `"labels"`.
        height: of the image; no matter for relative formats.
        width: of the image.
        bounding_box_format: of the boxes.

    Returns:
        A dict with the same keys.

    Raises:
        ValueError: for other formats, or a missing size.
    """
    name = known_format(bounding_box_format, "clip_to_image_size")
    corners_format = "rel_xyxy" if is_relative(name) else "xyxy"
    if not is_relative(name) and (height is None or width is None):
        raise ValueError(
            "bounding_boxes.clip_to_image_size: `height` and `width` are needed for absolute "
            f"formats. Received: height={height}, width={width}, bounding_box_format={name!r}"
        )
    boxes = convert_format(bounding_boxes["boxes"], name, corners_format)
    sides = 1.0 if is_relative(name) else _sides(height, width, "float32")
    boxes = ops.minimum(ops.maximum(boxes, 0.0), sides)
    found = {**bounding_boxes, "boxes": convert_format(boxes, corners_format, name)}
    if "labels" in found:
        labels = ops.convert_to_tensor(found["labels"])
        some = areas(boxes) > 0
        if len(labels.shape) > len(some.shape):
            some = ops.expand_dims(some, -1)
        found["labels"] = ops.where(some, labels, ops.cast(-1, ops.dtype(labels)))
    return found


def hull(x: Tensor, y: Tensor) -> Tensor:
    """The boxes `xyxy` around points along the last axis."""
    sides = [ops.min(x, -1), ops.min(y, -1), ops.max(x, -1), ops.max(y, -1)]
    return ops.stack(sides, -1)


def corner_points(boxes: Tensor) -> tuple[Tensor, Tensor]:
    """The columns and the rows of the four corners of boxes `xyxy`."""
    return ops.take(boxes, (0, 2, 0, 2), -1), ops.take(boxes, (1, 1, 3, 3), -1)


def affine_transform(
    boxes: Any,
    angle: Any,
    translate_x: Any,
    translate_y: Any,
    scale: Any,
    shear_x: Any,
    shear_y: Any,
    height: Any,
    width: Any,
    center_x: Any = None,
    center_y: Any = None,
    bounding_box_format: str = "xyxy",
) -> Tensor:
    """The boxes around boxes that are moved, scaled, turned and sheared, in this order.

    Args:
        boxes: tensor of shape `(batch, n, 4)`.
        angle: counterclockwise, in degrees. This and the next are numbers or tensors of shape
            `(batch,)`.
        translate_x: to the right, as a share of the width.
        translate_y: down, as a share of the height.
        scale: factor.
        shear_x: angle of the shear along rows, in degrees.
        shear_y: angle of the shear along columns, in degrees.
        height: of the image.
        width: of the image.
        center_x: what stays in its place, as a share of the width; 0.5 by default.
        center_y: as a share of the height.
        bounding_box_format: an absolute one.

    Returns:
        Tensor of the shape of `boxes`.

    Raises:
        ValueError: for relative or unknown formats.
    """

    def each(value: Any) -> Tensor:
        return ops.reshape(ops.cast(ops.convert_to_tensor(value), "float32"), (-1, 1, 1))

    right, bottom = (ops.cast(side, "float32") - 1.0 for side in (width, height))
    middle_x = right * (0.5 if center_x is None else each(center_x))
    middle_y = bottom * (0.5 if center_y is None else each(center_y))
    turn, slant_x, slant_y = (each(a) * (math.pi / 180) for a in (angle, shear_x, shear_y))

    def change(corners: Tensor) -> Tensor:
        x, y = corner_points(corners)
        x, y = x - middle_x + each(translate_x) * right, y - middle_y + each(translate_y) * bottom
        x, y = x * each(scale), y * each(scale)
        x, y = x * ops.cos(turn) + y * ops.sin(turn), y * ops.cos(turn) - x * ops.sin(turn)
        y = y + x * ops.tan(slant_y)
        x = x + y * ops.tan(slant_x)
        return hull(x + middle_x, y + middle_y)

    return _through_corners(boxes, bounding_box_format, "affine_transform", change)


def crop(
    boxes: Any, top: Any, left: Any, height: Any, width: Any, bounding_box_format: str = "xyxy"
) -> Tensor:
    """Boxes in a part of the image, cut off at its edges.

    Args:
        boxes: tensor of shape `(..., 4)`.
        top: the first row of the part.
        left: its first column.
        height: how many rows it has.
        width: how many columns.
        bounding_box_format: an absolute one.

    Returns:
        Tensor of the shape of `boxes`.

    Raises:
        ValueError: for relative or unknown formats.
    """

    def change(corners: Tensor) -> Tensor:
        moved = corners - _sides(top, left, "float32")
        return ops.minimum(ops.maximum(moved, 0.0), _sides(height, width, "float32"))

    return _through_corners(boxes, bounding_box_format, "crop", change)


def pad(
    boxes: Any,
    top: Any,
    left: Any,
    height: Any = None,
    width: Any = None,
    bounding_box_format: str = "xyxy",
) -> Tensor:
    """Boxes in an image that got margins.

    Args:
        boxes: tensor of shape `(..., 4)`.
        top: how many rows were added at the top.
        left: how many columns were added at the left.
        height: of the new image; not needed.
        width: of the new image; not needed.
        bounding_box_format: an absolute one.

    Returns:
        Tensor of the shape of `boxes`.

    Raises:
        ValueError: for relative or unknown formats.
    """
    return _through_corners(
        boxes, bounding_box_format, "pad", lambda corners: corners + _sides(top, left, "float32")
    )
