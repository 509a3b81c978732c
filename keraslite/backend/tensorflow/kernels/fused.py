"""Optimizer updates in one op a variable, in place, with Keras's formulas."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import tensorflow as tf

_raw = tf.raw_ops
_Tensor = Any
_Storage = tf.Variable


def fused_sgd(
    params: Sequence[_Storage],
    grads: Sequence[_Tensor],
    momenta: Sequence[_Storage] | None,
    lr: _Tensor | float,
    momentum: float,
    nesterov: bool,
) -> None:
    """`p -= lr * g`, or `m = momentum * m - lr * g; p += m` (with a step ahead: Nesterov)."""
    for i, (p, g) in enumerate(zip(params, grads, strict=True)):
        rate = tf.cast(lr, p.dtype)
        if momenta is None:
            _raw.ResourceApplyGradientDescent(var=p.handle, alpha=rate, delta=g)
        else:
            _raw.ResourceApplyKerasMomentum(
                var=p.handle,
                accum=momenta[i].handle,
                lr=rate,
                grad=g,
                momentum=tf.cast(momentum, p.dtype),
                use_nesterov=nesterov,
            )


def fused_adam(
    params: Sequence[_Storage],
    grads: Sequence[_Tensor],
    m: Sequence[_Storage],
    v: Sequence[_Storage],
    step: _Tensor | int,
    lr: _Tensor | float,
    beta_1: float,
    beta_2: float,
    epsilon: float,
    weight_decay: float | None = None,
) -> None:
    """Adam (https://arxiv.org/abs/1412.6980), decoupled weight decay before it.

    Not for half precision, in which `beta_2` would be 1.
    """
    scalars: dict[tf.DType, dict[str, _Tensor]] = {}
    for p, g, first, second in zip(params, grads, m, v, strict=True):
        if p.dtype not in scalars:
            scalars[p.dtype] = _adam_scalars(p.dtype, step, lr, beta_1, beta_2, epsilon)
        given = scalars[p.dtype]
        if weight_decay:
            decay = given["lr"] * tf.cast(weight_decay, p.dtype)
            _raw.ResourceApplyGradientDescent(var=p.handle, alpha=decay, delta=p.value())
        _raw.ResourceApplyAdam(var=p.handle, m=first.handle, v=second.handle, grad=g, **given)


def _adam_scalars(
    dtype: tf.DType, step: Any, lr: Any, beta_1: float, beta_2: float, epsilon: float
) -> dict[str, _Tensor]:
    step = tf.cast(step, dtype)
    beta1, beta2 = tf.constant(beta_1, dtype), tf.constant(beta_2, dtype)
    return {
        "beta1_power": tf.pow(beta1, step),
        "beta2_power": tf.pow(beta2, step),
        "lr": tf.cast(lr, dtype),
        "beta1": beta1,
        "beta2": beta2,
        "epsilon": tf.constant(epsilon, dtype),
    }
