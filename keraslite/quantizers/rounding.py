"""Training as if there were fewer bits: values are rounded, gradients pass.

Micikevicius et al., "FP8 Formats for Deep Learning", https://arxiv.org/abs/2209.05433
Jacob et al., "Quantization and Training of Neural Networks for Efficient
Integer-Arithmetic-Only Inference", https://arxiv.org/abs/1712.05877
"""

from __future__ import annotations

from typing import Any

import numpy as np

from keraslite import ops
from keraslite.core import dtypes
from keraslite.core.op import Tensor, TensorLike


def straight_through(x: Any, rounded: Any) -> Any:
    """The value of `rounded` with the gradient of `x`."""
    return ops.add(x, ops.stop_gradient(ops.subtract(rounded, x)))


def largest_of(dtype: str) -> float:
    """The largest finite number of a dtype of eight bits."""
    import ml_dtypes

    return float(ml_dtypes.finfo(np.dtype(dtypes.numpy_dtype(dtype))).max)


def quantize_and_dequantize(
    inputs: TensorLike, scale: TensorLike, quantized_dtype: str, compute_dtype: str
) -> Tensor:
    """`inputs` as the float8 dtype can tell them: `scale * float8(inputs / scale)`.

    Args:
        inputs: floats.
        scale: what one stands for.
        quantized_dtype: `"float8_e4m3fn"` or `"float8_e5m2"`.
        compute_dtype: of the result.
    """
    limit = largest_of(quantized_dtype)
    scale = ops.cast(scale, compute_dtype)
    small = ops.clip(ops.divide(inputs, scale), -limit, limit)
    return ops.multiply(ops.cast(ops.cast(small, quantized_dtype), compute_dtype), scale)


def compute_float8_scale(
    amax: TensorLike, scale: TensorLike, dtype_max: TensorLike, margin: int = 0
) -> Tensor:
    """The scale that lets `amax` just fit: `amax / dtype_max * 2**margin`.

    Args:
        amax: the largest magnitude.
        scale: what stays where `amax` is zero or not finite.
        dtype_max: the largest number of the dtype.
        margin: bits to spare.
    """
    amax = ops.convert_to_tensor(amax)
    usable = ops.logical_and(ops.greater(amax, 0.0), ops.isfinite(amax))
    found = ops.multiply(ops.divide(amax, dtype_max), 2.0**margin)
    return ops.where(usable, found, scale)


def compute_float8_amax_history(x: TensorLike, amax_history: TensorLike) -> Tensor:
    """The last largest magnitudes, that of `x` at the front in the place of the oldest.

    Args:
        x: the newest tensor.
        amax_history: a vector.
    """
    history = ops.convert_to_tensor(amax_history)
    newest = ops.cast(ops.max(ops.abs(x)), ops.dtype(history))
    rolled = ops.roll(history, -1)
    return ops.concatenate([ops.reshape(newest, (1,)), rolled[1:]])


def fake_quant_with_min_max_vars(
    inputs: TensorLike,
    min_vals: TensorLike,
    max_vals: TensorLike,
    num_bits: int = 8,
    narrow_range: bool = False,
    axis: int | None = None,
) -> Tensor:
    """`inputs` as whole numbers of `num_bits` between two ends can tell them.

    Gradients pass to the inputs between the ends, and to the ends beyond them.

    Args:
        inputs: floats.
        min_vals, max_vals: the ends: numbers, or one for each position on `axis`. They are
            moved a little, so that zero is a whole number.
        num_bits: how many bits.
        narrow_range: whether the lowest number is not used.
        axis: that the ends belong to.

    Example:
        >>> keras.quantizers.fake_quant_with_min_max_vars([0.3, 9.0], -1.0, 2.0, num_bits=2)
    """
    x = ops.convert_to_tensor(inputs)
    if axis is None:
        shape: tuple = ()
    else:
        shape = tuple(-1 if i == axis % len(x.shape) else 1 for i in range(len(x.shape)))
    dtype = ops.dtype(x)
    low, high = (ops.convert_to_tensor(v, dtype) for v in (min_vals, max_vals))
    given = low.shape
    first, last = float(narrow_range), float(2**num_bits - 1)

    def compute(x: Any, low: Any, high: Any) -> tuple[Any, Any]:
        low, high = (ops.reshape(v, shape) for v in (low, high))
        step = ops.divide(ops.subtract(high, low), last - first)
        zero = ops.clip(ops.round(ops.subtract(first, ops.divide(low, step))), first, last)
        start = ops.multiply(ops.subtract(first, zero), step)
        end = ops.multiply(ops.subtract(last, zero), step)
        inside = ops.subtract(ops.clip(x, start, end), start)
        count = ops.floor(ops.add(ops.divide(inside, step), 0.5))
        found = ops.add(ops.multiply(count, step), start)

        def gradient(*args: Any, upstream: Any) -> tuple[Any, Any, Any]:
            none = ops.zeros_like(upstream)
            below, above = ops.less(x, start), ops.greater(x, end)
            kept = ops.where(ops.logical_or(below, above), none, upstream)
            return kept, *(
                _sum_to(ops.where(b, upstream, none), axis, given) for b in (below, above)
            )

        return found, gradient

    return ops.custom_gradient(compute)(x, low, high)


def _sum_to(x: Any, axis: int | None, shape: tuple) -> Any:
    """The sum over all axes but `axis`."""
    rank = len(x.shape)
    others = tuple(i for i in range(rank) if axis is None or i != axis % rank)
    return ops.reshape(ops.sum(x, axis=others), shape)
