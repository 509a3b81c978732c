"""Masks end to end, from `Embedding` or `Masking` to losses and metrics, against Keras."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import keraslite
from tests.layers.test_table import keras

RNG = np.random.default_rng(2)
IDS = np.array([[3, 1, 0, 2, 0], [0, 4, 4, 1, 2], [5, 0, 0, 0, 0], [1, 2, 3, 4, 5]], "int32")
STEPS = (IDS[..., None] * RNG.uniform(0.5, 1.0, (4, 5, 3))).astype("float32")
TARGETS = RNG.integers(0, 3, (4, 5, 1)).astype("int32")


def _through(layers: Any, x: Any) -> Any:
    y = layers.Activation("tanh")(layers.LayerNormalization()(layers.Dense(4)(x)))
    y = layers.Add()([x, layers.TimeDistributed(layers.Dense(4))(layers.Dropout(0.0)(y))])
    return layers.Concatenate()([x, layers.SimpleRNN(3, return_sequences=True)(y)])


def _attending(layers: Any, x: Any) -> Any:
    y = layers.MultiHeadAttention(2, 3)(x, x, use_causal_mask=True)
    # Not `[x, y]`: Keras takes the mask off what multi-head attention was called on.
    return layers.Attention()([y, y])


# What stands between the masked input and the outputs of every step.
MIDDLES: dict[str, Callable[[Any, Any], Any]] = {
    "GRU": lambda L, x: L.GRU(4, return_sequences=True, go_backwards=True)(x),
    "Bidirectional": lambda L, x: L.Bidirectional(L.LSTM(4, return_sequences=True))(x),
    "stack": lambda L, x: L.RNN([L.GRUCell(4), L.LSTMCell(3)], return_sequences=True)(x),
    "attention": _attending,
    "through": _through,
    "statistics": lambda L, x: L.BatchNormalization()(x),
}


def model_of(k: Any, middle: Callable[[Any, Any], Any], embedded: bool) -> Any:
    inputs = k.Input((5,), dtype="int32") if embedded else k.Input((5, 3))
    if embedded:
        x = k.layers.Embedding(6, 4, mask_zero=True)(inputs)
    else:
        x = k.layers.Dense(4)(k.layers.Masking()(inputs))
    outputs = k.layers.Dense(3, activation="softmax")(middle(k.layers, x))
    model = k.Model(inputs, outputs)
    model.compile(
        k.optimizers.SGD(0.5),
        "sparse_categorical_crossentropy",
        metrics=["sparse_categorical_accuracy"],
        weighted_metrics=[k.metrics.SparseCategoricalCrossentropy(name="weighted")],
    )
    return model


@pytest.mark.parametrize(
    ("name", "embedded"), [*((name, True) for name in MIDDLES), ("through", False)]
)
def test_losses_and_metrics_skip_masked_steps(name: str, embedded: bool) -> None:
    inputs = IDS if embedded else STEPS
    weights, found = None, []
    for k in (keraslite, keras):
        model = model_of(k, MIDDLES[name], embedded)
        if weights is None:
            weights = [RNG.normal(size=w.shape) * 0.5 for w in model.weights]
            if name == "statistics":
                weights[-3] = np.abs(weights[-3]) + 0.5  # a variance
        model.set_weights(weights)
        found.append(model.evaluate(inputs, TARGETS, batch_size=2, verbose=0, return_dict=True))
    ours, theirs = found
    assert ours.keys() == theirs.keys()
    for key, value in theirs.items():
        np.testing.assert_allclose(ours[key], value, rtol=1e-5, atol=1e-6, err_msg=key)


@pytest.mark.parametrize("name", ["MultiHeadAttention", "GroupQueryAttention", "Attention"])
@pytest.mark.parametrize("masked", [True, False])
def test_masks_of_attention(name: str, masked: bool) -> None:
    """The output has the mask of the query tensor; `query_mask` is for the scores only."""
    found = []
    for k in (keraslite, keras):
        query = k.layers.Embedding(6, 4, mask_zero=masked)(IDS)
        value = k.layers.Embedding(6, 4, mask_zero=True)(IDS)
        if name == "Attention":
            output = k.layers.Attention()([query, value])
        else:
            arguments = {"MultiHeadAttention": (2, 3), "GroupQueryAttention": (3, 2, 1)}[name]
            layer = getattr(k.layers, name)(*arguments)
            output = layer(query, value, query_mask=np.ones(IDS.shape, bool))
        # What a pooling layer does with the mask of its input tells whether there is one.
        pooled = k.layers.GlobalAveragePooling1D()
        rows = k.ops.convert_to_numpy(pooled(output)) - k.ops.convert_to_numpy(
            k.ops.mean(output, axis=1)
        )
        found.append(bool((np.abs(rows) > 1e-6).any()))
    assert found == [masked, masked]


@pytest.mark.requires("trainable")
@pytest.mark.parametrize("name", ["Bidirectional", "statistics"])
def test_a_step_of_training_skips_masked_steps(name: str) -> None:
    weights, found = None, []
    for k in (keraslite, keras):
        model = model_of(k, MIDDLES[name], True)
        if weights is None:
            weights = [np.abs(RNG.normal(size=w.shape)) * 0.5 for w in model.weights]
        model.set_weights(weights)
        model.fit(IDS, TARGETS, batch_size=4, epochs=1, verbose=0)
        found.append(model.get_weights())
    for ours, theirs in zip(*found, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-5)
