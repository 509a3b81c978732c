"""Files: layout, strict loading, damage, attacks, and saves that are cut short."""

from __future__ import annotations

import json
import os
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

import keraslite as keras
from keraslite import layers
from keraslite.core.errors import UnsafeModelError
from keraslite.saving.archive import Writer
from keraslite.saving.errors import DamagedFileError
from keraslite.saving.walk import walk


def make_model(units: int = 2, extra: bool = False) -> Any:
    stack = [keras.Input((3,)), layers.Dense(4, activation="relu"), layers.Dense(units)]
    return keras.Sequential([*stack, layers.Dense(1)] if extra else stack, name="net")


class Tower(keras.layers.Layer):
    """Every kind of place in which a layer can be."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._hidden = layers.Dense(2)
        self.blocks = [layers.Dense(2), layers.Dense(2), [layers.Dense(2)]]
        self.table = {"b": layers.Dense(2), "a": layers.Dense(2)}
        self.pair = (layers.Dense(2), layers.Dense(2))
        self.first = layers.Dense(2)
        self.same = self.first
        self._second = layers.Dense(2)
        self.seed_generator = keras.random.SeedGenerator(1)
        self.mean = keras.metrics.Mean()
        self.frozen = self.add_weight(shape=(1,), trainable=False, name="frozen")
        self.free = self.add_weight(shape=(2,), name="free")

    @property
    def hidden(self) -> Any:
        return self._hidden

    def call(self, x: Any) -> Any:
        return x


def test_paths_are_those_of_keras() -> None:
    # As observed in files of Keras 3.15.1 for this class.
    assert [path for path, _ in walk(keras.Sequential([keras.Input((3,)), Tower()]))] == [
        "",
        "layers/tower",
        "layers/tower/blocks/dense",
        "layers/tower/blocks/dense_1",
        "layers/tower/blocks/container/dense",
        "layers/tower/first",
        "layers/tower/hidden",
        "layers/tower/pair/dense",
        "layers/tower/pair/dense_1",
        "layers/tower/table/dense",
        "layers/tower/table/dense_1",
        "layers/tower/_second",
    ]


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    model = make_model()
    model.save(tmp_path / "m.keras")
    model.save_weights(tmp_path / "m.weights.h5")
    return tmp_path


def test_round_trip(saved: Path) -> None:
    x = np.random.rand(5, 3).astype("float32")
    model = keras.saving.load_model(saved / "m.keras")
    other = make_model()
    other.load_weights(saved / "m.weights.h5")
    again = make_model()
    again.load_weights(saved / "m.keras")
    expected = np.asarray(keras.ops.convert_to_numpy(model(x)))
    for copy in (other, again):
        np.testing.assert_array_equal(keras.ops.convert_to_numpy(copy(x)), expected)
    assert {p.name for p in saved.iterdir()} == {"m.keras", "m.weights.h5"}


def test_half_precision_weights(tmp_path: Path) -> None:
    model = keras.Sequential([keras.Input((3,)), layers.Dense(2, dtype="bfloat16")])
    model.save_weights(tmp_path / "m.weights.h5")
    other = keras.Sequential([keras.Input((3,)), layers.Dense(2, dtype="bfloat16")])
    other.load_weights(tmp_path / "m.weights.h5")
    for a, b in zip(model.weights, other.weights, strict=True):
        np.testing.assert_array_equal(a.numpy().astype("float32"), b.numpy().astype("float32"))


# Mistakes: what is called, and what the message must say.
MISTAKES: dict[str, tuple[Callable[[Path], Any], type[Exception], str]] = {
    "no such file": (
        lambda d: keras.saving.load_model(d / "n.keras"),
        FileNotFoundError,
        "n.keras",
    ),
    "no such weights": (
        lambda d: make_model().load_weights(d / "n.weights.h5"),
        FileNotFoundError,
        "n.weights",
    ),
    "weights given to load_model": (
        lambda d: keras.saving.load_model(d / "m.weights.h5"),
        ValueError,
        "load_weights",
    ),
    "another shape": (
        lambda d: make_model(units=5).load_weights(d / "m.weights.h5"),
        ValueError,
        r"net/dense_\d+/kernel' has shape \(4, 5\), in the file \(4, 2\)",
    ),
    "missing layer": (
        lambda d: make_model(extra=True).load_weights(d / "m.weights.h5"),
        ValueError,
        "no variables for 'layers/dense_2'",
    ),
    "extra layer": (
        lambda d: keras.Sequential([keras.Input((3,)), layers.Dense(4)]).load_weights(
            d / "m.weights.h5"
        ),
        ValueError,
        "no place for 'layers/dense_1'",
    ),
    "unbuilt model": (
        lambda d: keras.Sequential([layers.Dense(2)]).save(d / "u.keras"),
        ValueError,
        "not built",
    ),
    "unbuilt model loads": (
        lambda d: keras.Sequential([layers.Dense(2)]).load_weights(d / "m.weights.h5"),
        ValueError,
        "not built",
    ),
    "wrong extension": (lambda d: make_model().save(d / "m.pkl"), ValueError, r"\.keras"),
    "wrong extension of weights": (
        lambda d: make_model().save_weights(d / "m.npz"),
        ValueError,
        r"\.weights\.h5",
    ),
    "exists": (
        lambda d: make_model().save(d / "m.keras", overwrite=False),
        FileExistsError,
        "overwrite",
    ),
    "unwritable": (lambda d: make_model().save(d / "no" / "m.keras"), OSError, "Cannot write"),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_mistakes(name: str, saved: Path) -> None:
    call, kind, message = MISTAKES[name]
    before = {p: p.read_bytes() for p in saved.iterdir()}
    with pytest.raises(kind, match=message) as caught:
        call(saved)
    assert len(str(caught.value)) <= 600
    assert {p: p.read_bytes() for p in saved.iterdir()} == before


def test_a_misfit_changes_nothing(saved: Path) -> None:
    model = make_model(extra=True)
    before = model.get_weights()
    with pytest.raises(ValueError):
        model.load_weights(saved / "m.weights.h5")
    for a, b in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    with pytest.warns(UserWarning, match="do not fit"):
        model.load_weights(saved / "m.weights.h5", skip_mismatch=True)
    np.testing.assert_array_equal(model.get_weights()[4], before[4])
    assert np.any(model.get_weights()[0] != before[0])


# Damage -----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["m.keras", "m.weights.h5"])
@pytest.mark.parametrize("cut", [0, 10, 0.3, 0.7, -1])
def test_truncated_files(saved: Path, name: str, cut: float) -> None:
    path = saved / name
    data = path.read_bytes()
    size = int(len(data) * cut) if 0 < cut < 1 else int(cut)
    path.write_bytes(data[:size])
    with pytest.raises(DamagedFileError) as caught:
        _load(path)
    assert path.name in str(caught.value) and "another copy" in str(caught.value)
    assert len(str(caught.value)) <= 600


@pytest.mark.parametrize("member", ["config.json", "model.weights.h5"])
def test_missing_members(saved: Path, member: str) -> None:
    _rewrite(saved / "m.keras", without=member)
    with pytest.raises(DamagedFileError, match=rf"m\.keras.*no '{member}'.*model\.save"):
        keras.saving.load_model(saved / "m.keras")


def test_weights_that_do_not_fit_the_config(saved: Path) -> None:
    _rewrite(saved / "m.keras", config=_with_units(saved, 2, 5))
    with pytest.raises(ValueError, match=r"m\.keras.*shape \(4, 5\), in the file \(4, 2\)"):
        keras.saving.load_model(saved / "m.keras")


def _load(path: Path) -> Any:
    if path.suffix == ".keras":
        return keras.saving.load_model(path)
    model = make_model()
    model.load_weights(path)
    return model


@pytest.mark.parametrize("name", ["m.keras", "m.weights.h5"])
def test_no_flipped_bit_goes_unseen(saved: Path, name: str) -> None:
    expected = [w.tobytes() for w in _load(saved / name).get_weights()]
    data = (saved / name).read_bytes()
    rng = np.random.default_rng(0)
    for position in rng.integers(0, len(data), 60):
        changed = bytearray(data)
        changed[position] ^= 1 << int(rng.integers(8))
        path = saved / f"x{name}"
        path.write_bytes(changed)
        try:
            found = [w.tobytes() for w in _load(path).get_weights()]
        except (ValueError, TypeError):
            continue
        assert found == expected, position


def test_not_a_zip_and_a_newer_file(saved: Path) -> None:
    (saved / "text.keras").write_text("hello")
    with pytest.raises(DamagedFileError, match="no zip archive"):
        keras.saving.load_model(saved / "text.keras")
    (saved / "w.keras").write_bytes((saved / "m.weights.h5").read_bytes())
    with pytest.raises(DamagedFileError, match="HDF5"):
        keras.saving.load_model(saved / "w.keras")
    _rewrite(saved / "m.keras", metadata={"keras_version": "4.0.0"})
    with pytest.raises(ValueError, match=r"4\.0\.0.*Upgrade"):
        keras.saving.load_model(saved / "m.keras")


# Attacks ----------------------------------------------------------------------------------


def _rewrite(
    path: Path,
    metadata: Any = None,
    config: Any = None,
    weights: Any = None,
    extra: tuple[tuple[str, bytes], ...] = (),
    without: str = "",
) -> None:
    """The archive again with other members."""
    with zipfile.ZipFile(path) as archive:
        members = {n: archive.read(n) for n in archive.namelist() if n != without}
    for name, value in (("metadata.json", metadata), ("config.json", config)):
        if value is not None:
            members[name] = value if isinstance(value, bytes) else json.dumps(value).encode()
    if weights is not None:
        members["model.weights.h5"] = weights
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)
        for name, data in extra:
            archive.writestr(name, data)


def _h5_attack(change: Callable[[h5py.File, Path], None]) -> Callable[[Path], None]:
    def attack(folder: Path) -> None:
        (folder / "secret").write_bytes(b"\x01" * 1024)
        with h5py.File(folder / "m.weights.h5", "r+") as file:
            change(file, folder)
        _rewrite(folder / "m.keras", weights=(folder / "m.weights.h5").read_bytes())

    return attack


def _replace(file: h5py.File, make: Callable[[h5py.Group], None]) -> None:
    group = file["layers/dense/vars"]
    del group["0"]
    make(group)


def _external(file: h5py.File, folder: Path) -> None:
    _replace(
        file,
        lambda g: g.create_dataset(
            "0", (3, 4), "float32", external=[(str(folder / "secret"), 0, 48)]
        ),
    )


def _virtual(file: h5py.File, folder: Path) -> None:
    layout = h5py.VirtualLayout((3, 4), "float32")
    layout[:] = h5py.VirtualSource(str(folder / "other.h5"), "d", (3, 4))
    _replace(file, lambda g: g.create_virtual_dataset("0", layout))


def _link(link: Any) -> Callable[[h5py.File, Path], None]:
    return lambda file, folder: _replace(file, lambda g: g.__setitem__("0", link))


def _huge(file: h5py.File, folder: Path) -> None:
    _replace(file, lambda g: g.create_dataset("0", (10**6, 10**6), "float32", chunks=(1000, 1000)))


def _zip_attack(**parts: Any) -> Callable[[Path], None]:
    return lambda folder: _rewrite(folder / "m.keras", **parts)


def _with_units(folder: Path, layer: int, units: int) -> Any:
    with zipfile.ZipFile(folder / "m.keras") as archive:
        config = json.loads(archive.read("config.json"))
    config["config"]["layers"][layer]["config"]["units"] = units
    return config


def _duplicate(folder: Path) -> None:
    with pytest.warns(UserWarning, match="Duplicate"):
        _rewrite(folder / "m.keras", extra=(("config.json", b"{}"),))


def _encrypted(folder: Path) -> None:
    path = folder / "m.keras"
    _rewrite(path)  # without a seal
    data = bytearray(path.read_bytes())
    at = data.find(b"PK\x01\x02")
    while at >= 0:
        data[at + 8] |= 1
        at = data.find(b"PK\x01\x02", at + 4)
    path.write_bytes(data)


H5_ATTACKS: dict[str, Callable[[Path], None]] = {
    "external storage": _h5_attack(_external),
    "virtual dataset": _h5_attack(_virtual),
    "external link": _h5_attack(_link(h5py.ExternalLink("other.h5", "/d"))),
    "soft link": _h5_attack(_link(h5py.SoftLink("/layers/dense/vars/1"))),
    "declared size": _h5_attack(_huge),
}
ATTACKS: dict[str, Callable[[Path], None]] = {
    **H5_ATTACKS,
    "member outside": _zip_attack(extra=(("assets/../../out", b"x"),)),
    "absolute member": _zip_attack(extra=(("/out", b"x"),)),
    "duplicate member": _duplicate,
    "encrypted member": _encrypted,
    "deep config": _zip_attack(config=b"[" * 60_000 + b"]" * 60_000),
    "rather deep config": _zip_attack(config=b'{"a":' * 400 + b"1" + b"}" * 400),
    "huge layer": lambda d: _rewrite(d / "m.keras", config=_with_units(d, 1, 10**9)),
    "no model": _zip_attack(config=[1, 2]),
    "a function": _zip_attack(
        config={"module": "os", "class_name": "function", "config": "system"}
    ),
    "a class of another module": _zip_attack(
        config={
            "module": "subprocess",
            "class_name": "Popen",
            "config": {"args": "true"},
            "registered_name": "Popen",
        }
    ),
}


@pytest.mark.parametrize("name", ATTACKS)
def test_attacks_are_refused(name: str, saved: Path) -> None:
    ATTACKS[name](saved)
    with pytest.raises(ValueError) as caught:
        keras.saving.load_model(saved / "m.keras")
    assert len(str(caught.value)) <= 600
    assert "m.keras" in str(caught.value)
    if "class" not in name and "function" not in name:
        assert isinstance(caught.value, UnsafeModelError)
    if name in H5_ATTACKS:
        with pytest.raises(UnsafeModelError, match=r"m\.weights\.h5.*that you trust"):
            make_model().load_weights(saved / "m.weights.h5")
    assert not (saved.parent / "out").exists()


@pytest.mark.filterwarnings("ignore:A lambda is saved")
def test_code_in_a_file_runs_only_when_the_user_says_so(tmp_path: Path) -> None:
    target = str(tmp_path / "touched")
    model = keras.Sequential(
        [
            keras.Input((3,)),
            layers.Lambda(lambda x, target=target: (open(target, "w").close(), x + 1)[1]),
        ]
    )
    os.unlink(target)  # written while the model was made
    model.save(tmp_path / "m.keras")
    with pytest.raises(UnsafeModelError, match=r"m\.keras.*safe_mode=False") as caught:
        keras.saving.load_model(tmp_path / "m.keras")
    assert len(str(caught.value)) <= 600
    assert not os.path.exists(target)
    loaded = keras.saving.load_model(tmp_path / "m.keras", safe_mode=False)
    np.testing.assert_array_equal(keras.ops.convert_to_numpy(loaded(np.ones((1, 3)))), [[2, 2, 2]])
    assert os.path.exists(target)


# Saves that are cut short ------------------------------------------------------------------


def test_a_member_is_read_while_it_is_written(tmp_path: Path) -> None:
    # Less than files keep back before they write it to the disk.
    with open(tmp_path / "m.zip", "w+b") as file, Writer(file) as archive:
        with archive.member("a") as part:
            part.write(b"0123456789")
            part.seek(3)
            assert part.read(4) == b"3456"
            part.seek(0)
            part.write(b"ab")
        archive.add_json("b", 1)
        file.seek(0, os.SEEK_END)
    with zipfile.ZipFile(tmp_path / "m.zip") as found:
        assert found.testzip() is None
        assert (found.read("a"), found.read("b")) == (b"ab23456789", b"1")


def test_a_failing_save_keeps_the_old_file(saved: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = (saved / "m.keras").read_bytes()
    full = OSError(28, "No space left on device")

    def fsync(descriptor: int) -> None:
        raise full

    monkeypatch.setattr(os, "fsync", fsync)
    with pytest.raises(OSError, match="No space left.*old file was kept"):
        make_model().save(saved / "m.keras")
    assert (saved / "m.keras").read_bytes() == before
    assert {p.name for p in saved.iterdir()} == {"m.keras", "m.weights.h5"}
