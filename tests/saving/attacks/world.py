"""Good files of every format, canaries next to them, and the checks on what a load does."""

from __future__ import annotations

import contextlib
import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from PIL import Image

import keraslite as keras
from keraslite import layers
from keraslite.core.errors import LoadError
from tests.saving.attacks.files import BYTES, FIRST, HDF5, At, safetensors
from tests.saving.attacks.guard import Guard


class World:
    """Good files, canaries next to them, and the checks on what a load does."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.guard = Guard(folder)
        canary = self.guard.canary
        (canary / "secret").write_bytes(b"\x01" * 4096)
        (canary / "words.txt").write_text("one\ntwo\n")
        np.save(canary / "array.npy", np.ones(3))
        # Where HDF5 looks for filters that it does not have.
        h5py.h5pl.prepend(bytes(canary))
        with h5py.File(canary / "other.h5", "w") as file:
            file["d"] = np.ones((3, 4), "float32")
        (folder / "canary_module.py").write_text(
            f"open({str(canary / 'imported')!r}, 'w').close()\n"
        )
        self.model = keras.Sequential(
            [keras.Input((3,)), layers.Dense(4), layers.Dense(2)], name="net"
        )
        self.model.save(folder / "good.keras")
        self.model.save(folder / "good.h5")
        self.model.save(folder / "good.safetensors")
        self.model.save_weights(folder / "good.weights.h5")
        with zipfile.ZipFile(folder / "good.keras") as archive:
            self.members = {n: archive.read(n) for n in archive.namelist()}
        self._warm_up()
        # Whatever a file assigns can be told from what is there.
        self.model.set_weights([w + 1 for w in self.model.get_weights()])

    def _warm_up(self) -> None:
        """What good files import and make once."""
        for kind in ("keras", "h5", "safetensors"):
            keras.saving.load_model(self.folder / f"good.{kind}")
        self.model.load_weights(self.folder / "good.weights.h5")
        self.model.load_weights(self.folder / "good.keras")
        keras.models.model_from_json(self.model.to_json())
        with contextlib.redirect_stdout(io.StringIO()):
            keras.saving.KerasFileEditor(self.folder / "good.keras").summary()
        Image.init()
        for name in ("StringLookup", "TextVectorization"):
            keras.layers.deserialize({"class_name": name, "config": {}})

    def keras_file(self, config: Any) -> Path:
        path = self.folder / "bad.keras"
        path.write_bytes(self.archived({"config.json": json.dumps(config).encode()}))
        return path

    def archived(self, members: dict[str, bytes]) -> bytes:
        """The good archive with other members."""
        file = io.BytesIO()
        with zipfile.ZipFile(file, "w") as archive:
            for name, data in {**self.members, **members}.items():
                archive.writestr(name, data)
        return file.getvalue()

    def legacy_file(self, config: Any) -> Path:
        path = self.folder / "bad.h5"
        with h5py.File(path, "w", libver="latest") as file:
            loss = config.pop("compile_config", {}).get("loss")
            file.attrs["keras_version"], file.attrs["backend"] = "2.10.0", "tensorflow"
            file.attrs["model_config"] = json.dumps(config)
            if loss is not None:
                training = {
                    "loss": loss,
                    "optimizer_config": {"class_name": "SGD", "config": {}},
                }
                file.attrs["training_config"] = json.dumps(training)
        return path

    def safetensors_file(self, config: Any) -> Path:
        path = self.folder / "bad.safetensors"
        metadata = {"format": "keras", "config": json.dumps(config)}
        path.write_bytes(safetensors({"__metadata__": metadata}))
        return path

    def hdf5_file(self, good: str, case: str, shape: tuple[int, ...] = FIRST) -> bytes:
        """A bad file made of a good one, whatever its layout, at the array of a shape."""
        content = (self.folder / good).read_bytes()
        if case in BYTES:
            return BYTES[case](content)
        file = io.BytesIO(content)
        with h5py.File(file, "r+") as root:
            HDF5[case](root, At.array(root, self.guard.canary, shape))
        return file.getvalue()

    def refused(self, load: Callable[[], Any], *files: Path, must_fail: bool = True) -> list[str]:
        """What is wrong with the way in which a load fails."""
        before = [w.copy() for w in self.model.get_weights()]
        changed = False
        with self.guard.watching(*files) as problems:
            try:
                load()
            except Exception as error:  # noqa: BLE001 - the class is what is tested
                problems += self._unclear(error, files)
                changed = not all(map(np.array_equal, before, self.model.get_weights()))
            else:
                problems += ["loads"] * must_fail
        self.model.set_weights(before)
        return problems + ["changed weights"] * changed

    def _unclear(self, error: BaseException, files: tuple[Path, ...]) -> list[str]:
        """What is wrong with the words of a refusal."""
        text = str(error)
        if not isinstance(error, LoadError):
            return [f"{type(error).__name__}: {text:.300}"]
        found = []
        if len(text.encode()) > 1024:
            found.append(f"a message of {len(text)} characters")
        if files and not any(file.name in text for file in files):
            found.append(f"does not name the file: {text}")
        if not text.replace("\n", "").isprintable():
            found.append(f"a message that a terminal obeys: {text!a}")
        # The limit of the guard, which no user has.
        causes: dict[int, BaseException] = {}
        cause: BaseException | None = error
        while cause is not None and id(cause) not in causes:
            causes[id(cause)] = cause
            cause = cause.__cause__ or cause.__context__
        if any(isinstance(x, MemoryError) or "memory" in str(x).lower() for x in causes.values()):
            found.append(f"ran out of memory: {text}")
        return found
