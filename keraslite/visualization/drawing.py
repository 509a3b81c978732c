"""Bounding boxes and segmentation masks drawn on images. Pillow is imported where it is used."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from keraslite.config import standardize_data_format
from keraslite.core.errors import describe
from keraslite.core.optional import required
from keraslite.ops import convert_to_numpy
from keraslite.utils.bounding_boxes import convert_format

Color = tuple[int, int, int]


def batch_of_images(images: Any, data_format: str | None, where: str) -> np.ndarray:
    """Images as an array of shape `(batch, height, width, channels)`.

    Raises:
        ValueError: for another number of axes.
    """
    images = convert_to_numpy(images)
    if images.ndim != 4:
        raise ValueError(
            f"{where}: `images` must be a batch of images, with 4 axes. "
            f"Received: {describe(images)}"
        )
    first = standardize_data_format(data_format) == "channels_first"
    return np.moveaxis(images, 1, -1) if first else images


def _like(images: np.ndarray, data_format: str | None) -> np.ndarray:
    """Drawn images with their channels where the given ones have them."""
    images = np.clip(np.round(images), 0, 255).astype("uint8")
    first = standardize_data_format(data_format) == "channels_first"
    return np.moveaxis(images, -1, 1) if first else images


def draw_bounding_boxes(
    images: Any,
    bounding_boxes: Mapping[str, Any],
    bounding_box_format: str,
    class_mapping: Mapping[int, str] | None = None,
    color: Color = (128, 128, 128),
    line_thickness: int = 2,
    text_thickness: int = 1,
    font_scale: float = 1.0,
    data_format: str | None = None,
) -> np.ndarray:
    """Images with boxes on them, and above each the name of its class.

    Args:
        images: batch of images with three channels and values from 0 to 255.
        bounding_boxes: dict of `"boxes"`, of shape `(batch, boxes, 4)`, `"labels"`, of shape
            `(batch, boxes)`, where a box labelled -1 is not drawn, and maybe `"confidences"`.
        bounding_box_format: of the boxes, as `keras.utils.bounding_boxes.convert_format` has it.
        class_mapping: from a label to its name; boxes of others get none.
        color: red, green and blue.
        line_thickness: in pixels.
        text_thickness: of the strokes of letters.
        font_scale: 1 for letters of about 22 pixels.
        data_format: `"channels_last"`, `"channels_first"`, or None for
            `keras.config.image_data_format()`.

    Returns:
        A NumPy array like `images`, of dtype uint8.

    Raises:
        ImportError: without Pillow.
        TypeError, ValueError: for images or boxes of another form.

    Example:
        >>> boxes = {"boxes": np.array([[[2, 3, 12, 14]]]), "labels": np.array([[0]])}
        >>> keras.visualization.draw_bounding_boxes(images, boxes, "xyxy", {0: "cat"})
    """
    where = "visualization.draw_bounding_boxes"
    required("PIL", f"{where} needs Pillow", "pillow")
    from PIL import Image, ImageDraw, ImageFont

    batch = _like(batch_of_images(images, data_format, where), "channels_last")
    if not isinstance(bounding_boxes, Mapping):
        raise TypeError(
            f"{where}: `bounding_boxes` must be a dict. Received: {describe(bounding_boxes)}"
        )
    if missing := {"boxes", "labels"} - set(bounding_boxes):
        raise ValueError(
            f"{where}: `bounding_boxes` must hold 'boxes' and 'labels'. "
            f"Received: {list(bounding_boxes)}, without {sorted(missing)}"
        )
    height, width = batch.shape[1:3]
    boxes, labels = (convert_to_numpy(bounding_boxes[k]) for k in ("boxes", "labels"))
    if boxes.ndim != 3 or boxes.shape[:2] != labels.shape[:2] or len(boxes) != len(batch):
        raise ValueError(
            f"{where}: boxes must have the shape (batch, boxes, 4), and labels (batch, boxes), for "
            f"{len(batch)} images. Received: shapes {boxes.shape} and {labels.shape}"
        )
    boxes = convert_to_numpy(
        convert_format(boxes, bounding_box_format, "xyxy", height=height, width=width)
    )
    confidences = bounding_boxes.get("confidences")
    shares = None if confidences is None else convert_to_numpy(confidences)
    names = class_mapping or {}
    font = ImageFont.load_default(size=30 * font_scale) if names else None
    grow = line_thickness // 2
    drawn = []
    for i, pixels in enumerate(batch):
        image = Image.fromarray(pixels)
        pen = ImageDraw.Draw(image)
        for j in np.flatnonzero(labels[i].ravel() >= 0):
            left, top, right, bottom = boxes[i, j].astype(int).tolist()
            left, right, top, bottom = *sorted((left, right)), *sorted((top, bottom))
            frame = (left - grow, top - grow, right + grow, bottom + grow)
            pen.rectangle(frame, outline=tuple(color), width=line_thickness)
            text = names.get(int(labels[i].ravel()[j]))
            if text is None:
                continue
            if shares is not None:
                text = f"{text} | {float(shares[i].ravel()[j]):.2f}"
            stroke = text_thickness // 2
            # Above the box; in it where there is no room.
            tall = pen.textbbox((0, 0), text, font=font, stroke_width=stroke, anchor="lb")[1]
            over = top - grow - 2
            place, anchor = (
                ((left, over), "lb") if over + tall >= 0 else ((left + 2, top + 2), "lt")
            )
            pen.text(place, text, tuple(color), font=font, stroke_width=stroke, anchor=anchor)
        drawn.append(np.asarray(image))
    return _like(np.stack(drawn), data_format)


def draw_segmentation_masks(
    images: Any,
    segmentation_masks: Any,
    num_classes: int | None = None,
    color_mapping: Mapping[int, Sequence[int]] | None = None,
    alpha: float = 0.8,
    blend: bool = True,
    ignore_index: int = -1,
    data_format: str | None = None,
) -> np.ndarray:
    """Images with their pixels coloured by class.

    Args:
        images: batch of images with three channels and values from 0 to 255.
        segmentation_masks: classes of the pixels, integers of shape `(batch, height, width)`,
            or with a last axis of 1.
        num_classes: how many there are; by default as many as the masks show.
        color_mapping: from a class to red, green and blue; by default all differ, and class 0 is
            black.
        alpha: the share of the colour: 1 hides the image.
        blend: False shows the colours alone.
        ignore_index: class of pixels that stay as they are.
        data_format: `"channels_last"`, `"channels_first"`, or None for
            `keras.config.image_data_format()`.

    Returns:
        A NumPy array like `images`, of dtype uint8.

    Raises:
        TypeError: if the masks are no integers.
        ValueError: for other shapes, or classes without a colour.

    Example:
        >>> keras.visualization.draw_segmentation_masks(images, masks, num_classes=3, alpha=0.5)
    """
    where = "visualization.draw_segmentation_masks"
    batch = batch_of_images(images, data_format, where)
    masks = convert_to_numpy(segmentation_masks)
    if masks.dtype.kind not in "iu":
        raise TypeError(f"{where}: the masks must be integers. Received: {describe(masks)}")
    if masks.ndim == 4:
        channel = 1 if standardize_data_format(data_format) == "channels_first" else -1
        masks = masks.squeeze(channel) if masks.shape[channel] == 1 else masks
    if masks.shape != batch.shape[:3]:
        raise ValueError(
            f"{where}: the masks must have the shape {batch.shape[:3]} of the images. "
            f"Received: {describe(masks)}"
        )
    shown = masks != ignore_index
    present = np.unique(masks[shown]).tolist()
    number = max([-1, *present]) + 1 if num_classes is None else num_classes
    if color_mapping is None:
        # Steps of channels that share no divisor: the first 255 classes differ.
        color_mapping = {k: (k % 255, k * 127 % 255, k * 31 % 255) for k in range(number)}
    if strange := [k for k in present if not 0 <= k < number or k not in color_mapping]:
        raise ValueError(
            f"{where}: no colour for the classes {strange[:10]}. Expected: classes from 0 to "
            f"{number - 1}, all in `color_mapping`, or `ignore_index`, {ignore_index}"
        )
    palette = np.zeros((max(number, 1), 3))
    for k in present:
        palette[k] = color_mapping[k]
    colors = palette[np.where(shown, masks, 0)]
    share = alpha if blend else 1.0
    # Whole numbers as Keras makes them: cut off.
    mixed = np.floor(batch * (1 - share) + colors * share + 1e-4)
    return _like(np.where(shown[..., None], mixed, batch), data_format)
