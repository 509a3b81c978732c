"""Every model of the table against Keras: structure, values, configs, copies."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import keraslite
from keraslite.core import tree
from tests.models.table import (
    ROWS,
    Row,
    arrays,
    assert_same,
    config_of,
    keras,
    layer_names,
    oracle_tensors,
    pair,
    some_weights,
)

every_row = pytest.mark.parametrize("row", ROWS, ids=str)
with_config = pytest.mark.parametrize("row", [r for r in ROWS if r.config], ids=str)


def needs_oracle(row: Row) -> None:
    if not row.kernels and keras.backend.backend() == "numpy":
        pytest.skip("Keras's NumPy engine has no such kernels without another framework")


def described(model: Any, ops: bool) -> dict[str, Any]:
    found: dict[str, Any] = {
        "name": model.name,
        "built": model.built,
        "trainable": model.trainable,
        "layers": layer_names(model),
        "params": model.count_params(),
    }
    for name in ("input_shape", "output_shape", "output_names"):
        found[name] = getattr(model, name, None)
    for name in ("weights", "trainable_weights", "non_trainable_weights"):
        found[name] = [
            (w.path, tuple(w.shape), str(w.dtype), bool(w.trainable)) for w in getattr(model, name)
        ]
    # Seeds among them: their dtypes are a matter of the engine.
    found["variables"] = [(w.path, tuple(w.shape)) for w in model.variables]
    if ops and hasattr(model, "operations"):
        found["operations"] = [x.name.removesuffix("CLONE") for x in model.operations]
    return found


@every_row
def test_structure(row: Row) -> None:
    ours, theirs = pair(row)
    assert described(ours, row.ops) == described(theirs, row.ops)


@every_row
def test_values(row: Row) -> None:
    needs_oracle(row)
    ours, theirs = pair(row)
    inputs = row.inputs()
    assert_same(ours(inputs), theirs(oracle_tensors(inputs)))
    if row.id in ("dicts", "nested_structures", "one_in_lists"):
        assert_same(ours.predict(inputs, verbose=0), theirs.predict(inputs, verbose=0))


@every_row
def test_symbolic_outputs_equal_actual_ones(row: Row) -> None:
    ours, _ = pair(row)
    inputs = row.inputs()
    symbols = tree.map_structure(
        lambda x: keraslite.KerasTensor((None, *x.shape[1:]), x.dtype.name), inputs
    )
    actual = tree.flatten(arrays(ours(inputs)))
    for symbol, x in zip(tree.flatten(ours(symbols)), actual, strict=True):
        assert len(symbol.shape) == x.ndim and symbol.dtype == x.dtype.name
        assert all(n in (None, m) for n, m in zip(symbol.shape, x.shape, strict=True))


@with_config
def test_config_equals_that_of_keras(row: Row) -> None:
    ours, theirs = pair(row)
    if row.ops:
        assert config_of(ours) == config_of(theirs)
    again = type(ours).from_config(ours.get_config())
    assert again.get_config() == ours.get_config()


@with_config
def test_json_is_read_by_both(row: Row) -> None:
    needs_oracle(row)
    ours, theirs = pair(row)
    weights, inputs = ours.get_weights(), row.inputs()
    expected = tree.flatten(ours(inputs))
    for package, text in (
        (keraslite, ours.to_json()),
        (keraslite, theirs.to_json()),
        (keras, ours.to_json()),
    ):
        package.utils.clear_session(free_memory=False)
        read = package.models.model_from_json(text)
        assert layer_names(read) == layer_names(theirs)
        assert len(read.trainable_weights) == len(theirs.trainable_weights)
        read.set_weights(weights)
        outputs = read(inputs if package is keraslite else oracle_tensors(inputs))
        # JSON has no tuples.
        assert_same(tree.flatten(outputs), expected)


@with_config
def test_clone(row: Row) -> None:
    ours, theirs = pair(row)
    keraslite.utils.clear_session(free_memory=False)
    keras.utils.clear_session(free_memory=False)
    cloned = keraslite.models.clone_model(ours)
    expected = keras.models.clone_model(theirs)
    assert layer_names(cloned) == layer_names(expected)
    assert [w.path for w in cloned.weights] == [w.path for w in expected.weights]
    assert not {id(w) for w in cloned.weights} & {id(w) for w in ours.weights}
    cloned.set_weights(ours.get_weights())
    assert_same(cloned(row.inputs()), ours(row.inputs()))


@pytest.mark.requires("trainable")
@pytest.mark.parametrize(
    "row", [r for r in ROWS if r.id in ("shared", "dicts", "one_in_lists")], ids=str
)
def test_training_step_equals_keras(row: Row) -> None:
    results = []
    for package in (keraslite, keras):
        package.utils.clear_session(free_memory=False)
        model = row.build(package)
        model.set_weights(some_weights(model))
        inputs = row.inputs()
        samples = len(tree.flatten(inputs)[0])
        targets = [np.zeros((samples, *x.shape[1:]), "float32") for x in model.outputs]
        targets = tree.pack_sequence_as(model.output, targets)
        model.compile(package.optimizers.SGD(0.05), "mse")
        history = model.fit(inputs, targets, batch_size=2, epochs=2, shuffle=False, verbose=0)
        results.append((history.history["loss"], model.get_weights()))
    (loss, weights), (expected_loss, expected) = results
    np.testing.assert_allclose(loss, expected_loss, rtol=1e-4)
    for a, b in zip(weights, expected, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)
