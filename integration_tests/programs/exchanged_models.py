"""Models that keraslite and Keras make alike: `make(package, name)` gives one with its data."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np


class Made(NamedTuple):
    model: Any
    x: Any
    y: np.ndarray
    loss: str


def floats(rng: np.random.Generator, *shape: int) -> np.ndarray:
    return rng.normal(size=shape).astype("float32")


def cnn(k: Any, rng: np.random.Generator) -> Made:
    model = k.Sequential(
        [
            k.Input((8, 8, 2)),
            k.layers.Conv2D(4, 3, padding="same", activation="relu"),
            k.layers.BatchNormalization(),
            k.layers.MaxPooling2D(),
            k.layers.Dropout(0.25),
            k.layers.Conv2D(3, 3, strides=2, use_bias=False),
            k.layers.Flatten(),
            k.layers.Dense(3, activation="softmax"),
        ]
    )
    y = rng.integers(0, 3, 16)
    return Made(model, floats(rng, 16, 8, 8, 2), y, "sparse_categorical_crossentropy")


def shared(k: Any, rng: np.random.Generator) -> Made:
    a, b = k.Input((5,), name="a"), k.Input((5,), name="b")
    dense = k.layers.Dense(4, activation="tanh", name="both")
    x = k.layers.Concatenate()([dense(a), dense(b), k.layers.Dense(2)(a)])
    x = k.layers.BatchNormalization()(k.layers.Add()([x, x]))
    model = k.Model({"a": a, "b": b}, k.layers.Dense(1, name="out")(x))
    return Made(
        model, {"a": floats(rng, 16, 5), "b": floats(rng, 16, 5)}, floats(rng, 16, 1), "mse"
    )


def text(k: Any, rng: np.random.Generator) -> Made:
    model = k.Sequential(
        [
            k.Input((7,), dtype="int32"),
            k.layers.Embedding(11, 6, mask_zero=True),
            k.layers.LSTM(5, return_sequences=True),
            k.layers.Bidirectional(k.layers.GRU(4, return_sequences=True)),
            k.layers.TimeDistributed(k.layers.Dense(3)),
            k.layers.SimpleRNN(3),
            k.layers.Dense(1, activation="sigmoid"),
        ]
    )
    x, y = rng.integers(0, 11, (16, 7)), rng.integers(0, 2, (16, 1))
    return Made(model, x, y, "binary_crossentropy")


def transformer(k: Any, rng: np.random.Generator) -> Made:
    tokens = k.Input((6,), dtype="int32")
    x = k.layers.Embedding(9, 8)(tokens)
    attended = k.layers.MultiHeadAttention(2, 4)(x, x, use_causal_mask=True)
    x = k.layers.LayerNormalization()(x + attended)
    hidden = k.layers.Dense(16, activation="gelu")(x)
    x = k.layers.LayerNormalization(epsilon=1e-5)(k.layers.Add()([x, k.layers.Dense(8)(hidden)]))
    outputs = k.layers.Dense(2)(k.layers.GlobalAveragePooling1D()(x))
    return Made(k.Model(tokens, outputs), rng.integers(0, 9, (16, 6)), floats(rng, 16, 2), "mse")


def nested(k: Any, rng: np.random.Generator) -> Made:
    inner = k.Sequential([k.Input((4,)), k.layers.Dense(6, "relu"), k.layers.Dense(4)])
    entry = k.Input((4,))
    branch = k.Model(entry, [k.layers.Dense(3)(entry), k.layers.Dense(2)(entry)], name="branch")
    inputs = k.Input((4,))
    first, second = branch(inner(inputs))
    outputs = k.layers.Dense(1)(k.layers.Concatenate()([first, second, inner(inputs)]))
    return Made(k.Model(inputs, outputs), floats(rng, 16, 4), floats(rng, 16, 1), "huber")


def graph_of_ops(k: Any, rng: np.random.Generator) -> Made:
    ops = k.ops
    x = k.Input((4, 6))
    y = x + 1
    y = ops.concatenate([y, 2.0 * x], axis=-1)
    y = ops.transpose(y, (0, 2, 1))
    halves = ops.split(y, 2, axis=1)
    y = ops.matmul(halves[0], ops.transpose(halves[1], [0, 2, 1]))
    y = ops.relu(y) - ops.mean(y, axis=(1, 2), keepdims=True)
    y = ops.where(y > 0, y, 0.1 * y)
    y = k.layers.Dense(3)(y[:, 1:5, ::2]) / 2
    y = ops.sum(ops.maximum(y, np.array([0.0, -1.0, 1.0], "float32")), axis=1)
    y = ops.einsum("bi,bi->b", y, ops.softmax(y))
    model = k.Model(x, ops.expand_dims(y, -1))
    return Made(model, floats(rng, 16, 4, 6), floats(rng, 16, 1), "mse")


@functools.cache
def custom_classes(k: Any) -> tuple[type, type]:
    """A layer and a model of a user, registered in the package `k`."""

    @k.saving.register_keras_serializable("exchange")
    class Scale(k.layers.Layer):
        def __init__(self, start: float = 1.0, **kwargs: Any) -> None:
            super().__init__(**kwargs)
            self.start = start

        def build(self, input_shape: Any) -> None:
            self.factor = self.add_weight(
                shape=(input_shape[-1],), initializer="ones", name="factor"
            )
            self.calls = self.add_weight(
                shape=(), initializer="zeros", trainable=False, name="calls"
            )

        def call(self, x: Any) -> Any:
            return x * self.factor * self.start

        def get_config(self) -> dict[str, Any]:
            return {**super().get_config(), "start": self.start}

    @k.saving.register_keras_serializable("exchange")
    class Tower(k.Model):
        def __init__(self, width: int, **kwargs: Any) -> None:
            super().__init__(**kwargs)
            self.width = width
            self.blocks = [k.layers.Dense(width, activation="relu"), k.layers.Dense(width)]
            self.scales = {"b": Scale(0.5), "a": Scale(2.0)}
            self._head = k.layers.Dense(1)

        def call(self, x: Any) -> Any:
            for block in self.blocks:
                x = block(x)
            return self._head(self.scales["a"](x) + self.scales["b"](x))

        def get_config(self) -> dict[str, Any]:
            return {**super().get_config(), "width": self.width}

    return Scale, Tower


def custom_layer(k: Any, rng: np.random.Generator) -> Made:
    scale, _ = custom_classes(k)
    model = k.Sequential([k.Input((4,)), k.layers.Dense(3), scale(3.0), k.layers.Dense(1)])
    return Made(model, floats(rng, 16, 4), floats(rng, 16, 1), "mse")


def custom_model(k: Any, rng: np.random.Generator) -> Made:
    _, tower = custom_classes(k)
    model = tower(4)
    x = floats(rng, 16, 4)
    model(x)
    return Made(model, x, floats(rng, 16, 1), "mse")


def mixed(k: Any, rng: np.random.Generator) -> Made:
    model = k.Sequential(
        [
            k.Input((4,)),
            k.layers.Dense(8, activation="relu", dtype="mixed_float16"),
            k.layers.LayerNormalization(dtype="mixed_float16"),
            k.layers.Dense(1, dtype="float32"),
        ]
    )
    return Made(model, floats(rng, 16, 4), floats(rng, 16, 1), "mse")


MODELS: dict[str, Callable[[Any, np.random.Generator], Made]] = {
    f.__name__: f
    for f in (
        cnn, shared, text, transformer, nested, graph_of_ops, custom_layer, custom_model, mixed,
    )
}  # fmt: skip


def make(k: Any, name: str) -> Made:
    """The model called `name` in the package `k`, with fixed weights, and its data."""
    made = MODELS[name](k, np.random.default_rng(0))
    rng = np.random.default_rng(1)
    made.model.set_weights(
        [rng.uniform(0.1, 0.5, w.shape).astype("float32") for w in made.model.weights]
    )
    return made


def array(k: Any, x: Any) -> np.ndarray:
    return np.asarray(k.ops.convert_to_numpy(x))


def contents(k: Any, model: Any) -> dict[str, np.ndarray]:
    """What a file must bring back exactly: weights, and the state of the optimizer."""
    found = {f"weight {i}": array(k, w) for i, w in enumerate(model.weights)}
    found.update({f"optimizer {i}": array(k, v) for i, v in enumerate(model.optimizer.variables)})
    return found


def predictions(k: Any, model: Any, x: Any) -> np.ndarray:
    return array(k, model(x, training=False))


def assert_equal(found: dict[str, np.ndarray], expected: dict[str, np.ndarray]) -> None:
    assert set(found) == set(expected)
    for key, value in expected.items():
        np.testing.assert_array_equal(found[key], value, err_msg=key)


def assert_close(found: np.ndarray, expected: np.ndarray) -> None:
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)


def main(folder: Path) -> None:
    """Load all files of a folder with keraslite, on the engine of the environment."""
    import keraslite

    for path in sorted(folder.glob("*.keras")):
        x = make(keraslite, path.stem).x
        loaded = keraslite.saving.load_model(path)
        expected = dict(np.load(path.with_suffix(".npz")))
        assert_close(predictions(keraslite, loaded, x), expected.pop("y"))
        assert_equal(contents(keraslite, loaded), expected)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
