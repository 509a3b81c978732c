"""Forms of values and objects, compared with those of Keras."""

from __future__ import annotations

import json
from typing import Any

import keras as oracle
import numpy as np
import pytest

import keraslite as keras
from keraslite.core.errors import UnsafeModelError
from keraslite.core.serialization import (
    deserialize_keras_object,
    deserialize_value,
    safe_mode_scope,
    serialize_keras_object,
    serialize_value,
)

VALUES: list[Any] = [
    None,
    True,
    3,
    2.5,
    "text",
    b"ab",
    (1, (2, 3)),
    [1, {"a": (2,)}],
    np.float32(2),
    np.int64(3),
    np.array(4),
    np.arange(6.0).reshape(2, 3),
    slice(1, None, 2),
    slice(None),
    Ellipsis,
]


@pytest.mark.parametrize("value", VALUES, ids=str)
def test_plain_values_as_keras_writes_them(value: Any) -> None:
    form = serialize_keras_object(value)
    if not oracle.ops.is_tensor(value):  # arrays are, where NumPy is the engine
        assert form == oracle.saving.serialize_keras_object(value)
    back = deserialize_value(form)
    if isinstance(value, (np.ndarray, np.generic)):
        np.testing.assert_array_equal(back, value)
    else:
        assert back == value


def test_tensors() -> None:
    tensor = keras.ops.convert_to_tensor(np.ones((2,), "float32"))
    expected = oracle.saving.serialize_keras_object(oracle.ops.ones((2,)))
    if not isinstance(tensor, np.ndarray):
        assert serialize_keras_object(tensor) == expected
    back = deserialize_value(expected)
    assert keras.ops.is_tensor(back)
    np.testing.assert_array_equal(keras.ops.convert_to_numpy(back), [1.0, 1.0])


# One row an object: how to make it in either package.
OBJECTS: dict[str, Any] = {
    "Dense": lambda k: k.layers.Dense(3, activation="relu", name="d"),
    "Dense with objects": lambda k: k.layers.Dense(
        3,
        kernel_initializer=k.initializers.HeNormal(seed=1),
        kernel_regularizer=k.regularizers.L2(0.5),
        bias_constraint=k.constraints.NonNeg(),
        dtype="mixed_bfloat16",
        name="d",
    ),
    "layer as activation": lambda k: k.layers.Dense(
        3, activation=k.layers.LeakyReLU(0.25, name="a"), name="d"
    ),
    "Conv2D": lambda k: k.layers.Conv2D(4, 3, strides=2, padding="same", name="c"),
    "BatchNormalization": lambda k: k.layers.BatchNormalization(momentum=0.5, name="b"),
    "Dropout": lambda k: k.layers.Dropout(0.25, seed=3, name="d"),
    "Embedding": lambda k: k.layers.Embedding(5, 2, mask_zero=True, name="e"),
    "LSTM": lambda k: k.layers.LSTM(4, return_sequences=True, name="l"),
    "Bidirectional": lambda k: k.layers.Bidirectional(k.layers.GRU(4, name="g"), name="b"),
    "MultiHeadAttention": lambda k: k.layers.MultiHeadAttention(2, 3, name="m"),
    "LayerNormalization": lambda k: k.layers.LayerNormalization(name="n"),
    "Reshape": lambda k: k.layers.Reshape((2, -1), name="r"),
    "Concatenate": lambda k: k.layers.Concatenate(axis=1, name="c"),
    "Loss": lambda k: k.losses.CategoricalCrossentropy(label_smoothing=0.5, name="c"),
    "loss function": lambda k: k.losses.mean_squared_error,
    "Metric": lambda k: k.metrics.SparseCategoricalAccuracy(name="a"),
    "Adam": lambda k: k.optimizers.Adam(0.5, clipnorm=1.0, name="o"),
    "SGD with a schedule": lambda k: k.optimizers.SGD(
        k.optimizers.schedules.ExponentialDecay(0.5, 10, 0.5), momentum=0.5, name="o"
    ),
    "DTypePolicy": lambda k: k.DTypePolicy("mixed_float16"),
    "Sequential": lambda k: k.Sequential(
        [k.Input((3,), name="i"), k.layers.Dense(2, name="d")], name="s"
    ),
}


def _plain(form: Any) -> Any:
    return json.loads(json.dumps(form))


def _portable(form: Any) -> Any:
    """A form of Keras, with the public module of the optimizers that are one engine's own."""
    private = f"keras.src.backend.{oracle.backend.backend()}.optimizers"
    if str(form.get("module")).startswith(private):
        return {**form, "module": "keras.optimizers", "registered_name": None}
    return form


@pytest.mark.parametrize("name", OBJECTS)
def test_objects_as_keras_writes_them(name: str) -> None:
    ours, theirs = OBJECTS[name](keras), OBJECTS[name](oracle)
    form = _plain(serialize_keras_object(ours))
    written = _plain(oracle.saving.serialize_keras_object(theirs))
    assert form == _portable(written)
    for readable in (form, written):
        again = deserialize_keras_object(readable)
        assert _plain(serialize_keras_object(again)) == form


@keras.saving.register_keras_serializable("tests")
class Scale(keras.layers.Layer):
    def __init__(self, factor: float, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.factor = factor

    def call(self, x: Any) -> Any:
        return x * self.factor


class Dense(keras.layers.Layer):
    """Shares its name with a built-in class."""


def test_registered_classes() -> None:
    form = serialize_keras_object(Scale(2.0, name="s"))
    assert form["registered_name"] == "tests>Scale"
    assert form["config"]["factor"] == 2.0
    assert deserialize_keras_object(form).factor == 2.0


def test_activations_are_plain_names_in_configs_only() -> None:
    assert serialize_value(keras.activations.relu) == "relu"
    assert serialize_keras_object(keras.activations.relu)["config"] == "relu"
    assert (
        deserialize_keras_object(serialize_keras_object(keras.activations.relu))
        is keras.activations.relu
    )


def test_nobody_stands_in_for_a_built_in_class() -> None:
    form = serialize_keras_object(keras.layers.Dense(2))
    with keras.saving.custom_object_scope({"Dense": Dense}):
        assert type(deserialize_keras_object(form)) is keras.layers.Dense


def _layer(config: Any, name: str = "Dense") -> dict[str, Any]:
    return {"module": "keras.layers", "class_name": name, "config": config, "registered_name": None}


WRONG = {
    "unknown class": (
        {"module": "m", "class_name": "Mine", "config": {}, "registered_name": "pkg>Mine"},
        "register_keras_serializable",
    ),
    "misspelt class": (
        _layer({}, "Dens"),
        "Did you mean 'Dense'",
    ),
    "misspelt argument": (
        _layer({"units": 2, "activaton": "relu"}),
        "Did you mean 'activation'",
    ),
    "unknown function": (
        {"module": "builtins", "class_name": "function", "config": "system"},
        "system",
    ),
    "config of a wrong type": (_layer([]), "dict"),
    "class name of a wrong type": ({"class_name": 3, "config": {}}, "class_name"),
    "huge class name": ({"class_name": "A" * 10**6, "config": {}}, "AAA"),
}


@pytest.mark.parametrize("name", WRONG)
def test_errors_say_what_to_do(name: str) -> None:
    form, message = WRONG[name]
    with pytest.raises((ValueError, TypeError), match=message) as caught:
        deserialize_keras_object(form)
    assert len(str(caught.value)) <= 600


def test_lambdas_need_unsafe_mode() -> None:
    with pytest.warns(UserWarning, match="lambda"):
        form = json.loads(json.dumps(serialize_keras_object(lambda x, k=2: x + k)))
    for call in (deserialize_value, deserialize_keras_object):
        with pytest.raises(UnsafeModelError, match="safe_mode=False"):
            call(form)
    assert deserialize_keras_object(form, safe_mode=False)(1) == 3
    with safe_mode_scope(False):
        assert deserialize_value(form)(1) == 3


def test_attack_forms_do_nothing(tmp_path: Any) -> None:
    target = tmp_path / "touched"
    for form in (
        {"module": "os", "class_name": "function", "config": "mkdir", "registered_name": "mkdir"},
        {"module": "os", "class_name": "mkdir", "config": {"path": str(target)}},
        {"module": "pathlib", "class_name": "Path", "config": {"args": str(target)}},
        {"module": "keras.utils", "class_name": "get_file", "config": {"fname": str(target)}},
        {"class_name": "__lambda__", "config": {"value": ["4wEA", None, None]}},
    ):
        with pytest.raises(ValueError):
            deserialize_keras_object(form)
    assert not target.exists()
