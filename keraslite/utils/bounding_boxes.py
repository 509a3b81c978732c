"""Bounding boxes: formats, overlap, changes of place, and what detectors learn of them."""

from keraslite.layers.augmentation.boxes import (
    affine_transform,
    clip_to_image_size,
    convert_format,
    crop,
    pad,
)
from keraslite.utils.detection import (
    compute_ciou,
    compute_iou,
    decode_deltas_to_boxes,
    encode_box_to_deltas,
)

__all__ = [
    "affine_transform",
    "clip_to_image_size",
    "compute_ciou",
    "compute_iou",
    "convert_format",
    "crop",
    "decode_deltas_to_boxes",
    "encode_box_to_deltas",
    "pad",
]
