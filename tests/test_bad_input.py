"""What bad input gets: one clear error, the same words on every engine."""

from __future__ import annotations

import numpy as np
import pytest

import keraslite as keras
from keraslite import layers
from keraslite.backend import engine

training = pytest.mark.requires("trainable")


def model(loss: str | None = "mse", units: int = 1, **kwargs) -> keras.Model:
    found = keras.Sequential([keras.Input((4,)), layers.Dense(units, name="head")])
    if loss:
        found.compile("sgd", loss, **kwargs)
    return found


def two_outputs() -> keras.Model:
    x = keras.Input((4,), name="x")
    found = keras.Model(x, {"a": layers.Dense(1)(x), "b": layers.Dense(1)(x)})
    found.compile("sgd", {"a": "mse", "b": "mse"})
    return found


X = np.ones((8, 4), "float32")
Y = np.ones((8, 1), "float32")


def generator():
    for _ in range(3):
        yield X, Y


class Unregistered(layers.Layer):
    def call(self, inputs):
        return inputs


def save_unbuilt(path):
    keras.Sequential([layers.Dense(2)]).save(path / "m.keras")


def load_unregistered(path):
    found = keras.Sequential([keras.Input((4,)), Unregistered()])
    found.save(path / "m.keras")
    keras.models.load_model(path / "m.keras")


def load_damaged(path):
    model(None).save(path / "m.keras")
    data = (path / "m.keras").read_bytes()
    (path / "m.keras").write_bytes(data[: len(data) // 2])
    keras.models.load_model(path / "m.keras")


def load_weights_file(path):
    model(None).save_weights(path / "m.weights.h5")
    keras.models.load_model(path / "m.weights.h5")


def foreign_tensor():
    torch = pytest.importorskip("torch")
    if engine.is_tensor(torch.ones(1)):
        import jax.numpy

        return jax.numpy.ones((8, 4))
    return torch.ones((8, 4))


# name: (call, words that the message must hold, error class)
FORWARD = {
    "wrong width": (
        lambda: model()(np.ones((2, 5), "float32")),
        ["expected shape=(None, 4)", "(2, 5)"],
    ),
    "wrong width of a layer": (
        lambda: (layer := layers.Dense(2, name="dense"), layer(X), layer(X[:, :3]))[-1],
        ["'dense'", "axis -1", "size 4", "size 3", "(8, 3)"],
    ),
    "missing batch axis": (lambda: layers.Dense(2, name="d")(X[0]), ["'d'", "x[None]", "(4,)"]),
    "missing batch axis of a model": (lambda: model()(X[0]), ["x[None]", "(4,)"]),
    "unknown activation": (lambda: layers.Dense(2, activation="rleu"), ["'rleu'", "'relu'"]),
    "misspelt argument": (
        lambda: layers.Dense(2, actvation="relu"),
        ["Dense", "'actvation'", "'activation'"],
    ),
    "negative units": (lambda: layers.Dense(-3), ["units", "-3"]),
    "unknown loss": (lambda: model("msee"), ["'msee'", "'mse'"]),
    "unknown optimizer": (lambda: model(None).compile("adaam"), ["'adaam'", "'adam'"]),
    "unknown metric": (lambda: model(metrics=["acuracy"]), ["'acuracy'", "'accuracy'"]),
    "symbolic as array": (lambda: np.asarray(keras.Input((2,))), ["KerasTensor", "no value"]),
    "symbolic as condition": (lambda: bool(keras.Input((2,))), ["condition"]),
    "disconnected": (
        lambda: keras.Model(keras.Input((2,)), layers.Dense(1)(keras.Input((3,), name="lost"))),
        ["'lost'", "inputs"],
    ),
    "mixed frameworks": (lambda: layers.Dense(2, name="d")(foreign_tensor()), ["d", "ensor"]),
}

TRAINING = {
    "fit before compile": (lambda: model(None).fit(X, Y), ["compile", "fit"]),
    "lengths": (lambda: model().fit(X, Y[:5]), ["8", "5"]),
    "number of targets": (
        lambda: two_outputs().fit(X, [Y, Y, Y], verbose=0),
        ["2 output", "targets"],
    ),
    "keys of targets": (
        lambda: two_outputs().fit(X, {"a": Y, "c": Y}, verbose=0),
        ["'c'", "['a', 'b']"],
    ),
    "missing key of targets": (lambda: two_outputs().fit(X, {"a": Y}, verbose=0), ["'b'"]),
    "integers for categorical": (
        lambda: model("categorical_crossentropy", 3).fit(X, Y[:, 0].astype("int32"), verbose=0),
        ["sparse_categorical_crossentropy", "(None, 3)"],
    ),
    "one-hot for sparse": (
        lambda: model("sparse_categorical_crossentropy", 3).fit(X, np.eye(3)[[0] * 8], verbose=0),
        ["categorical_crossentropy", "integer labels"],
    ),
    "broadcast targets": (
        lambda: model("mse", 1).fit(X, np.ones((8, 3), "float32"), verbose=0),
        ["(None, 3)", "(None, 1)"],
    ),
    "strings": (lambda: model().fit(np.array([["a"] * 4] * 8), Y, verbose=0), ["StringLookup"]),
    "empty": (lambda: model().fit(X[:0], Y[:0], verbose=0), ["0 samples"]),
}

FILES = {
    "unbuilt": (save_unbuilt, ["built"]),
    "unregistered": (load_unregistered, ["Unregistered", "register_keras_serializable"]),
    "damaged": (load_damaged, ["m.keras"]),
    "missing": (lambda path: keras.models.load_model(path / "no.keras"), ["no.keras"]),
    "weights file": (load_weights_file, ["load_weights"]),
}


def check(call, words, *args) -> None:
    with pytest.raises((ValueError, TypeError, OSError)) as caught:
        call(*args)
    message = str(caught.value)
    assert len(message) <= 600
    for word in words:
        assert word in message, message


@pytest.mark.parametrize("name", FORWARD)
def test_forward(name: str) -> None:
    check(*FORWARD[name])


@training
@pytest.mark.parametrize("name", TRAINING)
def test_training(name: str) -> None:
    check(*TRAINING[name])


@pytest.mark.parametrize("name", FILES)
def test_files(name: str, tmp_path) -> None:
    check(*FILES[name], tmp_path)


@training
def test_a_generator_that_runs_dry_says_how_far_it_came() -> None:
    with pytest.warns(UserWarning, match="3 of 10"):
        model().fit(generator(), steps_per_epoch=10, epochs=2, verbose=0)
