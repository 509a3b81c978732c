"""What a case should give, as one process tells the others."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np


@dataclasses.dataclass
class Slope:
    """How fast the weighted sum of the results grows along one direction, on either side.

    Attributes:
        direction: for each float tensor.
        left, right: the slopes; where they differ there is an edge.
        room: relative error of the slopes.
    """

    direction: list[np.ndarray]
    left: float
    right: float
    room: float


@dataclasses.dataclass
class Expected:
    """What a case should give.

    Attributes:
        values: the results, flat; None if NumPy has none for these arguments.
        why: what NumPy said then.
        dtypes: of the results, as Keras has them; None where Keras does not say.
        slopes: of the results, where a gradient is asked for.
    """

    values: list[np.ndarray] | None = None
    why: str = ""
    dtypes: list[set[str]] | None = None
    slopes: list[Slope] = dataclasses.field(default_factory=list)


def weights(shapes: Sequence[tuple[int, ...]]) -> list[np.ndarray]:
    """What the results are multiplied with before they are summed to one number."""
    return [
        np.random.default_rng(i).uniform(0.5, 1.5, shape).astype("float32").astype("float64")
        for i, shape in enumerate(shapes)
    ]


def finite(values: Sequence[np.ndarray]) -> list[np.ndarray]:
    """The weights, 0 where a value is not finite."""
    found = weights([x.shape for x in values])
    return [np.where(np.isfinite(x), w, 0.0) for x, w in zip(values, found, strict=True)]
