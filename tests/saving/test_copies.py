"""Copies of models: pickle, cloudpickle, `copy.deepcopy`, `clone_model`."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import keraslite as keras
from keraslite import layers, ops
from keraslite.core.errors import UnsafeModelError

X = np.random.default_rng(0).normal(size=(4, 3)).astype("float32")
SERIES = np.random.default_rng(1).normal(size=(4, 5, 3)).astype("float32")
Y = np.random.default_rng(2).normal(size=(4, 2)).astype("float32")


@keras.saving.register_keras_serializable("copies")
class Scale(layers.Layer):
    """A user's layer."""

    def __init__(self, by: float = 2.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.by = by

    def build(self, shape: Any) -> None:
        self.factor = self.add_weight(shape=(shape[-1],), initializer="ones", name="factor")

    def call(self, x: Any) -> Any:
        return x * self.factor * self.by


@keras.saving.register_keras_serializable("copies")
class Net(keras.Model):
    """A user's model, with layers in lists and dicts."""

    def __init__(self, units: int = 2, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.units = units
        self.blocks = [layers.Dense(3), Scale(0.5)]
        self.heads = {"a": layers.Dense(units)}

    def call(self, x: Any) -> Any:
        for block in self.blocks:
            x = block(x)
        return self.heads["a"](x)


@keras.saving.register_keras_serializable("copies")
def distance(y: Any, found: Any) -> Any:
    return ops.mean(ops.abs(y - found), axis=-1)


def stack() -> Any:
    made = [layers.Dense(4, "relu", kernel_regularizer="l2"), layers.BatchNormalization()]
    return keras.Sequential([keras.Input((3,)), *made, layers.Dropout(0.5, seed=1), Scale()])


def graph() -> Any:
    entry, shared = keras.Input((3,)), layers.Dense(3)
    inner = keras.Sequential([keras.Input((3,)), layers.Dense(4), layers.Dense(3)])
    x = ops.concatenate([ops.relu(shared(entry)) + 1.0, shared(inner(entry))[:, :2]], axis=-1)
    return keras.Model(entry, [x * 2, ops.softmax(ops.sum(x, axis=-1, keepdims=True))])


def series() -> Any:
    entry = keras.Input(batch_shape=(4, 5, 3))
    both = layers.Bidirectional(layers.LSTM(2, return_sequences=True))(layers.Masking()(entry))
    return keras.Model(entry, layers.GRU(2, stateful=True)(both))


def quantized() -> Any:
    model = keras.Sequential([keras.Input((3,)), layers.Dense(4), layers.Dense(2)])
    model.layers[0].enable_lora(2)
    model.quantize("int8")
    return model


def looked_up() -> Any:
    lookup = layers.IntegerLookup(output_mode="count")
    lookup.adapt(np.array([1, 2, 2]))
    entry = keras.Input((3,), dtype="int32")
    return keras.Model(entry, lookup(entry))


def subclassed() -> Any:
    model = Net()
    model(X)
    return model


MODELS: dict[str, tuple[Callable[[], Any], np.ndarray]] = {
    "stack": (stack, X),
    "graph": (graph, X),
    "series": (series, SERIES),
    "quantized": (quantized, X),
    "looked up": (looked_up, X.astype("int32")),
    "subclassed": (subclassed, X),
}


def by_cloudpickle(model: Any) -> Any:
    return pickle.loads(pytest.importorskip("cloudpickle").dumps(model))


def by_pickle(model: Any) -> Any:
    return pickle.loads(pickle.dumps(model))


COPIES = {"pickle": by_pickle, "cloudpickle": by_cloudpickle, "deepcopy": copy.deepcopy}


def arrays(values: Any) -> list[np.ndarray]:
    return [ops.convert_to_numpy(x) for x in keras.tree.flatten(values)]


def assert_equal(found: Any, expected: Any) -> None:
    for a, b in zip(arrays(found), arrays(expected), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("how", COPIES)
def test_copies(how: str, name: str) -> None:
    make, x = MODELS[name]
    model = make()
    found = COPIES[how](model)
    assert type(found) is type(model) and found.name == model.name
    assert [v.path for v in found.variables] == [v.path for v in model.variables]
    assert [x.name for x in found.layers] == [x.name for x in model.layers]
    assert not {id(v) for v in found.variables} & {id(v) for v in model.variables}
    assert_equal(found.variables, model.variables)
    expected = arrays(model(x))
    assert_equal(found(x), expected)
    for weight in found.weights:
        weight.assign(ops.zeros_like(weight))
    if name != "series":  # begins with the state that the call left
        assert_equal(model(x), expected)


@pytest.mark.requires("trainable")
@pytest.mark.parametrize("how", COPIES)
def test_compiled_models_train_on(how: str) -> None:
    model = subclassed()
    rate = keras.optimizers.schedules.ExponentialDecay(0.1, 3, 0.5)
    model.compile(keras.optimizers.Adam(rate), distance, metrics=["mae", distance])
    model.fit(X, Y, epochs=2, verbose=0, shuffle=False)
    found = COPIES[how](model)
    assert_equal(found.optimizer.variables, model.optimizer.variables)
    histories = [m.fit(X, Y, epochs=2, verbose=0, shuffle=False).history for m in (found, model)]
    assert set(histories[0]) == set(histories[1])
    for key, values in histories[0].items():
        np.testing.assert_allclose(values, histories[1][key], rtol=1e-5)
    for a, b in zip(arrays(found.variables), arrays(model.variables), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)
    assert int(found.optimizer.iterations) == 4


@pytest.mark.parametrize("name", [n for n in MODELS if n not in ("quantized", "looked up")])
def test_clones(name: str) -> None:
    make, x = MODELS[name]
    model = make()
    found = keras.models.clone_model(model)
    if not found.built:
        found(x)
    assert [w.shape for w in found.weights] == [w.shape for w in model.weights]
    found.set_weights(model.get_weights())
    assert_equal(found(x), arrays(model(x)))


def test_code_is_never_restored_on_the_way() -> None:
    """A pickle holds objects by name, so a lambda has no place; a clone is made in safe mode."""
    model = keras.Sequential([keras.Input((3,)), layers.Lambda(lambda x: x * 2)])
    with pytest.raises((pickle.PicklingError, AttributeError), match="[Cc]an't pickle|local"):
        pickle.dumps(model)
    with pytest.warns(UserWarning, match="Python code"), pytest.raises(UnsafeModelError):
        keras.models.clone_model(model)
    with pytest.warns(UserWarning, match="Python code"):
        form = keras.saving.serialize_keras_object(model)
    # A config inside of a pickle stays a config: what is made of it is made in safe mode.
    again = pickle.loads(pickle.dumps(form))
    with pytest.raises(UnsafeModelError):
        keras.saving.deserialize_keras_object(again)
