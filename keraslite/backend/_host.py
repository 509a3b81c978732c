"""What several engines have in common: masks, host conversion, errors."""

from __future__ import annotations

import contextlib
import weakref
from collections.abc import Iterator
from typing import Any

import numpy as np

from keraslite.core import tree
from keraslite.core.dtypes import numpy_dtype, promote, weak_name


class MaskTable:
    """Masks of tensors that take no attributes, for as long as the tensor lives."""

    def __init__(self) -> None:
        self._entries: dict[int, tuple[weakref.ref, Any]] = {}

    def get(self, x: Any) -> Any:
        """The mask of `x`, or None."""
        entry = self._entries.get(id(x))
        return entry[1] if entry is not None and entry[0]() is x else None

    def set(self, x: Any, mask: Any) -> None:
        """Attach `mask` to `x`; None takes it away."""
        key = id(x)
        if mask is None:
            self._entries.pop(key, None)
            return
        entries = self._entries

        def forget(ref: weakref.ref) -> None:
            found = entries.get(key)
            if found is not None and found[0] is ref:
                del entries[key]

        entries[key] = (weakref.ref(x, forget), mask)

    @contextlib.contextmanager
    def temporary(self) -> Iterator[None]:
        """Masks attached inside are forgotten at the end.

        For traces: a mask computed from its own tensor would keep that alive for ever.
        """
        before = dict(self._entries)
        try:
            yield
        finally:
            for key, entry in list(self._entries.items()):
                if before.get(key) is not entry:
                    del self._entries[key]

    def clear(self) -> None:
        """Forget all masks."""
        self._entries.clear()

    def __len__(self) -> int:
        return len(self._entries)


def nested_dtype(x: Any) -> str:
    """The standard dtype of a number or a nested list of numbers and arrays.

    Python numbers are weak: alone they give bool, int32 or `floatx`.
    """
    kinds = {getattr(leaf, "dtype", None) or type(leaf) for leaf in tree.flatten(x)}
    try:
        names = [weak_name(kind) for kind in kinds]
    except ValueError as error:
        raise _no_numbers(x) from error
    return promote(*names) if names else weak_name(None)


def _no_numbers(x: Any) -> ValueError:
    return ValueError(
        "A tensor is made from numbers, arrays and nested lists of these. "
        f"Received: {str(x)[:200]!r} of type {type(x).__name__}."
    )


def nested_array(x: Any, dtype: str | None = None) -> np.ndarray:
    """A new NumPy array of a number or a nested list, with the dtype of `nested_dtype`."""
    if dtype is None:
        dtype = nested_dtype(x)
    elif any(leaf is None for leaf in tree.flatten(x)):
        # NumPy would make NaN of it.
        raise _no_numbers(x)
    return np.array(x, dtype=numpy_dtype(dtype))


def no_scalar(received: str) -> ValueError:
    """The error for a gradient of something that is no float scalar."""
    return ValueError(
        f"A gradient is taken of a scalar of a float dtype. Received: {received}. Reduce it first, "
        "for example with `ops.sum`."
    )
