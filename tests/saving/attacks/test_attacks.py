"""Files of strangers: every way to load one refuses, and does nothing else."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import keraslite as keras
from keraslite.saving.inspect import inspect_file
from tests.saving.attacks.configs import PLACES, forms, sequential
from tests.saving.attacks.files import (
    ARCHIVES,
    SAFETENSORS,
    SHARDS,
    SIZES,
)
from tests.saving.attacks.world import World

pytestmark = pytest.mark.filterwarnings("ignore")


def _check(cases: Iterator[tuple[str, list[str]]], least: int) -> None:
    found = dict(cases)
    failed = {name: problems for name, problems in found.items() if problems}
    assert not failed, "\n".join(f"{name}: {problems}" for name, problems in failed.items())
    assert len(found) >= least


# The old format has no modules and no registered names: what is in their place is not read.
_NOT_IN_LEGACY = ("A16 module", "A16 registered_number")
_OTHERS = ("argument", "loss", "call")


def _descriptions(world: World, kind: str) -> Iterator[tuple[str, Any]]:
    for i, (name, form) in enumerate(forms(world.guard.canary).items()):
        other = _OTHERS[i % len(_OTHERS)]
        if kind == "legacy" and name in _NOT_IN_LEGACY:
            continue
        # All formats share what reads a description.
        for place in ("root", "layer", other) if kind == "keras" else ("layer",):
            yield f"{name} as {place}", PLACES[place](form)


def _from_config(config: Any) -> Any:
    return keras.Sequential.from_config({"name": "net", "layers": [config]})


DOORS: dict[str, Callable[[Any], Any]] = {
    "object": keras.saving.deserialize_keras_object,
    "unset mode": lambda config: keras.saving.deserialize_keras_object(config, safe_mode=None),
    "from_config": _from_config,
    "json": lambda config: keras.models.model_from_json(json.dumps(config)),
}


@pytest.mark.parametrize("kind", ["keras", "legacy", "safetensors"])
def test_descriptions_in_files(world: World, kind: str) -> None:
    write = getattr(world, f"{kind}_file")

    def cases() -> Iterator[tuple[str, list[str]]]:
        for name, config in _descriptions(world, kind):
            path = write(config)
            yield name, world.refused(lambda path=path: keras.saving.load_model(path), path)

    _check(cases(), 350 if kind == "keras" else 120)


@pytest.mark.parametrize("door", DOORS)
def test_descriptions(world: World, door: str) -> None:
    def cases() -> Iterator[tuple[str, list[str]]]:
        for name, form in forms(world.guard.canary).items():
            yield name, world.refused(lambda form=form: DOORS[door](form))

    _check(cases(), 120)


def test_hdf5(world: World) -> None:
    model, load = world.model, keras.saving.load_model
    weights, archive = world.folder / "bad.weights.h5", world.folder / "bad.keras"

    def cases() -> Iterator[tuple[str, list[str]]]:
        for name, data in world.hdf5_files("good.weights.h5").items():
            weights.write_bytes(data)
            world.archive({"model.weights.h5": data})
            yield f"{name}, weights", world.refused(lambda: model.load_weights(weights), weights)
            if "checksum" in name:  # an archive has its own
                continue
            yield f"{name}, archive", world.refused(lambda: model.load_weights(archive), archive)
            yield f"{name}, model", world.refused(lambda: load(archive), archive)

    _check(cases(), 130)


def test_legacy_hdf5(world: World) -> None:
    path = world.folder / "bad.h5"

    def cases() -> Iterator[tuple[str, list[str]]]:
        for name, data in world.hdf5_files("good.h5").items():
            path.write_bytes(data)
            yield f"{name}, weights", world.refused(lambda: world.model.load_weights(path), path)
            yield f"{name}, model", world.refused(lambda: keras.saving.load_model(path), path)

    _check(cases(), 80)


def test_other_formats(world: World) -> None:
    tensors, index = world.folder / "bad.safetensors", world.folder / "bad.weights.json"

    def cases() -> Iterator[tuple[str, list[str]]]:
        for name, data in SAFETENSORS.items():
            tensors.write_bytes(data)
            yield f"{name}, model", world.refused(lambda: keras.saving.load_model(tensors), tensors)
            yield name, world.refused(lambda: world.model.load_weights(tensors), tensors)
        for name, data in SHARDS.items():
            index.write_bytes(data)
            yield f"{name}, shards", world.refused(lambda: world.model.load_weights(index), index)

    _check(cases(), 55)


LOOKS: dict[str, Callable[[Path], Any]] = {
    "editor": keras.saving.KerasFileEditor,
    "inspect": lambda path: inspect_file(str(path)),
}


@pytest.mark.parametrize("look", LOOKS)
def test_looking_at_files(world: World, look: str) -> None:
    """Those that only look do nothing either; they may show what others refuse."""

    def cases() -> Iterator[tuple[str, list[str]]]:
        bad = [(n, "bad.weights.h5", d) for n, d in world.hdf5_files("good.weights.h5").items()]
        bad += [(n, "bad.keras", make(world.members)) for n, make in ARCHIVES.items()]
        if look == "inspect":
            bad += [(n, "bad.h5", d) for n, d in world.hdf5_files("good.h5").items()]
            bad += [(n, "bad.safetensors", d) for n, d in SAFETENSORS.items()]
            bad += [(n, "bad.weights.json", d) for n, d in SHARDS.items()]
        for name, file, data in bad:
            path = world.folder / file
            path.write_bytes(data)
            yield (
                f"{name}, {file}",
                world.refused(lambda path=path: LOOKS[look](path), path, must_fail=False),
            )

    _check(cases(), 90)


_CONFIGS_ONLY = ("config", "vocabulary", "A24", "long number", "deep objects", "metadata")


def test_archives(world: World) -> None:
    path = world.folder / "bad.keras"

    def cases() -> Iterator[tuple[str, list[str]]]:
        for name, make in ARCHIVES.items():
            path.write_bytes(make(world.members))
            yield f"{name}, model", world.refused(lambda: keras.saving.load_model(path), path)
            if "twice" in name or not any(word in name for word in _CONFIGS_ONLY):
                yield (
                    f"{name}, weights",
                    world.refused(lambda: world.model.load_weights(path), path),
                )

    _check(cases(), 70)


@pytest.mark.parametrize("kind", ["keras", "legacy", "safetensors"])
def test_sizes(world: World, kind: str) -> None:
    write = getattr(world, f"{kind}_file")

    def cases() -> Iterator[tuple[str, list[str]]]:
        for name, form in SIZES.items():
            if kind == "legacy" and "build_config" in form:
                continue  # which the old format does not have
            path = write(sequential([form]))
            load = functools.partial(keras.saving.load_model, path)
            # Some take no memory before they are called, where no weights tell that they misfit.
            yield name, world.refused(load, path, must_fail=kind == "keras")

    _check(cases(), 9)
