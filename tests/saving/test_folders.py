"""Models in folders, `zipped=False`: both ways with Keras, damage, links, saves cut short."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras as real
import numpy as np
import pytest

import keraslite as keras
from keraslite.__main__ import main
from keraslite.core.errors import UnsafeModelError
from keraslite.saving import folder
from keraslite.saving.errors import DamagedFileError

INPUTS = [np.ones((2, 3), "float32"), np.array([[5], [7]], "int32")]


def build(k: Any) -> Any:
    """With an optimizer, and a vocabulary, which is an asset."""
    numbers, place = k.Input((3,)), k.Input((1,), dtype="int32")
    lookup = k.layers.IntegerLookup(output_mode="multi_hot", name="lookup")
    lookup.adapt(np.array([5, 7, 7]))
    outputs = k.layers.Concatenate()([k.layers.Dense(2)(numbers), lookup(place)])
    model = k.Model([numbers, place], outputs)
    model.compile("adam", "mse")
    model.optimizer.build(model.trainable_variables)
    return model


def predicted(model: Any) -> np.ndarray:
    return np.asarray(model.predict(INPUTS, verbose=0))


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    build(keras).save(tmp_path / "m", zipped=False)
    return tmp_path / "m"


@pytest.mark.parametrize(("writer", "reader"), [(keras, real), (real, keras), (keras, keras)])
def test_both_ways(tmp_path: Path, writer: Any, reader: Any) -> None:
    model = build(writer)
    model.save(tmp_path / "m", zipped=False)
    found = reader.saving.load_model(tmp_path / "m")
    np.testing.assert_allclose(predicted(found), predicted(model), rtol=1e-6)
    assert int(found.optimizer.iterations) == 0 and found.loss == "mse"
    if writer is keras:  # Keras cannot write to a folder that is there.
        other = build(keras)
        other.save(f"{tmp_path}/m/", zipped=False, asynchronous=True).join()
        np.testing.assert_array_equal(
            predicted(reader.saving.load_model(tmp_path / "m")), predicted(other)
        )
        assert os.listdir(tmp_path) == ["m"]
        with pytest.raises(FileExistsError):
            model.save(tmp_path / "m", zipped=False, overwrite=False)


def test_inspect(saved: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["inspect", str(saved)]) == 0
    shown = capsys.readouterr().out
    assert "folder of a model" in shown and "(3, 2)  float32" in shown and "vocabulary" in shown


ASSET = "assets/layers/integer_lookup/vocabulary.txt"


@pytest.mark.parametrize("name", ["metadata.json", "config.json", "model.weights.h5", ASSET])
def test_damage_is_found(saved: Path, name: str) -> None:
    path = saved / name
    content = path.read_bytes()
    place = content.find(b"Dense" if name == "config.json" else b"9") % len(content)
    for changed in (
        content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :],
        b"",
        None,
    ):
        path.unlink() if changed is None else path.write_bytes(changed)
        if changed is None and name == "metadata.json":
            continue  # Keras reads such a folder, too.
        with pytest.raises(DamagedFileError, match=str(saved)):
            keras.saving.load_model(saved)


def link(saved: Path) -> None:
    outside = saved.parent / "config.json"
    (saved / "config.json").rename(outside)
    (saved / "config.json").symlink_to(outside)


def linked_folder(saved: Path) -> None:
    (saved / "assets").rename(saved.parent / "elsewhere")
    (saved / "assets").symlink_to(saved.parent / "elsewhere")


def sparse(saved: Path) -> None:
    with open(saved / ASSET, "wb") as file:
        file.truncate(2**40)


def long_config(saved: Path) -> None:
    with open(saved / "config.json", "wb") as file:
        file.truncate(2**30)


def deep(saved: Path) -> None:
    (saved / "/".join("abcdefghijkl")).mkdir(parents=True)


#: What is done to a folder, and what must be said.
ATTACKS: dict[str, tuple[Callable[[Path], Any], str]] = {
    "a link": (link, "is a link to another place"),
    "a linked folder": (linked_folder, "is a link to another place"),
    "a loop": (lambda d: (d / "x").symlink_to(d / "x"), "neither a file nor a folder"),
    "a pipe": (lambda d: os.mkfifo(d / "assets/pipe"), "neither a file nor a folder"),
    "a sparse asset": (sparse, "the limit is"),
    "a long config": (long_config, "the limit is"),
    "a deep folder": (deep, "levels deep"),
}


@pytest.mark.parametrize("name", ATTACKS)
def test_attacks(saved: Path, name: str) -> None:
    attack, message = ATTACKS[name]
    attack(saved)
    with pytest.raises(UnsafeModelError, match=message) as caught:
        keras.saving.load_model(saved)
    assert str(saved) in str(caught.value) and len(str(caught.value)) <= 600


def test_nothing_else_is_replaced(tmp_path: Path) -> None:
    model = build(keras)
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "a.png").write_bytes(b"a")
    (tmp_path / "file").write_bytes(b"a")
    (tmp_path / "link").symlink_to(tmp_path / "photos")
    for name in ("photos", "file", "link"):
        with pytest.raises(ValueError, match="is not a saved model, so it is not replaced"):
            model.save(tmp_path / name, zipped=False)
    assert (tmp_path / "photos" / "a.png").read_bytes() == b"a"
    for path in ("m.keras", "m.h5", "m.weights.h5"):
        with pytest.raises(ValueError, match="folder"):
            model.save(tmp_path / path, zipped=False)
    with pytest.raises(ValueError, match=r"without 'config.json'"):
        keras.saving.load_model(tmp_path / "photos")
    with pytest.raises(OSError, match="Cannot write|No such file"):
        model.save(tmp_path / "nowhere" / "m", zipped=False)


@pytest.mark.parametrize("step", range(1, 3))
@pytest.mark.parametrize("how", [OSError, KeyboardInterrupt, SystemExit])
def test_saves_that_are_cut_short(
    saved: Path, monkeypatch: pytest.MonkeyPatch, step: int, how: type[BaseException]
) -> None:
    """An error keeps the old folder; a crash (here: nothing is tidied up) keeps one of the two."""
    before = predicted(keras.saving.load_model(saved))
    other = build(keras)
    count = 0
    rename = os.rename

    def failing(*args: Any) -> None:
        nonlocal count
        count += 1
        crashed = how is SystemExit and count > step
        if count == step or crashed:
            raise how(28, "No space left on device") if how is OSError else how
        rename(*args)

    monkeypatch.setattr(folder.os, "rename", failing)
    with pytest.raises(how):
        other.save(saved, zipped=False)
    monkeypatch.undo()
    np.testing.assert_array_equal(predicted(keras.saving.load_model(saved)), before)
    other.save(saved, zipped=False)
    np.testing.assert_array_equal(predicted(keras.saving.load_model(saved)), predicted(other))
    assert os.listdir(saved.parent) == ["m"]
