"""Models under JAX's own transformations."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import numpy as np
import pytest

import keraslite as keras
from keraslite import layers
from keraslite.backend import engine

if engine.name != "jax":
    pytest.skip("for the JAX engine", allow_module_level=True)
jax = pytest.importorskip("jax")
jnp = jax.numpy

X = np.random.default_rng(0).normal(size=(8, 4)).astype("float32")
Y = X.sum(axis=1, keepdims=True)


def make() -> Any:
    return keras.Sequential(
        [
            keras.Input((4,)),
            layers.Dense(5, activation="tanh", activity_regularizer="l2"),
            layers.BatchNormalization(),
            layers.Dropout(0.2, seed=1),
            layers.Dense(1, kernel_regularizer="l2"),
        ]
    )


class Residual(keras.Model):
    def __init__(self) -> None:
        super().__init__()
        self.blocks = [layers.Dense(4, activation="relu"), layers.Dense(4)]
        self.head = layers.Dense(1)

    def call(self, x: Any) -> Any:
        for block in self.blocks:
            x = x + block(x)
        return self.head(x)


def state(model: Any) -> tuple[list[Any], list[Any]]:
    return (
        [v.value for v in model.trainable_variables],
        [v.value for v in model.non_trainable_variables],
    )


def test_stateless_calls_compile_and_leave_the_model_alone() -> None:
    model = make()
    trainable, fixed = state(model)
    before = [np.asarray(v) for v in (*trainable, *fixed)]
    run = jax.jit(model.stateless_call, static_argnames=("training", "return_losses"))
    outputs, new = run(trainable, fixed, X)
    np.testing.assert_allclose(outputs, model(X), rtol=1e-5, atol=1e-6)
    outputs, new, losses = run(trainable, fixed, X, training=True, return_losses=True)
    assert len(losses) == 2 and all(loss > 0 for loss in losses)
    # Running statistics and the state of the seed are among the results.
    assert sum(bool(np.any(a != b)) for a, b in zip(fixed, new, strict=True)) == 3
    again, _ = run(trainable, new, X, training=True)
    assert np.any(np.asarray(again) != np.asarray(outputs))
    for a, v in zip(
        before, (*model.trainable_variables, *model.non_trainable_variables), strict=True
    ):
        np.testing.assert_array_equal(a, v.numpy())


def test_a_training_loop_in_plain_jax() -> None:
    model = make()
    optimizer = keras.optimizers.Adam(0.05)
    optimizer.build(model.trainable_variables)

    def loss(trainable: Any, fixed: Any, x: Any, y: Any) -> Any:
        outputs, fixed, extra = model.stateless_call(
            trainable, fixed, x, training=True, return_losses=True
        )
        return jnp.mean(keras.losses.mean_squared_error(y, outputs)) + sum(extra), fixed

    @jax.jit
    def step(carry: Any, x: Any, y: Any) -> Any:
        trainable, fixed, slots = carry
        (value, fixed), gradients = jax.value_and_grad(loss, has_aux=True)(trainable, fixed, x, y)
        trainable, slots = optimizer.stateless_apply(slots, gradients, trainable)
        return (trainable, fixed, slots), value

    carry = (*state(model), [v.value for v in optimizer.variables])
    values = []
    for _ in range(40):
        carry, value = step(carry, X, Y)
        values.append(float(value))
    assert np.mean(values[-5:]) < 0.5 * np.mean(values[:5])
    for variable, value in zip(model.trainable_variables, carry[0], strict=True):
        variable.assign(value)
    np.testing.assert_array_equal(model.get_weights()[0], carry[0][0])


def test_transformations_go_through_layers() -> None:
    layer = layers.Dense(3, activation="tanh")
    layer(X)
    kernel, bias = layer.kernel.numpy(), layer.bias.numpy()
    rows = jax.vmap(lambda row: layer(row[None])[0])(X)
    np.testing.assert_allclose(rows, layer(X), rtol=1e-5, atol=1e-6)
    slope = jax.grad(lambda x: layer(x).sum())(jnp.asarray(X))
    expected = (1 - np.tanh(X @ kernel + bias) ** 2) @ kernel.T
    np.testing.assert_allclose(slope, expected, rtol=1e-4, atol=1e-5)
    # One set of weights a model, in one call: an ensemble.
    stacked = [np.stack([w, 2 * w]) for w in (kernel, bias)]
    both, _ = jax.vmap(layer.stateless_call, in_axes=(0, None, None))(stacked, [], X)
    np.testing.assert_allclose(both[1], np.tanh(X @ (2 * kernel) + 2 * bias), rtol=1e-4, atol=1e-5)

    def body(carry: Any, x: Any) -> Any:
        return carry + layer(x[None])[0], None

    found, _ = jax.lax.scan(body, jnp.zeros(3), X)
    np.testing.assert_allclose(found, np.asarray(layer(X)).sum(0), rtol=1e-4, atol=1e-5)


def test_a_lost_assignment_is_an_error_that_says_what_to_do() -> None:
    layer = layers.BatchNormalization()
    layer(X)
    with pytest.raises(RuntimeError, match="stateless_call"):
        jax.jit(lambda x: layer(x, training=True))(X)
    np.testing.assert_array_equal(layer.moving_mean.numpy(), 0.0)


def test_variables_are_taken_by_functions_of_jax() -> None:
    v = keras.Variable([1.0, 2.0])
    np.testing.assert_array_equal(jnp.asarray(v), [1.0, 2.0])
    np.testing.assert_array_equal(jnp.ones(2) + v, [2.0, 3.0])
    np.testing.assert_array_equal(jnp.eye(2) @ v, [1.0, 2.0])


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda m: pickle.loads(pickle.dumps(m))])
@pytest.mark.parametrize("made", [make, Residual])
def test_copies_are_independent(made: Any, copied: Any) -> None:
    model = made()
    model.compile("adam", "mse")
    model.fit(X, Y, epochs=1, verbose=0)
    expected = model.predict(X, verbose=0)
    other = copied(model)
    np.testing.assert_array_equal(other.predict(X, verbose=0), expected)
    other.fit(X, Y, epochs=1, verbose=0)
    assert np.any(other.predict(X, verbose=0) != expected)
    np.testing.assert_array_equal(model.predict(X, verbose=0), expected)
