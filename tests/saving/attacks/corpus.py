"""Every attempt of the corpus, by the loader that it is made on."""

from __future__ import annotations

import contextlib
import functools
import io
import json
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import keraslite as keras
from keraslite.saving.inspect import inspect_file
from tests.saving.attacks import data_archives, data_backups, data_folders
from tests.saving.attacks.configs import PLACES, forms, sequential
from tests.saving.attacks.files import (
    ARCHIVES,
    BYTES,
    FIRST,
    HDF5,
    LAST,
    LEGACY,
    SAFETENSORS,
    SHARDS,
    SIZES,
)
from tests.saving.attacks.world import World


class Attempt(NamedTuple):
    """One attempt.

    Attributes:
        name: the advisories, or the classes of attack, and what it does.
        make: writes the file, if there is one; returns what to call, and the file.
        must_fail: whether it must be refused; otherwise it must only do no harm.
    """

    name: str
    make: Callable[[World], tuple[Callable[[], Any], tuple[Path, ...]]]
    must_fail: bool = True


Attempts = Iterator[Attempt]


def _of_file(
    name: str,
    file: str,
    data: Callable[[World], bytes],
    load: Callable[[World, Path], Any],
    must_fail: bool = True,
) -> Attempt:
    def make(world: World) -> tuple[Callable[[], Any], tuple[Path, ...]]:
        path = world.folder / file
        path.write_bytes(data(world))
        return functools.partial(load, world, path), (path,)

    return Attempt(name, make, must_fail)


def _model(world: World, path: Path) -> Any:
    return keras.saving.load_model(path)


def _weights(world: World, path: Path) -> Any:
    return world.model.load_weights(path)


def _edit(world: World, path: Path) -> Any:
    with contextlib.redirect_stdout(io.StringIO()) as shown:
        keras.saving.KerasFileEditor(path).summary()
    assert shown.getvalue().replace("\n", "").isprintable()


def _inspect(world: World, path: Path) -> Any:
    lines = inspect_file(str(path), show_config=True)
    assert all(map(str.isprintable, lines))


# HDF5 and archives -------------------------------------------------------------------------


def _hdf5(
    file: str, load: Any, good: str, shape: tuple[int, ...] = FIRST, must_fail: bool = True
) -> Attempts:
    for name in (*BYTES, *HDF5):
        if "checksum" in name and (file.endswith(".keras") or shape != FIRST):
            continue  # an archive has its own; those of arrays are known when they are read

        def data(world: World, name: str = name) -> bytes:
            made = world.hdf5_file(good, name, shape)
            return world.archived({"model.weights.h5": made}) if ".keras" in file else made

        at = "" if shape == FIRST else " at the last array"
        yield _of_file(f"{name}{at}", file, data, load, must_fail)


def _legacy(load: Any, must_fail: bool = True) -> Attempts:
    yield from _hdf5("bad.h5", load, "good.h5", must_fail=must_fail)
    for name, change in LEGACY.items():

        def data(world: World, change: Any = change) -> bytes:
            return change((world.folder / "good.h5").read_bytes())

        yield _of_file(name, "bad.h5", data, load, must_fail)


def _archives(load: Any, must_fail: bool = True, only: Callable[[str], bool] = bool) -> Attempts:
    for name, make in ARCHIVES.items():
        if only(name):
            data = functools.partial(lambda world, make: make(world.members), make=make)
            yield _of_file(name, "bad.keras", data, load, must_fail)


def _bytes_of(file: str, cases: dict[str, bytes], load: Any, must_fail: bool = True) -> Attempts:
    for name, content in cases.items():
        yield _of_file(name, file, lambda world, content=content: content, load, must_fail)


_CONFIGS_ONLY = ("config", "vocabulary", "A24", "long number", "deep objects", "metadata")


def _of_weights(name: str) -> bool:
    """Whether it is about more than the description of the model."""
    return "twice" in name or not any(word in name for word in _CONFIGS_ONLY)


def _sharded() -> Attempts:
    yield from _bytes_of("bad.weights.json", SHARDS, _weights)
    for name in HDF5:

        def make(world: World, name: str = name) -> Any:
            index, part = world.folder / "bad.weights.json", world.folder / "bad_00000.weights.h5"
            part.write_bytes(world.hdf5_file("good.weights.h5", name))
            index.write_text(json.dumps({"weight_map": {"/layers/dense/vars": [part.name]}}))
            return lambda: world.model.load_weights(index), (part, index)

        if "checksum" not in name:
            yield Attempt(name, make)

    def pipe(world: World) -> Any:
        index, part = world.folder / "bad.weights.json", world.folder / "bad_00001.weights.h5"
        part.unlink(missing_ok=True)
        os.mkfifo(part)
        index.write_text(json.dumps({"weight_map": {"/layers/dense/vars": [part.name]}}))
        return lambda: world.model.load_weights(index), (part, index)

    yield Attempt("A23 a pipe", pipe)


# Descriptions ------------------------------------------------------------------------------

# The old format has no modules and no registered names: what is in their place is not read.
_NOT_IN_LEGACY = ("A16 module", "A16 registered_number", "A3 method")
_OTHERS = ("argument", "loss", "call")


def _descriptions(kind: str) -> Attempts:
    def attempt(name: str, place: str) -> Attempt:
        def make(world: World) -> Any:
            form = PLACES[place](forms(world.guard.canary)[name])
            path = getattr(world, f"{kind}_file")(form)
            return lambda: keras.saving.load_model(path), (path,)

        return Attempt(f"{name} as {place}", make)

    for i, name in enumerate(forms(Path("canary"))):
        if kind == "legacy" and name in _NOT_IN_LEGACY:
            continue
        # All formats share what reads a description.
        places = ("root", "layer", _OTHERS[i % len(_OTHERS)]) if kind == "keras" else ("layer",)
        for place in places:
            yield attempt(name, place)


def _sizes(kind: str) -> Attempts:
    for name, form in SIZES.items():
        if kind == "legacy" and "build_config" in form:
            continue  # which the old format does not have

        def make(world: World, form: Any = form) -> Any:
            whole = form if form["class_name"] == "Sequential" else sequential([form])
            path = getattr(world, f"{kind}_file")(json.loads(json.dumps(whole)))
            return lambda: keras.saving.load_model(path), (path,)

        # Some take no memory before they are called, where no weights tell that they misfit.
        yield Attempt(name, make, kind == "keras")


def _from_config(config: Any) -> Any:
    return keras.Sequential.from_config({"name": "net", "layers": [config]})


def _door(open_door: Callable[[Any], Any], unset: bool = False) -> Attempts:
    for name in forms(Path("canary")):

        def make(world: World, name: str = name) -> Any:
            form = forms(world.guard.canary)[name]
            return lambda: open_door(form), ()

        # Where no mode was said.
        also = "CVE-2026-12481 " if unset and name.startswith(("CVE-2024-3660", "A1 ")) else ""
        yield Attempt(f"{also}{name}", make)


def _downloads() -> Attempts:
    for name, content in data_archives.HOSTILE.items():

        def make(world: World, content: bytes = content) -> Any:
            archive = world.folder / "bad.archive"
            archive.write_bytes(content)
            return functools.partial(data_archives.extract, archive), (archive,)

        yield Attempt(name, make)


def _folders() -> Attempts:
    for name, (change, load) in (data_folders.HOSTILE | data_folders.HARMLESS).items():

        def make(world: World, change: Any = change, load: Any = load) -> Any:
            folder = _fresh(world, "bad.folder")
            (folder / "a").mkdir()
            (folder / "a" / "0.txt").write_text("good")
            change(folder, world.guard.canary)
            return functools.partial(data_folders.read, folder, load), (folder,)

        yield Attempt(name, make, name in data_folders.HOSTILE)


def _backups() -> Attempts:
    bad = {name: data_backups.sealed(data) for name, data in data_backups.SEALED.items()}
    mutants = data_backups.mutants()
    for name, content in (bad | data_backups.DAMAGED | mutants).items():

        def make(world: World, content: bytes = content) -> Any:
            folder = _fresh(world, "bad.backup")
            file = folder / "backup-00000001.npz"
            file.write_bytes(content)
            return functools.partial(data_backups.restore, folder), (file, folder)

        yield Attempt(name, make, name not in mutants)
    for name, add in data_backups.BESIDE.items():

        def make(world: World, add: Any = add) -> Any:
            folder = _fresh(world, "bad.backup")
            add(folder, world.guard.canary)
            return functools.partial(data_backups.restore, folder), (folder,)

        yield Attempt(name, make, must_fail=False)


def _fresh(world: World, name: str) -> Path:
    folder = world.folder / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    return folder


_unset = functools.partial(keras.saving.deserialize_keras_object, safe_mode=None)

#: Loader -> its attempts.
LOADERS: dict[str, Callable[[], Attempts]] = {
    ".keras": lambda: (
        *_descriptions("keras"),
        *_sizes("keras"),
        *_archives(_model),
        *_hdf5("bad.keras", _model, "good.weights.h5"),
    ),
    ".keras weights": lambda: (
        *_archives(_weights, only=_of_weights),
        *_hdf5("bad.keras", _weights, "good.weights.h5"),
    ),
    ".weights.h5": lambda: (
        *_hdf5("bad.weights.h5", _weights, "good.weights.h5"),
        *_hdf5("bad.weights.h5", _weights, "good.weights.h5", LAST),
    ),
    ".h5": lambda: (*_descriptions("legacy"), *_sizes("legacy"), *_legacy(_model)),
    ".h5 weights": lambda: (
        *_legacy(_weights),
        *_hdf5("bad.h5", _weights, "good.h5", LAST),
    ),
    ".safetensors": lambda: (
        *_descriptions("safetensors"),
        *_sizes("safetensors"),
        *_bytes_of("bad.safetensors", SAFETENSORS, _model),
    ),
    ".safetensors weights": lambda: _bytes_of("bad.safetensors", SAFETENSORS, _weights),
    ".weights.json": _sharded,
    # Those that only look do nothing either; they may show what others refuse.
    "editor": lambda: (
        *_hdf5("bad.weights.h5", _edit, "good.weights.h5", must_fail=False),
        *_archives(_edit, must_fail=False),
    ),
    "inspect": lambda: (
        *_hdf5("bad.weights.h5", _inspect, "good.weights.h5", must_fail=False),
        *_legacy(_inspect, must_fail=False),
        *_archives(_inspect, must_fail=False),
        *_bytes_of("bad.safetensors", SAFETENSORS, _inspect, must_fail=False),
        *_bytes_of("bad.weights.json", SHARDS, _inspect, must_fail=False),
    ),
    "deserialize": lambda: _door(keras.saving.deserialize_keras_object),
    "unset mode": lambda: _door(_unset, unset=True),
    "from_config": lambda: _door(_from_config, unset=True),
    "from_json": lambda: _door(lambda form: keras.models.model_from_json(json.dumps(form))),
    "get_file": _downloads,
    "folders": _folders,
    "backups": _backups,
}
#: No engine takes part in these.
OF_NO_ENGINE = ("editor", "inspect", "get_file", "folders", "backups")
