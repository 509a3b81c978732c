"""What detectors learn of bounding boxes: overlaps, and differences from anchors."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from keraslite import ops
from keraslite.core.errors import check_choice
from keraslite.core.op import Tensor
from keraslite.layers.augmentation.boxes import (
    areas,
    boxes_of,
    convert_format,
    is_relative,
    known_format,
    pairs,
)

_EPSILON = 1e-7


# Overlap -----------------------------------------------------------------------------


def _overlap(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    """The areas of intersection and union of boxes whose shapes broadcast."""
    start, stop = ops.maximum(a[..., :2], b[..., :2]), ops.minimum(a[..., 2:], b[..., 2:])
    size = ops.maximum(stop - start, 0.0)
    common = size[..., 0] * size[..., 1]
    return common, areas(a) + areas(b) - common


def _absolute(boxes: Any, name: str, image_shape: Any, where: str) -> Tensor:
    """Boxes as `xyxy`, given the shape of the image for relative ones."""
    name = known_format(name, where)
    if is_relative(name) and image_shape is None:
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
    given = [boxes_of(b, "compute_iou") for b in (boxes1, boxes2)]
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


# Differences from anchors -------------------------------------------------------------


def _encoding(name: Any, variance: Any, where: str) -> Any:
    check_choice(f"bounding_boxes.{where}: ", ("center_xywh", "center_yxhw"), encoding=name)
    if variance is None:
        return 1.0
    found = ops.cast(ops.convert_to_tensor(variance), "float32")
    if tuple(found.shape) != (4,):
        raise ValueError(
            f"bounding_boxes.{where}: `variance` must be four numbers. Received: {variance!r}"
        )
    return found


def _from_anchors(
    anchors: Any,
    others: Any,
    anchor_format: str,
    order: str,
    variance: Any,
    image_shape: Any,
    where: str,
    change: Callable[[Tensor, Tensor, Any, Any], Tensor],
) -> Any:
    """`change(centers, sizes, others, variance)` of anchors; of dicts, entry by entry."""
    scale = _encoding(order, variance, where)

    def one(anchor: Any, other: Any) -> Tensor:
        return change(*_centered(anchor, anchor_format, order, image_shape, where), other, scale)

    if isinstance(anchors, dict):
        return {key: one(anchor, others[key]) for key, anchor in anchors.items()}
    return one(anchors, others)


def _centered(
    boxes: Any, name: str, order: str, image_shape: Any, where: str
) -> tuple[Tensor, Tensor]:
    """Centers and sizes."""
    return pairs(convert_format(_absolute(boxes, name, image_shape, where), "xyxy", order))


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

    def encoded(middle: Tensor, size: Tensor, box: Any, divisor: Any) -> Tensor:
        new_middle, new_size = _centered(box, box_format, encoding_format, image_shape, where)
        size, new_size = ops.maximum(size, _EPSILON), ops.maximum(new_size, _EPSILON)
        move, growth = (new_middle - middle) / size, ops.log(new_size / size)
        return ops.concatenate([move, growth], -1) / divisor

    return _from_anchors(
        anchors, boxes, anchor_format, encoding_format, variance, image_shape, where, encoded
    )


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
    height, width = image_shape[:2] if image_shape is not None else (None, None)

    def decoded(middle: Tensor, size: Tensor, delta: Any, factor: Any) -> Tensor:
        move, growth = pairs(boxes_of(delta, where) * factor)
        found = ops.concatenate([move * size + middle, ops.exp(growth) * size], -1)
        return convert_format(found, encoded_format, box_format, height, width)

    return _from_anchors(
        anchors, boxes_delta, anchor_format, encoded_format, variance, image_shape, where, decoded
    )
