"""Bounding boxes: formats, overlap, changes of place, and what detectors learn of them.

Boxes stand along the last axis, four numbers each. Functions that say so also take the
dicts of the preprocessing layers: `{"boxes": tensor, "labels": tensor}`.
"""

from __future__ import annotations

import math
from typing import Any

from keraslite import ops
from keraslite.core.op import Tensor

_BASES = ("xyxy", "yxyx", "xywh", "center_xywh", "center_yxhw")
FORMATS = (*_BASES, *(f"rel_{name}" for name in _BASES))

_EPSILON = 1e-7


# Formats -----------------------------------------------------------------------------


def _known(name: Any, where: str) -> str:
    found = name.lower() if isinstance(name, str) else name
    if found not in FORMATS:
        listed = ", ".join(map(repr, FORMATS))
        raise ValueError(
            f"bounding_boxes.{where}: the format must be one of {listed}. Received: {name!r}"
        )
    return found


def _relative(name: str) -> bool:
    return name.startswith("rel_")


def _pairs(boxes: Tensor) -> tuple[Tensor, Tensor]:
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
    first, size = _pairs(boxes)
    start = first - size / 2.0 if base.startswith("center") else first
    return ops.concatenate([start, start + size], -1)


def _from_corners(boxes: Tensor, name: str) -> Tensor:
    base = name.removeprefix("rel_")
    if base not in ("xyxy", "yxyx"):
        start, stop = _pairs(boxes)
        first = (start + stop) / 2.0 if base.startswith("center") else start
        boxes = ops.concatenate([first, stop - start], -1)
    return _swapped(boxes) if base.removeprefix("center_").startswith("y") else boxes


def _sides(height: Any, width: Any, dtype: str) -> Tensor:
    """`(width, height, width, height)`: what numbers of `xyxy` are shares of."""
    sides = [ops.cast(side, dtype) for side in (width, height)]
    return ops.stack([*sides, *sides], -1)


def _boxes_of(boxes: Any, where: str, dtype: str) -> Tensor:
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
    source, target = _known(source, "convert_format"), _known(target, "convert_format")
    if isinstance(boxes, dict):
        found = convert_format(boxes["boxes"], source, target, height, width, dtype)
        return {**boxes, "boxes": found}
    boxes = _boxes_of(boxes, "convert_format", dtype)
    if source == target:
        return boxes
    corners = _to_corners(boxes, source)
    if _relative(source) != _relative(target):
        if height is None or width is None:
            raise ValueError(
                "bounding_boxes.convert_format: `height` and `width` are needed between relative "
                f"and absolute formats. Received: source={source!r}, target={target!r}, "
                f"height={height}, width={width}"
            )
        sides = _sides(height, width, dtype)
        corners = corners * sides if _relative(source) else corners / sides
    return _from_corners(corners, target)


# Overlap -----------------------------------------------------------------------------


def _areas(boxes: Tensor) -> Tensor:
    start, stop = _pairs(boxes)
    size = stop - start
    return size[..., 0] * size[..., 1]


def _overlap(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    """The areas of intersection and union of boxes whose shapes broadcast."""
    start, stop = ops.maximum(a[..., :2], b[..., :2]), ops.minimum(a[..., 2:], b[..., 2:])
    size = ops.maximum(stop - start, 0.0)
    common = size[..., 0] * size[..., 1]
    return common, _areas(a) + _areas(b) - common


def _absolute(boxes: Any, name: str, image_shape: Any, where: str) -> Tensor:
    """Boxes as `xyxy`, given the shape of the image for relative ones."""
    name = _known(name, where)
    if _relative(name) and image_shape is None:
        raise ValueError(
            f"bounding_boxes.{where}: `image_shape` is needed for relative formats. "
            f"Received: format {name!r}"
        )
    height, width = image_shape[:2] if image_shape is not None else (None, None)
    return convert_format(boxes, name, "xyxy", height, width)


def compute_iou(
    boxes1: Any,
    boxes2: Any,
    bounding_box_format: str,
    use_masking: bool = False,
    mask_val: float = -1,
    image_shape: Any = None,
) -> Tensor:
    """The area that boxes share over the area that they cover, for all pairs.

    Args:
        boxes1: tensor of shape `(n, 4)` or `(batch, n, 4)`.
        boxes2: tensor of shape `(m, 4)` or `(batch, m, 4)`.
        bounding_box_format: of both.
        use_masking: whether pairs with a box that stands for none get `mask_val`.
        mask_val: the numbers of boxes that stand for none.
        image_shape: `(height, width, channels)`; needed for relative formats.

    Returns:
        Tensor of shape `(n, m)`, or `(batch, n, m)` if one of them has a batch.

    Raises:
        ValueError: for other formats or ranks.

    Example:
        >>> one, two = [[0.0, 0.0, 2.0, 2.0]], [[1.0, 0.0, 3.0, 2.0]]
        >>> keras.utils.bounding_boxes.compute_iou(one, two, "xyxy")
        array([[0.3333]])
    """
    given = [_boxes_of(b, "compute_iou", "float32") for b in (boxes1, boxes2)]
    if any(len(b.shape) not in (2, 3) for b in given):
        raise ValueError(
            "bounding_boxes.compute_iou: boxes must have 2 axes, or 3 with a batch. Received: "
            f"shapes {tuple(given[0].shape)} and {tuple(given[1].shape)}"
        )
    a, b = (_absolute(x, bounding_box_format, image_shape, "compute_iou") for x in given)
    common, union = _overlap(ops.expand_dims(a, -2), ops.expand_dims(b, -3))
    found = ops.divide_no_nan(common, union)
    if use_masking:
        none1, none2 = (ops.all(ops.equal(x, mask_val), -1) for x in given)
        none = ops.logical_or(ops.expand_dims(none1, -1), ops.expand_dims(none2, -2))
        found = ops.where(none, ops.cast(mask_val, "float32"), found)
    return found


def compute_ciou(
    boxes1: Any, boxes2: Any, bounding_box_format: str, image_shape: Any = None
) -> Tensor:
    """Overlap less the distance of centers and the difference of proportions, box by box.

    Zheng et al., "Enhancing Geometric Factors in Model Learning and Inference for Object
    Detection and Instance Segmentation", https://arxiv.org/abs/2005.03572

    Args:
        boxes1: tensor of shape `(..., 4)`.
        boxes2: tensor whose shape broadcasts with that of `boxes1`.
        bounding_box_format: of both.
        image_shape: `(height, width, channels)`; needed for relative formats.

    Returns:
        Tensor of the common shape without the last axis; 1 for equal boxes.

    Raises:
        ValueError: for other formats.
    """
    a, b = (
        _absolute(x, bounding_box_format, image_shape, "compute_ciou") for x in (boxes1, boxes2)
    )
    common, union = _overlap(a, b)
    iou = common / (union + _EPSILON)
    start, stop = ops.minimum(a[..., :2], b[..., :2]), ops.maximum(a[..., 2:], b[..., 2:])
    diagonal = ops.sum(ops.square(stop - start), -1)
    apart = (a[..., :2] + a[..., 2:] - b[..., :2] - b[..., 2:]) / 2.0
    distance = ops.sum(ops.square(apart), -1)

    def angle(boxes: Tensor) -> Tensor:
        size = boxes[..., 2:] - boxes[..., :2]
        return ops.arctan(size[..., 0] / (size[..., 1] + _EPSILON))

    unlike = (4.0 / math.pi**2) * ops.square(angle(a) - angle(b))
    weight = unlike / (unlike - iou + 1.0 + _EPSILON)
    return iou - (distance / (diagonal + _EPSILON) + unlike * weight)


# Changes of place --------------------------------------------------------------------


def _through_corners(boxes: Any, name: str, where: str, change: Any) -> Tensor:
    """`change` of the corners of boxes in an absolute format."""
    name = _known(name, where)
    if _relative(name):
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
    name = _known(bounding_box_format, "clip_to_image_size")
    corners_format = "rel_xyxy" if _relative(name) else "xyxy"
    if not _relative(name) and (height is None or width is None):
        raise ValueError(
            "bounding_boxes.clip_to_image_size: `height` and `width` are needed for absolute "
            f"formats. Received: height={height}, width={width}, bounding_box_format={name!r}"
        )
    boxes = convert_format(bounding_boxes["boxes"], name, corners_format)
    sides = 1.0 if _relative(name) else _sides(height, width, "float32")
    boxes = ops.minimum(ops.maximum(boxes, 0.0), sides)
    found = {**bounding_boxes, "boxes": convert_format(boxes, corners_format, name)}
    if "labels" in found:
        labels = ops.convert_to_tensor(found["labels"])
        some = _areas(boxes) > 0
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


# What detectors learn ----------------------------------------------------------------


def _encoding(name: Any, variance: Any, where: str) -> Any:
    if name not in ("center_xywh", "center_yxhw"):
        raise ValueError(
            f"bounding_boxes.{where}: the encoding must be 'center_xywh' or 'center_yxhw'. "
            f"Received: {name!r}"
        )
    if variance is None:
        return 1.0
    found = ops.cast(ops.convert_to_tensor(variance), "float32")
    if tuple(found.shape) != (4,):
        raise ValueError(
            f"bounding_boxes.{where}: `variance` must be four numbers. Received: {variance!r}"
        )
    return found


def _centered(boxes: Any, name: str, image_shape: Any, target: str, where: str) -> Tensor:
    corners = _absolute(boxes, name, image_shape, where)
    return convert_format(corners, "xyxy", target)


def encode_box_to_deltas(
    anchors: Any,
    boxes: Any,
    anchor_format: str,
    box_format: str,
    encoding_format: str = "center_yxhw",
    variance: Any = None,
    image_shape: Any = None,
) -> Any:
    """How boxes differ from anchors: distances of centers, and logarithms of sizes, as shares.

    Ren et al., "Faster R-CNN", https://arxiv.org/abs/1506.01497

    Args:
        anchors: tensor of shape `(n, 4)`, or a dict of them.
        boxes: tensor of shape `(n, 4)` or `(batch, n, 4)`, or a dict of them with the same keys.
        anchor_format: of the anchors.
        box_format: of the boxes.
        encoding_format: `"center_yxhw"` or `"center_xywh"`: the order of the result.
        variance: four numbers that the result is divided by.
        image_shape: `(height, width, channels)`; needed for relative formats.

    Returns:
        Tensor of the shape of `boxes`; for dicts, a dict.

    Raises:
        ValueError: for other formats, or a variance that is not four numbers.
    """
    where = "encode_box_to_deltas"
    divisor = _encoding(encoding_format, variance, where)
    if isinstance(anchors, dict):
        rest = (anchor_format, box_format, encoding_format, variance, image_shape)
        return {k: encode_box_to_deltas(a, boxes[k], *rest) for k, a in anchors.items()}
    anchors = _centered(anchors, anchor_format, image_shape, encoding_format, where)
    boxes = _centered(boxes, box_format, image_shape, encoding_format, where)
    (middle, size), (new_middle, new_size) = _pairs(anchors), _pairs(boxes)
    size, new_size = ops.maximum(size, _EPSILON), ops.maximum(new_size, _EPSILON)
    return ops.concatenate([(new_middle - middle) / size, ops.log(new_size / size)], -1) / divisor


def decode_deltas_to_boxes(
    anchors: Any,
    boxes_delta: Any,
    anchor_format: str,
    box_format: str,
    encoded_format: str = "center_yxhw",
    variance: Any = None,
    image_shape: Any = None,
) -> Any:
    """Boxes from anchors and differences: the inverse of `encode_box_to_deltas`.

    Args:
        anchors: tensor of shape `(n, 4)`, or a dict of them.
        boxes_delta: tensor of shape `(n, 4)` or `(batch, n, 4)`, or a dict of them.
        anchor_format: of the anchors.
        box_format: of the result.
        encoded_format: `"center_yxhw"` or `"center_xywh"`: the order of the differences.
        variance: four numbers that the differences are multiplied by.
        image_shape: `(height, width, channels)`; needed for relative formats.

    Returns:
        Tensor of the shape of `boxes_delta`; for dicts, a dict.

    Raises:
        ValueError: for other formats, or a variance that is not four numbers.
    """
    where = "decode_deltas_to_boxes"
    factor = _encoding(encoded_format, variance, where)
    if isinstance(anchors, dict):
        rest = (anchor_format, box_format, encoded_format, variance, image_shape)
        return {k: decode_deltas_to_boxes(a, boxes_delta[k], *rest) for k, a in anchors.items()}
    anchors = _centered(anchors, anchor_format, image_shape, encoded_format, where)
    deltas = _boxes_of(boxes_delta, where, "float32") * factor
    (middle, size), (move, growth) = _pairs(anchors), _pairs(deltas)
    found = ops.concatenate([move * size + middle, ops.exp(growth) * size], -1)
    height, width = image_shape[:2] if image_shape is not None else (None, None)
    return convert_format(found, encoded_format, box_format, height, width)
