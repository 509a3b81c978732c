"""Every layer against Keras: values, gradients, configs, shapes, masks of dtypes."""

from __future__ import annotations

import copy
import os

import numpy as np
import pytest

import keraslite
from keraslite import ops
from keraslite.backend import engine
from keraslite.core import tree
from keraslite.testing.layer_rows import ROWS, Row
from keraslite.testing.test_layers import (  # noqa: F401 - a test that needs no oracle
    arrays,
    test_symbolic_shape_equals_actual,
)

keras = pytest.importorskip("keras")
assert os.environ.get("KERAS_BACKEND") in (None, keras.backend.backend())

# Keras's NumPy engine has no such kernels without another framework.
_ORACLE_LACKS = ("Conv", "Pooling") if keras.backend.backend() == "numpy" else ()


def pair(row: Row):
    """The layer and Keras's, with the same weights."""
    ours, theirs = row.make(keraslite), row.make(keras)
    inputs = row.inputs()
    row.apply(ours, inputs)
    row.apply(theirs, [keras.ops.convert_to_tensor(x) for x in inputs])
    assert [tuple(w.shape) for w in ours.weights] == [tuple(w.shape) for w in theirs.weights]
    rng = np.random.default_rng(5)
    values = [rng.uniform(0.1, 0.9, w.shape).astype("float32") for w in ours.weights]
    ours.set_weights(values)
    theirs.set_weights(values)
    return ours, theirs, inputs


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.id)
def test_forward_equals_keras(row: Row) -> None:
    ours, theirs, inputs = pair(row)
    got = arrays(row.apply(ours, inputs))
    expected = [
        keras.ops.convert_to_numpy(x)
        for x in tree.flatten(row.apply(theirs, [keras.ops.convert_to_tensor(x) for x in inputs]))
    ]
    assert len(got) == len(expected)
    for a, b in zip(got, expected, strict=True):
        np.testing.assert_allclose(a, b, rtol=row.tolerance, atol=row.tolerance)
        assert a.dtype == b.dtype


# Where single operations are compiled, whole functions take less time, but much: a row a class
# must do. That of Keras's ConvLSTM3D takes minutes.
JIT = engine.capabilities.functional
FIRST = {row.name: row for row in reversed(ROWS) if row.name != "ConvLSTM3D"}.values()


@pytest.mark.requires("trainable")
@pytest.mark.parametrize("row", FIRST if JIT else ROWS, ids=lambda row: row.id)
def test_gradients_equal_those_of_keras(row: Row) -> None:
    """Of a weighted sum of the outputs, by weights and inputs: a step of gradient descent."""
    ours, theirs, inputs = pair(row)
    weights = ours.trainable_variables
    if not weights:
        pytest.skip("no weights")
    variables = [*weights, *(keraslite.Variable(x) for x in inputs if not row.integers)]
    rng = np.random.default_rng(9)
    factors = [
        ops.convert_to_tensor(rng.normal(size=x.shape).astype("float32"))
        for x in arrays(row.apply(ours, inputs))
    ]

    def gradients(outputs_of):
        def objective():
            given = [v.value for v in variables[len(weights) :]] or inputs
            found = tree.flatten(outputs_of(given))
            return sum(ops.sum(x * f) for x, f in zip(found, factors, strict=True))

        value, found = ops.value_and_grad(objective, variables=variables)()
        return [value, *found]

    def keras_outputs(given):
        # The engine differentiates Keras's computation by our variables.
        state = [[v.value for v in weights], theirs.non_trainable_variables]
        return row.apply(
            lambda *args, **call: theirs.stateless_call(*state, *args, **call)[0],
            [keras.ops.convert_to_tensor(x) for x in given],
        )

    def step(batch):
        return [gradients(lambda given: row.apply(ours, given)), gradients(keras_outputs)]

    state = [*ours.variables, *variables[len(weights) :]]
    for a, b in zip(
        *(engine.compile_step(step, state, True)(()) if JIT else step(())), strict=True
    ):
        a, b = engine.to_numpy(a), engine.to_numpy(b)
        size = max(1.0, np.abs(b).max())
        np.testing.assert_allclose(a / size, b / size, rtol=0, atol=row.tolerance)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.id)
def test_config_both_ways(row: Row) -> None:
    ours, theirs = row.make(keraslite), row.make(keras)
    config = ours.get_config()
    again = type(ours).from_config(config)
    assert again.get_config() == config
    # Keras makes the same layer of our config, and we of theirs.
    reread = type(theirs).from_config(copy.deepcopy(config))
    assert set(theirs.get_config()) == set(reread.get_config())
    adopted = type(ours).from_config(theirs.get_config())
    adopted_config = adopted.get_config()
    assert {k: v for k, v in adopted_config.items() if k != "name"} == {
        k: v for k, v in config.items() if k != "name"
    }


# Policy -> how far outputs may lie from those in float32, of their size.
POLICIES = {"mixed_bfloat16": 5e-2, "mixed_float16": 1e-2, "float64": 1e-5}


@pytest.mark.parametrize("row", [r for r in ROWS if r.half], ids=lambda row: row.id)
def test_policies_of_dtypes(row: Row) -> None:
    inputs, results = row.inputs(), {}
    rng = np.random.default_rng(5)
    weights: list[np.ndarray] = []
    for name in ("float32", *POLICIES):
        if name == "float64" and not engine.capabilities.float64:
            continue
        policy = keraslite.DTypePolicy(name)
        layer = getattr(keraslite.layers, row.name)(**row.args, dtype=policy)
        row.apply(layer, inputs)
        assert {w.dtype for w in layer.weights} <= {policy.variable_dtype}
        weights = weights or [rng.uniform(0.1, 0.9, w.shape) for w in layer.weights]
        layer.set_weights(weights)
        outputs = tree.flatten(row.apply(layer, inputs))
        assert {engine.dtype(x) for x in outputs} == {policy.compute_dtype}
        results[name] = [x.astype("float64") for x in arrays(outputs)]
    expected = results.pop("float32")
    for name, found in results.items():
        for a, b in zip(found, expected, strict=True):
            atol = POLICIES[name] * max(1.0, np.abs(b).max())
            np.testing.assert_allclose(a, b, rtol=0, atol=atol, err_msg=name)


@pytest.mark.requires("channels_first")
@pytest.mark.parametrize("name", ["Conv1D", "Conv2D", "Conv3D"])
def test_channels_first_is_channels_last_transposed(name: str) -> None:
    """With a bias too, which Keras adds along the wrong axis on one engine."""
    cls = getattr(keraslite.layers, name)
    rank = int(name[-2])
    last = cls(3, 2, bias_initializer="uniform", data_format="channels_last")
    first = cls(3, 2, data_format="channels_first")
    x = np.random.default_rng(4).normal(size=(2, *(5,) * rank, 4)).astype("float32")
    expected = arrays(last(x))[0]
    moved = np.ascontiguousarray(np.moveaxis(x, -1, 1))
    first.build(moved.shape)
    first.set_weights(last.get_weights())
    assert np.any(last.get_weights()[1])
    got = arrays(first(moved))[0]
    np.testing.assert_allclose(np.moveaxis(got, 1, -1), expected, rtol=1e-5, atol=1e-5)
