"""Models under TensorFlow's own tools."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import keraslite as keras
from keraslite import layers
from keraslite.backend import engine

if engine.name != "tensorflow":
    pytest.skip("for the TensorFlow engine", allow_module_level=True)
tf = pytest.importorskip("tensorflow")

X = np.random.default_rng(0).normal(size=(8, 4)).astype("float32")
Y = X.sum(axis=1, keepdims=True)


class Blocks(keras.Model):
    """Layers in a list, a dict and an attribute; a free variable; a seed."""

    def __init__(self) -> None:
        super().__init__()
        self.blocks = [layers.Dense(4, activation="tanh"), layers.BatchNormalization()]
        self.heads = {"out": layers.Dense(1)}
        self.dropout = layers.Dropout(0.5, seed=1)
        self.scale = self.add_weight(shape=(), initializer="ones", name="scale")

    def call(self, x: Any, training: bool = False) -> Any:
        for block in self.blocks:
            x = block(x, training=training)
        return self.heads["out"](self.dropout(x, training=training)) * self.scale


def built() -> Blocks:
    model = Blocks()
    model(X)
    return model


def test_a_tape_trains_a_model_with_plain_tensorflow() -> None:
    model = built()
    storages = [v.value for v in model.trainable_variables]
    with tf.GradientTape(persistent=True) as tape:
        loss = tf.reduce_mean(tf.square(model(X, training=True) - Y))
    gradients = tape.gradient(loss, model.trainable_variables)
    assert all(g is not None for g in gradients)
    assert [tuple(g.shape) for g in gradients] == [tuple(s.shape) for s in storages]

    @tf.function
    def step(x: Any, y: Any) -> Any:
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(tf.square(model(x) - y))
        for v, g in zip(
            model.trainable_variables,
            tape.gradient(loss, model.trainable_variables),
            strict=True,
        ):
            v.assign_sub(0.05 * g)
        return loss

    losses = [float(step(X, Y)) for _ in range(20)]
    assert losses[-1] < 0.5 * losses[0]


def test_a_function_around_a_model_sees_its_variables_and_updates() -> None:
    model = built()

    @tf.function(input_signature=[tf.TensorSpec((None, 4), tf.float32)])
    def run(x: Any) -> Any:
        return model(x, training=False)

    @tf.function
    def train(x: Any) -> Any:
        return model(x, training=True)

    np.testing.assert_allclose(run(X), model(X), rtol=1e-6)
    before = model.blocks[1].moving_mean.numpy()
    first, second = train(X), train(X)
    assert np.any(model.blocks[1].moving_mean.numpy() != before)
    # The seed's state is part of the function, not a constant.
    assert np.any(first.numpy() != second.numpy())
    model.set_weights([w * 0.5 for w in model.get_weights()])
    np.testing.assert_allclose(run(X), model(X), rtol=1e-6)


def test_checkpoints(tmp_path: Path) -> None:
    def make() -> tuple[Blocks, Any]:
        model = built()
        model.compile("adam", "mse")
        model.fit(X, Y, epochs=1, verbose=0)
        return model, tf.train.Checkpoint(model=model, optimizer=model.optimizer)

    model, checkpoint = make()
    path = checkpoint.save(str(tmp_path / "ckpt"))
    names = {name for name, _ in tf.train.list_variables(path)}
    assert "model/blocks_0/kernel/.ATTRIBUTES/VARIABLE_VALUE" in names
    assert "model/heads_out/bias/.ATTRIBUTES/VARIABLE_VALUE" in names
    other, into = make()
    other.fit(X, Y, epochs=1, verbose=0)
    into.restore(path).assert_consumed()
    for a, b in zip(model.variables, other.variables, strict=True):
        np.testing.assert_array_equal(a.numpy(), b.numpy())
    for a, b in zip(model.optimizer.variables, other.optimizer.variables, strict=True):
        np.testing.assert_array_equal(a.numpy(), b.numpy())
    for each in (model, other):
        each.fit(X, Y, epochs=2, verbose=0, shuffle=False)
    np.testing.assert_allclose(model.predict(X, verbose=0), other.predict(X, verbose=0), rtol=1e-5)


def test_saved_model_of_a_module_that_holds_a_model(tmp_path: Path) -> None:
    class Served(tf.Module):
        def __init__(self, model: Any) -> None:
            super().__init__()
            self.model = model

        @tf.function(input_signature=[tf.TensorSpec((None, 4), tf.float32)])
        def score(self, x: Any) -> Any:
            return self.model(x)

        @tf.function(input_signature=[tf.TensorSpec((None, 4), tf.float32)])
        def noisy(self, x: Any) -> Any:
            return self.model(x, training=True)

    served = Served(built())
    tf.saved_model.save(served, str(tmp_path / "m"))
    loaded = tf.saved_model.load(str(tmp_path / "m"))
    np.testing.assert_allclose(loaded.score(X), served.model(X), rtol=1e-6)
    assert loaded.noisy(X).shape == (8, 1)


def test_variables_are_taken_by_functions_of_tensorflow() -> None:
    v = keras.Variable([1.0, 2.0])
    np.testing.assert_array_equal(tf.add(v, 1.0), [2.0, 3.0])
    np.testing.assert_array_equal(tf.convert_to_tensor(v), [1.0, 2.0])
    with tf.GradientTape() as tape:
        y = tf.reduce_sum(tf.square(v))
    np.testing.assert_array_equal(tape.gradient(y, v), [2.0, 4.0])
