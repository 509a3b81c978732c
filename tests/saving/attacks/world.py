"""Good files of every format, canaries next to them, and the checks on what a load does."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np

import keraslite as keras
from keraslite import layers
from keraslite.core.errors import LoadError
from tests.saving.attacks.files import BYTES, HDF5, At, safetensors
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

    def _warm_up(self) -> None:
        """What good files import and make once."""
        for kind in ("keras", "h5", "safetensors"):
            keras.saving.load_model(self.folder / f"good.{kind}")
        self.model.load_weights(self.folder / "good.weights.h5")
        self.model.load_weights(self.folder / "good.keras")
        keras.models.model_from_json(self.model.to_json())
        for name in ("StringLookup", "TextVectorization"):
            keras.layers.deserialize({"class_name": name, "config": {}})

    def keras_file(self, config: Any) -> Path:
        return self.archive({"config.json": json.dumps(config).encode()})

    def archive(self, members: dict[str, bytes]) -> Path:
        """The good archive with other members."""
        path = self.folder / "bad.keras"
        with zipfile.ZipFile(path, "w") as archive:
            for name, data in {**self.members, **members}.items():
                archive.writestr(name, data)
        return path

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

    def hdf5_files(self, good: str) -> dict[str, bytes]:
        """Bad files made of a good one, whatever its layout."""
        content = (self.folder / good).read_bytes()
        found = {name: change(content) for name, change in BYTES.items()}
        for case, change in HDF5.items():
            file = io.BytesIO(content)
            with h5py.File(file, "r+") as root:
                change(root, At.first(root, self.guard.canary))
            found[case] = file.getvalue()
        return found

    def refused(self, load: Callable[[], Any], *files: Path, must_fail: bool = True) -> list[str]:
        """What is wrong with the way in which a load fails."""
        before = [w.copy() for w in self.model.get_weights()]
        with self.guard.watching(*files) as problems:
            try:
                load()
            except Exception as error:  # noqa: BLE001 - the class is what is tested
                if not isinstance(error, LoadError):
                    problems.append(f"{type(error).__name__}: {error!s:.300}")
                elif len(str(error).encode()) > 1024:
                    problems.append(f"a message of {len(str(error))} characters")
                elif files and files[0].name not in str(error):
                    problems.append(f"does not name the file: {error}")
            else:
                problems += ["loads"] * must_fail
        if not all(map(np.array_equal, before, self.model.get_weights())):
            problems.append("changed weights")
        return problems
