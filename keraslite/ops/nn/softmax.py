"""Softmax and its relatives."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from keraslite.backend import engine
from keraslite.core import shapes
from keraslite.core.op import Tensor, TensorLike, composite, kernel
from keraslite.core.promotion import FLOAT
from keraslite.ops import numpy as np

_softmax = kernel("softmax")
_log_softmax = kernel("log_softmax")


def _over_axes(compute: Callable, x: Tensor, axis: int | Sequence[int] | None) -> Tensor:
    """A kernel for one axis, applied to one axis, several or all."""
    rank = len(x.shape)
    if isinstance(axis, int):
        return compute(x, shapes.canonical_axis(axis, rank))
    axes = shapes.canonical_axes(axis, rank)
    order = [i for i in range(rank) if i not in axes] + list(axes)
    moved = engine.kernels.transpose(x, tuple(order))
    sizes = engine.dynamic_shape(moved)
    flat = engine.kernels.reshape(moved, (*sizes[: rank - len(axes)], -1))
    back = engine.kernels.reshape(compute(flat, -1), sizes)
    return engine.kernels.transpose(back, tuple(order.index(i) for i in range(rank)))


def _axes_shape(x: shapes.Shape, axis: int | Sequence[int] | None = -1) -> shapes.Shape:
    shapes.canonical_axes(axis, len(x))
    return tuple(x)


@composite(_axes_shape, FLOAT, native=False)
def softmax(x: TensorLike, axis: int | Sequence[int] | None = -1) -> Tensor:
    """Exponentials divided by their sum: `exp(x) / sum(exp(x))`, without overflow.

    Args:
        x: tensor of at least one axis.
        axis: the axis, or axes, whose values shall sum to one; None for all.

    Returns:
        Tensor of the shape of `x` with values between 0 and 1.

    Raises:
        ValueError: if `x` has no such axis.

    Example:
        >>> keras.ops.softmax([0.0, 0.0])
        [0.5, 0.5]
    """
    return _over_axes(_softmax, x, axis)


@composite(_axes_shape, FLOAT, native=False)
def log_softmax(x: TensorLike, axis: int | Sequence[int] | None = -1) -> Tensor:
    """Logarithm of the softmax: `x - log(sum(exp(x)))`, without overflow.

    Args:
        x: tensor of at least one axis.
        axis: the axis, or axes, whose probabilities sum to one; None for all.

    Returns:
        Tensor of the shape of `x`.

    Raises:
        ValueError: if `x` has no such axis.

    Example:
        >>> keras.ops.log_softmax([0.0, 0.0])
        [-0.693, -0.693]
    """
    return _over_axes(_log_softmax, x, axis)


@composite(_axes_shape, FLOAT)
def sparsemax(x: TensorLike, axis: int = -1) -> Tensor:
    """Euclidean projection of `x` on the probability simplex; many results are exactly zero.

    It is `max(x - tau, 0)` with the `tau` that makes the values sum to one.

    Args:
        x: tensor of at least one axis.
        axis: the axis whose values shall sum to one.

    Returns:
        Tensor of the shape of `x` with values between 0 and 1.

    Example:
        >>> keras.ops.sparsemax([0.5, 0.2, -2.0])
        [0.65, 0.35, 0.]

    Reference: Martins and Astudillo, 2016 (https://arxiv.org/abs/1602.02068).
    """
    scores = np.flip(np.sort(x, axis), axis)
    excess = np.subtract(np.cumsum(scores, axis), 1.0)
    ranks = np.cumsum(np.ones_like(scores), axis)
    # The support is the set of the k largest scores that lie above their common tau.
    supported = np.where(ranks * scores > excess, ranks, 0.0)
    size = np.max(supported, axis, keepdims=True)
    last = np.where(ranks == size, excess, 0.0)
    tau = np.sum(last, axis, keepdims=True) / size
    return np.maximum(x - tau, 0.0)
