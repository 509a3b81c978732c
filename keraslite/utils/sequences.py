"""`pad_sequences`: rows of different lengths as one array."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from keraslite.core.errors import check_choice


def pad_sequences(
    sequences: Sequence[Any],
    maxlen: int | None = None,
    dtype: Any = "int32",
    padding: str = "pre",
    truncating: str = "pre",
    value: Any = 0.0,
) -> np.ndarray:
    """Rows of different lengths as one array, padded and cut.

    Args:
        sequences: rows; their elements may be arrays of one shape.
        maxlen: length of all rows, by default that of the longest.
        dtype: of the result; `object` for strings.
        padding: whether short rows are filled at the beginning (`"pre"`) or end (`"post"`).
        truncating: where long rows are cut.
        value: what they are filled with.

    Returns:
        An array of shape `(len(sequences), maxlen, ...)`.

    Raises:
        ValueError: for what is no list of rows, or rows whose elements differ in shape.

    Example:
        >>> keras.utils.pad_sequences([[1], [2, 3], [4, 5, 6]], maxlen=2)
        array([[0, 1],
               [2, 3],
               [5, 6]], dtype=int32)
    """
    check_choice("`pad_sequences`: ", ("pre", "post"), padding=padding, truncating=truncating)
    if not hasattr(sequences, "__len__"):
        raise ValueError(f"`sequences` must be a list. Received: {type(sequences).__name__}")
    for i, row in enumerate(sequences):
        if not hasattr(row, "__len__"):
            raise ValueError(
                f"`sequences` must hold rows. Received: {row!r:.80} at place {i}. One row is "
                "`[row]`."
            )
    length = max((len(row) for row in sequences), default=0) if maxlen is None else maxlen
    inner = next((np.shape(row)[1:] for row in sequences if len(row)), ())
    takes_strings = np.dtype(dtype).kind in "OU"
    if isinstance(value, str) and not takes_strings:
        raise ValueError(
            f"`pad_sequences` cannot put the string {value!r:.40} into an array of {dtype}. Pass "
            "`dtype=object`."
        )
    found = np.full((len(sequences), length, *inner), value, dtype=dtype)
    for i, row in enumerate(sequences):
        kept = row[max(len(row) - length, 0) :] if truncating == "pre" else row[:length]
        if not len(kept):
            continue
        array = np.asarray(kept, dtype=dtype)
        if array.shape[1:] != inner:
            raise ValueError(
                f"`pad_sequences`: all elements must have the shape {inner}. "
                f"Received: {array.shape[1:]} in row {i}"
            )
        if padding == "post":
            found[i, : len(kept)] = array
        else:
            found[i, length - len(kept) :] = array
    return found
