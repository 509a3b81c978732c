"""Files between keraslite and Keras, both ways: same predictions, weights, optimizer state.

The models are made, trained for a few steps and saved in one process by one package, and
loaded in another process by the other package. Only the name that is imported differs.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from keraslite.backend import engine

# What both processes run. `keras` is the package under its usual name.
COMMON = """
import importlib, json, os, sys, traceback
import numpy as np
keras = importlib.import_module(sys.argv[1])
if sys.argv[1] != "keras":
    sys.modules["keras"] = None  # ours never imports it
layers, ops = keras.layers, keras.ops
root, names, train = sys.argv[2], sys.argv[3].split(","), json.loads(sys.argv[4])
rng = np.random.default_rng(0)

def floats(*shape):
    return rng.normal(size=shape).astype("float32")

def cnn():
    model = keras.Sequential([
        keras.Input((8, 8, 2)),
        layers.Conv2D(4, 3, padding="same", activation="relu"),
        layers.BatchNormalization(),
        layers.MaxPooling2D(),
        layers.Dropout(0.25),
        layers.Conv2D(3, 3, strides=2, use_bias=False),
        layers.Flatten(),
        layers.Dense(3, activation="softmax"),
    ])
    return model, floats(16, 8, 8, 2), rng.integers(0, 3, 16), "sparse_categorical_crossentropy"

def shared():
    a, b = keras.Input((5,), name="a"), keras.Input((5,), name="b")
    dense = layers.Dense(4, activation="tanh", name="both")
    x = layers.Concatenate()([dense(a), dense(b), layers.Dense(2)(a)])
    model = keras.Model({"a": a, "b": b}, layers.Dense(1, name="out")(layers.Add()([x, x])))
    return model, {"a": floats(16, 5), "b": floats(16, 5)}, floats(16, 1), "mse"

def text():
    model = keras.Sequential([
        keras.Input((7,), dtype="int32"),
        layers.Embedding(11, 6, mask_zero=True),
        layers.LSTM(5, return_sequences=True),
        layers.Bidirectional(layers.GRU(4)),
        layers.Dense(1, activation="sigmoid"),
    ])
    return model, rng.integers(0, 11, (16, 7)), rng.integers(0, 2, (16, 1)), "binary_crossentropy"

def transformer():
    tokens = keras.Input((6,), dtype="int32")
    x = layers.Embedding(9, 8)(tokens)
    attended = layers.MultiHeadAttention(2, 4, dropout=0.1)(x, x, use_causal_mask=True)
    x = layers.LayerNormalization()(x + attended)
    hidden = layers.Dense(16, activation="gelu")(x)
    x = layers.LayerNormalization(epsilon=1e-5)(layers.Add()([x, layers.Dense(8)(hidden)]))
    outputs = layers.Dense(2)(layers.GlobalAveragePooling1D()(x))
    return keras.Model(tokens, outputs), rng.integers(0, 9, (16, 6)), floats(16, 2), "mae"

def nested():
    inner = keras.Sequential([keras.Input((4,)), layers.Dense(6, "relu"), layers.Dense(4)])
    entry = keras.Input((4,))
    branch = keras.Model(entry, [layers.Dense(3)(entry), layers.Dense(2)(entry)], name="branch")
    inputs = keras.Input((4,))
    first, second = branch(inner(inputs))
    outputs = layers.Dense(1)(layers.Concatenate()([first, second, inner(inputs)]))
    return keras.Model(inputs, outputs), floats(16, 4), floats(16, 1), "huber"

def graph_of_ops():
    x = keras.Input((4, 6))
    y = x + 1
    y = ops.concatenate([y, 2.0 * x], axis=-1)
    y = ops.transpose(y, (0, 2, 1))
    halves = ops.split(y, 2, axis=1)
    y = ops.matmul(halves[0], ops.transpose(halves[1], [0, 2, 1]))
    y = ops.relu(y) - ops.mean(y, axis=(1, 2), keepdims=True)
    y = ops.where(y > 0, y, 0.1 * y)
    y = layers.Dense(3)(y[:, 1:5, ::2]) / 2
    y = ops.sum(ops.maximum(y, np.array([0.0, -1.0, 1.0], "float32")), axis=1)
    y = ops.einsum("bi,bi->b", y, ops.softmax(y))
    return keras.Model(x, ops.expand_dims(y, -1)), floats(16, 4, 6), floats(16, 1), "mse"

def initial(model):
    fixed = np.random.default_rng(1)
    model.set_weights([fixed.uniform(0.1, 0.5, w.shape).astype("float32") for w in model.weights])

def array(x):
    return np.asarray(ops.convert_to_numpy(x))

def store(model, x):
    found = {f"w{i}": array(w) for i, w in enumerate(model.weights)}
    found.update({f"o{i}": array(v) for i, v in enumerate(model.optimizer.variables)})
    found["y"] = array(model(x, training=False))
    return found

def each(work):
    for name in names:
        global rng
        rng = np.random.default_rng(0)
        os.makedirs(f"{root}/{name}", exist_ok=True)
        try:
            work(f"{root}/{name}", *globals()[name]())
        except Exception:
            with open(f"{root}/{name}/error", "a") as file:
                file.write(sys.argv[1] + ": " + traceback.format_exc())
"""

WRITE = (
    COMMON
    + """
def write(folder, model, x, y, loss):
    initial(model)
    model.compile(optimizer=keras.optimizers.Adam(0.01), loss=loss, metrics=["mae"])
    if train:
        model.fit(x, y, batch_size=8, epochs=1, verbose=0, shuffle=False)
    else:
        model.optimizer.build(model.trainable_variables)
    model.save(f"{folder}/m.keras")
    model.save_weights(f"{folder}/m.weights.h5")
    np.savez(f"{folder}/expected.npz", **store(model, x))

each(write)
"""
)

READ = (
    COMMON
    + """
def read(folder, model, x, y, loss):
    loaded = keras.saving.load_model(f"{folder}/m.keras")
    np.savez(f"{folder}/found.npz", **store(loaded, x))
    model.compile(optimizer=keras.optimizers.Adam(0.01), loss=loss)
    model.optimizer.build(model.trainable_variables)
    model.load_weights(f"{folder}/m.weights.h5")
    np.savez(f"{folder}/weights.npz", **store(model, x))
    config = loaded.get_compile_config()
    assert config["loss"] == loss and config["metrics"] == ["mae"], config
    loaded.save(f"{folder}/again.keras")
    loaded.evaluate(x, y, verbose=0)

each(read)
"""
)

MODELS = ("cnn", "shared", "text", "transformer", "nested", "graph_of_ops")


def _run(script: str, package: str, folder: Path, train: bool) -> None:
    root = str(Path(__file__).parents[1])
    path = os.pathsep.join(filter(None, [root, os.environ.get("PYTHONPATH")]))
    environment = {**os.environ, "PYTHONPATH": path}
    if package == "keras" and environment.get("KERAS_BACKEND") == "numpy":
        environment["KERAS_BACKEND"] = "jax"
    done = subprocess.run(
        [sys.executable, "-c", script, package, str(folder), ",".join(MODELS), json.dumps(train)],
        env=environment,
        capture_output=True,
        text=True,
        timeout=280,
    )
    assert done.returncode == 0, f"{package}:\n{done.stderr[-4000:]}"


@pytest.fixture(
    scope="module",
    params=[("keras", "keraslite"), ("keraslite", "keras")],
    ids=["from Keras", "to Keras"],
)
def exchanged(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with what one package wrote and the other one read, a folder a model."""
    writer, reader = request.param
    folder = tmp_path_factory.mktemp("exchange")
    train = writer == "keras" or engine.capabilities.trainable
    _run(WRITE, writer, folder, train)
    _run(READ, reader, folder, train)
    return folder


@pytest.mark.parametrize("name", MODELS)
def test_interchange(name: str, exchanged: Path) -> None:
    folder = exchanged / name
    error = folder / "error"
    assert not error.exists(), error.read_text()[-4000:]
    expected = np.load(folder / "expected.npz")
    for file in ("found.npz", "weights.npz"):
        found = np.load(folder / file)
        assert set(found) == set(expected)
        for key in expected:
            if key == "y":
                np.testing.assert_allclose(found[key], expected[key], rtol=1e-4, atol=1e-5)
            else:
                np.testing.assert_array_equal(found[key], expected[key], err_msg=key)
