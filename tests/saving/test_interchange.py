"""Whole models in files between keraslite and Keras, both ways: every layer, every optimizer."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import keraslite
from keraslite.backend import engine
from keraslite.core import tree
from keraslite.testing.layer_rows import ROWS, Row
from tests.layers.test_table import _ORACLE_LACKS, keras

BOTH_WAYS = [(keraslite, keras), (keras, keraslite)]
ways = pytest.mark.parametrize(("writer", "reader"), BOTH_WAYS, ids=["to Keras", "from Keras"])
X = np.random.default_rng(1).uniform(size=(4, 3)).astype("float32")


def random_weights(model: Any) -> Any:
    rng = np.random.default_rng(5)
    for weight in model.weights:
        if "float" in str(weight.dtype):
            weight.assign(rng.uniform(0.1, 0.6, weight.shape).astype("float32"))
    return model


def arrays(k: Any, values: Any) -> list[np.ndarray]:
    return [np.asarray(k.ops.convert_to_numpy(x)) for x in tree.flatten(values)]


def outputs(k: Any, model: Any, inputs: Any) -> list[np.ndarray]:
    return arrays(k, model(tree.map_structure(k.ops.convert_to_tensor, inputs)))


def assert_same(found: list[Any], expected: list[Any], tolerance: float = 2e-5) -> None:
    assert [(x.shape, x.dtype) for x in found] == [(x.shape, x.dtype) for x in expected]
    for a, b in zip(found, expected, strict=True):
        np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance)


# Layers ------------------------------------------------------------------------------------

#: A configuration a class: the configs of all others go both ways in tests of layers.
CHOSEN = [r for r in ROWS if not any(word in r.name for word in _ORACLE_LACKS)]
CHOSEN = list({r.name: r for r in CHOSEN}.values())
PARTS = [CHOSEN[i::8] for i in range(8)]
# Files are the same on all engines, and compiling each operation takes minutes.
pytestmark = pytest.mark.skipif(
    engine.capabilities.functional, reason="the engine compiles operations"
)


def model_of(k: Any, rows: list[Row]) -> Any:
    """One model that has all of the layers side by side."""
    entries, results = [], []
    for row in rows:
        dtype = "int32" if row.integers else "float32"
        inputs = [k.Input(shape[1:], dtype=dtype) for shape in row.shapes]
        entries += inputs
        results += tree.flatten(row.apply(row.make(k), inputs))
    return random_weights(k.Model(entries, results))


@ways
@pytest.mark.parametrize("rows", PARTS, ids=lambda rows: rows[0].name)
def test_every_layer(tmp_path: Path, writer: Any, reader: Any, rows: list[Row]) -> None:
    model = model_of(writer, rows)
    inputs = [x for row in rows for x in row.inputs()]
    expected = outputs(writer, model, inputs)
    for name in ("m.keras", "m.h5"):
        model.save(tmp_path / name)
        loaded = reader.saving.load_model(tmp_path / name)
        assert_same(outputs(reader, loaded, inputs), expected)


# Optimizers --------------------------------------------------------------------------------

OPTIMIZERS: dict[str, Callable[[Any], Any]] = {
    name: lambda o, name=name: getattr(o, name)(0.01)
    for name in (
        "Adadelta", "Adafactor", "Adagrad", "Adam", "AdamW", "Adamax", "Ftrl", "Lamb", "Lion",
        "Muon", "Nadam", "RMSprop", "SGD", "ScheduleFreeAdamW",
    )
}  # fmt: skip
OPTIMIZERS |= {
    "momentum": lambda o: o.SGD(0.01, momentum=0.9, nesterov=True, clipnorm=1.0),
    "centered": lambda o: o.RMSprop(0.01, centered=True, momentum=0.5, weight_decay=0.1),
    "averages": lambda o: o.Adam(0.01, amsgrad=True, use_ema=True, gradient_accumulation_steps=2),
    "schedule": lambda o: o.SGD(o.schedules.CosineDecayRestarts(0.1, 10)),
    "scaled": lambda o: o.LossScaleOptimizer(o.Adam(o.schedules.PolynomialDecay(0.1, 9)), 4.0),
}
#: Keras finds no class for the one in these files, and cannot write the other.
NOT_IN_H5 = ("Lamb", "Adafactor", "scaled")


def trained(k: Any, optimizer: Any, loss: Any = "mse") -> Any:
    dense = [k.layers.Dense(4, name="a"), k.layers.Dense(2, name="b")]
    model = random_weights(k.Sequential([k.Input((3,)), *dense], name="net"))
    model.compile(optimizer, loss, metrics=["mae"])
    model.optimizer.build(model.trainable_variables)
    rng = np.random.default_rng(2)
    for variable in model.optimizer.variables:
        if "float" in str(variable.dtype):
            variable.assign(rng.uniform(0.1, 0.9, variable.shape).astype("float32"))
        else:
            variable.assign(rng.integers(1, 9, variable.shape))
    return model


@ways
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_every_optimizer(tmp_path: Path, writer: Any, reader: Any, name: str) -> None:
    model = trained(writer, OPTIMIZERS[name](writer.optimizers))
    model.save(tmp_path / "m.keras")
    loaded = reader.saving.load_model(tmp_path / "m.keras")
    assert type(loaded.optimizer).__name__ == type(model.optimizer).__name__
    state = arrays(reader, loaded.optimizer.variables)
    # Keras counts with another type of integers on TensorFlow.
    for a, b in zip(state, arrays(writer, model.optimizer.variables), strict=True):
        np.testing.assert_array_equal(a, b)
    skipped = ("name", "inner_optimizer", "learning_rate")
    ours, theirs = (
        {k: v for k, v in m.optimizer.get_config().items() if k not in skipped}
        for m in (model, loaded)
    )
    assert ours == theirs
    # In the older format Keras writes the state, but reads no more of it than the count.
    if name not in NOT_IN_H5:
        model.save(tmp_path / "m.h5")
        if writer is keraslite or model.loss != "mse":
            loaded = reader.saving.load_model(tmp_path / "m.h5")
            assert_same(outputs(reader, loaded, X), outputs(writer, model, X))
            assert int(loaded.optimizer.iterations) == int(model.optimizer.iterations)


# Models ------------------------------------------------------------------------------------


def stateful(k: Any) -> Any:
    layers = [getattr(k.layers, name) for name in ("LSTM", "GRU", "SimpleRNN")]
    entry = k.Input(batch_shape=(4, 2, 3))
    model = k.Model(entry, [make(3, stateful=True)(entry) for make in layers])
    outputs(k, random_weights(model), np.ones((4, 2, 3), "float32"))
    return model


def wrapped(k: Any) -> Any:
    layers = k.layers
    inner = k.Sequential([k.Input((4,)), layers.Dense(2), layers.BatchNormalization()])
    back = layers.LSTM(2, go_backwards=True, return_sequences=True, activation="relu")
    both = layers.Bidirectional(layers.LSTM(2, return_sequences=True), backward_layer=back)
    cells = layers.StackedRNNCells([layers.GRUCell(2), layers.LSTMCell(3)])
    stack = [both, layers.TimeDistributed(inner), layers.RNN(cells)]
    return k.Sequential([k.Input((2, 3)), *stack, layers.SpectralNormalization(layers.Dense(2))])


def looked_up(k: Any, **given: Any) -> Any:
    options = {"output_mode": "tf_idf", "max_tokens": 8, "pad_to_max_tokens": True, **given}
    entry = k.Input((3,), dtype="int32")
    lookup = k.layers.IntegerLookup(**options)
    if not given:
        lookup.adapt(np.array([[5, 7, 7], [7, 0, 1]]))
    return k.Model(entry, lookup(entry))


def quantized(k: Any) -> Any:
    entry = k.Input((2, 3))
    model = k.Model(entry, k.layers.MultiHeadAttention(2, 3)(entry, entry))
    random_weights(model).quantize("int8", filters=lambda x: "Einsum" in type(x).__name__)
    return model


def updated(k: Any) -> Any:
    model = k.Sequential([k.Input((2, 3)), k.layers.Dense(4), k.layers.Dense(2)])
    random_weights(model).layers[0].enable_lora(2)
    return random_weights(model)


def own_objects(k: Any) -> Any:
    """A user's activation, initializer, regularizer, loss, metric and schedule."""
    register = k.saving.register_keras_serializable("exchanged")

    class WithValue:
        def __init__(self, value: float = 1.0) -> None:
            self.value = value

        def get_config(self) -> dict[str, Any]:
            return {"value": self.value}

    @register
    def bent(x: Any) -> Any:
        return k.ops.tanh(x) * 2

    @register
    class Same(WithValue, k.initializers.Initializer):
        def __call__(self, shape: Any, dtype: Any = None) -> Any:
            return k.ops.ones(shape, dtype) * self.value

    @register
    class Total(WithValue, k.regularizers.Regularizer):
        def __call__(self, x: Any) -> Any:
            return k.ops.sum(x) * self.value

    @register
    class Steady(WithValue, k.optimizers.schedules.LearningRateSchedule):
        def __call__(self, step: Any) -> float:
            return self.value

    @register
    class Distance(k.losses.Loss):
        def call(self, y: Any, found: Any) -> Any:
            return k.ops.mean(k.ops.abs(y - found), -1)

    @register
    class Share(k.metrics.Mean):
        def update_state(self, y: Any, found: Any, sample_weight: Any = None) -> None:
            super().update_state(k.ops.mean(y - found))

    options = {"kernel_initializer": Same(0.3), "kernel_regularizer": Total(0.1)}
    dense = k.layers.Dense(4, activation=bent, **options)
    model = k.Sequential([k.Input((2, 3)), dense])
    model.compile(k.optimizers.SGD(Steady(0.2)), Distance(), metrics=[Share()])
    return model


SERIES = np.random.default_rng(3).normal(size=(4, 2, 3)).astype("float32")
TOKENS = np.array([[5, 7, 0], [1, 2, 7]], "int32")
#: Name -> what makes the model, inputs, whether Keras reads what it writes, tolerance.
MODELS: dict[str, tuple[Callable[[Any], Any], Any, bool, float]] = {
    "stateful": (stateful, None, True, 1e-5),
    "wrapped": (lambda k: random_weights(wrapped(k)), SERIES, True, 1e-5),
    "learnt weights": (looked_up, TOKENS, False, 1e-5),
    "given weights": (
        lambda k: looked_up(k, vocabulary=[5, 7, 9], idf_weights=[0.5, 0.6, 0.7]),
        TOKENS,
        True,
        1e-5,
    ),
    "quantized attention": (quantized, SERIES, False, 1e-4),
    "low-rank update": (updated, SERIES, True, 1e-4),
    "own objects": (own_objects, SERIES, True, 1e-5),
}


@ways
@pytest.mark.parametrize("name", MODELS)
def test_models(tmp_path: Path, writer: Any, reader: Any, name: str) -> None:
    make, inputs, readable, tolerance = MODELS[name]
    make(reader)  # registers what is the user's own
    model = make(writer)
    expected = [] if inputs is None else outputs(writer, model, inputs)
    model.save(tmp_path / "m.keras")
    if writer is keras and not readable:
        with pytest.raises(ValueError):
            keras.saving.load_model(tmp_path / "m.keras")
        if name == "quantized attention":
            return  # Its file does not say that it was quantized.
    loaded = reader.saving.load_model(tmp_path / "m.keras")
    if name != "low-rank update":  # Files have the sum.
        assert_same(arrays(reader, loaded.weights), arrays(writer, model.weights), tolerance)
    if inputs is not None:
        assert_same(outputs(reader, loaded, inputs), expected, tolerance)
    if name == "own objects" and engine.capabilities.trainable:
        y = np.ones((4, 2, 4), "float32")
        found = [m.evaluate(inputs, y, verbose=0) for m in (loaded, model)]
        np.testing.assert_allclose(*found, rtol=1e-5)
