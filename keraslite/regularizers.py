"""Regularizers: penalties for weights or outputs, added to the loss."""

from __future__ import annotations

import math
import numbers
from typing import Any

from keraslite.core.configurable import Configurable
from keraslite.core.errors import check_choice
from keraslite.core.old_names import add_hints
from keraslite.core.op import Tensor, TensorLike
from keraslite.core.registry import Catalog
from keraslite.ops import nn
from keraslite.ops import numpy as np


class Regularizer(Configurable):
    """Base class: a function from a tensor to a scalar penalty.

    Subclasses define `__call__`.

    Example:
        >>> class Mean(keras.regularizers.Regularizer):
        ...     def __init__(self, factor=0.1):
        ...         self.factor = factor
        ...
        ...     def __call__(self, x):
        ...         return self.factor * keras.ops.mean(keras.ops.square(x))
        >>> layer = keras.layers.Dense(4, kernel_regularizer=Mean())
    """

    def __call__(self, x: TensorLike) -> Tensor:
        """The penalty for `x`.

        Args:
            x: tensor of any shape.

        Returns:
            Scalar tensor.
        """
        return 0.0


def _factor(name: str, value: Any, default: float) -> float:
    if value is None:
        return default
    if not isinstance(value, numbers.Real) or not math.isfinite(value) or value < 0:
        raise ValueError(f"`{name}` must be a non-negative number. Received: {value!r}")
    return float(value)


class L1L2(Regularizer):
    """`l1 * sum(abs(x)) + l2 * sum(x**2)`.

    Args:
        l1: factor of the sum of magnitudes.
        l2: factor of the sum of squares.

    Raises:
        ValueError: for a factor that is no non-negative number.

    Example:
        >>> keras.layers.Dense(4, kernel_regularizer=keras.regularizers.L1L2(1e-5, 1e-4))
    """

    def __init__(self, l1: float = 0.0, l2: float = 0.0) -> None:
        self.l1 = _factor("l1", l1, 0.0)
        self.l2 = _factor("l2", l2, 0.0)

    def __call__(self, x: TensorLike) -> Tensor:
        if not self.l1:
            return _l2(x, self.l2)
        return _l1(x, self.l1) + _l2(x, self.l2) if self.l2 else _l1(x, self.l1)


def _l1(x: TensorLike, factor: float) -> Tensor:
    return np.multiply(np.sum(np.absolute(x)), factor)


def _l2(x: TensorLike, factor: float) -> Tensor:
    return np.multiply(np.sum(np.square(x)), factor)


class L1(Regularizer):
    """`l1 * sum(abs(x))`, which makes weights sparse.

    Args:
        l1: factor of the sum.

    Raises:
        ValueError: if it is no non-negative number.

    Example:
        >>> keras.layers.Dense(4, kernel_regularizer=keras.regularizers.L1(1e-4))
    """

    def __init__(self, l1: float = 0.01) -> None:
        self.l1 = _factor("l1", l1, 0.01)

    def __call__(self, x: TensorLike) -> Tensor:
        return _l1(x, self.l1)


class L2(Regularizer):
    """`l2 * sum(x**2)`, which keeps weights small.

    Args:
        l2: factor of the sum.

    Raises:
        ValueError: if it is no non-negative number.

    Example:
        >>> keras.layers.Dense(4, kernel_regularizer=keras.regularizers.L2(1e-4))
    """

    def __init__(self, l2: float = 0.01) -> None:
        self.l2 = _factor("l2", l2, 0.01)

    def __call__(self, x: TensorLike) -> Tensor:
        return _l2(x, self.l2)


class OrthogonalRegularizer(Regularizer):
    """`factor` times the mean of the absolute cosines between rows, or columns, of a matrix.

    Args:
        factor: of the mean.
        mode: `"rows"` or `"columns"`, whichever shall be orthogonal.

    Raises:
        ValueError: for another mode, or a tensor that is no matrix.

    Example:
        >>> regularizer = keras.regularizers.OrthogonalRegularizer(factor=0.01)
        >>> layer = keras.layers.Dense(4, kernel_regularizer=regularizer)
    """

    def __init__(self, factor: float = 0.01, mode: str = "rows") -> None:
        check_choice(self, ("rows", "columns"), mode=mode)
        self.factor = _factor("factor", factor, 0.01)
        self.mode = mode

    def __call__(self, inputs: TensorLike) -> Tensor:
        if len(inputs.shape) != 2:
            raise ValueError(
                "OrthogonalRegularizer: expected a matrix. Received: a tensor of shape "
                f"{tuple(inputs.shape)}"
            )
        vectors = nn.normalize(inputs if self.mode == "rows" else np.transpose(inputs), axis=1)
        count = vectors.shape[0]
        cosines = np.absolute(np.matmul(vectors, np.transpose(vectors)))
        others = np.where(np.eye(count, dtype="bool"), 0.0, cosines)
        pairs = count * (count - 1)
        return np.multiply(np.sum(others), self.factor / max(pairs, 1))


l1 = L1
l2 = L2
l1_l2 = L1L2
orthogonal_regularizer = OrthogonalRegularizer

CATALOG = Catalog(
    kind="regularizer",
    module="keras.regularizers",
    objects=[L1, L1L2, L2, OrthogonalRegularizer],
    aliases={"l1_l2": L1L2},
    base=Regularizer,
)


def get(identifier: Any) -> Any:
    """The regularizer that `identifier` stands for.

    Args:
        identifier: None, a name, a config, a class, a function or a `Regularizer`.

    Raises:
        ValueError: for an unknown name; says the nearest one.

    Example:
        >>> keras.regularizers.get("l2").l2
        0.01
    """
    return CATALOG.get(identifier)


def serialize(regularizer: Any) -> Any:
    """What configs hold for a regularizer."""
    return CATALOG.serialize(regularizer)


def deserialize(config: Any, custom_objects: dict[str, Any] | None = None) -> Any:
    """The regularizer for what `serialize` gave.

    Args:
        config: a name or a config.
        custom_objects: name -> class that the config may name.

    Raises:
        ValueError: for an unknown name.
    """
    return CATALOG.deserialize(config, custom_objects)


__all__ = [
    "L1",
    "L1L2",
    "L2",
    "OrthogonalRegularizer",
    "Regularizer",
    "deserialize",
    "get",
    "l1",
    "l1_l2",
    "l2",
    "orthogonal_regularizer",
    "serialize",
]
add_hints(__name__)
