"""`device`: where tensors are made."""

from __future__ import annotations

import contextlib
from typing import Any

from keraslite.backend import engine


def device(device_name: str) -> contextlib.AbstractContextManager[Any]:
    """A scope whose tensors and computations live on one device.

    Args:
        device_name: such as `"cpu:0"` or `"gpu:1"`.

    Raises:
        ValueError: if there is no such device.

    Example:
        >>> with keras.device("cpu:0"):
        ...     x = keras.ops.ones((2, 2))
    """
    if not isinstance(device_name, str):
        raise ValueError(
            f"`device_name` must be a string such as 'cpu:0'. Received: {device_name!r}"
        )
    name = device_name.lower()
    return engine.device_scope(name if ":" in name else f"{name}:0")
