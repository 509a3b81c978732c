"""Whole numbers without a sign, fitted to the inputs that a weight meets.

Frantar et al., "GPTQ", https://arxiv.org/abs/2210.17323
Lin et al., "AWQ: Activation-aware Weight Quantization", https://arxiv.org/abs/2306.00978

Weights are NumPy matrices of shape `(outputs, inputs)`. What counts is the error of
`weights @ x`, so all that has to be known of the inputs `x` is the sum of `x x^T`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

#: Columns whose errors are handed on to all later ones together, which is one large product.
_CHUNK = 128


@dataclass(frozen=True)
class Fitted:
    """Numbers that stand for a matrix.

    Args:
        numbers: `(outputs, inputs)`.
        scale, zero: `(outputs, groups)`.
        groups: `(inputs,)`, the group of each input.
        inputs_scale: `(inputs,)`, by which columns were multiplied before.
    """

    numbers: np.ndarray
    scale: np.ndarray
    zero: np.ndarray
    groups: np.ndarray
    inputs_scale: np.ndarray

    def matrix(self) -> np.ndarray:
        """The matrix that they stand for."""
        above = self.numbers - self.zero[:, self.groups]
        return above * self.scale[:, self.groups] / self.inputs_scale


@dataclass(frozen=True)
class Grid:
    """The values that numbers of some bits can stand for.

    Args:
        bits: of a number.
        group: how many inputs of an output share a scale and a zero.
        symmetric: whether the zero lies in the middle.
        per_channel: whether each output has a scale of its own.
    """

    bits: int
    group: int
    symmetric: bool = False
    per_channel: bool = True

    def fit(self, block: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Scale and zero, each `(outputs, 1)`, for the columns of a group."""
        # With 0 in the range the zero is one of the numbers, also where all weights have a sign.
        low = np.minimum(block.min(1, keepdims=True), 0.0)
        high = np.maximum(block.max(1, keepdims=True), 0.0)
        if not self.per_channel:
            low, high = np.full_like(low, low.min()), np.full_like(high, high.max())
        if self.symmetric:
            high = np.maximum(-low, high)
            low = -high
        top = 2**self.bits - 1
        scale = (high - low) / top
        scale = np.where(scale == 0, 1.0, scale)
        zero = np.full_like(scale, (top + 1) // 2) if self.symmetric else np.round(-low / scale)
        return scale, zero

    def round(self, x: np.ndarray, scale: np.ndarray, zero: np.ndarray) -> np.ndarray:
        """The numbers that stand for `x`."""
        return np.clip(np.round(x / scale) + zero, 0, 2**self.bits - 1)


def round_to_nearest(matrix: np.ndarray, grid: Grid) -> Fitted:
    """Each weight as the nearest value of its group."""
    starts = range(0, matrix.shape[1], grid.group)
    blocks = [matrix[:, i : i + grid.group] for i in starts]
    fits = [grid.fit(block) for block in blocks]
    numbers = [grid.round(x, *fit) for x, fit in zip(blocks, fits, strict=True)]
    return _fitted(np.concatenate(numbers, 1), fits, grid)


def _fitted(numbers: np.ndarray, fits: list[tuple[np.ndarray, np.ndarray]], grid: Grid) -> Fitted:
    scale, zero = (np.concatenate(parts, 1) for parts in zip(*fits, strict=True))
    inputs = numbers.shape[1]
    return Fitted(numbers, scale, zero, np.arange(inputs) // grid.group, np.ones(inputs))


def compensate(
    matrix: np.ndarray, grid: Grid, gram: np.ndarray, damping: float, by_activation: bool
) -> Fitted:
    """Round column by column; what a column's rounding breaks, later columns mend (GPTQ).

    Args:
        matrix: `(outputs, inputs)` weights.
        grid: what they are rounded to.
        gram: `(inputs, inputs)`, the sum of `x x^T` over the inputs.
        damping: what part of the mean of the diagonal is added to it.
        by_activation: whether the largest inputs' columns come first.

    Raises:
        ValueError: for a `gram` that has no inverse without damping.
    """
    inputs = matrix.shape[1]
    power = np.diag(gram).copy()
    order = np.argsort(-power, kind="stable") if by_activation else np.arange(inputs)
    # An input that was always zero says nothing: its column is rounded on its own.
    gram = gram + np.diag(np.where(power == 0, 1.0, 0.0) + damping * power.mean())
    try:
        inverse = np.linalg.inv(gram[order][:, order])
        # Row i: how the later columns answer to an error in column i.
        factor = np.linalg.cholesky(inverse).T
    except np.linalg.LinAlgError as error:
        raise ValueError(
            "The inputs of calibration leave out directions, so `hessian_damping` must be above 0 "
            f"(or the samples more). Received: hessian_damping={damping}"
        ) from error
    weights = matrix[:, order].astype("float64")
    numbers, fits = np.empty_like(weights), []
    # A group's scale is taken from weights that all earlier errors have reached.
    chunk = _CHUNK if grid.group >= inputs else math.gcd(grid.group, _CHUNK)
    for start in range(0, inputs, chunk):
        stop = min(start + chunk, inputs)
        errors = np.empty((len(weights), stop - start))
        for i in range(start, stop):
            if i % grid.group == 0:
                fits.append(grid.fit(weights[:, i : i + grid.group]))
            scale, zero = fits[-1]
            column = weights[:, i : i + 1]
            number = grid.round(column, scale, zero)
            error = (column - (number - zero) * scale) / factor[i, i]
            weights[:, i + 1 : stop] -= error * factor[i, i + 1 : stop]
            numbers[:, i : i + 1], errors[:, i - start : i - start + 1] = number, error
        weights[:, stop:] -= errors @ factor[start:stop, stop:]
    found, back = _fitted(numbers, fits, grid), np.argsort(order)
    return replace(found, numbers=numbers[:, back], groups=found.groups[back])


def protect(
    matrix: np.ndarray, grid: Grid, gram: np.ndarray, magnitude: np.ndarray, points: int
) -> Fitted:
    """Round after columns of large inputs were made larger, as far as that helps (AWQ).

    Args:
        matrix: `(outputs, inputs)` weights.
        grid: what they are rounded to.
        gram: `(inputs, inputs)`, the sum of `x x^T` over the inputs.
        magnitude: `(inputs,)`, the sum of `|x|`.
        points: how many powers of `magnitude`, from 0 on, are tried as factors.
    """
    magnitude = np.maximum(magnitude, 1e-4 * magnitude.max() or 1.0)

    def attempt(power: float) -> tuple[float, Fitted]:
        factor = magnitude**power
        factor = factor / np.sqrt(factor.max() * factor.min())
        found = replace(round_to_nearest(matrix * factor, grid), inputs_scale=factor)
        error = found.matrix() - matrix
        return float(np.sum(error @ gram * error)), found

    return min((attempt(i / points) for i in range(points)), key=lambda pair: pair[0])[1]


class Seen:
    """What calibration has seen of a layer's inputs: the sums of `x x^T` and of `|x|`."""

    def __init__(self) -> None:
        self.gram: Any = 0.0
        self.magnitude: Any = 0.0

    def add(self, gram: np.ndarray, magnitude: np.ndarray) -> None:
        """See more inputs."""
        self.gram = self.gram + gram.astype("float64")
        self.magnitude = self.magnitude + magnitude.astype("float64")
