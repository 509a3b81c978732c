"""Every layer against Keras: values, gradients, configs, shapes, masks of dtypes."""

from __future__ import annotations

import copy
import os

import numpy as np
import pytest

import keraslite
from keraslite.backend import engine
from keraslite.core import tree
from keraslite.testing.layer_rows import ROWS, Row
from keraslite.testing.test_layers import (  # noqa: F401 - the tests that need no oracle
    arrays,
    test_gradients_by_inputs_and_weights,
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


@pytest.mark.parametrize("row", [r for r in ROWS if r.half], ids=lambda row: row.id)
def test_mixed_precision(row: Row) -> None:
    policy = keraslite.DTypePolicy("mixed_bfloat16")
    layer = getattr(keraslite.layers, row.name)(**row.args, dtype=policy)
    outputs = tree.flatten(row.apply(layer, row.inputs()))
    assert {engine.dtype(x) for x in outputs} == {"bfloat16"}
    assert {w.dtype for w in layer.weights} <= {"float32"}


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
