"""Train four small models from one seed; or, on an engine that does not train, evaluate them.

usage: train_everywhere.py FOLDER [FOLDER_OF_TRAINED_MODELS]

No engine is named here. Writes the loss of each of 50 steps and of a final evaluation to
FOLDER/history.json, and the trained models to FOLDER.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np

import keraslite as keras
from keraslite import layers

STEPS, BATCH = 50, 16


def mlp() -> keras.Model:
    return keras.Sequential(
        [
            keras.Input((20,)),
            layers.Dense(32, activation="relu"),
            layers.Dense(32, activation="gelu"),
            layers.Dense(5, activation="softmax"),
        ]
    )


def resnet() -> keras.Model:
    def block(x, filters, strides=1):
        short = x
        if strides > 1:
            short = layers.Conv2D(filters, 1, strides=strides)(x)
        x = layers.Conv2D(filters, 3, strides=strides, padding="same", use_bias=False)(x)
        x = layers.BatchNormalization()(x)
        x = layers.Activation("relu")(x)
        x = layers.Conv2D(filters, 3, padding="same", use_bias=False)(x)
        x = layers.BatchNormalization()(x)
        return layers.ReLU()(layers.Add()([short, x]))

    inputs = keras.Input((8, 8, 3))
    x = layers.Conv2D(8, 3, padding="same")(inputs)
    x = block(block(x, 8), 16, strides=2)
    x = layers.GlobalAveragePooling2D()(x)
    return keras.Model(inputs, layers.Dense(5)(x))


def transformer() -> keras.Model:
    inputs = keras.Input((12,), dtype="int32")
    x = layers.Embedding(30, 16)(inputs)
    attended = layers.MultiHeadAttention(num_heads=2, key_dim=8)(x, x, use_causal_mask=True)
    x = layers.LayerNormalization(epsilon=1e-6)(x + attended)
    fed = layers.Dense(16)(layers.Dense(32, activation="gelu")(x))
    x = layers.LayerNormalization(epsilon=1e-6)(x + fed)
    return keras.Model(inputs, layers.Dense(5)(layers.GlobalAveragePooling1D()(x)))


def lstm() -> keras.Model:
    return keras.Sequential(
        [
            keras.Input((12,), dtype="int32"),
            layers.Embedding(30, 16, mask_zero=True),
            layers.LSTM(16, return_sequences=True),
            layers.LSTM(8),
            layers.Dense(5, activation="softmax"),
        ]
    )


# name -> (model, shape of a sample or None for integers, optimizer, outputs are logits)
MODELS = {
    "mlp": (mlp, (20,), lambda: keras.optimizers.Adam(1e-3), False),
    "resnet": (resnet, (8, 8, 3), lambda: keras.optimizers.SGD(0.01, momentum=0.9), True),
    "transformer": (transformer, None, lambda: keras.optimizers.AdamW(1e-3), True),
    "lstm": (lstm, None, lambda: keras.optimizers.RMSprop(1e-3), False),
}


def data(shape: tuple[int, ...] | None) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(7)
    count = STEPS * BATCH
    if shape is None:
        x = rng.integers(0, 30, (count, 12)).astype("int32")
        return x, (x.sum(axis=1) % 5).astype("int32")
    x = rng.normal(size=(count, *shape)).astype("float32")
    return x, (np.abs(x).reshape(count, -1).sum(axis=1) * 10 % 5).astype("int32")


class StepLosses(keras.callbacks.Callback):
    """The loss of every step: logs hold running means, so each step starts a new one."""

    def __init__(self) -> None:
        super().__init__()
        self.losses: list[float] = []

    def on_train_batch_begin(self, batch: int, logs: dict[str, float] | None = None) -> None:
        self.model.reset_metrics()

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        self.losses.append(logs["loss"])


def train(name: str, folder: Path) -> dict[str, object]:
    make, shape, optimizer, logits = MODELS[name]
    keras.utils.set_random_seed(1)
    model = make()
    model.compile(
        optimizer(),
        keras.losses.SparseCategoricalCrossentropy(from_logits=logits),
        metrics=["accuracy"],
    )
    x, y = data(shape)
    first = [float(np.sum(np.abs(w))) for w in model.get_weights()]
    steps = StepLosses()
    model.fit(x, y, batch_size=BATCH, epochs=1, verbose=0, callbacks=[steps])
    model.save(folder / f"{name}.keras")
    loss, accuracy = model.evaluate(x[:128], y[:128], verbose=0)
    return {"weights": first, "steps": steps.losses, "loss": loss, "accuracy": accuracy}


def evaluate(name: str, folder: Path) -> dict[str, object]:
    model = keras.models.load_model(folder / f"{name}.keras")
    x, y = data(MODELS[name][1])
    loss, accuracy = model.evaluate(x[:128], y[:128], verbose=0)
    return {"loss": loss, "accuracy": accuracy}


def main() -> None:
    folder = Path(sys.argv[1])
    if len(sys.argv) > 2:
        found = {name: evaluate(name, Path(sys.argv[2])) for name in MODELS}
    else:
        found = {name: train(name, folder) for name in MODELS}
    (folder / "history.json").write_text(json.dumps(found))


if __name__ == "__main__":
    main()
