"""Training, evaluating, predicting and saving small models."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import keraslite
from keraslite import layers

RNG = np.random.default_rng(0)
IMAGES = RNG.normal(size=(96, 8, 8, 2)).astype("float32")
STEPS = RNG.normal(size=(96, 6, 3)).astype("float32")


def _convolutional() -> Any:
    return keraslite.Sequential([
        keraslite.Input((8, 8, 2)),
        layers.Conv2D(8, 3, padding="same", activation="relu"),
        layers.BatchNormalization(),
        layers.MaxPooling2D(),
        layers.SeparableConv2D(8, 3, activation="relu"),
        layers.GlobalAveragePooling2D(),
        layers.Dropout(0.1, seed=1),
        layers.Dense(3, activation="softmax"),
    ])  # fmt: skip


def _recurrent() -> Any:
    inputs = keraslite.Input((6, 3))
    x = layers.LSTM(8, return_sequences=True)(inputs)
    x = layers.Bidirectional(layers.GRU(4))(x)
    return keraslite.Model(inputs, layers.Dense(3, activation="softmax")(x))


def _attentive() -> Any:
    inputs = keraslite.Input((6, 3))
    x = layers.Dense(8)(inputs)
    x = layers.LayerNormalization()(x + layers.MultiHeadAttention(2, 4)(x, x))
    x = layers.Dense(8, activation="gelu")(x)
    outputs = layers.Dense(3, activation="softmax")(layers.GlobalAveragePooling1D()(x))
    return keraslite.Model(inputs, outputs)


MODELS = {"convolutional": _convolutional, "recurrent": _recurrent, "attentive": _attentive}


def _data(name: str) -> tuple[np.ndarray, np.ndarray]:
    x = IMAGES if name == "convolutional" else STEPS
    score = x.mean(axis=tuple(range(1, x.ndim)))
    return x, np.digitize(score, np.quantile(score, [1 / 3, 2 / 3])).astype("int32")


@pytest.mark.requires("trainable")
@pytest.mark.parametrize("name", MODELS)
def test_training_lowers_the_loss(name: str, tmp_path: Path) -> None:
    model, (x, y) = MODELS[name](), _data(name)
    model.compile(
        keraslite.optimizers.Adam(0.02), "sparse_categorical_crossentropy", metrics=["accuracy"]
    )
    before = model.evaluate(x, y, verbose=0)
    history = model.fit(x, y, batch_size=32, epochs=15, verbose=0).history
    after = model.evaluate(x, y, verbose=0)
    assert history["loss"][-1] < 0.8 * history["loss"][0]
    assert after[0] < before[0]
    predicted = model.predict(x, verbose=0)
    assert after[1] == pytest.approx(np.mean(predicted.argmax(-1) == y), abs=1e-6)

    model.save(tmp_path / "model.keras")
    again = keraslite.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(again.predict(x, verbose=0), predicted, rtol=1e-6, atol=1e-7)
    # The optimizer is where it was: both go on in the same way.
    if name != "convolutional":  # which drops at random
        found = [m.fit(x, y, shuffle=False, verbose=0).history["loss"] for m in (model, again)]
        np.testing.assert_allclose(*found, rtol=1e-5)


OPTIMIZERS = {
    "SGD": {"momentum": 0.9, "nesterov": True}, "Adam": {"amsgrad": True}, "AdamW": {},
    "RMSprop": {}, "Adagrad": {}, "Lion": {}, "Nadam": {}, "Adafactor": {}, "Ftrl": {}, "Muon": {},
}  # fmt: skip


@pytest.mark.requires("trainable")
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_optimizers(name: str) -> None:
    x = STEPS.reshape(96, -1)
    y = x @ RNG.normal(size=(18, 2)).astype("float32")
    model = keraslite.Sequential([keraslite.Input((18,)), layers.Dense(2)])
    optimizer = getattr(keraslite.optimizers, name)(
        learning_rate=0.03, **OPTIMIZERS[name], clipnorm=5.0, use_ema=True
    )
    model.compile(optimizer, "mse")
    losses = model.fit(x, y, epochs=4, batch_size=16, verbose=0).history["loss"]
    assert losses[-1] < losses[0]


@pytest.mark.requires("trainable")
@pytest.mark.parametrize(
    "options",
    [
        {"jit_compile": True}, {"run_eagerly": True}, {"steps_per_execution": 3},
        {"optimizer": {"gradient_accumulation_steps": 2}},
        {"optimizer": {"loss_scale_factor": 8.0}},
    ],
    ids=str,
)  # fmt: skip
def test_ways_of_running(options: dict[str, Any]) -> None:
    """All give the same weights; but for what changes the rule."""
    x, y = _data("recurrent")
    found = []
    for ways in ({**options, "jit_compile": False}, options):
        keraslite.utils.set_random_seed(2)
        model = keraslite.Sequential(
            [keraslite.Input((6, 3)), layers.Flatten(), layers.Dense(4, "tanh"), layers.Dense(3)]
        )
        more = dict(ways)
        optimizer = keraslite.optimizers.SGD(0.1, momentum=0.9, **more.pop("optimizer", {}))
        loss = keraslite.losses.SparseCategoricalCrossentropy(from_logits=True)
        model.compile(optimizer, loss, **more)
        model.fit(x, y, batch_size=16, epochs=2, shuffle=False, verbose=0)
        found.append(model.get_weights())
    for ours, theirs in zip(*found, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-6)


@pytest.mark.requires("trainable")
def test_mixed_precision() -> None:
    x, y = _data("convolutional")
    keraslite.config.set_dtype_policy("mixed_bfloat16")
    try:
        model = _convolutional()
    finally:
        keraslite.config.set_dtype_policy("float32")
    model.compile("adam", "sparse_categorical_crossentropy")
    losses = model.fit(x, y, epochs=8, verbose=0).history["loss"]
    assert losses[-1] < losses[0]
    assert {w.dtype for w in model.trainable_variables} == {"float32"}


@pytest.mark.requires("trainable")
def test_a_train_step_of_ones_own() -> None:
    class Custom(keraslite.Model):
        def __init__(self) -> None:
            super().__init__()
            self.dense = layers.Dense(1)

        def call(self, x: Any) -> Any:
            return self.dense(x)

        def train_step(self, data: Any) -> dict[str, Any]:
            x, y = data

            def compute() -> Any:
                return keraslite.ops.mean((self(x, training=True) - y) ** 2)

            loss, gradients = keraslite.ops.value_and_grad(
                compute, variables=self.trainable_variables
            )()
            self.optimizer.apply(gradients, self.trainable_variables)
            return {"loss": loss}

    x = STEPS.reshape(96, -1)
    model = Custom()
    model.compile("sgd")
    losses = model.fit(x, x.sum(1, keepdims=True), epochs=4, verbose=0).history["loss"]
    assert losses[-1] < 0.7 * losses[0]


def test_weights_go_to_a_file_and_back(tmp_path: Path) -> None:
    x, _ = _data("recurrent")
    model, other = _recurrent(), _recurrent()
    model.save_weights(tmp_path / "model.weights.h5")
    other.load_weights(tmp_path / "model.weights.h5")
    found = [m.predict(x, verbose=0) for m in (model, other)]
    np.testing.assert_allclose(*found, rtol=1e-6)
