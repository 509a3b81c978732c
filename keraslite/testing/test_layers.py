"""Layers: what they compute, the shapes they promise, and their gradients."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import keraslite
from keraslite import ops
from keraslite.backend import engine
from keraslite.core import tree
from keraslite.testing.layer_rows import ROWS, Row
from keraslite.testing.oracle import on_numpy


def arrays(outputs: Any) -> list[np.ndarray]:
    leaves = tree.flatten(outputs)
    return [engine.to_numpy(x) if engine.is_tensor(x) else np.asarray(x) for x in leaves]


def forward(row: Row) -> list[np.ndarray]:
    """The outputs of the row's layer, with weights that depend on their shapes only."""
    layer = row.make(keraslite)
    inputs = row.inputs()
    row.apply(layer, inputs)
    rng = np.random.default_rng(5)
    layer.set_weights([rng.uniform(0.1, 0.9, w.shape).astype("float32") for w in layer.weights])
    return arrays(row.apply(layer, inputs))


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.id)
def test_forward_equals_numpy(row: Row) -> None:
    found, expected = forward(row), on_numpy(forward, row)
    assert [(x.shape, x.dtype) for x in found] == [(x.shape, x.dtype) for x in expected]
    for x, y in zip(found, expected, strict=True):
        np.testing.assert_allclose(x, y, rtol=row.tolerance * 2, atol=row.tolerance * 2)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.id)
def test_symbolic_shape_equals_actual(row: Row) -> None:
    inputs = row.inputs()
    actual = [x.shape for x in arrays(row.apply(row.make(keraslite), inputs))]
    # Once with the batch unknown, once with every other axis that may be.
    for unknown in ("batch", "all"):
        dtype = "int32" if row.integers else "float32"
        symbols = []
        for x in inputs:
            last = x.ndim - 1
            known = row.fixed if row.fixed is not None else (last,)
            if row.fixed is None and row.args.get("data_format") == "channels_first":
                known = (1,)
            sizes = [
                n if unknown == "batch" or axis in known else None
                for axis, n in enumerate(x.shape[1:], start=1)
            ]
            if row.name in ("Flatten", "Reshape", "Dense", "EinsumDense") and unknown == "all":
                sizes = list(x.shape[1:])
            symbols.append(keraslite.KerasTensor((None, *sizes), dtype))
        outputs = tree.flatten(row.apply(row.make(keraslite), symbols))
        assert len(outputs) == len(actual)
        for symbol, shape in zip(outputs, actual, strict=True):
            assert len(symbol.shape) == len(shape)
            for inferred, real in zip(symbol.shape, shape, strict=True):
                assert inferred is None or inferred == real
            if unknown == "batch":
                assert symbol.shape[1:] == shape[1:]
                assert symbol.shape[0] is None


@pytest.mark.requires("trainable")
@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.id)
def test_gradients_by_inputs_and_weights(row: Row) -> None:
    """Of a weighted sum of the outputs, against finite differences in one direction."""
    layer = row.make(keraslite)
    inputs = row.inputs()
    outputs = arrays(row.apply(layer, inputs))
    rng = np.random.default_rng(9)
    layer.set_weights([rng.uniform(0.1, 0.9, w.shape).astype("float32") for w in layer.weights])
    factors = [ops.convert_to_tensor(rng.normal(size=x.shape).astype("float32")) for x in outputs]
    variables = layer.trainable_variables
    if not variables:
        pytest.skip("no weights")
    directions = [rng.normal(size=v.shape).astype("float32") for v in variables]

    def objective() -> Any:
        found = tree.flatten(row.apply(layer, inputs))
        return sum(ops.sum(x * f) for x, f in zip(found, factors, strict=True))

    _, gradients = ops.value_and_grad(objective, variables=variables)()
    slope = sum(
        float(np.sum(engine.to_numpy(g) * d)) for g, d in zip(gradients, directions, strict=True)
    )
    step = 1e-2
    start = [v.numpy() for v in variables]
    values = []
    for sign in (1, -1):
        for v, s, d in zip(variables, start, directions, strict=True):
            v.assign(s + sign * step * d)
        values.append(float(engine.to_numpy(engine.stop_gradient(objective()))))
    measured = (values[0] - values[1]) / (2 * step)
    np.testing.assert_allclose(slope, measured, rtol=0.05, atol=0.02)
