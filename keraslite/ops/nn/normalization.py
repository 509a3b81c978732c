"""Normalization by mean and variance, by root mean square and by vector norm."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from keraslite import config
from keraslite.backend import engine
from keraslite.core import shapes
from keraslite.core.errors import unexpected_arguments
from keraslite.core.op import Tensor, TensorLike, composite, kernel
from keraslite.core.promotion import FLOAT
from keraslite.core.shapes import Shape, canonical_axes, canonical_axis
from keraslite.ops import numpy as np

_SHORT = ("float16", "bfloat16")
_GREATEST_HALF = 65504.0
_rsqrt = kernel("rsqrt")


def _wide(x: Tensor) -> tuple[Tensor, str | None]:
    """`x` with at least 32 bits, and the dtype to return to. Squares overflow in float16."""
    name = engine.dtype(x)
    return (engine.cast(x, "float32"), name) if name in _SHORT else (x, None)


def _narrow(x: Tensor, dtype: str | None) -> Tensor:
    return x if dtype is None else engine.cast(x, dtype)


def _moments(x: Tensor, axes: tuple[int, ...], keepdims: bool) -> tuple[Tensor, Tensor]:
    mean = np.mean(x, axes, keepdims=True)
    variance = np.mean(np.square(x - mean), axes, keepdims=keepdims)
    return (mean if keepdims else np.squeeze(mean, axes)), variance


_native_moments = kernel("moments", _moments)


def _moments_shape(
    x: Shape, axes: int | Sequence[int], keepdims: bool = False, synchronized: bool = False
) -> tuple[Shape, Shape]:
    return (shapes.reduce(x, axes, keepdims),) * 2


@composite(_moments_shape, FLOAT, native=False)
def moments(
    x: TensorLike,
    axes: int | Sequence[int],
    keepdims: bool = False,
    synchronized: bool = False,
) -> tuple[Tensor, Tensor]:
    """Mean and variance over some axes.

    Half precision is computed in float32; a variance too great for float16 becomes its
    greatest finite number.

    Args:
        x: tensor of any shape.
        axes: the axes to reduce.
        keepdims: whether reduced axes stay, with a size of 1.
        synchronized: whether replicas of the computation share their statistics.

    Returns:
        `(mean, variance)`, two tensors.

    Raises:
        ValueError: if `x` has no such axis.
        NotImplementedError: for `synchronized=True` on an engine without replicas.

    Example:
        >>> keras.ops.moments([1.0, 3.0], axes=0)
        (2., 1.)
    """
    axes = canonical_axes(axes, len(x.shape))
    wide, dtype = _wide(x)
    compute = kernel("synchronized_moments") if synchronized else _native_moments
    found = compute(wide, axes, keepdims)
    if dtype == "float16":
        found = tuple(np.clip(m, -_GREATEST_HALF, _GREATEST_HALF) for m in found)
    return tuple(_narrow(m, dtype) for m in found)


def along(x: Tensor, axes: tuple[int, ...], parameter: Tensor) -> Tensor:
    """A parameter with the sizes of `x` along `axes`, shaped to broadcast against `x`."""
    rank = len(x.shape)
    if axes == tuple(range(rank - len(axes), rank)):
        return parameter
    order = sorted(range(len(axes)), key=axes.__getitem__)
    moved = np.transpose(parameter, order) if order != sorted(order) else parameter
    sizes = [1] * rank
    for axis in axes:
        sizes[axis] = x.shape[axis]
    return np.reshape(moved, sizes)


def _check_parameters(x: Shape, axes: tuple[int, ...], **parameters: Shape | None) -> None:
    expected = tuple(x[a] for a in axes)
    for name, shape in parameters.items():
        if shape is None:
            continue
        try:
            fits = shapes.broadcast(expected, shape) == expected and len(shape) <= len(expected)
        except ValueError:
            fits = False
        if not fits and None not in expected:
            raise ValueError(
                f"`{name}` must have the shape {expected} of the normalized axes of `x`; it has "
                f"{tuple(shape)}."
            )


def _batch_shape(
    x: Shape,
    mean: Shape,
    variance: Shape,
    axis: int,
    offset: Shape | None,
    scale: Shape | None,
    *options: Any,
) -> Shape:
    axes = (canonical_axis(axis, len(x)),)
    _check_parameters(x, axes, mean=mean, variance=variance, offset=offset, scale=scale)
    return tuple(x)


@composite(_batch_shape, FLOAT)
def batch_normalization(
    x: TensorLike,
    mean: TensorLike,
    variance: TensorLike,
    axis: int,
    offset: TensorLike | None = None,
    scale: TensorLike | None = None,
    epsilon: float = 1e-3,
) -> Tensor:
    """`(x - mean) / sqrt(variance + epsilon) * scale + offset`, along one axis.

    Args:
        x: tensor of any shape.
        mean: tensor with one number for each position along `axis`.
        variance: tensor of the shape of `mean`.
        axis: the axis of the features.
        offset: tensor of the shape of `mean`, or None for 0.
        scale: tensor of the shape of `mean`, or None for 1.
        epsilon: added to the variance.

    Returns:
        Tensor of the shape of `x`.

    Raises:
        ValueError: if a parameter does not have the size of `x` along `axis`.

    Example:
        >>> keras.ops.batch_normalization([[1.0], [3.0]], [2.0], [1.0], axis=-1)
        [[-0.9995], [0.9995]]

    Reference: Ioffe and Szegedy, 2015 (https://arxiv.org/abs/1502.03167).
    """
    axes = (canonical_axis(axis, len(x.shape)),)
    factor = _rsqrt(np.add(variance, epsilon))
    if scale is not None:
        factor = factor * scale
    shift = -mean * factor
    if offset is not None:
        shift = shift + offset
    return x * along(x, axes, factor) + along(x, axes, shift)


def _scaled_shape(
    x: Shape, gamma: Shape | None, beta: Shape | None, axis: Any, epsilon: float | None
) -> Shape:
    _check_parameters(x, canonical_axes(axis, len(x)), gamma=gamma, beta=beta)
    return tuple(x)


def _shared_layer_normalization(
    x: Tensor, gamma: Tensor | None, beta: Tensor | None, axes: tuple[int, ...], epsilon: float
) -> Tensor:
    wide, dtype = _wide(x)
    mean, variance = _native_moments(wide, axes, True)
    found = _narrow((wide - mean) * _rsqrt(np.add(variance, epsilon)), dtype)
    if gamma is not None:
        found = found * along(x, axes, gamma)
    return found if beta is None else found + along(x, axes, beta)


_native_layer_normalization = kernel("layer_normalization", _shared_layer_normalization)


def _epsilon(epsilon: float | None) -> float:
    return config.epsilon() if epsilon is None else epsilon


@composite(_scaled_shape, FLOAT, native=False)
def _layer_normalization(
    x: TensorLike,
    gamma: TensorLike | None = None,
    beta: TensorLike | None = None,
    axis: int | Sequence[int] = -1,
    epsilon: float | None = None,
) -> Tensor:
    axes = canonical_axes(axis, len(x.shape))
    return _native_layer_normalization(x, gamma, beta, axes, _epsilon(epsilon))


def layer_normalization(
    x: TensorLike,
    gamma: TensorLike | None = None,
    beta: TensorLike | None = None,
    axis: int | Sequence[int] = -1,
    epsilon: float | None = None,
    **kwargs: Any,
) -> Tensor:
    """`(x - mean) / sqrt(variance + epsilon) * gamma + beta`, with statistics of `x` itself.

    Args:
        x: tensor of any shape; half precision is normalized in float32.
        gamma: tensor with the sizes of `x` along `axis`, or None for 1.
        beta: tensor of the shape of `gamma`, or None for 0.
        axis: the axis or axes over which mean and variance are taken.
        epsilon: added to the variance; None for `keras.config.epsilon()`.

    Returns:
        Tensor of the shape of `x`.

    Raises:
        ValueError: if a parameter does not have the sizes of `x` along `axis`.

    Example:
        >>> keras.ops.layer_normalization([[1.0, 3.0]])
        [[-1., 1.]]

    Reference: Ba et al., 2016 (https://arxiv.org/abs/1607.06450).
    """
    if kwargs:
        raise unexpected_arguments(
            "ops.layer_normalization", kwargs, ["x", "gamma", "beta", "axis", "epsilon"]
        )
    return _layer_normalization(x, gamma, beta, axis, epsilon)


def _rms_shape(x: Shape, scale: Shape | None, axis: Any, epsilon: float | None) -> Shape:
    _check_parameters(x, canonical_axes(axis, len(x)), scale=scale)
    return tuple(x)


def _rms_normalization(
    x: Tensor, scale: Tensor | None, axes: tuple[int, ...], epsilon: float
) -> Tensor:
    wide, dtype = _wide(x)
    power = np.mean(np.square(wide), axes, keepdims=True)
    found = _narrow(wide * _rsqrt(np.add(power, epsilon)), dtype)
    return found if scale is None else found * along(x, axes, scale)


_native_rms_normalization = kernel("rms_normalization", _rms_normalization)


@composite(_rms_shape, FLOAT, native=False)
def rms_normalization(
    x: TensorLike,
    scale: TensorLike | None = None,
    axis: int | Sequence[int] = -1,
    epsilon: float | None = None,
) -> Tensor:
    """`x / sqrt(mean(x**2) + epsilon) * scale`.

    Args:
        x: tensor of any shape; half precision is normalized in float32.
        scale: tensor with the sizes of `x` along `axis`, or None for 1.
        axis: the axis or axes over which the mean is taken.
        epsilon: added to the mean square; None for `keras.config.epsilon()`.

    Returns:
        Tensor of the shape of `x`.

    Raises:
        ValueError: if `scale` does not have the sizes of `x` along `axis`.

    Example:
        >>> keras.ops.rms_normalization([[3.0, 4.0]])
        [[0.849, 1.131]]

    Reference: Zhang and Sennrich, 2019 (https://arxiv.org/abs/1910.07467).
    """
    axes = canonical_axes(axis, len(x.shape))
    return _native_rms_normalization(x, scale, axes, _epsilon(epsilon))


def _normalize_shape(
    x: Shape, axis: int | Sequence[int] | None, order: int, epsilon: float | None
) -> Shape:
    canonical_axes(axis, len(x))
    if not isinstance(order, int) or order < 1:
        raise ValueError(f"`order` must be an integer of at least 1; it is {order!r}.")
    return tuple(x)


@composite(_normalize_shape, FLOAT, checked=True)
def normalize(
    x: TensorLike,
    axis: int | Sequence[int] | None = -1,
    order: int = 2,
    epsilon: float | None = None,
) -> Tensor:
    """`x` divided by its norm, `sum(abs(x)**order) ** (1 / order)`, or by `epsilon` if greater.

    Args:
        x: tensor of any shape.
        axis: the axis or axes of the vectors; None for all.
        order: of the norm, an integer of at least 1.
        epsilon: least divisor; None for `keras.config.epsilon()`.

    Returns:
        Tensor of the shape of `x`.

    Raises:
        ValueError: for another `order`.

    Example:
        >>> keras.ops.normalize([[3.0, 4.0]])
        [[0.6, 0.8]]
    """
    least = _epsilon(epsilon)
    axes = canonical_axes(axis, len(x.shape))
    if order == 2:
        # Bounding the square keeps the gradient at zero finite.
        return x * _rsqrt(np.maximum(np.sum(np.square(x), axes, keepdims=True), least**2))
    size = np.absolute(x)
    if order == 1:
        norm = np.sum(size, axes, keepdims=True)
    else:
        norm = np.power(np.sum(np.power(size, order), axes, keepdims=True), 1.0 / order)
    return x / np.maximum(norm, least)
