"""Elementwise non-linearities."""

from __future__ import annotations

from keraslite.core import shapes
from keraslite.core.op import Tensor, TensorLike, composite, primitive
from keraslite.core.promotion import FLOAT, KEEP
from keraslite.ops import numpy as np

# Rectifiers ----------------------------------------------------------------------


@primitive(shapes.same, KEEP)
def relu(x: TensorLike) -> Tensor:
    """Rectified linear unit: `max(x, 0)`.

    Args:
        x: tensor of any shape; integers stay integers.

    Returns:
        Tensor of the shape and dtype of `x`.

    Example:
        >>> keras.ops.relu([-1.0, 0.0, 2.0])
        [0., 0., 2.]
    """


@primitive(shapes.same, FLOAT)
def relu6(x: TensorLike) -> Tensor:
    """Rectified linear unit with a ceiling: `min(max(x, 0), 6)`.

    Args:
        x: tensor of any shape.

    Returns:
        Tensor of the shape of `x`.

    Example:
        >>> keras.ops.relu6([-1.0, 3.0, 8.0])
        [0., 3., 6.]
    """


@primitive(shapes.same, FLOAT)
def leaky_relu(x: TensorLike, negative_slope: float = 0.2) -> Tensor:
    """`x` where it is positive, `negative_slope * x` elsewhere.

    Args:
        x: tensor of any shape.
        negative_slope: gradient below zero.

    Returns:
        Tensor of the shape of `x`.

    Example:
        >>> keras.ops.leaky_relu([-1.0, 2.0])
        [-0.2, 2.]
    """


@primitive(shapes.same, FLOAT)
def elu(x: TensorLike, alpha: float = 1.0) -> Tensor:
    """Exponential linear unit: `x` where positive, `alpha * (exp(x) - 1)` elsewhere.

    Args:
        x: tensor of any shape.
        alpha: minus the limit for large negative `x`.

    Returns:
        Tensor of the shape of `x`.

    Example:
        >>> keras.ops.elu([-1.0, 2.0])
        [-0.632, 2.]

    Reference: Clevert et al., 2016 (https://arxiv.org/abs/1511.07289).
    """


@primitive(shapes.same, FLOAT)
def selu(x: TensorLike) -> Tensor:
    """Scaled exponential linear unit: `1.0507 * elu(x, alpha=1.6733)`.

    The constants keep zero mean and unit variance from layer to layer.

    Args:
        x: tensor of any shape.

    Returns:
        Tensor of the shape of `x`.

    Example:
        >>> keras.ops.selu([-1.0, 2.0])
        [-1.111, 2.101]

    Reference: Klambauer et al., 2017 (https://arxiv.org/abs/1706.02515).
    """


@composite(shapes.same, FLOAT)
def celu(x: TensorLike, alpha: float = 1.0) -> Tensor:
    """Continuously differentiable ELU: `max(x, 0) + min(alpha * (exp(x / alpha) - 1), 0)`.

    Args:
        x: tensor of any shape.
        alpha: minus the limit for large negative `x`.

    Returns:
        Tensor of the shape of `x`.

    Example:
        >>> keras.ops.celu([-1.0, 2.0], alpha=2.0)
        [-0.787, 2.]

    Reference: Barron, 2017 (https://arxiv.org/abs/1704.07483).
    """
    low = np.expm1(np.true_divide(np.minimum(x, 0.0), alpha))
    # A sum of a minimum and a maximum would have the slope 2 at 0 on some engine.
    return np.where(np.greater_equal(x, 0.0), x, np.multiply(low, alpha))


@primitive(shapes.same, FLOAT)
def gelu(x: TensorLike, approximate: bool = True) -> Tensor:
    """Gaussian error linear unit: `x` times the standard normal distribution function of `x`.

    Args:
        x: tensor of any shape.
        approximate: use `0.5 x (1 + tanh(sqrt(2 / pi) (x + 0.044715 x**3)))` in place of
            `0.5 x (1 + erf(x / sqrt(2)))`.

    Returns:
        Tensor of the shape of `x`.

    Example:
        >>> keras.ops.gelu([-1.0, 2.0], approximate=False)
        [-0.159, 1.954]

    Reference: Hendrycks and Gimpel, 2016 (https://arxiv.org/abs/1606.08415).
    """


@composite(None, KEEP)
def threshold(x: TensorLike, threshold: float, default_value: float) -> Tensor:
    """`x` where it is greater than `threshold`, `default_value` elsewhere.

    Args:
        x: tensor of any shape.
        threshold: the limit.
        default_value: what replaces values up to the limit.

    Returns:
        Tensor of the shape of `x`.

    Example:
        >>> keras.ops.threshold([0.0, 1.0, 2.0], 1.0, -1.0)
        [-1., -1., 2.]
    """
    return np.where(np.greater(x, threshold), x, default_value)


# Sigmoids ------------------------------------------------------------------------


@primitive(shapes.same, FLOAT)
def sigmoid(x: TensorLike) -> Tensor:
    """Logistic function: `1 / (1 + exp(-x))`.

    Args:
        x: tensor of any shape.

    Returns:
        Tensor of the shape of `x` with values between 0 and 1.

    Example:
        >>> keras.ops.sigmoid([-1.0, 0.0, 1.0])
        [0.269, 0.5, 0.731]
    """


@primitive(shapes.same, FLOAT)
def log_sigmoid(x: TensorLike) -> Tensor:
    """Logarithm of the logistic function, `-softplus(-x)`, without underflow.

    Args:
        x: tensor of any shape.

    Returns:
        Tensor of the shape of `x`.

    Example:
        >>> keras.ops.log_sigmoid([-100.0, 0.0])
        [-100., -0.693]
    """


@composite(shapes.same, FLOAT)
def hard_sigmoid(x: TensorLike) -> Tensor:
    """Piecewise linear approximation of the sigmoid: `relu6(x + 3) / 6`.

    Args:
        x: tensor of any shape.

    Returns:
        Tensor of the shape of `x` with values between 0 and 1.

    Example:
        >>> keras.ops.hard_sigmoid([-3.0, 0.0, 1.5])
        [0., 0.5, 0.75]
    """
    return np.multiply(relu6(np.add(x, 3.0)), 1.0 / 6.0)


@composite(shapes.same, FLOAT)
def sparse_sigmoid(x: TensorLike) -> Tensor:
    """Sigmoid with two flat ends: 0 up to -1, 1 from 1 on, `(x + 1) / 2` between.

    Args:
        x: tensor of any shape.

    Returns:
        Tensor of the shape of `x` with values between 0 and 1.

    Example:
        >>> keras.ops.sparse_sigmoid([-2.0, 0.0, 0.5])
        [0., 0.5, 0.75]

    Reference: Martins and Astudillo, 2016 (https://arxiv.org/abs/1602.02068).
    """
    return np.clip(np.multiply(np.add(x, 1.0), 0.5), 0.0, 1.0)


@primitive(shapes.same, FLOAT)
def silu(x: TensorLike) -> Tensor:
    """Sigmoid linear unit, also called swish: `x * sigmoid(x)`.

    Args:
        x: tensor of any shape.

    Returns:
        Tensor of the shape of `x`.

    Example:
        >>> keras.ops.silu([-1.0, 2.0])
        [-0.269, 1.762]

    Reference: Ramachandran et al., 2017 (https://arxiv.org/abs/1710.05941).
    """


@composite(shapes.same, FLOAT)
def hard_silu(x: TensorLike) -> Tensor:
    """`x * hard_sigmoid(x)`, also called hard swish.

    Args:
        x: tensor of any shape.

    Returns:
        Tensor of the shape of `x`.

    Example:
        >>> keras.ops.hard_silu([-4.0, 1.0, 4.0])
        [0., 0.667, 4.]

    Reference: Howard et al., 2019 (https://arxiv.org/abs/1905.02244).
    """
    return x * hard_sigmoid(x)


swish = silu
hard_swish = hard_silu


def _glu_shape(x: shapes.Shape, axis: int = -1) -> shapes.Shape:
    axis = shapes.canonical_axis(axis, len(x))
    size = x[axis]
    if size is not None and size % 2:
        raise ValueError(f"The size along `axis` must be even; it is {size}.")
    return shapes.replace_axis(x, axis, None if size is None else size // 2)


@composite(_glu_shape, FLOAT)
def glu(x: TensorLike, axis: int = -1) -> Tensor:
    """Gated linear unit: the first half of `x` along `axis` times the sigmoid of the second.

    Args:
        x: tensor with an even size along `axis`.
        axis: the axis to halve.

    Returns:
        Tensor of the shape of `x` with half the size along `axis`.

    Raises:
        ValueError: if the size along `axis` is odd.

    Example:
        >>> keras.ops.glu([1.0, 2.0, 0.0, 0.0])
        [0.5, 1.]

    Reference: Dauphin et al., 2017 (https://arxiv.org/abs/1612.08083).
    """
    values, gates = np.split(x, 2, axis)
    return values * sigmoid(gates)


# Softplus and relatives ----------------------------------------------------------


@primitive(shapes.same, FLOAT)
def softplus(x: TensorLike) -> Tensor:
    """Smooth rectifier: `log(1 + exp(x))`, without overflow.

    Args:
        x: tensor of any shape.

    Returns:
        Tensor of the shape of `x`.

    Example:
        >>> keras.ops.softplus([-1.0, 0.0, 100.0])
        [0.313, 0.693, 100.]
    """


@composite(shapes.same, FLOAT)
def squareplus(x: TensorLike, b: float = 4) -> Tensor:
    """Algebraic smooth rectifier: `(x + sqrt(x**2 + b)) / 2`.

    Args:
        x: tensor of any shape.
        b: smoothness; 0 gives `relu`.

    Returns:
        Tensor of the shape of `x`.

    Example:
        >>> keras.ops.squareplus([-1.0, 0.0, 1.0])
        [0.618, 1., 1.618]

    Reference: Barron, 2021 (https://arxiv.org/abs/2112.11687).
    """
    return np.multiply(x + np.sqrt(np.add(x * x, float(b))), 0.5)


@composite(shapes.same, FLOAT)
def sparse_plus(x: TensorLike) -> Tensor:
    """Rectifier with a quadratic bend: 0 up to -1, `(x + 1)**2 / 4` to 1, then `x`.

    Args:
        x: tensor of any shape.

    Returns:
        Tensor of the shape of `x`.

    Example:
        >>> keras.ops.sparse_plus([-2.0, 0.0, 3.0])
        [0., 0.25, 3.]

    Reference: Martins and Astudillo, 2016 (https://arxiv.org/abs/1602.02068).
    """
    bend = np.multiply(np.add(np.clip(x, -1.0, 1.0), 1.0), 0.5)
    return np.where(np.less(x, 1.0), bend * bend, x)


@primitive(shapes.same, FLOAT)
def softsign(x: TensorLike) -> Tensor:
    """`x / (1 + abs(x))`.

    Args:
        x: tensor of any shape.

    Returns:
        Tensor of the shape of `x` with values between -1 and 1.

    Example:
        >>> keras.ops.softsign([-1.0, 0.0, 3.0])
        [-0.5, 0., 0.75]
    """


# Shrinkage and tanh --------------------------------------------------------------


@composite(shapes.same, FLOAT)
def tanh_shrink(x: TensorLike) -> Tensor:
    """`x - tanh(x)`.

    Args:
        x: tensor of any shape.

    Returns:
        Tensor of the shape of `x`.

    Example:
        >>> keras.ops.tanh_shrink([-1.0, 0.0, 1.0])
        [-0.238, 0., 0.238]
    """
    return x - np.tanh(x)


@composite(shapes.same, FLOAT)
def soft_shrink(x: TensorLike, threshold: float = 0.5) -> Tensor:
    """`x` moved by `threshold` towards zero, and zero between `-threshold` and `threshold`.

    Args:
        x: tensor of any shape.
        threshold: how far values move.

    Returns:
        Tensor of the shape of `x`.

    Example:
        >>> keras.ops.soft_shrink([-2.0, 0.1, 2.0])
        [-1.5, 0., 1.5]
    """
    return x - np.clip(x, -threshold, threshold)


@composite(shapes.same, FLOAT)
def hard_shrink(x: TensorLike, threshold: float = 0.5) -> Tensor:
    """`x`, but zero between `-threshold` and `threshold`.

    Args:
        x: tensor of any shape.
        threshold: values of at most this magnitude become zero.

    Returns:
        Tensor of the shape of `x`.

    Example:
        >>> keras.ops.hard_shrink([-2.0, 0.1, 2.0])
        [-2., 0., 2.]
    """
    return np.where(np.greater(np.absolute(x), threshold), x, 0.0)


@composite(shapes.same, KEEP)
def hard_tanh(x: TensorLike) -> Tensor:
    """`x`, limited to values from -1 to 1.

    Args:
        x: tensor of any shape; integers stay integers.

    Returns:
        Tensor of the shape and dtype of `x`.

    Example:
        >>> keras.ops.hard_tanh([-2.0, 0.5, 2.0])
        [-1., 0.5, 1.]
    """
    return np.clip(x, -1, 1)


@composite(None, FLOAT)
def polar(abs_: TensorLike, angle: TensorLike) -> Tensor:
    """Complex numbers from polar coordinates: `abs_ * (cos(angle) + i sin(angle))`.

    Args:
        abs_: the magnitudes.
        angle: the angles in radians; its shape broadcasts with that of `abs_`.

    Returns:
        Complex tensor.

    Example:
        >>> keras.ops.polar([2.0], [3.14159265 / 2])
        [0. + 2.j]
    """
    return np.add(abs_ * np.cos(angle), np.multiply(abs_ * np.sin(angle), 1j))
