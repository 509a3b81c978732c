"""Steps of the torch engine: op by op, recorded and repeated, and compiled give the same."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import keraslite as keras
from keraslite import layers, ops
from keraslite.backend import engine

if engine.name != "torch":
    pytest.skip("for the torch engine", allow_module_level=True)

from keraslite.backend.torch import steps  # noqa: E402
from keraslite.backend.torch.recording import _written  # noqa: E402

rng = np.random.default_rng(0)


@pytest.fixture(autouse=True)
def recorded(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """Record at the second batch of a kind; gives how many operators each recorded step has."""
    found: list[int] = []
    simplify = steps.simplify

    def counting(module: Any) -> Any:
        # The results of metrics, which change nothing, are no step.
        if any(next(_written(node), None) for node in module.graph.nodes):
            found.append(len(module.graph.nodes))
        return simplify(module)

    monkeypatch.setattr(steps, "_WORTH", 1e-9)
    monkeypatch.setattr(steps, "simplify", counting)
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message="The torch engine could not record")
        yield found


def images() -> tuple[Any, Any, Any]:
    model = keras.Sequential(
        [
            keras.Input((8, 8, 2)),
            layers.Conv2D(4, 3, padding="same", activation="relu", kernel_regularizer="l2"),
            layers.BatchNormalization(),
            layers.MaxPooling2D(),
            layers.SpatialDropout2D(0.3, seed=1),
            layers.Flatten(),
            layers.Dense(3, activation="softmax", kernel_constraint="max_norm"),
        ]
    )
    return model, rng.normal(size=(44, 8, 8, 2)).astype("float32"), rng.integers(0, 3, 44)


def words() -> tuple[Any, Any, Any]:
    inputs = keras.Input((6,), dtype="int32")
    x = layers.Embedding(9, 8, mask_zero=True)(inputs)
    x = layers.MultiHeadAttention(2, 4, dropout=0.1, seed=3)(x, x)
    x = layers.LayerNormalization()(x)
    x = layers.Bidirectional(layers.LSTM(5, return_sequences=True))(x)
    x = layers.GRU(4)(x)
    model = keras.Model(inputs, layers.Dense(3, activation="softmax")(x))
    return model, rng.integers(0, 9, (44, 6)).astype("int32"), rng.integers(0, 3, 44)


def fit(
    make: Callable[[], tuple[Any, Any, Any]], jit: bool | str, optimizer: dict[str, Any]
) -> dict[str, list[float]]:
    global rng
    rng = np.random.default_rng(0)
    keras.utils.set_random_seed(0)
    model, x, y = make()
    model.compile(
        keras.optimizers.get(optimizer),
        "sparse_categorical_crossentropy",
        metrics=["accuracy"],
        jit_compile=jit,
        steps_per_execution=2,
    )
    history = model.fit(
        x, y, batch_size=8, epochs=3, verbose=0, validation_split=0.25, class_weight={0: 2.0}
    ).history
    weights = np.concatenate([w.ravel() for w in model.get_weights()])
    return {**history, "weights": weights, "predictions": model.predict(x, verbose=0)}


@pytest.mark.parametrize(
    ("make", "optimizer"),
    [
        (images, keras.optimizers.AdamW(keras.optimizers.schedules.CosineDecay(0.01, 20))),
        (images, keras.optimizers.SGD(0.1, momentum=0.9, nesterov=True)),
        (words, keras.optimizers.RMSprop(clipnorm=1.0, use_ema=True)),
    ],
    ids=["images_adamw", "images_sgd", "words_rmsprop"],
)
def test_recorded_step_does_what_the_step_does(
    make: Callable[[], Any], optimizer: Any, recorded: list[int]
) -> None:
    repeated = fit(make, "auto", keras.optimizers.serialize(optimizer))
    # Two kinds of batches in training, the last of an epoch is smaller; one or two in validation.
    assert len(recorded) >= 3
    expected = fit(make, False, keras.optimizers.serialize(optimizer))
    assert repeated.keys() == expected.keys()
    for name, values in expected.items():
        np.testing.assert_allclose(repeated[name], values, rtol=1e-4, atol=1e-5, err_msg=name)


def test_what_simplifying_leaves_computes_the_same() -> None:
    """Constants, views of them, and what is written in place."""
    import torch
    from torch.fx.experimental.proxy_tensor import make_fx

    from keraslite.backend.torch.recording import simplify

    def step(x: Any) -> Any:
        fixed = torch.arange(4.0).reshape(2, 2).t()
        counted = torch.zeros(2, 2)
        counted.view(-1)[1:3].add_(x.sum())
        counted += fixed
        x.mul_(torch.full((), 2.0))
        counted += torch.mm(x[:, None], x[None]) + x
        return counted + torch.ones_like(x).sum() + x.detach(), torch.rand(2)

    graph = make_fx(step)(torch.ones(2))
    nodes = len(graph.graph.nodes)
    run = simplify(graph).forward
    assert len(graph.graph.nodes) < nodes
    for _ in range(3):
        x, y = torch.ones(2), torch.ones(2)
        torch.manual_seed(0)
        expected = step(x)
        torch.manual_seed(0)
        found = run(y)
        for a, b in zip((*expected, x), (*found, y), strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-6)


def test_additions_are_joined_where_none_needs_another() -> None:
    import torch
    from torch.fx.experimental.proxy_tensor import make_fx

    from keraslite.backend.torch.recording import simplify

    def add(variable: Any, x: Any) -> None:
        variable.detach().copy_(variable + x)

    def step(a: Any, b: Any, c: Any, d: Any) -> Any:
        add(a, d)
        add(b, d * 2)
        add(c, a.detach())  # Needs the first.
        add(d, b.detach()[0])  # Not of the same shape.
        add(b, d.detach())
        add(a, torch.ones(3))
        return b - c

    graph = simplify(make_fx(step, tracing_mode="fake")(*torch.rand(4, 3)))
    joined = [n for n in graph.graph.nodes if "_foreach_add_" in str(n.target)]
    assert [len(node.args[0]) for node in joined] == [2, 2]
    given, again = torch.rand(2, 4, 3).unbind()
    again.copy_(given)
    for _ in range(2):
        torch.testing.assert_close(graph.forward(*again), step(*given))
        torch.testing.assert_close(again, given)


def test_functions_of_the_user_run_every_time(recorded: list[int]) -> None:
    calls: list[float] = []

    class Noting(layers.Layer):
        def call(self, x: Any) -> Any:
            calls.append(float(ops.convert_to_numpy(ops.sum(x))))
            return x

        def compute_output_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
            return shape

    model = keras.Sequential([keras.Input((3,)), layers.Dense(2), Noting()])
    model.compile("sgd", "mse")
    x = rng.normal(size=(8, 3)).astype("float32")
    model.fit(x, x[:, :2], batch_size=2, epochs=3, shuffle=False, verbose=0)
    assert len(set(calls)) == 12
    assert not recorded


def test_branches_on_values_are_not_recorded(recorded: list[int]) -> None:
    optimizer = keras.optimizers.SGD(0.1, gradient_accumulation_steps=2)
    model = keras.Sequential([keras.Input((3,)), layers.Dense(2)])
    model.compile(optimizer, "mse")
    x = rng.normal(size=(8, 3)).astype("float32")
    model.fit(x, x[:, :2], batch_size=2, epochs=3, verbose=0)
    assert not recorded
    assert int(optimizer.iterations) == 6


def test_changes_between_steps_count(recorded: list[int]) -> None:
    model = keras.Sequential(
        [keras.Input((3,)), layers.Dense(4, name="first"), layers.Dense(2, name="last")]
    )
    model.compile(keras.optimizers.SGD(0.1), "mse")
    x = rng.normal(size=(8, 3)).astype("float32")

    def step() -> None:
        for _ in range(3):
            model.train_on_batch(x, x[:, :2])

    step()
    assert len(recorded) == 1
    model.set_weights([np.zeros_like(w) for w in model.get_weights()])
    model.optimizer.learning_rate = 0.0
    step()
    assert not np.any(model.get_weights()[0])
    model.optimizer.learning_rate = 0.1
    model.get_layer("first").trainable = False
    step()
    assert len(recorded) == 2
    assert not np.any(model.get_layer("first").get_weights()[0])
    assert np.any(model.get_layer("last").get_weights()[1])

    seen: list[Any] = []
    model.get_layer("last").register_forward_hook(lambda *given: seen.append(given))
    step()
    assert len(seen) == 3, "a hook that is added later is called"
    model.to("cpu", dtype=None)
    step()


def test_step_that_looks_at_values(recorded: list[int]) -> None:
    class Looking(layers.Layer):
        def call(self, x: Any) -> Any:
            return x if float(ops.stop_gradient(ops.sum(x))) > 0 else -x

        def compute_output_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
            return shape

    model = keras.Sequential([keras.Input((3,)), layers.Dense(2), Looking()])
    x = rng.normal(size=(8, 3)).astype("float32")
    model.compile("sgd", "mse")
    model.fit(x, x[:, :2], batch_size=2, epochs=2, verbose=0)
    model.compile("sgd", "mse", jit_compile=True)
    with pytest.raises(TypeError, match="cannot look at values.*jit_compile=False"):
        model.fit(x, x[:, :2], batch_size=2, verbose=0)
    assert not recorded
