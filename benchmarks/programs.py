"""The models, written once for keraslite and for Keras, and their data."""

from __future__ import annotations

from typing import Any

import numpy as np

BATCH = 32


def mlp(keras: Any) -> Any:
    return keras.Sequential(
        [
            keras.Input((64,)),
            keras.layers.Dense(256, activation="relu"),
            keras.layers.Dense(256, activation="relu"),
            keras.layers.Dense(10),
        ]
    )


def cnn(keras: Any) -> Any:
    layers = keras.layers
    return keras.Sequential(
        [
            keras.Input((16, 16, 3)),
            layers.Conv2D(16, 3, padding="same", activation="relu"),
            layers.BatchNormalization(),
            layers.MaxPooling2D(),
            layers.Conv2D(32, 3, padding="same", activation="relu"),
            layers.MaxPooling2D(),
            layers.Flatten(),
            layers.Dense(10),
        ]
    )


def transformer(keras: Any) -> Any:
    layers = keras.layers
    inputs = keras.Input((32,), dtype="int32")
    x = layers.Embedding(200, 64)(inputs)
    for _ in range(2):
        x = layers.LayerNormalization()(x + layers.MultiHeadAttention(4, 16)(x, x))
        fed = layers.Dense(64)(layers.Dense(128, activation="relu")(x))
        x = layers.LayerNormalization()(x + fed)
    return keras.Model(inputs, layers.Dense(10)(layers.GlobalAveragePooling1D()(x)))


def lstm(keras: Any) -> Any:
    layers = keras.layers
    return keras.Sequential(
        [
            keras.Input((32,), dtype="int32"),
            layers.Embedding(200, 32),
            layers.LSTM(64),
            layers.Dense(10),
        ]
    )


MODELS = {"MLP": mlp, "CNN": cnn, "Transformer": transformer, "LSTM": lstm}


def data(name: str, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Inputs and integer labels for one of the models."""
    rng = np.random.default_rng(0)
    y = rng.integers(0, 10, count).astype("int32")
    if name in ("Transformer", "LSTM"):
        return rng.integers(0, 200, (count, 32)).astype("int32"), y
    shape = (16, 16, 3) if name == "CNN" else (64,)
    return rng.normal(size=(count, *shape)).astype("float32"), y


def compiled(keras: Any, name: str) -> Any:
    keras.utils.set_random_seed(0)
    model = MODELS[name](keras)
    model.compile(
        keras.optimizers.Adam(1e-3), keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    )
    return model
