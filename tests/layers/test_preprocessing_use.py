"""Layers that prepare data where they are used: models, files, pipelines of other frameworks."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import keraslite
from keraslite import layers
from keraslite.backend import engine
from keraslite.backend.foreign import host_array
from keraslite.core.errors import UnsafeModelError

keras = pytest.importorskip("keras")
tf = pytest.importorskip("tensorflow")

TEXTS = ["the cat sat", "the dog", "a cat"]
IDS = np.array([[5, 7, 0], [1, 2, 3]])
VALUES = np.array([[0.1, 2.0], [3.0, -4.0]], "float32")
needs_strings = pytest.mark.skipif(
    not engine.capabilities.string, reason="the engine has no strings"
)
needs_training = pytest.mark.skipif(
    not engine.capabilities.trainable, reason="the engine does not train"
)


def numeric_model(library: Any) -> Any:
    make = library.layers
    ids, values = library.Input((3,), dtype="int32"), library.Input((2,))
    lookup = make.IntegerLookup(name="lookup")
    lookup.adapt(np.array([[5, 7, 7]]))
    weighted = make.IntegerLookup(name="weighted", output_mode="tf_idf", mask_token=0)
    weighted.adapt(np.array([[5, 7, 7], [7, 0, 1]]))
    normal = make.Normalization(name="normal")
    normal.adapt(np.random.default_rng(0).normal(size=(50, 2)))
    bins = make.Discretization(num_bins=3, name="bins")
    bins.adapt(np.arange(10.0))
    outputs = [
        lookup(ids),
        weighted(ids),
        normal(values),
        bins(values),
        make.CategoryEncoding(8, name="encoding")(ids),
        make.Rescaling(0.5, name="rescaling")(values),
    ]
    return library.Model([ids, values], outputs)


def results(model: Any) -> list[np.ndarray]:
    found = model([IDS.astype("int32"), VALUES])
    return [host_array(x) if engine.is_tensor(x) else keras.ops.convert_to_numpy(x) for x in found]


def test_models_go_both_ways(tmp_path: Path) -> None:
    ours, theirs = numeric_model(keraslite), numeric_model(keras)
    expected = results(theirs)
    ours.save(tmp_path / "ours.keras")
    theirs.save(tmp_path / "theirs.keras")
    for model in (
        ours,
        keraslite.saving.load_model(tmp_path / "theirs.keras"),
        keraslite.saving.load_model(tmp_path / "ours.keras"),
        keras.saving.load_model(tmp_path / "ours.keras"),
    ):
        for got, wanted in zip(results(model), expected, strict=True):
            np.testing.assert_allclose(got, wanted, rtol=1e-5, atol=1e-5)
    found = ours.predict([IDS, VALUES], verbose=0)
    for got, wanted in zip(found, expected, strict=True):
        np.testing.assert_allclose(got, wanted, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    "args",
    [
        {"output_sequence_length": 4},
        {"output_mode": "tf_idf"},
        {"split": "character", "output_mode": "count"},
    ],
    ids=str,
)
def test_vocabularies_travel_with_models(tmp_path: Path, args: dict[str, Any]) -> None:
    layer = layers.TextVectorization(**args)
    layer.adapt([*TEXTS, "line\nbreak"])
    x = keraslite.Input((), dtype="string")
    keraslite.Model(x, layer(x)).save(tmp_path / "model.keras")
    again = keraslite.saving.load_model(tmp_path / "model.keras").layers[1]
    assert again.get_vocabulary() == layer.get_vocabulary()
    np.testing.assert_allclose(host_array(again(TEXTS)), host_array(layer(TEXTS)))
    theirs = keras.saving.load_model(tmp_path / "model.keras").layers[1]
    assert list(map(str, theirs.get_vocabulary())) == layer.get_vocabulary()


@pytest.mark.parametrize("name", ["StringLookup", "IntegerLookup", "TextVectorization"])
def test_a_config_reads_no_file(tmp_path: Path, name: str) -> None:
    path = tmp_path / "vocabulary.txt"
    path.write_text("5\n7\n")
    cls = getattr(layers, name)
    layer = cls(vocabulary=str(path))
    assert list(map(str, layer.get_vocabulary(False))) == ["5", "7"]
    assert layer.get_config()["vocabulary"] is None
    config = {**layer.get_config(), "vocabulary": str(path)}
    with pytest.raises(UnsafeModelError, match="vocabulary"):
        cls.from_config(config)
    form = keraslite.saving.serialize_keras_object(layer)
    form["config"]["vocabulary"] = str(path)
    with pytest.raises(UnsafeModelError, match="vocabulary"):
        keraslite.saving.deserialize_keras_object(form)
    found = keraslite.saving.deserialize_keras_object(form, safe_mode=False)
    assert found.get_vocabulary() == layer.get_vocabulary()


IN_A_PIPELINE = [
    (layers.StringLookup, {"vocabulary": ["a", "b"], "output_mode": "one_hot"}, ["a", "c"]),
    (layers.StringLookup, {"vocabulary": ["a", "b"], "invert": True}, [1, 2, 0]),
    (layers.IntegerLookup, {"vocabulary": [1, 2]}, [1, 2, 3]),
    (layers.Hashing, {"num_bins": 5}, ["a", "b"]),
    (layers.Hashing, {"num_bins": 5}, [4, 5]),
    (layers.CategoryEncoding, {"num_tokens": 4}, [[1, 2], [0, 3]]),
    (layers.Discretization, {"bin_boundaries": [1.0, 2.0]}, [0.5, 1.5]),
    (layers.Normalization, {"mean": 1.0, "variance": 4.0}, [[0.5, 1.5]]),
    (layers.Rescaling, {"scale": 2.0}, [[0.5, 1.5]]),
    (layers.TextVectorization, {"vocabulary": ["a"], "output_sequence_length": 2}, ["a b", ""]),
]


@pytest.mark.parametrize(("cls", "args", "x"), IN_A_PIPELINE, ids=lambda x: str(x)[-40:])
def test_in_a_pipeline_of_another_framework(cls: type, args: dict[str, Any], x: Any) -> None:
    layer = cls(**args)
    expected = host_array(layer(np.array(x)))
    dataset = tf.data.Dataset.from_tensors(tf.constant(x)).map(layer)
    for outputs in (next(iter(dataset)), layer(tf.constant(x))):
        assert isinstance(outputs, tf.Tensor)
        found = host_array(outputs.numpy())
        if found.dtype.kind == "O":
            found = np.array([t.decode() for t in found], dtype=object)
            expected = np.array(
                [t.decode() if isinstance(t, bytes) else t for t in expected], dtype=object
            )
        assert found.tolist() == expected.tolist()
    shapes = zip(dataset.element_spec.shape, expected.shape, strict=True)
    assert all(a in (None, b) for a, b in shapes)


def test_adapt_takes_data_sets_and_iterables() -> None:
    wanted = layers.TextVectorization()
    wanted.adapt(TEXTS)
    for data in (
        tf.data.Dataset.from_tensor_slices(TEXTS),
        tf.data.Dataset.from_tensor_slices(TEXTS).batch(2),
        tf.constant(TEXTS),
        np.array(TEXTS),
        np.array(TEXTS, dtype=object)[:, None],
        iter(TEXTS),
    ):
        layer = layers.TextVectorization()
        layer.adapt(data)
        assert layer.get_vocabulary() == wanted.get_vocabulary()
    values = np.random.default_rng(0).normal(size=(100, 3))
    layer = layers.Normalization()
    layer.adapt(tf.data.Dataset.from_tensor_slices(values).batch(7))
    np.testing.assert_allclose(host_array(layer.mean)[0], values.mean(0), rtol=1e-5)
    np.testing.assert_allclose(host_array(layer.variance)[0], values.var(0), rtol=1e-5)


@needs_training
@pytest.mark.filterwarnings("ignore:This step cannot be compiled")
def test_hashes_and_lookups_in_a_compiled_step() -> None:
    x = keraslite.Input((3,), dtype="int32")
    hashed = layers.Hashing(5, output_mode="count")(x)
    found = layers.IntegerLookup(vocabulary=[3, 4], output_mode="multi_hot")(x)
    model = keraslite.Model(x, layers.Dense(1)(layers.Concatenate()([hashed, found])))
    model.compile("sgd", "mse")
    data = np.arange(12).reshape(4, 3)
    before = model.get_weights()
    model.fit(data, np.ones((4, 1)), verbose=0)
    assert any((a != b).any() for a, b in zip(before, model.get_weights(), strict=True))
    eager = host_array(model(data))
    np.testing.assert_allclose(model.predict(data, verbose=0), eager, rtol=1e-5, atol=1e-6)


@needs_strings
def test_strings_in_a_model() -> None:
    layer = layers.TextVectorization(output_sequence_length=3)
    layer.adapt(TEXTS)
    x = keraslite.Input((1,), dtype="string")
    model = keraslite.Model(x, layers.Embedding(10, 2)(layer(x)))
    data = np.array(TEXTS, dtype=object)[:, None]
    assert model.predict(data, verbose=0).shape == (3, 3, 2)
    sparse = layers.TextVectorization(vocabulary=["cat"], output_mode="count", sparse=True)
    assert engine.to_numpy(sparse(TEXTS)).tolist() == [[2, 1], [2, 0], [1, 1]]
    ragged = layers.TextVectorization(vocabulary=["cat"], ragged=True)(TEXTS)
    assert ragged.to_list() == [[1, 2, 1], [1, 1], [1, 2]]


# Feature spaces --------------------------------------------------------------------------

LETTERS = np.array(list("abcabcabca"), dtype=object)
TABLE = {
    "f": np.arange(10.0),
    "bins": np.arange(10.0),
    "normal": np.arange(10.0) * 2,
    "i": np.arange(10) % 3,
    "hashed": np.arange(10),
    "s": LETTERS,
    "s2": np.array(list("xyxyxyxyxy"), dtype=object),
}


def space(library: Any, output_mode: str) -> Any:
    kinds = library.utils.FeatureSpace
    last = "one_hot" if output_mode == "concat" else "int"
    return kinds(
        features={
            "f": kinds.float(),
            "bins": kinds.float_discretized(4),
            "normal": "float_normalized",
            "i": kinds.integer_categorical(),
            "hashed": kinds.integer_hashed(5),
            "s": kinds.string_categorical(max_tokens=3),
            "s2": "string_hashed",
        },
        crosses=[("s", "i"), kinds.cross(("i", "s2"), 6, output_mode=last)],
        crossing_dim=7,
        hashing_dim=4,
        output_mode=output_mode,
    )


def leaves(outputs: Any) -> dict[str, np.ndarray]:
    outputs = outputs if isinstance(outputs, dict) else {"": outputs}
    return {
        k: host_array(x) if engine.is_tensor(x) else keras.ops.convert_to_numpy(x)
        for k, x in outputs.items()
    }


@pytest.mark.parametrize("output_mode", ["concat", "dict"])
def test_feature_space(tmp_path: Path, output_mode: str) -> None:
    dataset = tf.data.Dataset.from_tensor_slices(TABLE)
    ours, theirs = space(keraslite, output_mode), space(keras, output_mode)
    ours.adapt(dataset)
    theirs.adapt(dataset)
    ours.save(tmp_path / "ours.keras")
    theirs.save(tmp_path / "theirs.keras")
    assert "model.weights.h5" in zipfile.ZipFile(tmp_path / "ours.keras").namelist()
    batches = [
        {k: x[:3] for k, x in TABLE.items()},
        {k: x[:3, None] for k, x in TABLE.items()},
        {k: x[0] for k, x in TABLE.items()},
    ]
    for batch in batches:
        expected = leaves(theirs(batch))
        for found in (
            ours,
            keraslite.saving.load_model(tmp_path / "ours.keras"),
            keraslite.saving.load_model(tmp_path / "theirs.keras"),
        ):
            got = leaves(found(batch))
            assert list(got) == list(expected)
            for name in expected:
                np.testing.assert_allclose(got[name], expected[name], rtol=1e-5, atol=1e-5)
    mapped = next(iter(dataset.batch(3).map(ours)))
    mapped = mapped if isinstance(mapped, dict) else {"": mapped}
    for name, wanted in leaves(theirs(batches[0])).items():
        np.testing.assert_allclose(mapped[name].numpy(), wanted, rtol=1e-5, atol=1e-5)


def test_feature_space_in_models() -> None:
    data = {"a": np.arange(8.0, dtype="float32"), "c": np.arange(8) % 4}
    found = keraslite.utils.FeatureSpace({"a": "float_normalized", "c": "integer_categorical"})
    with pytest.raises(ValueError, match="adapt"):
        found.get_inputs()
    found.adapt(data)
    encoded = found.get_encoded_features()
    whole = keraslite.Model(found.get_inputs(), layers.Dense(1)(encoded))
    columns = {k: x[:, None] for k, x in data.items()}
    assert whole.predict(columns, verbose=0).shape == (8, 1)
    with pytest.raises(ValueError, match="unknown"):
        found({**data, "d": data["a"]})
