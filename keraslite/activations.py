"""Activation functions by name: the operations of `keraslite.ops.nn`, and a few of their own."""

from __future__ import annotations

from typing import Any

from keraslite.core.op import Tensor, TensorLike
from keraslite.core.registry import Catalog, exported
from keraslite.ops import nn
from keraslite.ops import numpy as np
from keraslite.ops.nn import (
    celu,
    elu,
    glu,
    hard_shrink,
    hard_sigmoid,
    hard_silu,
    hard_swish,
    hard_tanh,
    leaky_relu,
    log_sigmoid,
    log_softmax,
    relu6,
    selu,
    sigmoid,
    silu,
    soft_shrink,
    softmax,
    softplus,
    softsign,
    sparse_plus,
    sparse_sigmoid,
    sparsemax,
    squareplus,
    swish,
    tanh_shrink,
    threshold,
)
from keraslite.ops.numpy import tanh

__all__ = [
    "celu",
    "deserialize",
    "elu",
    "exponential",
    "gelu",
    "get",
    "glu",
    "hard_shrink",
    "hard_sigmoid",
    "hard_silu",
    "hard_swish",
    "hard_tanh",
    "leaky_relu",
    "linear",
    "log_sigmoid",
    "log_softmax",
    "mish",
    "relu",
    "relu6",
    "selu",
    "serialize",
    "sigmoid",
    "silu",
    "soft_shrink",
    "softmax",
    "softplus",
    "softsign",
    "sparse_plus",
    "sparse_sigmoid",
    "sparsemax",
    "squareplus",
    "swish",
    "tanh",
    "tanh_shrink",
    "threshold",
]


def relu(
    x: TensorLike,
    negative_slope: float = 0.0,
    max_value: float | None = None,
    threshold: float = 0.0,
) -> Tensor:
    """Rectified linear unit, with options for a leak, a ceiling and a threshold.

    The result is `max_value` where `x` reaches it, `x` where it reaches `threshold`, and
    `negative_slope * (x - threshold)` elsewhere.

    Args:
        x: tensor of any shape.
        negative_slope: gradient below the threshold.
        max_value: the greatest result; None for no limit.
        threshold: where `x` begins to pass.

    Returns:
        Tensor of the shape of `x`.

    Example:
        >>> keras.activations.relu([-10.0, 0.5, 20.0], negative_slope=0.1, max_value=5.0)
        [-1., 0.5, 5.]
    """
    if negative_slope == 0.0 and threshold == 0.0:
        if max_value is None:
            return nn.relu(x)
        return relu6(x) if max_value == 6 else np.clip(x, 0.0, max_value)
    if max_value is None and threshold == 0.0:
        return leaky_relu(x, negative_slope)
    below = np.subtract(x, threshold)
    leak = np.multiply(below, negative_slope) if negative_slope else 0.0
    passed = x if max_value is None else np.minimum(x, max_value)
    return np.where(np.greater_equal(x, threshold), passed, leak)


def gelu(x: TensorLike, approximate: bool = False) -> Tensor:
    """Gaussian error linear unit, exact unless `approximate`: see `keras.ops.gelu`.

    Args:
        x: tensor of any shape.
        approximate: use a formula with `tanh` in place of `erf`.

    Returns:
        Tensor of the shape of `x`.

    Example:
        >>> keras.activations.gelu([-1.0, 2.0])
        [-0.159, 1.954]
    """
    return nn.gelu(x, approximate)


def mish(x: TensorLike) -> Tensor:
    """`x * tanh(softplus(x))`.

    Args:
        x: tensor of any shape.

    Returns:
        Tensor of the shape of `x`.

    Example:
        >>> keras.activations.mish([-1.0, 2.0])
        [-0.303, 1.944]

    Reference: Misra, 2019 (https://arxiv.org/abs/1908.08681).
    """
    return np.multiply(x, tanh(softplus(x)))


def exponential(x: TensorLike) -> Tensor:
    """`exp(x)`.

    Args:
        x: tensor of any shape.

    Returns:
        Tensor of the shape of `x`.

    Example:
        >>> keras.activations.exponential([0.0, 1.0])
        [1., 2.718]
    """
    return np.exp(x)


def linear(x: TensorLike) -> Tensor:
    """`x` as it is.

    Args:
        x: anything.

    Returns:
        `x`.
    """
    return x


CATALOG = Catalog(
    kind="activation",
    module="keras.activations",
    objects=exported(globals()),
    aliases={"swish": silu, "hard_swish": hard_silu},
)


def get(identifier: Any) -> Any:
    """The activation that `identifier` stands for.

    Args:
        identifier: None for `linear`, a name, a config, a function or a layer.

    Returns:
        A function of one tensor.

    Raises:
        ValueError: for an unknown name; says the nearest one.

    Example:
        >>> keras.activations.get("relu")
        <function relu at ...>
    """
    return linear if identifier is None else CATALOG.get(identifier)


def serialize(activation: Any) -> Any:
    """What configs hold for an activation: its name, or a config.

    Args:
        activation: a function or a layer.

    Returns:
        A string for a built-in function, else a dict.

    Example:
        >>> keras.activations.serialize(keras.activations.relu)
        'relu'
    """
    return CATALOG.serialize(activation)


def deserialize(config: Any, custom_objects: dict[str, Any] | None = None) -> Any:
    """The activation for what `serialize` gave.

    Args:
        config: a name or a config.
        custom_objects: name -> function or class that the config may name.

    Raises:
        ValueError: for an unknown name.
    """
    return CATALOG.deserialize(config, custom_objects)
