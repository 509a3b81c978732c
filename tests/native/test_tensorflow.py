"""Models under TensorFlow's own tools."""

from __future__ import annotations

import gc
from collections.abc import Callable
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


# Programs that XLA compiles once ---------------------------------------------------------


def programs() -> set[str]:
    """Names of the shared programs of steps that are alive."""
    from tensorflow.python.eager import context

    return {n for n in context.context().list_function_names() if n.startswith("keraslite_")}


def recurrent(rate: float = 0.5) -> Any:
    """With loops, seeds, statistics, a metric: whatever has functions and state of its own."""
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [
            keras.Input((4,)),
            layers.Reshape((4, 1)),
            layers.SimpleRNN(3),
            layers.BatchNormalization(),
            layers.Dropout(rate),
            layers.Dense(1, activation="sigmoid"),
        ]
    )
    model.compile("adam", "binary_crossentropy", metrics=[keras.metrics.AUC(num_thresholds=5)])
    return model


def trained(**options: Any) -> tuple[set[str], list[np.ndarray]]:
    """The programs and the results of a model that is gone after."""
    gc.collect()
    model = recurrent(**options)
    y = np.tile([[0.0], [1.0]], (16, 1))
    x = np.tile(X, (4, 1)) * (y + 1)
    history = model.fit(x, y, epochs=2, batch_size=4, verbose=0).history
    results = [*history.values(), model.evaluate(x, y, verbose=0), model.predict(x, verbose=0)]
    return programs(), [*map(np.array, results), *model.get_weights()]


def test_equal_models_share_programs(monkeypatch: pytest.MonkeyPatch) -> None:
    gc.collect()
    before = programs()
    first, expected = trained()
    assert len(first - before) >= 3
    for _ in range(3):
        again, results = trained()
        assert again == first
        for a, b in zip(results, expected, strict=True):
            np.testing.assert_array_equal(a, b)
    assert trained(rate=0.25)[0] - first
    monkeypatch.setattr("keraslite.backend.tensorflow.steps.AVAILABLE", False)
    unshared, results = trained()
    assert unshared == before
    for a, b in zip(results, expected, strict=True):
        np.testing.assert_array_equal(a, b)
    gc.collect()
    assert programs() == before


def test_a_program_outlives_the_model_that_it_was_made_for() -> None:
    one, other = recurrent(), recurrent()
    expected = one.predict(X, verbose=0)
    other.predict(X[:2], verbose=0)
    del one
    gc.collect()
    # Compiled anew for these shapes.
    for n in (8, 5, 7):
        np.testing.assert_allclose(other.predict(X[:n], verbose=0), expected[:n], rtol=1e-6)


Make = Callable[[], Callable[[list[Any]], Any]]
V, W = (np.arange(n, 6 + n, dtype="float32").reshape(2, 3) for n in (1, 5))


def plain(step: Callable[[Any, Any], Any]) -> Make:
    return lambda: lambda batch: step(*batch)


def loop(count: int, factor: float) -> Make:
    def step(x: Any, _: Any) -> Any:
        start = [tf.constant(0), x]
        return tf.while_loop(lambda i, x: i < count, lambda i, x: [i + 1, x * factor], start)[1]

    return plain(step)


def nested(factor: float) -> Make:
    def make() -> Any:
        @tf.function
        def inner(x: Any) -> Any:
            return tf.cond(tf.reduce_sum(x) > 0, lambda: x * factor, lambda: x)

        return lambda batch: inner(batch[0]) + inner(batch[1])

    return make


def counting(start: float, by: float = 1.0) -> Make:
    def make() -> Any:
        total = tf.Variable(start)
        return lambda batch: total.assign_add(by * tf.reduce_sum(batch[0])) + 0.0

    return make


def holding(*values: np.ndarray) -> Make:
    def make() -> Any:
        variable, *tensors = tf.Variable(values[0]), *map(tf.constant, values[1:])
        return lambda batch: {"a": [variable * 2.0, None], "b": [batch[0] - x for x in tensors]}

    return make


STEPS: dict[str, tuple[Make, Make, bool]] = {
    "constant": (plain(lambda a, b: a + 2.0), plain(lambda a, b: a + 3.0), False),
    "attribute": (
        plain(lambda a, b: tf.cumsum(a)),
        plain(lambda a, b: tf.cumsum(a, 0, True)),
        False,
    ),
    "wiring": (plain(lambda a, b: a - b), plain(lambda a, b: b - a), False),
    "result": (plain(lambda a, b: [a + 1.0, b]), plain(lambda a, b: [b, a + 1.0]), False),
    "structure": (plain(lambda a, b: [a, b]), plain(lambda a, b: {"y": a, "x": (None, b)}), False),
    "bound of a loop": (loop(3, 2.0), loop(4, 2.0), False),
    "body of a loop": (loop(3, 2.0), loop(3, 3.0), False),
    "no loop differs": (loop(3, 2.0), loop(3, 2.0), True),
    "function": (nested(2.0), nested(3.0), False),
    "no function differs": (nested(2.0), nested(2.0), True),
    "state": (counting(1.0), counting(5.0), True),
    "use of state": (counting(1.0), counting(1.0, 2.0), False),
    "held values": (holding(V, V[0]), holding(W, W[1]), True),
    "held shapes": (holding(V), holding(V[:1]), True),
}


@pytest.mark.parametrize("name", STEPS)
def test_steps_share_only_what_is_equal(name: str) -> None:
    *makes, share = STEPS[name]
    gc.collect()
    before, added, alive = programs(), [], []
    for make in makes:
        alive.append(engine.compile_step(make(), [], True))
        plain_step, known = engine.compile_step(make(), [], False), programs()
        for batch in ([V, W], [W[:1], V[:1]]):
            found, expected = alive[-1](batch), plain_step(batch)
            tf.nest.assert_same_structure(found, expected)
            for a, b in zip(tf.nest.flatten(found), tf.nest.flatten(expected), strict=True):
                np.testing.assert_equal(
                    a if a is None else a.numpy(), b if b is None else b.numpy()
                )
        added.append(programs() - known)
    assert added[0]
    assert bool(added[1]) is not share
    alive.clear()
    gc.collect()
    assert programs() == before


@pytest.mark.parametrize(
    "step",
    [
        lambda batch: tf.random.uniform((3,)) + batch[0],
        lambda batch: tf.random.normal((3,), seed=1) + batch[0],
        lambda batch: tf.RaggedTensor.from_row_lengths(batch[0], [1, 1]) + 1.0,
    ],
)
def test_steps_whose_graph_does_not_say_all_do_not_share(step: Any) -> None:
    before = programs()
    one = engine.compile_step(step, [], True)
    one([V])
    assert programs() == before


def test_shared_programs_do_as_functions_of_tensorflow_do() -> None:
    ran = []

    def step(batch: list[Any]) -> Any:
        ran.append(batch)
        return tf.matmul(batch[0], batch[1])

    one = engine.compile_step(step, [], True)
    x = tf.constant(V)
    one([x, V.T])
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = one([x, V.T])
    np.testing.assert_allclose(tape.gradient(y, x), np.ones((2, 2)) @ V.T.T, rtol=1e-6)
    assert one([V[:1], V.T]).shape == (1, 2)
    traces = len(ran)
    tf.config.run_functions_eagerly(True)
    try:
        one([V, V.T])
    finally:
        tf.config.run_functions_eagerly(False)
    assert len(ran) == traces + 1
    # The line of the mistake is told, though a shared program knows of no lines.
    with pytest.raises(tf.errors.InvalidArgumentError, match="test_tensorflow.py"):
        one([V, W])
