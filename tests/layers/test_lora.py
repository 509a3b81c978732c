"""Low-rank updates against Keras's: weights, outputs, what is trained, files."""

from __future__ import annotations

import numpy as np
import pytest

import keraslite
from keraslite import layers, ops
from keraslite.backend import engine
from tests.layers.test_quantization import (
    CONVOLUTIONS,
    LAYERS,
    array,
    assert_same,
    inputs_for,
    normal,
    pair,
    stored,
    theirs_stored,
)
from tests.layers.test_table import keras


@pytest.mark.parametrize("name", [*LAYERS, *CONVOLUTIONS])
def test_as_in_keras(name: str) -> None:
    ours, theirs, x = pair(name, lora=True)
    assert [(w.path, w.shape, w.trainable) for w in ours.weights] == [
        (w.path, w.shape, w.trainable) for w in theirs.weights
    ]
    assert (ours.lora_rank, ours.lora_alpha, ours.lora_enabled) == (2, 3.0, True)
    main = ours._main
    weight = keras.ops.convert_to_numpy(getattr(theirs, main))
    np.testing.assert_allclose(array(getattr(ours, main)), weight, rtol=1e-5)
    assert_same(ours, theirs, x, "tied" in name)
    expected = theirs_stored(theirs)
    for a, b in zip(stored(ours), expected, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)
    before = array(ours(x))
    ours.load_own_variables({str(i): v for i, v in enumerate(expected)})
    np.testing.assert_allclose(array(ours(x)), before, rtol=1e-4, atol=1e-5)
    np.testing.assert_array_equal(array(getattr(ours, f"lora_{main}_b")), 0.0)


@pytest.mark.parametrize("name", ["dense", "embedding", "abc,cd->abd", "conv2d"])
def test_config(name: str) -> None:
    ours, theirs, x = pair(name, lora=True)
    config = keraslite.saving.serialize_keras_object(ours)
    theirs_config = keras.saving.serialize_keras_object(theirs)["config"]
    for key in ("lora_rank", "lora_alpha"):
        assert config["config"][key] == theirs_config[key]
    again = keraslite.saving.deserialize_keras_object(config)
    assert again.lora_enabled
    assert [w.path for w in again.weights] == [w.path for w in ours.weights]
    plain = (LAYERS | CONVOLUTIONS)[name][0](keraslite)
    assert "lora_rank" not in plain.get_config()


def test_an_update_changes_nothing_at_first() -> None:
    layer = layers.Dense(3)
    x = normal(2, 4)
    before = array(layer(x))
    layer.enable_lora(2)
    np.testing.assert_allclose(array(layer(x)), before, rtol=1e-6)
    assert np.abs(array(layer.lora_kernel_a)).max() > 0
    assert [w.name for w in layer.trainable_weights] == ["bias", "lora_kernel_a", "lora_kernel_b"]


@pytest.mark.parametrize("form", ["keras", "weights.h5"])
def test_files(form: str, tmp_path) -> None:
    def model(m):
        stack = [m.layers.Dense(5, name="a", activation="relu"), m.layers.Dense(2, name="b")]
        return m.Sequential([m.Input((6,)), *stack])

    ours, theirs, x = model(keraslite), model(keras), normal(3, 6)
    values = [normal(*w.shape) for w in ours.weights]
    for made in (ours, theirs):
        made.set_weights(values)
        made.get_layer("a").enable_lora(2)
    update = normal(2, 5)
    ours.get_layer("a").lora_kernel_b.assign(update)
    expected = array(ours(x))
    path = tmp_path / f"model.{form}"
    if form == "keras":
        ours.save(path)
        theirs = keras.models.load_model(path)
        assert keraslite.models.load_model(path).get_layer("a").lora_rank == 2
    else:
        ours.save_weights(path)
        theirs.load_weights(path)
    np.testing.assert_allclose(
        keras.ops.convert_to_numpy(theirs(x)), expected, rtol=1e-5, atol=1e-5
    )
    back = tmp_path / f"back.{form}"
    (theirs.save if form == "keras" else theirs.save_weights)(back)
    if form == "keras":
        again = keraslite.models.load_model(back)
    else:
        ours.load_weights(back)
        again = ours
    np.testing.assert_allclose(array(again(x)), expected, rtol=1e-5, atol=1e-5)
    # A model without updates reads the merged weights.
    plain = model(keraslite)
    plain.load_weights(back)
    np.testing.assert_allclose(array(plain(x)), expected, rtol=1e-5, atol=1e-5)


@pytest.mark.skipif(not engine.capabilities.trainable, reason="needs gradients")
@pytest.mark.parametrize("mode", [None, "int8", "int4"])
def test_only_the_update_is_trained(mode: str | None) -> None:
    model = keraslite.Sequential([keraslite.Input((6,)), layers.Dense(3, name="a")])
    layer = model.layers[0]
    layer.enable_lora(2)
    if mode:
        model.quantize(mode)
    model.compile("adam", "mse")
    x, y = normal(32, 6), normal(32, 3)
    kernel = array(layer._kernel).copy()
    losses = [float(model.train_on_batch(x, y)) for _ in range(20)]
    assert losses[-1] < losses[0]
    np.testing.assert_array_equal(array(layer._kernel), kernel)
    assert np.abs(array(layer.lora_kernel_b)).max() > 0


def test_errors() -> None:
    with pytest.raises(ValueError, match="must be built"):
        layers.Dense(3).enable_lora(2)
    layer = layers.Dense(3, kernel_constraint="non_neg")
    layer.build((None, 4))
    with pytest.raises(ValueError, match="kernel_constraint"):
        layer.enable_lora(2)
    layer = layers.Dense(3, lora_rank=2)
    layer.build((None, 4))
    with pytest.raises(ValueError, match="already"):
        layer.enable_lora(2)
    with pytest.raises(NotImplementedError, match="float8"):
        layer.quantize("float8")
    layer = layers.Dense(3)
    layer.build((None, 4))
    for rank in (0, -1, 1.5):
        with pytest.raises(ValueError, match="positive integer"):
            layer.enable_lora(rank)
    with pytest.raises(AttributeError, match="before it is built"):
        layers.Embedding(4, 3).embeddings  # noqa: B018


class OwnBuild(layers.Dense):
    """A user's layer that makes its weights itself."""

    def build(self, input_shape) -> None:
        self.kernel = self.add_weight(shape=(input_shape[-1], self.units), name="kernel")
        self.bias = None


def test_a_subclass_with_a_build_of_its_own() -> None:
    layer = OwnBuild(3)
    x = normal(2, 4)
    np.testing.assert_allclose(array(layer(x)), x @ layer.kernel.numpy(), rtol=1e-5)
    layer.enable_lora(1)
    assert [w.name for w in layer.trainable_weights] == ["lora_kernel_a", "lora_kernel_b"]


def test_the_weight_without_update_is_a_variable() -> None:
    layer = layers.Dense(3)
    layer(inputs_for("no_bias"))
    assert isinstance(layer.kernel, keraslite.Variable)
    layer.enable_lora(2)
    assert ops.is_tensor(layer.kernel)
