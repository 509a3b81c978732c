"""Rows of the op table for neural networks: activations, windows, normalization, losses."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from keraslite.testing.oracle import oracle
from keraslite.testing.table import FLOATS, Fixed, Row

_rng = np.random.default_rng(11)


def _sample(*shape: int) -> np.ndarray:
    return _rng.uniform(-3, 3, shape)


X = _sample(3, 4)
CUBE = _sample(2, 3, 4)
SEQUENCE, IMAGE, VOLUME = _sample(2, 9, 4), _sample(2, 9, 8, 4), _sample(1, 5, 6, 5, 4)
PROBABILITIES = _rng.dirichlet(np.ones(4), 3)
TARGETS = _rng.dirichlet(np.ones(4), 3)
LABELS = Fixed(np.array([0, 3, 1], "int32"))
FEATURES = _rng.uniform(0.5, 2, (4,))
QUERY, KEYS, VALUES = _sample(2, 3, 4, 8) / 3, _sample(2, 5, 4, 8) / 3, _sample(2, 5, 4, 8) / 3


def _sigmoid(x: Any) -> Any:
    return 1 / (1 + np.exp(-x))


def _softmax(x: Any, axis: Any = -1) -> Any:
    e = np.exp(x - np.max(x, axis, keepdims=True))
    return e / np.sum(e, axis, keepdims=True)


def _gelu(x: Any, approximate: bool = True) -> Any:
    if approximate:
        return x / 2 * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3)))
    return x / 2 * (1 + np.vectorize(math.erf)(x / np.sqrt(2)))


def _elu(x: Any, alpha: float = 1.0) -> Any:
    return np.where(x > 0, x, alpha * np.expm1(x))


def _sparsemax(x: Any, axis: int = -1) -> Any:
    """The threshold by bisection."""
    low, high = np.min(x, axis, keepdims=True) - 1.0, np.max(x, axis, keepdims=True)
    for _ in range(60):
        middle = (low + high) / 2
        enough = np.sum(np.maximum(x - middle, 0), axis, keepdims=True) > 1
        low, high = np.where(enough, middle, low), np.where(enough, high, middle)
    return np.maximum(x - low, 0)


_ACTIVATIONS: list[tuple[str, Callable[..., Any], dict[str, Any]]] = [
    ("relu6", lambda x: np.clip(x, 0, 6), {}),
    ("leaky_relu", lambda x, negative_slope=0.2: np.where(x > 0, x, negative_slope * x), {}),
    ("leaky_relu", lambda x, negative_slope: np.where(x > 0, x, 0.5 * x), {"negative_slope": 0.5}),
    ("elu", _elu, {}),
    ("elu", _elu, {"alpha": 0.5}),
    ("selu", lambda x: 1.0507009873554805 * _elu(x, 1.6732632423543772), {}),
    ("celu", lambda x, alpha: np.where(x > 0, x, alpha * np.expm1(x / alpha)), {"alpha": 2.0}),
    ("gelu", _gelu, {}),
    ("gelu", _gelu, {"approximate": False}),
    ("sigmoid", _sigmoid, {}),
    ("log_sigmoid", lambda x: np.log(_sigmoid(x)), {}),
    ("hard_sigmoid", lambda x: np.clip(x / 6 + 0.5, 0, 1), {}),
    ("sparse_sigmoid", lambda x: np.clip(x / 2 + 0.5, 0, 1), {}),
    ("silu", lambda x: x * _sigmoid(x), {}),
    ("hard_silu", lambda x: x * np.clip(x / 6 + 0.5, 0, 1), {}),
    ("glu", lambda x: x[..., :2] * _sigmoid(x[..., 2:]), {}),
    ("softplus", lambda x: np.log1p(np.exp(x)), {}),
    ("squareplus", lambda x: (x + np.sqrt(x**2 + 4)) / 2, {}),
    ("sparse_plus", lambda x: np.where(x < -1, 0, np.where(x > 1, x, (x + 1) ** 2 / 4)), {}),
    ("softsign", lambda x: x / (1 + np.abs(x)), {}),
    ("tanh_shrink", lambda x: x - np.tanh(x), {}),
    ("soft_shrink", lambda x: np.sign(x) * np.maximum(np.abs(x) - 0.5, 0), {}),
    ("hard_shrink", lambda x: np.where(np.abs(x) > 0.5, x, 0), {}),
    ("hard_tanh", lambda x: np.clip(x, -1, 1), {}),
    ("softmax", _softmax, {}),
    ("softmax", _softmax, {"axis": (0, 1)}),
    ("softmax", _softmax, {"axis": None}),
    ("log_softmax", lambda x, axis=-1: np.log(_softmax(x, axis)), {}),
    ("log_softmax", lambda x, axis: np.log(_softmax(x, axis)), {"axis": 0}),
    ("sparsemax", _sparsemax, {}),
    ("sparsemax", _sparsemax, {"axis": 0}),
]

ACTIVATIONS = [
    *(
        Row(name, [X], reference, options, dtypes=FLOATS, gradient=True, loose=2,
            label=str(next(iter(options.values()), "")))
        for name, reference, options in _ACTIVATIONS
    ),
    Row("relu", [X], lambda x: np.maximum(x, 0), dtypes=(*FLOATS, "int32", "uint8"), gradient=True),
    Row("threshold", [X, 0.5, -1.0], lambda x, t, v: np.where(x > t, x, v), dtypes=FLOATS),
    # Far from zero nothing overflows or vanishes.
    *(
        Row(name, [np.array([-200.0, 200.0])], reference, label="far")
        for name, reference in (
            ("softplus", lambda x: np.maximum(x, 0)),
            ("log_sigmoid", lambda x: np.minimum(x, 0)),
            ("softmax", lambda x: np.array([0.0, 1.0])),
            ("log_softmax", lambda x: np.array([-400.0, 0.0])),
            ("silu", lambda x: np.maximum(x, 0)),
            ("elu", lambda x: np.array([-1.0, 200.0])),
        )
    ),
    Row("polar", [np.abs(X), X], lambda r, a: r * np.exp(1j * a),
        xfail={"complex": "no complex numbers"}),
]  # fmt: skip


def _windows(name: str, image: np.ndarray, kernel: np.ndarray, gradient: bool) -> list[Row]:
    rank = image.ndim - 2
    options = [
        {},
        {"padding": "same"},
        {"strides": 2, "padding": "same"},
        {"dilation_rate": 2},
        {"strides": (3, 2, 1)[:rank]},
    ]
    return [
        Row(name, [image, kernel], oracle(name), each, loose=10,
            label="-".join(map(str, [rank, *each.values()])),
            gradient=gradient and each in options[:3])
        for each in options
    ]  # fmt: skip


CONVOLUTIONS = [
    *_windows("conv", SEQUENCE, _sample(3, 4, 6), True),
    *_windows("conv", IMAGE, _sample(3, 2, 4, 6), True),
    *_windows("conv", VOLUME, _sample(2, 2, 1, 4, 3), False),
    *_windows("depthwise_conv", SEQUENCE, _sample(3, 4, 2), False),
    *(r for r in _windows("depthwise_conv", IMAGE, _sample(3, 2, 4, 2), True)
      if r.kwargs != {"strides": (3, 2)}),
    *(Row(name, [IMAGE, kernel], oracle(name), {"strides": strides, "padding": padding},
          label=f"{strides}-{padding}", loose=10, gradient=strides == 2)
      for name, kernel in (("conv_transpose", _sample(3, 4, 5, 4)),)
      for strides in (1, 2, 3) for padding in ("valid", "same")),
    Row("conv_transpose", [IMAGE, _sample(3, 4, 5, 4)], oracle("conv_transpose"),
        {"strides": 2, "padding": "same", "output_padding": 1}, label="more", loose=10),
    Row("conv_transpose", [SEQUENCE, _sample(3, 5, 4)], oracle("conv_transpose"),
        {"dilation_rate": 2}, label="dilated", loose=10),
    Row("conv", [IMAGE, _sample(3, 2, 2, 6)], oracle("conv"), label="groups", loose=10),
    Row("conv", [np.moveaxis(IMAGE, -1, 1), _sample(3, 2, 4, 6)],
        lambda x, k, data_format: np.moveaxis(oracle("conv")(np.moveaxis(x, 1, -1), k), -1, 1),
        {"data_format": "channels_first"}, label="first", loose=10),
    Row("separable_conv", [IMAGE, _sample(3, 2, 4, 2), _sample(1, 1, 8, 5)],
        oracle("separable_conv"), {"padding": "same"}, loose=20, gradient=True, label="same"),
    *(Row(name, [x, 2], oracle(name), {"strides": strides, "padding": padding},
          label=f"{x.ndim}-{strides}-{padding}", gradient=strides == 2)
      for name in ("max_pool", "average_pool") for x in (SEQUENCE, IMAGE, VOLUME)
      for strides in (1, 2) for padding in ("valid", "same")),
    Row("max_pool", [np.moveaxis(IMAGE, -1, 1), (2, 3)],
        lambda x, size, data_format: np.max(x[..., :8, :6].reshape(2, 4, 4, 2, 2, 3), (3, 5)),
        {"data_format": "channels_first"}, label="first", dtypes=("float32", "int32")),
    # What `same` pads does not count: the last window holds one row only.
    Row("average_pool", [np.ones((1, 3, 1)), 2], lambda x, size, padding: np.ones((1, 2, 1)),
        {"padding": "same"}, label="edge"),
]  # fmt: skip


def _moments(x: Any, axes: Any, keepdims: bool = False) -> Any:
    axes = tuple(axes) if isinstance(axes, list) else axes
    return np.mean(x, axes, keepdims=keepdims), np.var(x, axes, keepdims=keepdims)


def _layer_normalization(
    x: Any, gamma: Any = 1, beta: Any = 0, axis: Any = -1, epsilon: float = 1e-7
) -> Any:
    mean, variance = _moments(x, axis, True)
    return (x - mean) / np.sqrt(variance + epsilon) * gamma + beta


def _normalize(x: Any, axis: Any = -1, order: int = 2) -> Any:
    return x / np.sum(np.abs(x) ** order, axis, keepdims=True) ** (1 / order)


NORMALIZATION = [
    Row("moments", [CUBE, [0, 2]], _moments, gradient=True),
    Row("moments", [CUBE, -1], _moments, {"keepdims": True}, label="keep", dtypes=FLOATS),
    Row("moments", [np.array([1e4, 1.0001e4, 1.0002e4]), 0], _moments, label="offset", loose=1e3),
    Row("layer_normalization", [X], _layer_normalization, dtypes=FLOATS, loose=4, gradient=True),
    Row("layer_normalization", [X, FEATURES, FEATURES], _layer_normalization,
        label="parameters", dtypes=FLOATS, loose=4, gradient=True),
    Row("layer_normalization", [CUBE, X, X], _layer_normalization, {"axis": (1, 2)}, label="two",
        loose=4),
    Row("layer_normalization", [CUBE, CUBE[:, 0]],
        lambda x, gamma, axis: _layer_normalization(x, gamma[:, None], axis=axis),
        {"axis": (0, 2)}, label="apart", loose=4),
    Row("rms_normalization", [X], lambda x: x / np.sqrt(np.mean(x**2, -1, keepdims=True)),
        dtypes=FLOATS, loose=4, gradient=True),
    Row("rms_normalization", [X, FEATURES],
        lambda x, s: s * x / np.sqrt(np.mean(x**2, -1, keepdims=True)), label="scale",
        gradient=True),
    Row("rms_normalization", [X, FEATURES[:3]],
        lambda x, s, axis: s[:, None] * x / np.sqrt(np.mean(x**2, 0, keepdims=True)),
        {"axis": 0}, label="first", sizes=True),
    Row("batch_normalization", [X, FEATURES, FEATURES, -1],
        lambda x, m, v, axis: (x - m) / np.sqrt(v + 1e-3), dtypes=FLOATS, loose=4, gradient=True),
    Row("batch_normalization", [CUBE, FEATURES[:3], FEATURES[1:], 1, FEATURES[:3], FEATURES[1:]],
        lambda x, m, v, axis, offset, scale:
            (x - m[:, None]) / np.sqrt(v[:, None] + 1e-3) * scale[:, None] + offset[:, None],
        label="middle", gradient=True, sizes=True),
    Row("normalize", [X], _normalize, dtypes=FLOATS, loose=2, gradient=True),
    Row("normalize", [X], _normalize, {"order": 1, "axis": 0}, label="one", gradient=True),
    Row("normalize", [X], _normalize, {"order": 3}, label="three", gradient=True, loose=2),
    Row("normalize", [np.zeros((2, 2))], lambda x: x, label="zero"),
]  # fmt: skip


def _categorical(t: Any, p: Any, from_logits: bool = False, axis: int = -1) -> Any:
    p = _softmax(p, axis) if from_logits else p / p.sum(axis, keepdims=True)
    return -np.sum(t * np.log(p), axis)


def _binary(t: Any, p: Any, from_logits: bool = False) -> Any:
    p = _sigmoid(p) if from_logits else p
    return -(t * np.log(p) + (1 - t) * np.log(1 - p))


def _sparse(t: Any, p: Any, from_logits: bool = False) -> Any:
    hot = np.eye(4)[np.clip(t, 0, 3)] * ((t >= 0) & (t < 4))[..., None]
    return _categorical(hot, p, from_logits)


def _one_hot(x: Any, count: int, axis: int = -1, dtype: str = "float32") -> Any:
    return np.moveaxis(x[..., None] == np.arange(count), -1, axis).astype(dtype)


LOSSES = [
    Row("categorical_crossentropy", [TARGETS, PROBABILITIES], _categorical, dtypes=FLOATS,
        loose=2, gradient=True),
    Row("categorical_crossentropy", [TARGETS, 2 * PROBABILITIES], _categorical, label="sum"),
    Row("categorical_crossentropy", [TARGETS, X, True], _categorical, label="logits",
        dtypes=FLOATS, loose=2, gradient=True),
    Row("categorical_crossentropy", [TARGETS, X, True, 0], _categorical, label="axis"),
    Row("binary_crossentropy", [TARGETS, PROBABILITIES], _binary, dtypes=FLOATS, loose=4,
        gradient=True),
    Row("binary_crossentropy", [TARGETS, X, True], _binary, label="logits", dtypes=FLOATS,
        loose=2, gradient=True),
    Row("binary_crossentropy", [np.array([0.0, 1.0]), np.array([0.0, 1.0])],
        lambda t, p: np.zeros(2), label="sure", dtypes=FLOATS, loose=1),
    Row("sparse_categorical_crossentropy", [LABELS, PROBABILITIES], _sparse, dtypes=FLOATS,
        loose=2, gradient=True),
    Row("sparse_categorical_crossentropy", [LABELS, X, True], _sparse, label="logits",
        dtypes=FLOATS, loose=2, gradient=True),
    Row("sparse_categorical_crossentropy", [Fixed(LABELS.value[:, None]), PROBABILITIES],
        lambda t, p: _sparse(t[:, 0], p), label="column"),
    Row("sparse_categorical_crossentropy", [Fixed(np.array([-1, 4, 2])), X, True], _sparse,
        label="outside"),
    Row("psnr", [X, X + 0.1, 2.0], lambda a, b, m: 10 * np.log10(m**2 / np.mean((a - b) ** 2)),
        gradient=True),
    Row("one_hot", [LABELS, 4], _one_hot),
    Row("one_hot", [Fixed(np.array([[0, 5], [-1, 2]])), 4], _one_hot, {"axis": 1, "dtype": "int8"},
        label="axis"),
    Row("multi_hot", [Fixed(np.array([[0, 2], [1, 1]])), 4],
        lambda x, n: np.max(_one_hot(x, n), 1)),
]  # fmt: skip


def _attention(
    q: Any, k: Any, v: Any, bias: Any = 0.0, mask: Any = True, scale: float | None = None,
    is_causal: bool = False, attn_logits_soft_cap: float | None = None,
) -> Any:  # fmt: skip
    k, v = (np.repeat(x, q.shape[2] // x.shape[2], 2) for x in (k, v))
    scores = np.einsum("btnh,bsnh->bnts", q, k) * (scale or 1 / np.sqrt(q.shape[-1]))
    if attn_logits_soft_cap:
        scores = np.tanh(scores / attn_logits_soft_cap) * attn_logits_soft_cap
    seen = np.tri(*scores.shape[-2:], dtype=bool) if is_causal else True
    scores = np.where(np.logical_and(mask, seen), scores + bias, -1e30)
    return np.einsum("bnts,bsnh->btnh", _softmax(scores), v)


_SEEN = Fixed(_rng.uniform(size=(2, 1, 3, 5)) > 0.3)
_SEEN.value[..., 0] = True
ATTENTION = [
    Row("dot_product_attention", [QUERY, KEYS, VALUES], _attention, gradient=True, loose=2,
        dtypes=("float32", "bfloat16")),
    Row("dot_product_attention", [QUERY, KEYS, VALUES], _attention, {"is_causal": True},
        label="causal", gradient=True, loose=2),
    Row("dot_product_attention", [QUERY, KEYS, VALUES, _sample(2, 4, 3, 5), _SEEN], _attention,
        {"scale": 0.7}, label="bias-mask", gradient=True, loose=4, sizes=True),
    Row("dot_product_attention", [QUERY, KEYS[:, :, :2], VALUES[:, :, :2]], _attention,
        label="groups", loose=2),
    Row("dot_product_attention", [QUERY, KEYS, VALUES], _attention,
        {"attn_logits_soft_cap": 0.5}, label="cap", loose=2, gradient=True),
]  # fmt: skip

ROWS = [*ACTIVATIONS, *CONVOLUTIONS, *NORMALIZATION, *LOSSES, *ATTENTION]
