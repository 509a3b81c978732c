"""Labels and arrays in the forms that losses expect."""

from __future__ import annotations

from typing import Any

import numpy as np

from keraslite import ops
from keraslite.backend import engine


def to_categorical(x: Any, num_classes: int | None = None) -> Any:
    """Integer labels as one-hot rows.

    Args:
        x: integers of any shape; a last axis of size 1 is dropped.
        num_classes: length of the rows; the highest label plus one by default.

    Returns:
        Floats of shape `(*x.shape, num_classes)`: NumPy, or a tensor for a tensor.

    Example:
        >>> keras.utils.to_categorical([0, 2], num_classes=3)
        array([[1., 0., 0.],
               [0., 0., 1.]])
    """
    is_tensor = engine.is_tensor(x)
    labels = np.asarray(engine.to_numpy(x) if is_tensor else x, dtype="int64")
    if labels.ndim > 1 and labels.shape[-1] == 1:
        labels = labels[..., 0]
    classes = int(num_classes or (labels.max() + 1 if labels.size else 0))
    if labels.size and not 0 <= labels.min() <= labels.max() < classes:
        raise ValueError(
            f"`to_categorical`: labels must lie in [0, {classes - 1}]. "
            f"Received: {labels.min()} to {labels.max()}"
        )
    rows = np.eye(classes)[labels]
    return engine.convert(rows.astype("float32")) if is_tensor else rows


def normalize(x: Any, axis: int = -1, order: int = 2) -> Any:
    """`x` divided by its norm along an axis; rows of zeros stay.

    Args:
        x: array or tensor.
        axis: along which the norm is taken.
        order: of the norm.
    """
    if not isinstance(x, np.ndarray):
        return ops.normalize(x, axis=axis, order=order)
    norm = np.atleast_1d(np.linalg.norm(x, order, axis))
    norm[norm == 0] = 1
    return x / np.expand_dims(norm, axis)
