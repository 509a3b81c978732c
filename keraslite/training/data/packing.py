"""Batches as tuples: `(x,)`, `(x, y)` or `(x, y, sample_weight)`."""

from __future__ import annotations

from typing import Any

from keraslite.core.errors import describe


def unpack_x_y_sample_weight(data: Any) -> tuple[Any, Any, Any]:
    """Inputs, targets and sample weights of a batch, None for what it does not have.

    Args:
        data: what `train_step` gets: `(x,)`, `(x, y)`, `(x, y, sample_weight)` or `x`.

    Raises:
        ValueError: for a tuple of another length.

    Example:
        >>> unpack_x_y_sample_weight((1, 2))
        (1, 2, None)
    """
    if not isinstance(data, (list, tuple)):
        return data, None, None
    if not 1 <= len(data) <= 3:
        raise ValueError(
            f"A batch must be (x,), (x, y) or (x, y, sample_weight). Received: {describe(data)}"
        )
    return (*data, None, None)[:3]


def pack_x_y_sample_weight(x: Any, y: Any = None, sample_weight: Any = None) -> Any:
    """The batch that `unpack_x_y_sample_weight` takes apart.

    Returns:
        `(x, y, sample_weight)` or `(x, y)`; without `y` just `x`, as `(x,)` if it is a list or
        tuple itself.

    Example:
        >>> pack_x_y_sample_weight(1, 2)
        (1, 2)
    """
    if y is None and sample_weight is None:
        return (x,) if isinstance(x, (list, tuple)) else x
    return (x, y) if sample_weight is None else (x, y, sample_weight)
