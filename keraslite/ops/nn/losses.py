"""Cross-entropies and other measures of how two tensors differ, element by element."""

from __future__ import annotations

import math

from keraslite import config
from keraslite.core import dtypes
from keraslite.core.op import Tensor, TensorLike, composite
from keraslite.core.promotion import FLOAT, DtypeRule
from keraslite.core.shapes import Shape, canonical_axis, may_equal, replace_axis
from keraslite.ops import numpy as np
from keraslite.ops.nn.softmax import log_softmax

# The distance from 1 to the next smaller number, where it is more than epsilon.
_STEPS = {"bfloat16": 2.0**-8, "float16": 2.0**-11}


def _clipped(probabilities: Tensor) -> Tensor:
    """Probabilities that are neither 0 nor 1, so that logarithms are finite."""
    least = config.epsilon()
    step = _STEPS.get(dtypes.standardize_dtype(probabilities.dtype), 0.0)
    return np.clip(probabilities, least, 1.0 - max(least, step))


def _equal_shapes(target: Shape, output: Shape) -> None:
    if not may_equal(target, output):
        raise ValueError(
            "`target` and `output` must have the same shape; they have "
            f"{tuple(target)} and {tuple(output)}."
        )


def _binary_shape(target: Shape, output: Shape, from_logits: bool) -> Shape:
    _equal_shapes(target, output)
    return tuple(output)


@composite(_binary_shape, FLOAT, checked=True)
def binary_crossentropy(
    target: TensorLike, output: TensorLike, from_logits: bool = False
) -> Tensor:
    """Cross-entropy of each element: `-(t * log(p) + (1 - t) * log(1 - p))`.

    Args:
        target: true probabilities of the class "one"; often only 0 and 1.
        output: predicted probabilities, or logits; of the shape of `target`.
        from_logits: whether `output` holds logits, `log(p / (1 - p))`.

    Returns:
        Tensor of the shape of `output`.

    Raises:
        ValueError: if the shapes differ.

    Example:
        >>> keras.ops.binary_crossentropy([0.0, 1.0], [0.1, 0.8])
        [0.105, 0.223]
    """
    if from_logits:
        positive, distance = np.maximum(output, 0.0), np.absolute(output)
        return positive - output * target + np.log1p(np.exp(-distance))
    output = _clipped(output)
    others = np.subtract(1.0, target) * np.log1p(-output)
    return -(target * np.log(output) + others)


def _categorical_shape(target: Shape, output: Shape, from_logits: bool, axis: int) -> Shape:
    if not target or not output:
        raise ValueError("`target` and `output` must have at least one axis.")
    _equal_shapes(target, output)
    return replace_axis(output, canonical_axis(axis, len(output)))


def _log_probabilities(output: Tensor, from_logits: bool, axis: int) -> Tensor:
    if from_logits:
        return log_softmax(output, axis)
    return np.log(_clipped(output / np.sum(output, axis, keepdims=True)))


@composite(_categorical_shape, FLOAT, checked=True)
def categorical_crossentropy(
    target: TensorLike, output: TensorLike, from_logits: bool = False, axis: int = -1
) -> Tensor:
    """Cross-entropy of two distributions over classes: `-sum(t * log(p))`.

    Args:
        target: true probabilities along `axis`; often one-hot.
        output: predicted probabilities, or logits; of the shape of `target`. Probabilities
            are divided by their sum.
        from_logits: whether `output` holds logits, whose softmax gives the probabilities.
        axis: the axis of the classes.

    Returns:
        Tensor of the shape of `output` without `axis`.

    Raises:
        ValueError: if the shapes differ.

    Example:
        >>> keras.ops.categorical_crossentropy([[0.0, 1.0]], [[0.2, 0.8]])
        [0.223]
    """
    return -np.sum(target * _log_probabilities(output, from_logits, axis), axis)


def _sparse_shape(target: Shape, output: Shape, from_logits: bool, axis: int) -> Shape:
    if not output:
        raise ValueError("`output` must have at least one axis.")
    expected = replace_axis(output, canonical_axis(axis, len(output)))
    given = tuple(target)
    if len(given) == len(output) and given[-1] in (1, None):
        given = given[:-1]
    if not may_equal(given, expected):
        raise ValueError(
            f"`target` must have the shape {expected}, that of `output` without the classes "
            f"(a last size of 1 may follow); it has {tuple(target)}."
        )
    return expected


# Class numbers must not be rounded to the float of the predictions.
_CLASSES = DtypeRule(dtypes.promote_float, passing=dtypes.FLOATS, apart={"target": "int32"})


@composite(_sparse_shape, _CLASSES, checked=True)
def sparse_categorical_crossentropy(
    target: TensorLike, output: TensorLike, from_logits: bool = False, axis: int = -1
) -> Tensor:
    """Cross-entropy for class numbers: minus the logarithm of the true class's probability.

    Args:
        target: class numbers, of the shape of `output` without `axis`; a last size of 1 may
            follow. The loss of a number outside the classes is zero.
        output: predicted probabilities, or logits. Probabilities are divided by their sum.
        from_logits: whether `output` holds logits, whose softmax gives the probabilities.
        axis: the axis of the classes.

    Returns:
        Tensor of the shape of `output` without `axis`.

    Raises:
        ValueError: if the shapes do not fit.

    Example:
        >>> keras.ops.sparse_categorical_crossentropy([1], [[0.2, 0.8]])
        [0.223]
    """
    if len(target.shape) == len(output.shape):
        target = np.squeeze(target, -1)
    target = np.expand_dims(target, axis)
    known = np.clip(target, 0, output.shape[axis] - 1)
    inside = np.equal(target, known)
    if from_logits:
        picked = np.take_along_axis(log_softmax(output, axis), known, axis)
    else:
        total = np.sum(output, axis, keepdims=True)
        picked = np.log(_clipped(np.take_along_axis(output, known, axis) / total))
    return -np.squeeze(np.where(inside, picked, 0.0), axis)


def _psnr_shape(x1: Shape, x2: Shape, max_val: float) -> Shape:
    if not may_equal(x1, x2):
        raise ValueError(f"`x1` and `x2` must have the same shape; they have {x1} and {x2}.")
    return ()


@composite(_psnr_shape, FLOAT, checked=True)
def psnr(x1: TensorLike, x2: TensorLike, max_val: float) -> Tensor:
    """Peak signal-to-noise ratio in decibels: `10 log10(max_val**2 / mean((x1 - x2)**2))`.

    Args:
        x1: tensor, such as an image.
        x2: tensor of the same shape.
        max_val: the greatest value that elements can have.

    Returns:
        Scalar tensor; infinite for equal arguments.

    Raises:
        ValueError: if the shapes differ.

    Example:
        >>> keras.ops.psnr([0.0, 255.0], [1.0, 254.0], 255)
        48.13
    """
    noise = np.log10(np.mean(np.square(x1 - x2)))
    return np.subtract(20.0 * math.log10(max_val), np.multiply(noise, 10.0))
