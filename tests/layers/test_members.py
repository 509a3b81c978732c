"""Public members that programs build on: masks of cells, kernels, inputs of graphs."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import keraslite
from keraslite import layers, ops
from keraslite.backend import engine

keras = pytest.importorskip("keras")

X = np.ones((2, 5), "float32")


def shapes(masks: Any) -> Any:
    return [x.shape for x in masks] if isinstance(masks, (list, tuple)) else masks.shape


@pytest.mark.parametrize("name", ["SimpleRNNCell", "LSTMCell", "GRUCell"])
def test_masks_of_cells(name: str) -> None:
    ours = getattr(layers, name)(3, dropout=0.5, recurrent_dropout=0.25, seed=1)
    theirs = getattr(keras.layers, name)(3, dropout=0.5, recurrent_dropout=0.25)
    for kind, kept in (("dropout", 2.0), ("recurrent_dropout", 4 / 3)):
        get = getattr(ours, f"get_{kind}_mask")
        first = get(X)
        assert shapes(first) == shapes(getattr(theirs, f"get_{kind}_mask")(X))
        assert get(X) is first
        values = np.stack([engine.to_numpy(x) for x in keraslite.tree.flatten(first)])
        assert np.isin(values, np.array([0, kept], "float32")).all()
        getattr(ours, f"reset_{kind}_mask")()
        assert get(X) is not first
        assert getattr(getattr(layers, name)(3), f"get_{kind}_mask")(X) is None


class Doubled(layers.Conv1D):
    """A convolution with twice its kernel."""

    def convolution_op(self, inputs: Any, kernel: Any) -> Any:
        return super().convolution_op(inputs, kernel * 2.0)


@pytest.mark.parametrize("padding", ["valid", "causal"])
def test_kernels_of_convolutions(padding: str) -> None:
    x = np.random.default_rng(3).normal(size=(2, 6, 3)).astype("float32")
    plain = layers.Conv1D(4, 2, padding=padding, use_bias=False)
    with pytest.raises(AttributeError, match="built"):
        _ = plain.kernel
    expected = plain(x)
    doubled = Doubled(4, 2, padding=padding, use_bias=False)
    doubled.build(x.shape)
    doubled.set_weights(plain.get_weights())
    assert tuple(plain.kernel.shape) == (2, 3, 4) and plain.weights == [plain.kernel]
    np.testing.assert_allclose(
        engine.to_numpy(doubled(x)), 2 * engine.to_numpy(expected), rtol=1e-5, atol=1e-6
    )


def test_inputs_of_graphs() -> None:
    a, b = keraslite.Input((3,)), keraslite.Input((3,), batch_size=4)
    both = layers.Dense(3)(a) + ops.relu(b) + a
    sources = keraslite.utils.get_source_inputs
    assert [id(x) for x in sources(both)] == [id(a), id(b)]
    assert [id(x) for x in sources([b, both])] == [id(b), id(a)]
    assert [id(x) for x in sources(b)] == [id(b)]
    layer = layers.InputLayer((3,), batch_size=4)
    assert layer.batch_shape == (4, 3) == layer.get_config()["batch_shape"]


@pytest.mark.parametrize("k", [keraslite, keras], ids=["keraslite", "keras"])
def test_weights_by_position(k: Any) -> None:
    """`add_weight(shape, initializer, dtype)`; all else, and the name first of all, by name."""
    layer = k.layers.Layer()
    weight = layer.add_weight((2,), "ones", "float16", name="w", trainable=False)
    assert (weight.name, tuple(weight.shape), weight.dtype) == ("w", (2,), "float16")
    with pytest.raises(ValueError, match="name"):
        layer.add_weight("w", (2,))
    assert k.layers.Embedding(5, 3).compute_output_spec(k.KerasTensor((2,), "int32")).shape == (
        2,
        3,
    )
    model = k.Sequential([k.Input((2,)), k.layers.Dense(3)])
    assert tuple(model.call(np.ones((1, 2), "float32")).shape) == (1, 3)
    narrow = k.layers.Discretization(bin_boundaries=[70000.0], dtype="mixed_float16")
    found = k.ops.convert_to_numpy(narrow(np.array([69999.0, 70001.0], "float32")))
    np.testing.assert_array_equal(found, [0, 1])
