"""Faults: damaged files, killed saves, full disks, saves in the background."""

from __future__ import annotations

import contextlib
import os
import resource
import subprocess
import sys
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import keraslite as keras
from keraslite.backend import engine
from keraslite.saving import commit, seal
from keraslite.saving.walk import Snapshot, own_store, walk
from tests.saving import faults

FORMATS = faults.FORMATS


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize(
    "changes", [faults.bit_flips(40), faults.truncations(20)], ids=["bit flips", "truncations"]
)
def test_damage_is_named_and_never_loads(tmp_path: Path, name: str, changes: object) -> None:
    found = faults.damage(tmp_path, name, changes)
    assert set(found) <= {"named", "right"}
    assert found["named"] >= 0.9 * found.total()


@pytest.mark.parametrize("name", ["m.weights.h5", "m.safetensors", "m.keras"])
def test_a_damaged_file_changes_no_weights(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    made = faults.model(3.0)
    faults.save(made, path)
    data = bytearray(path.read_bytes())
    place = data.rindex(made.optimizer.variables[-1].numpy().tobytes())
    data[place] ^= 1
    path.write_bytes(data)
    other = faults.model(7.0)
    with pytest.raises(ValueError, match="damaged"):
        other.load_weights(path)
    assert faults.same(faults.content(other), faults.content(faults.model(7.0)))


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize("name", ["m.weights.h5", "m.safetensors", "m.keras", "m.weights.json"])
def test_large_arrays(tmp_path: Path, name: str, dtype: str) -> None:
    """Of many pieces: each loads exactly, into models old and new, or not at all."""

    def made(value: float) -> keras.Model:
        layers = [keras.layers.Dense(n, dtype=dtype) for n in (1531, 1531, 5)]
        model = keras.Sequential([keras.Input((1531,)), *layers])
        numbers = np.random.default_rng(0)
        for variable in model.variables:
            variable.assign(numbers.normal(value, size=variable.shape).astype("float32"))
        return model

    def content(model: keras.Model) -> list[np.ndarray]:
        return [keras.ops.convert_to_numpy(keras.ops.cast(v, "float32")) for v in model.variables]

    path = tmp_path / name
    expected = made(3.0)
    if name.endswith(".json"):
        expected.save_weights(path, max_shard_size=10 / 2**10)
    else:
        faults.save(expected, path)
    other = made(7.0)
    other.load_weights(path)
    found = [other] if ".weights." in name else [other, keras.saving.load_model(path)]
    for model in found:
        for a, b in zip(content(model), content(expected), strict=True):
            np.testing.assert_array_equal(a, b)
    file = max(tmp_path.iterdir(), key=lambda file: file.stat().st_size)
    data = bytearray(file.read_bytes())
    before = content(made(7.0))
    for place in (len(data) // 9, 2 * len(data) // 3):
        data[place] ^= 1
        file.write_bytes(data)
        data[place] ^= 1
        other = made(7.0)
        with pytest.raises(ValueError, match="damaged"):
            other.load_weights(path)
        for a, b in zip(content(other), before, strict=True):
            np.testing.assert_array_equal(a, b)
        if ".weights." not in name:
            with pytest.raises(ValueError, match="damaged"):
                keras.saving.load_model(path)


@pytest.mark.parametrize("name", ["m.weights.h5", "m.safetensors"])
def test_a_file_that_changes_while_it_is_read(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, made = tmp_path / name, faults.model(3.0)
    faults.save(made, path)
    place = path.read_bytes().rindex(made.variables[0].numpy().tobytes())
    assign = keras.Variable.assign

    def changing(self: keras.Variable, value: object) -> object:
        with open(path, "r+b") as file:
            file.seek(place)
            file.write(b"other")
        os.utime(path, ns=(1, 1))
        return assign(self, value)

    monkeypatch.setattr(keras.Variable, "assign", changing)
    if engine.host_memory(made.variables[0]._storage) is None:
        pytest.skip("the file is read once")
    with pytest.raises(ValueError, match="damaged"):
        made.load_weights(path)


@pytest.mark.skipif(engine.capabilities.trainable, reason="one engine is enough")
def test_kills_leave_the_old_file_or_the_new_one() -> None:
    """At the steps of each save, and at random moments; one process forks them all.

    Nor does saving import an engine that is not in use.
    """
    root = Path(__file__).parents[2]
    environment = {**os.environ, "KERAS_BACKEND": "numpy", "PYTHONPATH": str(root)}
    done = subprocess.run(
        [sys.executable, "-m", "tests.saving.faults", "3", "0"],
        cwd=root,
        env=environment,
        capture_output=True,
        text=True,
        timeout=200,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    lines = done.stdout.splitlines()
    assert len(lines) == 4 * len(FORMATS) + 1
    assert [line for line in lines if not line.endswith(",0")] == []


@contextlib.contextmanager
def small_disk() -> Iterator[None]:
    """No file may grow beyond some bytes; Python makes the signal an error of the disk."""
    old = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, old[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, old)


@pytest.mark.parametrize("name", FORMATS)
def test_a_full_disk_keeps_the_old_file(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    faults.save(faults.model(100.0), path)
    before = sorted(p.name for p in tmp_path.iterdir())
    with pytest.raises(OSError, match="Cannot write"), small_disk():
        faults.save(faults.model(200.0), path)
    assert sorted(p.name for p in tmp_path.iterdir()) == before
    kept = faults.load(path)
    assert faults.same(faults.content(kept), faults.content(faults.model(100.0)))


def test_mode_bits_are_kept_and_a_folder_without_permission_is_named(tmp_path: Path) -> None:
    path = tmp_path / "m.keras"
    faults.save(faults.model(), path)
    path.chmod(0o640)
    faults.save(faults.model(), path)
    assert path.stat().st_mode & 0o777 == 0o640
    with pytest.raises(OSError, match="none"):
        faults.save(faults.model(), tmp_path / "none" / "m.keras")


def test_unfinished_files_are_removed_when_nobody_writes_them(tmp_path: Path) -> None:
    path = tmp_path / "m.keras"
    with commit.replacing(path):  # a save that is under way in this process
        (name,) = tmp_path.iterdir()
        mine = f"-{os.getpid()}-"
        others = [
            name.with_name(name.name.replace(mine, "-1-")),  # a number that another process has
            name.with_name(name.name.replace(mine, f"-{2**22 + 1}-")),
        ]
        elsewhere = name.with_name(name.name.replace(commit._host(), "00000000"))
        users = tmp_path / ".m.keras.tmp"
        for left in (*others, elsewhere, users):
            left.touch()
        faults.save(faults.model(), path)
        assert name.exists() and elsewhere.exists() and users.exists()
        assert not any(left.exists() for left in others)


def test_seals(tmp_path: Path) -> None:
    """At the end or where the writer left a place, over many blocks, and none is none."""
    for text in (b"", b"x" * 100, b"{%s}" % seal.BLANK.encode(), os.urandom(3 * seal._BLOCK + 5)):
        path = tmp_path / "file"
        path.write_bytes(text)
        with open(path, "r+b") as file:
            assert seal.is_whole(file) in (None, False)
            seal.seal(file)
            assert seal.is_whole(file)
            seal.check(file, str(path))
            for place in (0, len(text) // 2, -30):
                file.seek(place % path.stat().st_size)
                old = file.read(1)
                file.seek(-1, os.SEEK_CUR)
                file.write(bytes([old[0] ^ 4]))
                assert not seal.is_whole(file)
                file.seek(place % path.stat().st_size)
                file.write(old)


@pytest.mark.parametrize("size", [0, 100, seal._BLOCK - 3, 2 * seal._BLOCK + 5])
def test_seals_without_a_table(tmp_path: Path, size: int) -> None:
    """Those of earlier files: one checksum of the checksums of all blocks."""
    blank = os.urandom(size) + seal.BLANK.encode()
    blocks = [blank[i : i + seal._BLOCK] for i in range(0, len(blank), seal._BLOCK)]
    sums = b"".join(zlib.crc32(block).to_bytes(4, "little") for block in blocks)
    whole = blank[:-8] + b"%08x" % zlib.crc32(sums)
    path = tmp_path / "file"
    path.write_bytes(whole)
    with seal.opened(str(path)) as file:
        assert file.read() == blank[:size]
    path.write_bytes(bytes([whole[0] ^ 4]) + whole[1:])
    with open(path, "rb") as file:
        assert not seal.is_whole(file)


# In the background -----------------------------------------------------------------------


@pytest.mark.parametrize("name", [n for n in FORMATS if n != "m.h5"])
def test_a_background_save_has_the_state_of_its_start(tmp_path: Path, name: str) -> None:
    model = faults.model(100.0)
    if name.endswith(".json"):
        saving = model.save_weights(tmp_path / name, max_shard_size=400 / 2**30, asynchronous=True)
    else:
        save = model.save_weights if ".weights." in name else model.save
        saving = save(tmp_path / name, asynchronous=True)
    for variable in model.variables:
        variable.assign(np.zeros(variable.shape, variable.dtype))
    saving.join()
    assert saving.done
    found, expected = faults.load(tmp_path / name), faults.model(100.0)
    assert faults.same(faults.content(found), faults.content(expected))


@pytest.mark.skipif(not engine.capabilities.trainable, reason="trains")
@pytest.mark.parametrize("jit", ["auto", True, False])
def test_a_snapshot_outlives_the_steps_after_it(jit: str | bool) -> None:
    model = keras.Sequential([keras.Input((5,)), keras.layers.Dense(7), keras.layers.Dense(3)])
    model.compile(keras.optimizers.SGD(0.01, momentum=0.9), "mse", jit_compile=jit)
    x, y = np.ones((8, 5), "float32"), np.ones((8, 3), "float32")
    model.fit(x, y, batch_size=4, verbose=0)

    def state() -> list[np.ndarray]:
        stores = [own_store(saveable) for _, saveable in walk(model)]
        return [np.array(value) for store in stores for value in store.values()]

    for _ in range(2):
        expected = state()
        snapshot = Snapshot(model, {})
        model.fit(x, y, batch_size=4, verbose=0)
        model.trainable_variables[-1].assign_add(np.ones(3, "float32"))
        with snapshot:
            for held, value in zip(state(), expected, strict=True):
                np.testing.assert_array_equal(held, value)
        assert not np.array_equal(state()[0], expected[0])
        snapshot.release()


@pytest.mark.skipif(not engine.capabilities.trainable, reason="trains")
def test_training_goes_on_while_a_file_is_written(tmp_path: Path) -> None:
    size = 192
    model = keras.Sequential([keras.Input((size,)), *(keras.layers.Dense(size) for _ in range(6))])
    model.compile("adam", "mse")
    x = np.ones((8, size), "float32")
    model.train_on_batch(x, x)
    for turn in range(4):
        variables = [*model.variables, *model.optimizer.variables]
        expected = [v.numpy() for v in variables]
        # Others may look into the memory of the weights, which then stays where it is.
        views = [engine.host_view(v.value) for v in variables] if turn == 3 else []
        saving = model.save(tmp_path / "m.keras", asynchronous=True)
        model.train_on_batch(x, x)
        while not saving.done:
            model.train_on_batch(x, x)
        saving.join()
        assert not any(map(np.array_equal, model.get_weights(), expected))
        assert all(view is None or np.isfinite(view).all() for view in views)
        found = keras.saving.load_model(tmp_path / "m.keras")
        for value, wanted in zip(
            [*found.variables, *found.optimizer.variables], expected, strict=True
        ):
            np.testing.assert_array_equal(value.numpy(), wanted)
        if turn == 1:
            model = found  # whose memory came from a file


def test_errors_of_background_saves_surface(tmp_path: Path) -> None:
    model = faults.model()
    bad = tmp_path / "none" / "m.keras"
    with pytest.raises(OSError, match="none"):
        model.save(bad, asynchronous=True).join()
    model.save(bad, asynchronous=True)
    with pytest.raises(OSError, match="none"):
        model.save(tmp_path / "m.keras")
    model.save(tmp_path / "m.keras")
    with pytest.raises(ValueError, match="asynchronous"):
        model.save(tmp_path / "m.h5", asynchronous=True)


def test_only_the_first_process_writes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert engine.process_index() == 0
    monkeypatch.setattr(type(engine), "process_index", lambda self: 1)
    faults.model().save(tmp_path / "m.keras")
    assert not list(tmp_path.iterdir())


def test_initial_values_are_not_made_for_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Making them takes longer than reading the file."""
    path = tmp_path / "m.keras"
    faults.save(faults.model(5.0), path)
    made: list[object] = []
    for name in ("GlorotUniform", "Zeros"):
        cls = getattr(keras.initializers, name)
        monkeypatch.setattr(
            cls, "__call__", lambda self, *args, call=cls.__call__, **kwargs: (
                made.append(self), call(self, *args, **kwargs))[1]
        )  # fmt: skip
    loaded = keras.saving.load_model(path, compile=False)
    assert not made
    assert all(type(v) is keras.Variable for v in loaded.variables)
    np.testing.assert_array_equal(loaded.layers[0].kernel, np.full((5, 7), 5.0, "float32"))
