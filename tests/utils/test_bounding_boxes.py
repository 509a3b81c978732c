"""`keras.utils.bounding_boxes` against Keras."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

from keraslite.backend import engine
from keraslite.core import tree
from keraslite.layers.augmentation.boxes import FORMATS
from keraslite.utils import bounding_boxes as ours

keras = pytest.importorskip("keras")
theirs = keras.utils.bounding_boxes

BOXES = np.array([[[1, 1, 4, 5], [0, 2, 3, 7], [2, 2, 9, 9]]], "float32")
OTHERS = np.array([[[2, 2, 5, 5], [0, 2, 3, 7], [20, 20, 30, 30]]], "float32")
NONE = np.array([[[1, 1, 4, 5], [-1, -1, -1, -1], [2, 2, 9, 9]]], "float32")
DELTAS = np.array([[[0.1, 0.2, 0.3, 0.4], [-0.1, 0, 0.5, 0.1], [0, 0, 0, 0]]], "float32")
KNOWN = [name for name in FORMATS if name != "rel_center_yxhw"]
DICT = {"boxes": OTHERS - 3, "labels": np.array([[1, 2, 3]])}


def one(**changed: Any) -> dict[str, Any]:
    """Arguments of an affine map that is the identity but for some."""
    plain = {"angle": 0, "translate_x": 0, "translate_y": 0, "scale": 1, "shear_x": 0, "shear_y": 0}
    arrays = {k: np.array([v], "float32") for k, v in {**plain, **changed}.items()}
    return {"boxes": BOXES, **arrays, "height": 10, "width": 20}


BETWEEN = {"anchor_format": "xyxy", "box_format": "xyxy"}
CASES = [
    *(
        ("convert_format", {"boxes": BOXES, "source": a, "target": b, "height": 10, "width": 20})
        for a, b in itertools.product(KNOWN, ("xyxy", "rel_center_xywh", "center_yxhw"))
    ),
    ("convert_format", {"boxes": DICT, "source": "xyxy", "target": "xywh"}),
    ("clip_to_image_size", {"bounding_boxes": DICT, "height": 10, "width": 25}),
    ("clip_to_image_size", {"bounding_boxes": DICT, "bounding_box_format": "rel_xyxy"}),
    ("compute_iou", {"boxes1": BOXES[0], "boxes2": OTHERS[0], "bounding_box_format": "xyxy"}),
    ("compute_iou", {"boxes1": BOXES, "boxes2": OTHERS[0], "bounding_box_format": "center_xywh"}),
    (
        "compute_iou",
        {"boxes1": NONE, "boxes2": OTHERS, "bounding_box_format": "xyxy", "use_masking": True},
    ),
    ("compute_ciou", {"boxes1": BOXES, "boxes2": OTHERS, "bounding_box_format": "xyxy"}),
    ("compute_ciou", {"boxes1": BOXES, "boxes2": OTHERS, "bounding_box_format": "xywh"}),
    ("affine_transform", one(angle=30, scale=1.5, translate_x=0.3, translate_y=-0.2)),
    ("affine_transform", one(shear_x=20)),
    ("affine_transform", one(shear_y=20, scale=2, translate_x=0.5)),
    ("affine_transform", {**one(angle=30), "center_x": 0.2, "center_y": 0.3}),
    ("crop", {"boxes": BOXES, "top": 1, "left": 2, "height": 4, "width": 5}),
    ("pad", {"boxes": BOXES, "top": 1, "left": 2}),
    ("encode_box_to_deltas", {"anchors": BOXES[0], "boxes": OTHERS, **BETWEEN}),
    (
        "encode_box_to_deltas",
        {
            "anchors": BOXES[0],
            "boxes": OTHERS,
            "anchor_format": "xyxy",
            "box_format": "xywh",
            "encoding_format": "center_xywh",
            "variance": [0.1, 0.1, 0.2, 0.2],
        },
    ),
    ("decode_deltas_to_boxes", {"anchors": BOXES[0], "boxes_delta": DELTAS, **BETWEEN}),
    (
        "decode_deltas_to_boxes",
        {
            "anchors": {"a": BOXES[0]},
            "boxes_delta": {"a": DELTAS},
            "anchor_format": "xywh",
            "box_format": "rel_yxyx",
            "encoded_format": "center_xywh",
            "variance": [0.1, 0.1, 0.2, 0.2],
            "image_shape": (10, 20, 3),
        },
    ),
]


@pytest.mark.parametrize(
    ("name", "arguments"), CASES, ids=[f"{name}-{i}" for i, (name, _) in enumerate(CASES)]
)
def test_equals_keras(name: str, arguments: dict[str, Any]) -> None:
    def tensor(x: Any) -> Any:
        return keras.ops.convert_to_tensor(x) if isinstance(x, np.ndarray) else x

    expected = getattr(theirs, name)(**tree.map_structure(tensor, arguments))
    got = getattr(ours, name)(**arguments)
    if isinstance(got, dict):
        assert set(got) == set(expected)
    for a, b in zip(tree.flatten(got), tree.flatten(expected), strict=True):
        a, b = engine.to_numpy(engine.convert(a)), keras.ops.convert_to_numpy(b)
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("name", FORMATS)
def test_formats_there_and_back(name: str) -> None:
    there = ours.convert_format(BOXES, "xyxy", name, 10, 20)
    back = engine.to_numpy(ours.convert_format(there, name, "xyxy", 10, 20))
    np.testing.assert_allclose(back, BOXES, atol=1e-5)
    clipped = ours.clip_to_image_size({"boxes": there, "labels": np.ones((1, 3))}, 6, 20, name)
    side = 6 if not name.startswith("rel_") else 10
    corners = engine.to_numpy(ours.convert_format(clipped["boxes"], name, "xyxy", 10, 20))
    np.testing.assert_allclose(corners[..., 3], np.minimum(BOXES[..., 3], side), atol=1e-5)


def test_shears_and_turns_follow_each_other() -> None:
    """Both at once are what one after the other gives, for points."""
    points = np.array([[[3.0, 4.0, 3.0, 4.0]]], "float32")
    rest = {"height": 11, "width": 11}
    both = ours.affine_transform(points, 30, 0, 0, 1, 10, 5, **rest)
    turned = ours.affine_transform(points, 30, 0, 0, 1, 0, 0, **rest)
    slanted = ours.affine_transform(turned, 0, 0, 0, 1, 0, 5, **rest)
    slanted = ours.affine_transform(slanted, 0, 0, 0, 1, 10, 0, **rest)
    np.testing.assert_allclose(engine.to_numpy(both), engine.to_numpy(slanted), atol=1e-4)


@pytest.mark.parametrize(
    ("call", "match"),
    [
        (lambda: ours.convert_format(BOXES, "xyxy", "coco"), "format"),
        (lambda: ours.convert_format(BOXES, "xyxy", "rel_xyxy"), "height"),
        (lambda: ours.convert_format(BOXES[..., :3], "xyxy", "xywh"), "4 numbers"),
        (lambda: ours.crop(BOXES, 0, 0, 1, 1, "rel_xyxy"), "absolute"),
        (lambda: ours.compute_iou(BOXES, BOXES, "rel_xyxy"), "image_shape"),
        (lambda: ours.encode_box_to_deltas(BOXES, BOXES, "xyxy", "xyxy", "xyxy"), "encoding"),
    ],
)
def test_errors(call: Any, match: str) -> None:
    with pytest.raises(ValueError, match=match):
        call()
