"""Backups of trainings that somebody changed, with a seal that is right or none."""

from __future__ import annotations

import io
import json
import os
import pickle
import random
import struct
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

import keraslite as keras
from keraslite.callbacks import snapshot
from keraslite.saving import seal
from tests.saving.attacks.data_archives import zip_crowded

STATE: dict[str, Any] = {
    "epoch": 1,
    "batch": 0,
    "data": {},
    "variables": [np.ones((2, 3), "float32")],
    "callbacks": {},
    "stopped": False,
}


def restore(folder: Path) -> None:
    """What the beginning of a training does."""
    variable = keras.Variable(np.zeros((2, 3), "float32"))
    callback = keras.callbacks.BackupAndRestore(folder)
    callback.set_model(
        SimpleNamespace(stop_training=False, _step_variables=lambda which: [variable])
    )
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            callback.on_train_begin()
    except ValueError:
        assert not np.any(variable.numpy())
        raise


def good() -> bytes:
    file = io.BytesIO()
    snapshot.write(file, STATE)
    return file.getvalue()


def sealed(data: bytes) -> bytes:
    file = io.BytesIO(data)
    seal.seal(file)
    return file.getvalue()


def _state(**changes: Any) -> bytes:
    file = io.BytesIO()
    snapshot.write(file, {k: v for k, v in {**STATE, **changes}.items() if v is not ...})
    return file.getvalue()


def _array(shape: Any = (2, 3), data: bytes = bytes(24), dtype: str = "<f4", **more: Any) -> bytes:
    header = (
        more.get("header") or f"{{'descr': {dtype!r}, 'fortran_order': False, 'shape': {shape}}}"
    )
    text = header.encode() + b"\n"
    return (
        b"\x93NUMPY"
        + bytes([more.get("version", 1), 0])
        + struct.pack("<H", len(text))
        + text
        + data
    )


def _members(compression: int = zipfile.ZIP_STORED, **members: bytes) -> bytes:
    """The good one with other arrays."""
    file = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(good())) as old, zipfile.ZipFile(file, "w", compression) as new:
        found = {name: old.read(name) for name in old.namelist()}
        for name, data in {**found, **{f"{k}.npy": v for k, v in members.items()}}.items():
            new.writestr(name, data)
    return file.getvalue()


def _tree(value: Any) -> bytes:
    text = value if isinstance(value, bytes) else json.dumps(value).encode()
    return _members(tree=_array((len(text),), text, "|u1"))


class _Trace:
    def __reduce__(self) -> Any:
        return exec, ("raise SystemExit('ran')",)


_PLACE = {"array": "a0", "dtype": None, "scalar": False}
_FOREIGN = {"dict": {"variables": [{**_PLACE, "dtype": "canary_module.Canary"}]}}

#: What it does -> the bytes, which get a seal.
SEALED: dict[str, bytes] = {
    "A1 a pickle": _members(a0=_array((2, 3), pickle.dumps(_Trace()), "|O")),
    "A1 a header that is code": _members(a0=_array(header="__import__('canary_module')")),
    "A10 a huge array": _members(a0=_array((10**6, 10**6))),
    "A10 an array of no end": _members(a0=_array((2**60, 2**60))),
    "A10 a negative array": _members(a0=_array((-2, -3))),
    "A10 more bytes than its shape has": _members(a0=_array((2, 2))),
    "A15 of another version": _members(a0=_array(version=9)),
    "A15 of a type that is code": _tree(_FOREIGN),
    "A12 a bomb": _members(zipfile.ZIP_DEFLATED, a0=_array((2**28,), bytes(2**28), "|u1")),
    "A12 one array a hundred thousand times": _tree({"dict": {"variables": [_PLACE] * 10**5}}),
    "A12 a long list": zip_crowded(),
    "A12 many values": _tree(b"[" + b"[]," * (3 * 2**20) + b"[]]"),
    "A16 deep": _tree(b"[" * 60_000 + b"]" * 60_000),
    "A16 no text": _tree(b"\xff\xfe{}"),
    "A16 no JSON": _tree(b"hello"),
    "A16 a list": _tree([1]),
    "A16 a text": _tree("x"),
    "A16 an array that is not there": _tree({"dict": {"variables": [{**_PLACE, "array": "a7"}]}}),
    "A16 an array of no name": _tree({"dict": {"variables": [{**_PLACE, "array": [1]}]}}),
    "A16 an array, and no more": _tree({"array": "a0"}),
    "A16 a dict that is a list": _tree({"dict": [1]}),
    "A25 no archive": b"hello",
    "A25 half": good()[: len(good()) // 2],
    **{
        f"A25 {name} {value!r:.40}": _state(**{name: value})
        for name, value in (
            ("epoch", -1),
            ("epoch", "1"),
            ("epoch", ...),
            ("batch", 0.5),
            ("batch", None),
            ("data", [1]),
            ("variables", {}),
            ("variables", []),
            ("variables", [1]),
            ("variables", [np.ones((3, 2), "float32")]),
            ("callbacks", []),
            ("stopped", 1),
        )
    },
}
#: Those whose seal tells.
DAMAGED: dict[str, bytes] = {
    "A25 empty": b"",
    "A25 no seal": good(),
    "A25 cut": sealed(good())[:-9],
    "A25 flipped": sealed(good())[:100] + b"\xff" + sealed(good())[101:],
}


def mutants(count: int = 60) -> dict[str, bytes]:
    """The good one with a few other bytes, below a seal that is right."""
    draw, found = random.Random(3), {}
    for number in range(count):
        data = bytearray(good())
        for _ in range(draw.randint(1, 4)):
            data[draw.randrange(len(data))] = draw.randrange(256)
        found[f"A25 mutant {number}"] = sealed(bytes(data))
    return found


def _link(folder: Path, canary: Path) -> None:
    (folder / "backup-00000009.npz").symlink_to(canary / "secret")


def _pipe(folder: Path, canary: Path) -> None:
    os.mkfifo(folder / "backup-00000009.npz")


def _others(folder: Path, canary: Path) -> None:
    for name in ("backup-x.npz", "backup-.npz", "backup-1e9.npz", "backup-\u0661\u0662.npz"):
        (folder / name).write_bytes(b"")


#: What lies beside and is not looked at.
BESIDE: dict[str, Callable[[Path, Path], None]] = {
    "A17 a link": _link,
    "A17 a pipe": _pipe,
    "A25 other names": _others,
}
