"""Formats of today, both ways with the real Keras: `.h5`, several files, safetensors, tools."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import keras as real
import numpy as np
import pytest

import keraslite as keras
from keraslite.__main__ import main
from keraslite.core.errors import LoadError, UnsafeModelError

X = np.random.RandomState(0).rand(4, 3).astype("float32")


def build(k: Any, seed: int = 0) -> Any:
    """A graph with a nested model, ops and a frozen layer; its variables are random."""
    a, layers = k.Input((3,), name="a"), k.layers
    h = layers.BatchNormalization(name="bn")(layers.Dense(4, activation="relu", name="d1")(a))
    frozen = layers.Dense(3, trainable=False)
    inner = k.Sequential([k.Input((4,)), layers.BatchNormalization(), frozen], name="inner")
    o = k.ops.relu(inner(h)) * 2.0
    model = k.Model(a, layers.Add(name="add")([o, layers.Dense(3, name="d2")(h)]), name="m")
    model.compile("adam", "mse")
    model.optimizer.build(model.trainable_variables)
    random = np.random.RandomState(seed)
    for v in [*model.weights, *model.optimizer.variables]:
        integer = "int" in str(v.dtype)
        v.assign(random.randint(9, size=v.shape) if integer else random.rand(*v.shape) + 0.5)
    return model


def predicted(model: Any) -> np.ndarray:
    return np.asarray(model.predict(X, verbose=0))


def same_state(one: Any, other: Any) -> None:
    for a, b in zip(one.optimizer.variables, other.optimizer.variables, strict=True):
        np.testing.assert_array_equal(a.numpy(), b.numpy())


@pytest.mark.parametrize(("writer", "reader"), [(keras, real), (real, keras)])
def test_h5_and_shards_both_ways(tmp_path: Path, writer: Any, reader: Any) -> None:
    model = build(writer)
    expected = predicted(model)
    model.save(tmp_path / "m.h5")
    if reader is keras:
        found = keras.saving.load_model(tmp_path / "m.h5")
        same_state(found, model)
    elif writer is keras:  # Keras does not read the ops that it writes, nor the loss
        found = real.saving.load_model(tmp_path / "m.h5", compile=False)
    np.testing.assert_allclose(predicted(found), expected, rtol=1e-5)
    model.save_weights(tmp_path / "m.weights.json", max_shard_size=1e-7)
    assert len(list(tmp_path.glob("m_*.weights.h5"))) > 3
    other = build(reader, seed=1)
    other.load_weights(tmp_path / "m.weights.json")
    np.testing.assert_allclose(predicted(other), expected, rtol=1e-5)
    same_state(other, model)


#: Name of the file, further arguments of `save_weights` and of `load_weights`.
WEIGHTS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "m.h5": ({}, {}),
    "m.hdf5": ({}, {"by_name": True}),
    "m.safetensors": ({}, {}),
    "m.weights.json": ({"max_shard_size": 1e-7}, {}),
}


@pytest.mark.parametrize("name", WEIGHTS)
def test_weights_in_each_format(tmp_path: Path, name: str) -> None:
    saving, loading = WEIGHTS[name]
    model, other, path = build(keras), build(keras, seed=1), tmp_path / name
    model.save_weights(path, **saving)
    model.save_weights(path, **saving)  # takes the place of the first
    other.load_weights(path, **loading)
    np.testing.assert_array_equal(predicted(other), predicted(model))
    small = keras.Sequential([keras.Input((3,)), keras.layers.Dense(5, name="d1")])
    with pytest.raises(ValueError, match=f"The weights in .*{name}.* do not fit"):
        small.load_weights(path, **loading)
    with pytest.warns(UserWarning, match="do not fit"):
        small.load_weights(path, skip_mismatch=True, **loading)
    assert not [p for p in tmp_path.iterdir() if p.name.startswith(".")]
    with pytest.raises(FileExistsError):
        model.save_weights(path, overwrite=False, **saving)


def test_by_name_takes_what_is_there(tmp_path: Path) -> None:
    model = build(keras)
    model.save_weights(tmp_path / "m.h5")
    layers = [keras.layers.Dense(4, name="other"), keras.layers.Dense(3, name="d2")]
    small = keras.Sequential([keras.Input((3,)), *layers])
    before = small.layers[0].get_weights()
    small.load_weights(tmp_path / "m.h5", by_name=True)
    for mine, theirs in zip(small.layers[1].weights, model.get_layer("d2").weights, strict=True):
        np.testing.assert_array_equal(mine.numpy(), theirs.numpy())
    np.testing.assert_array_equal(small.layers[0].get_weights()[0], before[0])
    with pytest.raises(ValueError, match="by_name"):
        small.load_weights(tmp_path / "m.weights.h5", by_name=True)


def test_a_shard_between_two_places(tmp_path: Path) -> None:
    """After the index was committed, a crash may leave parts where they began."""
    model, path = build(keras), tmp_path / "m.weights.json"
    model.save_weights(path, max_shard_size=1e-7)
    staged = json.loads(path.read_text())["metadata"]["staged"]
    part = tmp_path / "m_00001.weights.h5"
    part.rename(tmp_path / f"{staged}_00001.weights.h5")
    part.write_bytes(b"an older part")
    other = build(keras, seed=1)
    other.load_weights(path)
    np.testing.assert_array_equal(predicted(other), predicted(model))
    path.write_text(json.dumps({"weight_map": {"/vars": ["../m_00000.weights.h5"]}}))
    with pytest.raises(UnsafeModelError, match="names the file"):
        other.load_weights(path)
    with pytest.raises(ValueError, match="`max_shard_size`.* is less than"):
        model.save_weights(path, max_shard_size=1e-9)


# safetensors -------------------------------------------------------------------------------


def test_safetensors_models(tmp_path: Path) -> None:
    safetensors = pytest.importorskip("safetensors")
    model, path = build(keras), tmp_path / "m.safetensors"
    model.save(path)
    found = keras.saving.load_model(path)
    np.testing.assert_array_equal(predicted(found), predicted(model))
    same_state(found, model)
    with safetensors.safe_open(path, "numpy") as file:
        assert {"layers/dense/kernel", "layers/sequential/layers/dense/bias"} < set(file.keys())
        kernel = file.get_tensor("layers/dense/kernel")
        assert file.metadata()["format"] == "keras"
    np.testing.assert_array_equal(kernel, model.get_layer("d1").kernel.numpy())


@pytest.mark.parametrize("dtype", ["bfloat16", "float16", "float64", "int8"])
def test_safetensors_types(tmp_path: Path, dtype: str) -> None:
    class Holder(keras.layers.Layer):
        def build(self, shape: Any) -> None:
            self.held = self.add_weight(shape=(3, 2), dtype=dtype, initializer="ones", name="held")

        def call(self, x: Any) -> Any:
            return x

    def make() -> Any:
        return keras.Sequential([keras.Input((3,)), Holder(trainable=False)])

    model, other = make(), make()
    model.layers[0].held.assign(np.arange(6).reshape(3, 2))
    model.save_weights(tmp_path / "m.safetensors")
    other.load_weights(tmp_path / "m.safetensors")
    found = keras.ops.convert_to_numpy(keras.ops.cast(other.layers[0].held, "float32"))
    np.testing.assert_array_equal(found, np.arange(6).reshape(3, 2))


def edited(change: Callable[[dict[str, Any]], Any], tail: bytes = b"") -> Callable[[bytes], bytes]:
    def edit(content: bytes) -> bytes:
        length = int.from_bytes(content[:8], "little")
        header = json.loads(content[8 : 8 + length])
        change(header)
        text = json.dumps(header).encode()
        return len(text).to_bytes(8, "little") + text + content[8 + length :] + tail

    return edit


def put(name: str, **entry: Any) -> Callable[[dict[str, Any]], Any]:
    return lambda h: h[name].update(entry)


NAME = "layers/dense/kernel"
#: What was done to a good file, and what must be said.
BAD_TENSORS: dict[str, tuple[Callable[[bytes], bytes], str]] = {
    "cut": (lambda c: c[:-5], "bytes"),
    "longer": (lambda c: c + b"12345", "bytes"),
    "a bit of the data": (lambda c: c[:-1] + bytes([c[-1] ^ 4]), "checksum"),
    "a long header": (lambda c: (2**40).to_bytes(8, "little") + c[8:], "header"),
    "empty": (lambda c: b"", "header"),
    "no json": (lambda c: c[:8] + b"x" + c[9:], "JSON"),
    "another shape": (edited(put(NAME, shape=[4, 3])), "checksum|do not fit"),
    "another size": (edited(put(NAME, shape=[40, 3])), "takes"),
    "another type": (edited(put(NAME, dtype="I32")), "checksum"),
    "an unknown type": (edited(put(NAME, dtype="X")), "type"),
    "a negative size": (edited(put(NAME, shape=[-4, -3])), "shape"),
    "overlap": (edited(put(NAME, data_offsets=[0, 48])), "overlap"),
    "a renamed tensor": (edited(lambda h: h.update(x=h.pop(NAME))), "other tensors"),
    "another config": (edited(lambda h: h["__metadata__"].update(config="{}")), "digest"),
}


def test_bad_safetensors(tmp_path: Path) -> None:
    model, path = build(keras), tmp_path / "m.safetensors"
    model.save(path)
    content = path.read_bytes()
    for case, (change, message) in BAD_TENSORS.items():
        path.write_bytes(change(content))
        for load in (keras.saving.load_model, model.load_weights):
            with pytest.raises(LoadError, match=message) as caught:
                load(path)
            assert "m.safetensors" in str(caught.value) and len(str(caught.value)) < 1000, case


# Tools -------------------------------------------------------------------------------------


@pytest.mark.parametrize("extension", [".keras", ".weights.h5"])
def test_editor(tmp_path: Path, extension: str, capsys: pytest.CaptureFixture[str]) -> None:
    model, path = build(keras), tmp_path / f"m{extension}"
    (model.save if extension == ".keras" else model.save_weights)(path)
    ours, theirs = keras.saving.KerasFileEditor(path), real.saving.KerasFileEditor(str(path))
    count = len(model.weights) + len(model.optimizer.variables)
    assert ours.compare(model) == {"status": "success", "error_count": 0, "match_count": count}
    small = keras.Sequential([keras.Input((3,)), keras.layers.Dense(4), keras.layers.Dense(7)])
    # Two shapes, and the rest of the layers and the optimizer, which it lacks.
    assert ours.compare(small) == {"status": "error", "error_count": 5, "match_count": 2}
    for editor in (ours, theirs):
        editor.rename_object("layers/dense_1", "renamed")
        editor.delete_object("layers/batch_normalization")
        editor.add_object("layers/new", {"0": np.ones(3)})
        editor.add_weights("layers/renamed", {"2": np.zeros(2)})
        editor.delete_weight("layers/renamed", "1")
    ours.delete_object("layers/sequential")  # Keras leaves the inside of models out
    ours.save(tmp_path / "ours.weights.h5")
    theirs.save(str(tmp_path / "theirs.weights.h5"))

    def arrays(name: str) -> dict[str, np.ndarray]:
        found: dict[str, np.ndarray] = {}
        with h5py.File(tmp_path / name) as file:
            file.visititems(
                lambda n, x: found.update({n: x[()]}) if isinstance(x, h5py.Dataset) else None
            )
        return found

    mine, reference = arrays("ours.weights.h5"), arrays("theirs.weights.h5")
    assert mine.keys() == reference.keys()
    for name, value in reference.items():
        np.testing.assert_array_equal(mine[name], value)
    capsys.readouterr()
    ours.summary()
    assert "shape=(3, 4), dtype=float32" in capsys.readouterr().out
    for bad, message in (
        (lambda: ours.rename_object("nothing", "x"), "no object 'nothing'"),
        (lambda: ours.delete_weight("renamed", "9"), "no weight '9'"),
        (lambda: ours.add_object("layers/new", {}), "already"),
        (lambda: ours.save(tmp_path / "x.keras"), r"\.weights\.h5"),
        (lambda: keras.saving.KerasFileEditor(tmp_path / "x.npz"), r"\.keras"),
    ):
        with pytest.raises(ValueError, match=message):
            bad()


def test_inspect(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = build(keras)
    names = ("m.keras", "m.h5", "m.safetensors")
    for name in names:
        model.save(tmp_path / name)
    model.save_weights(tmp_path / "w.weights.h5")
    model.save_weights(tmp_path / "s.weights.json", max_shard_size=1e-7)
    paths = [str(tmp_path / n) for n in (*names, "w.weights.h5", "s.weights.json")]
    assert main(["inspect", *paths]) == 0
    shown = capsys.readouterr().out
    assert shown.count("whole: every part was read") == 5
    assert shown.count("(3, 4)  float32  48 bytes") >= 5 and shown.count("Dense 'd1'") == 3
    for path in paths[:4]:
        content = bytearray(Path(path).read_bytes())
        place = content.find(model.get_layer("d1").kernel.numpy().tobytes())
        content[place + 2] ^= 1
        Path(path).write_bytes(content)
        assert main(["inspect", path]) == 1, path
    assert main(["inspect", str(tmp_path / "none.keras")]) == 1
    assert main([]) == main(["inspect"]) == 2
    command = [sys.executable, "-X", "importtime", "-m", "keraslite", "inspect", paths[4]]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    loaded = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert "keraslite.saving.inspect" in loaded
    assert not {"jax", "torch", "tensorflow", "keras"} & loaded


def test_legacy_forms() -> None:
    ours, theirs = keras.legacy.saving, real.legacy.saving
    for pick in (
        lambda k: k.regularizers.L1(0.5),
        lambda k: k.activations.relu,
        lambda k: None,
        lambda k: k.layers.Dropout(0.5, name="x"),
    ):
        found = ours.serialize_keras_object(pick(keras))
        expected = theirs.serialize_keras_object(pick(real))
        assert found == expected
    layer = ours.deserialize_keras_object({"class_name": "Dropout", "config": {"p": 0.5}})
    assert isinstance(layer, keras.layers.Dropout) and layer.rate == 0.5
    known = {"relu": keras.activations.relu}
    assert ours.deserialize_keras_object("relu", known) is keras.activations.relu
    with pytest.raises(ValueError, match="Unknown activation: 'rely'.*'relu'"):
        ours.deserialize_keras_object("rely", known, printable_module_name="activation")
