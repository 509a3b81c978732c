"""Scaled dot-product attention."""

from __future__ import annotations

import math
from typing import Any

from keraslite import config
from keraslite.backend import engine
from keraslite.core import dtypes
from keraslite.core.op import Tensor, TensorLike, composite
from keraslite.core.promotion import DtypeRule
from keraslite.core.shapes import Shape, broadcast
from keraslite.ops import numpy as np
from keraslite.ops.nn.softmax import softmax

_native = getattr(engine.kernels, "dot_product_attention", None)
_SHORT = ("float16", "bfloat16")


def _scores_shape(query: Shape, key: Shape) -> Shape:
    return (query[0], query[2], query[1], key[1])


def _attention_shape(
    query: Shape,
    key: Shape,
    value: Shape,
    bias: Shape | None,
    mask: Shape | None,
    *options: Any,
) -> Shape:
    if not len(query) == len(key) == len(value) == 4:
        raise ValueError(
            "`query`, `key` and `value` must have four axes (batch, length, heads, size); they "
            f"have the shapes {query}, {key} and {value}."
        )
    heads, groups = query[2], key[2]
    if heads is not None and groups is not None and (groups == 0 or heads % groups):
        raise ValueError(
            f"The {heads} heads of `query` must be a multiple of the {groups} of `key`."
        )
    if None not in (query[3], key[3]) and query[3] != key[3]:
        raise ValueError(
            f"`query` and `key` must have equal last sizes; they have {query[3]} and {key[3]}."
        )
    for i, what in ((0, "batches"), (1, "lengths"), (2, "heads")):
        if None not in (key[i], value[i]) and key[i] != value[i]:
            raise ValueError(f"`key` and `value` have different {what}: {key[i]} and {value[i]}.")
    scores = _scores_shape(query, key)
    for name, shape in (("bias", bias), ("mask", mask)):
        if shape is not None:
            try:
                broadcast(scores, shape)
            except ValueError as error:
                raise ValueError(
                    f"`{name}` must broadcast to (batch, heads, query length, key length), "
                    f"here {scores}; its shape is {tuple(shape)}."
                ) from error
    return (*query[:3], value[3])


_DTYPES = DtypeRule(dtypes.promote_float, passing=dtypes.FLOATS, apart={"mask": "bool"})


@composite(_attention_shape, _DTYPES, native=False, checked=True)
def dot_product_attention(
    query: TensorLike,
    key: TensorLike,
    value: TensorLike,
    bias: TensorLike | None = None,
    mask: TensorLike | None = None,
    scale: float | None = None,
    is_causal: bool = False,
    flash_attention: bool | None = None,
    attn_logits_soft_cap: float | None = None,
) -> Tensor:
    """Means of `value` weighted by `softmax(scale * query @ key^T + bias)`, for each head.

    `key` and `value` may have fewer heads than `query`; groups of query heads then share
    them (grouped-query attention, https://arxiv.org/abs/2305.13245).

    Args:
        query: tensor of shape `(batch, query_length, heads, size)`.
        key: tensor of shape `(batch, key_length, key_heads, size)`.
        value: tensor of shape `(batch, key_length, key_heads, value_size)`.
        bias: added to the scores; broadcasts to `(batch, heads, query_length, key_length)`.
        mask: boolean, True where a query may see a key; broadcasts as `bias` does.
        scale: factor of the scores; None for `1 / sqrt(size)`.
        is_causal: whether position `i` sees positions up to `i` only.
        flash_attention: True to insist on the engine's fused kernel, False to refuse it,
            None for `keras.config.is_flash_attention_enabled()`.
        attn_logits_soft_cap: scores are squeezed to `cap * tanh(scores / cap)`.

    Returns:
        Tensor of shape `(batch, query_length, heads, value_size)`.

    Raises:
        ValueError: for shapes that do not fit.
        NotImplementedError: for `flash_attention=True` where there is no fused kernel.

    Example:
        >>> x = keras.random.normal((2, 5, 4, 8))
        >>> keras.ops.dot_product_attention(x, x, x, is_causal=True).shape
        (2, 5, 4, 8)

    Reference: Vaswani et al., 2017 (https://arxiv.org/abs/1706.03762).
    """
    scale = 1.0 / math.sqrt(query.shape[3]) if scale is None else float(scale)
    flash = config.is_flash_attention_enabled() if flash_attention is None else flash_attention
    if _native is not None and attn_logits_soft_cap is None:
        return _native(query, key, value, bias, mask, scale, is_causal, flash)
    if flash_attention:
        raise engine.unsupported("this form of flash attention")
    return _attention(query, key, value, bias, mask, scale, is_causal, attn_logits_soft_cap)


def _attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    bias: Tensor | None,
    mask: Tensor | None,
    scale: float,
    is_causal: bool,
    soft_cap: float | None,
) -> Tensor:
    dtype = engine.dtype(query)
    sharing = query.shape[2] // key.shape[2]
    if sharing > 1:
        key, value = np.repeat(key, sharing, 2), np.repeat(value, sharing, 2)
    scores = np.einsum("btnh,bsnh->bnts", np.multiply(query, scale), key)
    if dtype in _SHORT:
        scores = engine.cast(scores, "float32")
    if soft_cap is not None:
        scores = np.multiply(np.tanh(np.true_divide(scores, soft_cap)), soft_cap)
    if bias is not None:
        scores = np.add(scores, bias)
    if is_causal:
        _, _, rows, columns = engine.dynamic_shape(scores)
        seen = np.expand_dims(np.arange(rows), 1) >= np.arange(columns)
        mask = seen if mask is None else np.logical_and(mask, seen)
    if mask is not None:
        # Finite, so that a row without any key gives the mean of the values, not NaN.
        scores = np.where(mask, scores, -1e30)
    return np.einsum("bnts,bsnh->btnh", engine.cast(softmax(scores), dtype), value)
