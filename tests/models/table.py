"""Models that are built twice, with keraslite and with Keras, and compared in every way."""

from __future__ import annotations

import functools
import json
import os
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pytest

import keraslite
from keraslite.core import tree

keras = pytest.importorskip("keras")
assert os.environ.get("KERAS_BACKEND") in (None, keras.backend.backend())


class Row(NamedTuple):
    """One model.

    Attributes:
        build: makes it with the given package.
        inputs: what it is called on.
        config: whether its config is compared (subclassed models have no common one).
        ops: whether the ops of the graph are compared. Keras records the computation of masks
            there; keraslite attaches masks to tensors.
        kernels: whether Keras's NumPy engine can compute it.
    """

    id: str
    build: Callable[[Any], Any]
    inputs: Callable[[], Any]
    config: bool = True
    ops: bool = True
    kernels: bool = True

    def __str__(self) -> str:
        return self.id


def fresh(build: Callable[[Any], Any]) -> tuple[Any, Any]:
    """The model of keraslite and that of Keras, with automatic names from the beginning."""
    made = []
    for package in (keraslite, keras):
        package.utils.clear_session(free_memory=False)
        made.append(build(package))
    return made[0], made[1]


@functools.cache
def pair(row: Row) -> tuple[Any, Any]:
    """Both models, built and with the same weights; not to be changed."""
    ours, theirs = fresh(row.build)
    if not ours.built:
        ours(row.inputs())
        theirs(oracle_tensors(row.inputs()))
    weights = some_weights(theirs)
    ours.set_weights(weights)
    theirs.set_weights(weights)
    return ours, theirs


def some_weights(model: Any) -> list[np.ndarray]:
    return [
        np.random.default_rng(i).uniform(0.1, 0.9, w.shape).astype("float32")
        for i, w in enumerate(model.weights)
    ]


def layer_names(model: Any) -> list[str]:
    """Names of the layers; Keras renames an entry that is the result of a layer."""
    return [layer.name.removesuffix("CLONE") for layer in model.layers]


def oracle_tensors(inputs: Any) -> Any:
    return tree.map_structure(keras.ops.convert_to_tensor, inputs)


def arrays(outputs: Any) -> Any:
    """The same structure with NumPy arrays."""

    def convert(x: Any) -> np.ndarray:
        package = keraslite if keraslite.ops.is_tensor(x) else keras
        return package.ops.convert_to_numpy(x)

    return tree.map_structure(convert, outputs)


def assert_same(ours: Any, theirs: Any, tolerance: float = 1e-4) -> None:
    """The same structure, values and dtypes."""
    ours, theirs = arrays(ours), arrays(theirs)
    tree.assert_same_structure(ours, theirs)
    for a, b in zip(tree.flatten(ours), tree.flatten(theirs), strict=True):
        np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance)
        assert a.dtype == b.dtype


#: Layers without weights, of which only Keras records with which shapes they were built.
_NOT_BUILT = {"Add", "Concatenate", "Multiply", "Functional"}


def config_of(model: Any) -> Any:
    """The config of a model as JSON has it, without what only one side writes."""
    return _normal(json.loads(model.to_json()))


def _normal(config: Any) -> Any:
    if isinstance(config, list):
        return [_normal(x) for x in config]
    if config == "keras_tensorCLONE":
        return "keras_tensor"
    if not isinstance(config, dict):
        return config
    found = {key: _normal(value) for key, value in config.items()}
    if found.get("class_name") in _NOT_BUILT:
        found.pop("build_config", None)
    if "inbound_nodes" in found:
        for call in found["inbound_nodes"]:
            mask = call["kwargs"].get("mask")
            if all(m is None for m in tree.flatten(mask)):
                call["kwargs"].pop("mask", None)
    return found


def values(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape).astype("float32")


def ids(*shape: int) -> np.ndarray:
    return np.random.default_rng(1).integers(0, 9, shape).astype("int32")


# Stacks --------------------------------------------------------------------------------


def stack(k: Any) -> Any:
    layers = [k.Input((4,)), k.layers.Dense(8, activation="relu"), k.layers.Dropout(0.5)]
    return k.Sequential([*layers, k.layers.Dense(2)], name="stack")


def stack_of_blocks(k: Any) -> Any:
    block = k.Sequential([k.layers.Dense(3), k.layers.BatchNormalization()], name="block")
    return k.Sequential([k.Input((4,)), block, k.layers.Dense(2), stack_of(k, 2)])


def stack_of(k: Any, size: int) -> Any:
    return k.Sequential([k.Input((size,)), k.layers.Dense(size)])


def stack_from_add(k: Any) -> Any:
    model = k.Sequential(name="grown")
    model.add(k.Input((None, 4), batch_size=2, name="entry"))
    model.add(k.layers.Conv1D(3, 2, padding="same"))
    model.add(k.layers.Dense(9))
    model.pop()
    model.add(k.layers.GlobalAveragePooling1D())
    return model


def stack_of_ids(k: Any) -> Any:
    return k.Sequential(
        [
            k.Input((5,), dtype="int32"),
            k.layers.Embedding(9, 4, mask_zero=True),
            k.layers.Dense(3),
            k.layers.GlobalAveragePooling1D(),
        ]
    )


def deferred(k: Any) -> Any:
    model = k.Sequential([k.layers.Dense(3), k.layers.Dense(2)])
    model.build((None, 4))
    return model


def frozen(k: Any) -> Any:
    model = stack_of_blocks(k)
    model.layers[0].trainable = False
    return model


# Graphs --------------------------------------------------------------------------------


def residual(k: Any) -> Any:
    x = inputs = k.Input((4,), name="x")
    x = k.layers.Dense(4, activation="relu", name="first")(x)
    x = k.layers.add([x, inputs])
    return k.Model(inputs, k.layers.Dense(2, name="last")(x), name="residual")


def shared(k: Any) -> Any:
    left, right = k.Input((4,), name="left"), k.Input((4,), name="right")
    tower = k.layers.Dense(3, name="tower")
    joined = k.layers.Concatenate()([tower(right), tower(left)])
    return k.Model([left, right], [k.layers.Dense(1, name="score")(joined), tower(joined[:, :4])])


def dicts(k: Any) -> Any:
    inputs = {"b": k.Input((4,), name="b"), "a": k.Input((3,), name="a")}
    x = k.layers.Concatenate()([inputs["b"], inputs["a"]])
    outputs = {"z": k.layers.Dense(2, name="head_z")(x), "c": k.layers.Dense(1, name="head_c")(x)}
    return k.Model(inputs, outputs, name="dicts")


def nested_structures(k: Any) -> Any:
    a, b, c = (k.Input((2,), name=name) for name in "abc")
    outputs = (a + b, {"product": b * c, "rest": [k.layers.Dense(1)(c)]})
    return k.Model([a, (b, c)], outputs)


def operators(k: Any) -> Any:
    x = k.Input((6, 4), name="x")
    y = x * 2.0 + 1.0
    y = -y[:, 1:5:2, :3] / (abs(y[:, :2, 1:]) + 1.0)
    y = k.ops.concatenate([y, y**2, 3.0 - y], axis=-1)
    y = k.ops.mean(k.ops.transpose(y, (0, 2, 1)), axis=-1, keepdims=True)
    y = k.ops.reshape(y, (-1, 3, 3))
    y = y @ y
    return k.Model(x, [k.ops.softmax(y), k.ops.split(y, 3, axis=1)[1], y > 0])


def free_sizes(k: Any) -> Any:
    x = k.Input((None, None, 3), name="x")
    y = k.layers.Conv2D(4, 3, padding="same", strides=2)(x)
    y = k.ops.repeat(y, 2, axis=1)
    return k.Model(x, [k.layers.GlobalMaxPooling2D()(y), k.ops.sum(y, axis=(1, 2))])


def model_in_model(k: Any) -> Any:
    a, b = k.Input((4,), name="a"), k.Input((4,), name="b")
    inner = k.Model([a, b], [a - b, k.layers.Dense(3)(a * b)], name="inner")
    x = k.Input((4,), name="x")
    difference, product = inner([x, k.layers.Dense(4)(x)])
    head = stack_of(k, 3)
    return k.Model(x, [head(product), head(inner([difference, x])[1])], name="outer")


def masked(k: Any) -> Any:
    tokens = k.Input((None,), dtype="int32", name="tokens")
    x = k.layers.Embedding(9, 4, mask_zero=True)(tokens)
    x = k.layers.Dropout(0.1)(x)
    x = k.layers.LayerNormalization()(k.layers.Add()([x, k.layers.Dense(4)(x)]))
    return k.Model(tokens, k.layers.GlobalAveragePooling1D()(x))


def keyword_calls(k: Any) -> Any:
    query, value = k.Input((3, 4), name="query"), k.Input((5, 4), name="value")
    x = k.layers.MultiHeadAttention(1, 4, name="mha")(query, value=value, key=value)
    x = k.layers.BatchNormalization()(x, training=False)
    return k.Model(inputs=[query, value], outputs=x)


def one_in_lists(k: Any) -> Any:
    x = k.Input((4,), name="x")
    return k.Model([x], [k.layers.Dense(2)(x)])


def passed_through(k: Any) -> Any:
    x = k.Input((2,), name="x")
    y = k.layers.Dense(2, name="y")(x)
    return k.Model(x, [x, y, y])


def features(k: Any) -> Any:
    model = residual(k)
    return k.Model(model.inputs, [model.get_layer("first").output, model.output])


def from_the_middle(k: Any) -> Any:
    model = residual(k)
    return k.Model(
        model.get_layer("first").output, k.layers.Dense(1)(model.get_layer("first").output)
    )


def partly_frozen(k: Any) -> Any:
    model = model_in_model(k)
    model.get_layer("inner").trainable = False
    model.layers[-1].trainable = False
    return model


# Subclasses ------------------------------------------------------------------------------


def subclassed(k: Any) -> Any:
    class Block(k.layers.Layer):
        def __init__(self, units, **kwargs):
            super().__init__(**kwargs)
            self.units = units
            self.dense = k.layers.Dense(units)
            self.norm = k.layers.BatchNormalization()

        def build(self, input_shape):
            self.dense.build(input_shape)
            self.norm.build((*input_shape[:-1], self.units))
            self.scale = self.add_weight(shape=(), initializer="ones", name="scale")

        def call(self, x, training=False):
            return self.norm(self.dense(x), training=training) * self.scale

    class Net(k.Model):
        def __init__(self):
            super().__init__(name="net")
            self.blocks = [Block(3, name=f"block_{i}") for i in range(2)]
            self.heads = {"a": k.layers.Dense(1, name="head_a"), "b": [k.layers.Dense(2)]}
            self.offset = self.add_weight(shape=(4,), initializer="zeros", name="offset")

        def call(self, inputs, training=False):
            x = inputs + self.offset
            for block in self.blocks:
                x = block(x, training=training)
            return {"a": self.heads["a"](x), "b": self.heads["b"][0](x)}

    return Net()


ROWS = [
    Row("stack", stack, lambda: values(3, 4)),
    Row("stack_of_blocks", stack_of_blocks, lambda: values(3, 4)),
    Row("stack_from_add", stack_from_add, lambda: values(2, 5, 4), kernels=False),
    Row("stack_of_ids", stack_of_ids, lambda: ids(3, 5)),
    Row("deferred", deferred, lambda: values(3, 4)),
    Row("frozen", frozen, lambda: values(3, 4)),
    Row("residual", residual, lambda: values(3, 4)),
    Row("shared", shared, lambda: [values(3, 4), values(3, 4, seed=1)]),
    Row("dicts", dicts, lambda: {"a": values(2, 3), "b": values(2, 4)}),
    Row(
        "nested_structures",
        nested_structures,
        lambda: [values(2, 2), (values(2, 2, seed=1), values(2, 2, seed=2))],
    ),
    Row("operators", operators, lambda: values(2, 6, 4)),
    Row("free_sizes", free_sizes, lambda: values(2, 5, 6, 3), kernels=False),
    Row("model_in_model", model_in_model, lambda: values(2, 4)),
    Row("masked", masked, lambda: ids(2, 5), ops=False),
    Row("keyword_calls", keyword_calls, lambda: [values(2, 3, 4), values(2, 5, 4)]),
    Row("one_in_lists", one_in_lists, lambda: [values(2, 4)]),
    Row("passed_through", passed_through, lambda: values(2, 2)),
    Row("features", features, lambda: values(2, 4)),
    Row("from_the_middle", from_the_middle, lambda: values(2, 4)),
    Row("partly_frozen", partly_frozen, lambda: values(2, 4)),
    Row("subclassed", subclassed, lambda: values(2, 4), config=False),
]
