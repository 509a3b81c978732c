"""Activations, and statistics of all replicas."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from keraslite.backend.tensorflow import support as s
from keraslite.backend.tensorflow.kernels import reduction as _reduction
from keraslite.backend.tensorflow.kernels import shape as _shape

_raw = tf.raw_ops
_Tensor = Any


def _activation(native: Any) -> Any:
    return lambda x: native(features=x)


relu = _activation(_raw.Relu)
relu6 = _activation(_raw.Relu6)
selu = _activation(_raw.Selu)
softplus = _activation(_raw.Softplus)
softsign = _activation(_raw.Softsign)


def leaky_relu(x: _Tensor, negative_slope: float = 0.2) -> _Tensor:
    return _raw.LeakyRelu(features=x, alpha=float(negative_slope))


def elu(x: _Tensor, alpha: float = 1.0) -> _Tensor:
    found = _raw.Elu(features=x)
    return found if alpha == 1.0 else _raw.SelectV2(condition=x > 0, t=found, e=alpha * found)


def gelu(x: _Tensor, approximate: bool = True) -> _Tensor:
    return tf.nn.gelu(x, approximate)


def silu(x: _Tensor) -> _Tensor:
    return _raw.Mul(x=x, y=_raw.Sigmoid(x=x))


def log_sigmoid(x: _Tensor) -> _Tensor:
    return _raw.Neg(x=_raw.Softplus(features=_raw.Neg(x=x)))


def _along(native: Any) -> Any:
    """`native`, which works on the last axis, along any."""

    def kernel(x: _Tensor, axis: int = -1) -> _Tensor:
        if axis in (-1, s.rank(x) - 1):
            return native(logits=x)
        return _shape.swapaxes(native(logits=_shape.swapaxes(x, axis, -1)), axis, -1)

    return kernel


softmax = _along(_raw.Softmax)
log_softmax = _along(_raw.LogSoftmax)


def synchronized_moments(
    x: _Tensor, axes: tuple[int, ...], keepdims: bool = False
) -> tuple[_Tensor, _Tensor]:
    found = [_reduction.mean(v, axes, keepdims) for v in (x, _raw.Square(x=x))]
    replica = tf.distribute.get_replica_context()
    if replica is not None and replica.num_replicas_in_sync > 1:
        found = replica.all_reduce(tf.distribute.ReduceOp.MEAN, found)
    mean, square = found
    return mean, _raw.Maximum(x=square - _raw.Square(x=mean), y=0.0)
