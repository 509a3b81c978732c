"""Images in rows and columns. Matplotlib is imported where it is used."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from keraslite.core.optional import required
from keraslite.ops import convert_to_numpy
from keraslite.visualization.drawing import (
    Color,
    batch_of_images,
    draw_bounding_boxes,
    draw_segmentation_masks,
)


def _pyplot(where: str) -> Any:
    return required("matplotlib.pyplot", f"{where} needs Matplotlib", "matplotlib")


def _to_pixels(
    images: Any, value_range: Sequence[float], data_format: str | None, where: str
) -> np.ndarray:
    """Images with values from 0 to 255 and the channels last."""
    images = batch_of_images(images, data_format, where)
    low, high = value_range
    if (low, high) != (0, 255):
        images = (images - low) * (255 / (high - low))
    return np.clip(images, 0, 255).astype("uint8")


def plot_image_gallery(
    images: Any,
    y_true: Any = None,
    y_pred: Any = None,
    label_map: Mapping[Any, str] | None = None,
    rows: int | None = None,
    cols: int | None = None,
    value_range: Sequence[float] = (0, 255),
    scale: float = 2,
    path: Any = None,
    show: bool | None = None,
    transparent: bool = True,
    dpi: int = 60,
    legend_handles: Sequence[Any] | None = None,
    data_format: str | None = None,
) -> None:
    """Show images in rows and columns, or write them to a file.

    Args:
        images: batch of images.
        y_true, y_pred: labels, shown above each image.
        label_map: from a label to its name; needed with labels.
        rows, cols: by default as many as make a square of all images. Images beyond them are
            left out.
        value_range: lowest and highest value of the images.
        scale: width and height of an image, in inches.
        path: where to write the picture.
        show: whether to show it; by default when there is no `path`. With `show=False` and no
            `path` the figure stays open, as Matplotlib's current one.
        transparent: whether the background of the file is.
        dpi: pixels per inch of the file.
        legend_handles: of Matplotlib, for a legend below the images.
        data_format: `"channels_last"`, `"channels_first"`, or None for
            `keras.config.image_data_format()`.

    Raises:
        ImportError: without Matplotlib.
        ValueError: for labels without names, images of another form, or both `path` and `show`.

    Example:
        >>> keras.visualization.plot_image_gallery(x[:16], rows=4, cols=4, path="digits.png")
    """
    where = "visualization.plot_image_gallery"
    plt = _pyplot(where)
    if path is not None and show:
        raise ValueError(f"{where}: pass either `path` or `show=True`. Received: both")
    labels = {"Label": y_true, "Pred": y_pred}
    labels = {k: convert_to_numpy(v).ravel() for k, v in labels.items() if v is not None}
    if labels and label_map is None:
        raise ValueError(f"{where}: `y_true` and `y_pred` need a `label_map`. Received: None")
    pixels = _to_pixels(images, value_range, data_format, where)
    if rows is None:
        rows = math.ceil(math.sqrt(len(pixels))) if cols is None else math.ceil(len(pixels) / cols)
    cols = math.ceil(len(pixels) / rows) if cols is None else cols
    figure, axes = plt.subplots(
        rows, cols, figsize=(cols * scale, rows * scale), squeeze=False, layout="constrained"
    )
    for axis in axes.flat:
        axis.axis("off")
    for i, (axis, image) in enumerate(zip(axes.flat, pixels, strict=False)):
        axis.imshow(image[..., 0] if image.shape[-1] == 1 else image, cmap="gray")
        if label_map is not None:
            names = (f"{what}: {label_map[of[i].item()]}" for what, of in labels.items())
            axis.set_title("  ".join(names), fontsize=8)
    if legend_handles is not None:
        figure.legend(handles=list(legend_handles), loc="outside lower center")
    if path is not None:
        figure.savefig(path, transparent=transparent, dpi=dpi)
    elif show or show is None:
        plt.show()
    else:
        return
    plt.close(figure)


def plot_bounding_box_gallery(
    images: Any,
    bounding_box_format: str,
    y_true: Mapping[str, Any] | None = None,
    y_pred: Mapping[str, Any] | None = None,
    value_range: Sequence[float] = (0, 255),
    true_color: Color = (0, 188, 212),
    pred_color: Color = (255, 235, 59),
    line_thickness: int = 2,
    font_scale: float = 1.0,
    text_thickness: int | None = None,
    class_mapping: Mapping[int, str] | None = None,
    ground_truth_mapping: Mapping[int, str] | None = None,
    prediction_mapping: Mapping[int, str] | None = None,
    legend: bool = False,
    legend_handles: Sequence[Any] | None = None,
    rows: int | None = None,
    cols: int | None = None,
    data_format: str | None = None,
    **kwargs: Any,
) -> None:
    """Show images with true and predicted boxes on them.

    Args:
        images: batch of images.
        bounding_box_format: of the boxes, as `draw_bounding_boxes` has it.
        y_true, y_pred: dicts of `"boxes"` and `"labels"`, and maybe `"confidences"`.
        value_range: lowest and highest value of the images.
        true_color, pred_color: of the boxes.
        line_thickness, font_scale, text_thickness: as in `draw_bounding_boxes`.
        class_mapping: from a label to its name.
        ground_truth_mapping, prediction_mapping: in its place, for true and predicted boxes.
        legend: whether to say which colour is which.
        legend_handles: of Matplotlib, for a legend with more.
        rows, cols, data_format, **kwargs: as in `plot_image_gallery`.

    Example:
        >>> keras.visualization.plot_bounding_box_gallery(images, "xyxy", y_true=boxes)
    """
    where = "visualization.plot_bounding_box_gallery"
    _pyplot(where)
    from matplotlib.patches import Patch

    pixels = _to_pixels(images, value_range, data_format, where)
    kinds = (
        ("Ground Truth", y_true, ground_truth_mapping, true_color),
        ("Prediction", y_pred, prediction_mapping, pred_color),
    )
    handles = list(legend_handles or ())
    for what, boxes, names, color in kinds:
        if boxes is None:
            continue
        pixels = draw_bounding_boxes(
            pixels,
            boxes,
            bounding_box_format,
            class_mapping if names is None else names,
            color,
            line_thickness,
            text_thickness or 1,
            font_scale,
            data_format="channels_last",
        )
        if legend:
            handles.append(Patch(color=[c / 255 for c in color], label=what))
    plot_image_gallery(
        pixels,
        rows=rows,
        cols=cols,
        legend_handles=handles or None,
        data_format="channels_last",
        **kwargs,
    )


def plot_segmentation_mask_gallery(
    images: Any,
    num_classes: int,
    value_range: Sequence[float] = (0, 255),
    y_true: Any = None,
    y_pred: Any = None,
    color_mapping: Mapping[int, Sequence[int]] | None = None,
    blend: bool = True,
    alpha: float = 0.8,
    ignore_index: int = -1,
    data_format: str | None = None,
    **kwargs: Any,
) -> None:
    """Show images in a row each: alone, with the true mask and with the predicted one.

    Args:
        images: batch of images.
        num_classes: how many classes there are.
        value_range: lowest and highest value of the images.
        y_true, y_pred: masks, as `draw_segmentation_masks` has them.
        color_mapping, blend, alpha, ignore_index: as in `draw_segmentation_masks`.
        data_format, **kwargs: as in `plot_image_gallery`.

    Example:
        >>> keras.visualization.plot_segmentation_mask_gallery(images, 3, y_true=masks)
    """
    where = "visualization.plot_segmentation_mask_gallery"
    pixels = _to_pixels(images, value_range, data_format, where)
    columns = [pixels]
    for masks in (y_true, y_pred):
        if masks is not None:
            masks = convert_to_numpy(masks)
            if masks.ndim == 4:
                masks = masks.reshape(pixels.shape[:3])
            columns.append(
                draw_segmentation_masks(
                    pixels,
                    masks,
                    num_classes,
                    color_mapping,
                    alpha,
                    blend,
                    ignore_index,
                    "channels_last",
                )
            )
    cells = np.stack(columns, 1).reshape(-1, *pixels.shape[1:])
    if len(columns) > 1:
        kwargs = {"rows": len(pixels), "cols": len(columns), **kwargs}
    plot_image_gallery(cells, data_format="channels_last", **kwargs)
