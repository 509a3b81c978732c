"""Constraints: what a weight is changed to after each update, so that it stays in a set."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from keraslite import config
from keraslite.core.configurable import Configurable
from keraslite.core.old_names import add_hints
from keraslite.core.op import Tensor, TensorLike
from keraslite.core.registry import Catalog
from keraslite.ops import numpy as np


class Constraint(Configurable):
    """Base class: a function from a weight to the weight that replaces it.

    Subclasses define `__call__`.

    Example:
        >>> class Bounded(keras.constraints.Constraint):
        ...     def __call__(self, w):
        ...         return keras.ops.clip(w, -1.0, 1.0)
        >>> layer = keras.layers.Dense(4, kernel_constraint=Bounded())
    """

    def __call__(self, w: TensorLike) -> Tensor:
        """The nearest allowed weight.

        Args:
            w: tensor of any shape.

        Returns:
            Tensor of the shape of `w`.
        """
        return w


def _norms(w: TensorLike, axis: int | Sequence[int] | None) -> Tensor:
    axes = tuple(axis) if isinstance(axis, (list, tuple)) else axis
    return np.sqrt(np.sum(np.square(w), axes, keepdims=True))


def _with_norms(w: TensorLike, old: Tensor, new: Tensor) -> Tensor:
    return np.multiply(w, np.divide(new, np.add(old, config.epsilon())))


class MaxNorm(Constraint):
    """Vectors of weights are scaled down to a norm of at most `max_value`.

    Args:
        max_value: the greatest norm.
        axis: the axis or axes that a vector spans: 0 for the inputs of each unit of
            `Dense`, `[0, 1, 2]` for each filter of `Conv2D`.

    Example:
        >>> keras.layers.Dense(4, kernel_constraint=keras.constraints.MaxNorm(2.0))

    Reference: Srivastava et al., 2014 (https://jmlr.org/papers/v15/srivastava14a.html).
    """

    def __init__(self, max_value: float = 2, axis: int | Sequence[int] = 0) -> None:
        self.max_value = max_value
        self.axis = axis

    def __call__(self, w: TensorLike) -> Tensor:
        norms = _norms(w, self.axis)
        return _with_norms(w, norms, np.clip(norms, 0.0, self.max_value))


class NonNeg(Constraint):
    """Negative weights become zero.

    Example:
        >>> keras.layers.Dense(4, kernel_constraint=keras.constraints.NonNeg())
    """

    def __call__(self, w: TensorLike) -> Tensor:
        return np.maximum(w, 0.0)


class UnitNorm(Constraint):
    """Vectors of weights are scaled to a norm of one.

    Args:
        axis: as in `MaxNorm`.

    Example:
        >>> keras.layers.Dense(4, kernel_constraint=keras.constraints.UnitNorm())
    """

    def __init__(self, axis: int | Sequence[int] = 0) -> None:
        self.axis = axis

    def __call__(self, w: TensorLike) -> Tensor:
        return np.divide(w, np.add(_norms(w, self.axis), config.epsilon()))


class MinMaxNorm(Constraint):
    """Vectors of weights are scaled, or partly so, to a norm between two bounds.

    Args:
        min_value: the least norm.
        max_value: the greatest norm.
        rate: how far norms move to their bound at each step; 1 for all the way.
        axis: as in `MaxNorm`.

    Example:
        >>> constraint = keras.constraints.MinMaxNorm(0.5, 2.0, rate=0.9)
    """

    def __init__(
        self,
        min_value: float = 0.0,
        max_value: float = 1.0,
        rate: float = 1.0,
        axis: int | Sequence[int] = 0,
    ) -> None:
        self.min_value = min_value
        self.max_value = max_value
        self.rate = rate
        self.axis = axis

    def __call__(self, w: TensorLike) -> Tensor:
        norms = _norms(w, self.axis)
        bounded = np.clip(norms, self.min_value, self.max_value)
        kept = np.multiply(norms, 1.0 - self.rate)
        return _with_norms(w, norms, np.multiply(bounded, self.rate) + kept)


max_norm = MaxNorm
non_neg = NonNeg
unit_norm = UnitNorm
min_max_norm = MinMaxNorm

CATALOG = Catalog(
    kind="constraint",
    module="keras.constraints",
    objects=[MaxNorm, MinMaxNorm, NonNeg, UnitNorm],
    base=Constraint,
)


def get(identifier: Any) -> Any:
    """The constraint that `identifier` stands for.

    Args:
        identifier: None, a name, a config, a class, a function or a `Constraint`.

    Raises:
        ValueError: for an unknown name; says the nearest one.

    Example:
        >>> keras.constraints.get("max_norm").max_value
        2
    """
    return CATALOG.get(identifier)


def serialize(constraint: Any) -> Any:
    """What configs hold for a constraint."""
    return CATALOG.serialize(constraint)


def deserialize(config: Any, custom_objects: dict[str, Any] | None = None) -> Any:
    """The constraint for what `serialize` gave.

    Args:
        config: a name or a config.
        custom_objects: name -> class that the config may name.

    Raises:
        ValueError: for an unknown name.
    """
    return CATALOG.deserialize(config, custom_objects)


__all__ = [
    "Constraint",
    "MaxNorm",
    "MinMaxNorm",
    "NonNeg",
    "UnitNorm",
    "deserialize",
    "get",
    "max_norm",
    "min_max_norm",
    "non_neg",
    "serialize",
    "unit_norm",
]
add_hints(__name__)
