"""The guard sees what it must see, and the one door opens when somebody says so."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import h5py
import numpy as np
import pytest

import keraslite as keras
from tests.saving.attacks.configs import forms
from tests.saving.attacks.world import World


def _import(world: World) -> None:
    import canary_module  # noqa: F401


def _read_hdf5(world: World) -> None:
    with h5py.File(world.guard.canary / "other.h5") as file:
        file["d"][()]


def _memory(world: World) -> None:
    assert np.ones(400 * 2**17).sum()


def _register(world: World) -> None:
    keras.saving.get_custom_objects()["stranger"] = len


NAUGHTY: dict[str, tuple[Callable[[World], Any], str]] = {
    "import": (_import, "import canary_module"),
    "open": (lambda w: open(w.folder / "elsewhere", "w").close(), "open "),
    "read in C": (_read_hdf5, "touched a canary"),
    "remove": (lambda w: os.remove(w.folder / "elsewhere"), "os.remove"),
    "run": (lambda w: subprocess.run([sys.executable, "-c", ""], check=True), "subprocess.Popen"),
    "code": (lambda w: exec(compile("1", "stranger", "exec")), "exec stranger"),
    "memory": (_memory, "MiB for a file"),
    "settings": (lambda w: keras.config.set_image_data_format("channels_first"), "changed"),
    "registration": (_register, "changed ['registered']"),
    "environment": (lambda w: os.environ.update(STRANGER="1"), "changed ['environment']"),
}


@pytest.mark.parametrize("name", NAUGHTY)
def test_the_guard_sees(name: str, world: World) -> None:
    act, message = NAUGHTY[name]
    try:
        with world.guard.watching() as problems:
            act(world)
        assert any(message in problem for problem in problems), problems
    finally:
        keras.config.set_image_data_format("channels_last")
        keras.saving.get_custom_objects().pop("stranger", None)
        os.environ.pop("STRANGER", None)
        sys.modules.pop("canary_module", None)


def test_the_one_door(world: World) -> None:
    found = forms(world.guard.canary)
    ran = world.guard.canary / "ran"
    function = keras.saving.deserialize_keras_object(found["CVE-2024-3660 plain"], safe_mode=False)
    assert not ran.exists()
    function(1)
    assert ran.exists()
    ran.unlink()
    words = keras.saving.deserialize_keras_object(found["CVE-2025-12058 strings"], safe_mode=False)
    assert words.get_vocabulary()[1:] == ["one", "two"]
