"""The `.keras` archive: a zip with `metadata.json`, `config.json` and `model.weights.h5`."""

from __future__ import annotations

import contextlib
import json
import shutil
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import IO, Any

from keraslite.core.errors import UnsafeModelError, short
from keraslite.saving.errors import DamagedFileError, damaged, refused

METADATA, CONFIG, WEIGHTS, ASSETS = (
    "metadata.json",
    "config.json",
    "model.weights.h5",
    "assets/",
)
_MEMORY = 64 * 2**20  # larger members go through the disk
_JSON_LIMIT = 32 * 2**20
_RATIO, _SLACK = 10, 64 * 2**20
_DEPTH = 250


class Writer:
    """An archive that is being written."""

    def __init__(self, file: IO[bytes]) -> None:
        self._zip = zipfile.ZipFile(file, "w", zipfile.ZIP_STORED)

    def __enter__(self) -> Writer:
        return self

    def __exit__(self, kind: type[BaseException] | None, *rest: object) -> None:
        self._zip.close()

    def add_json(self, name: str, value: Any) -> None:
        self._zip.writestr(name, json.dumps(value))

    @contextlib.contextmanager
    def member(self, name: str) -> Iterator[IO[bytes]]:
        """A seekable file whose contents become the member."""
        with tempfile.SpooledTemporaryFile(_MEMORY) as file:
            yield file  # type: ignore[misc]
            file.seek(0)
            with self._zip.open(name, "w", force_zip64=True) as target:
                shutil.copyfileobj(file, target, 2**20)

    def add_bytes(self, name: str, data: bytes) -> None:
        self._zip.writestr(name, data)


class Reader:
    """A checked archive. Members are read on demand and verified as they are read.

    Raises:
        FileNotFoundError: if there is none.
        UnsafeModelError: for members that no archive needs.
        DamagedFileError: for anything that is no complete zip file.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        try:
            self._zip = zipfile.ZipFile(path)
        except FileNotFoundError:
            raise FileNotFoundError(f"There is no file {path!r}.") from None
        except (zipfile.BadZipFile, OSError, ValueError) as error:
            raise self._not_a_zip(error) from error
        self._check()

    def _not_a_zip(self, error: Exception) -> Exception:
        if isinstance(error, (PermissionError, IsADirectoryError)):
            return error
        with open(self.path, "rb") as file:
            start = file.read(8)
        if not start or start[:2] == b"PK":
            return damaged(self.path, "the zip archive is incomplete" if start else "it is empty")
        what = "an HDF5 file" if start[1:4] == b"HDF" else "no zip archive"
        return DamagedFileError(
            f"{self.path!r} is not a `.keras` file: it is {what}. Pass the file that `model.save` "
            "wrote; weights alone load with `model.load_weights`."
        )

    def __enter__(self) -> Reader:
        return self

    def __exit__(self, *exc: object) -> None:
        self._zip.close()

    def _check(self) -> None:
        members = self._zip.infolist()
        seen: set[str] = set()
        for member in members:
            name = member.filename
            parts = PurePosixPath(name).parts
            if name in seen:
                raise self._refused(name, "is there twice")
            if member.flag_bits & 1:
                raise self._refused(name, "is encrypted")
            if ".." in parts or name[:1] in ("/", "~") or "\\" in name or ":" in name:
                raise self._refused(name, "points out of the archive")
            seen.add(name)
        total = sum(m.file_size for m in members)
        stored = sum(m.compress_size for m in members)
        if total > _RATIO * stored + _SLACK:
            raise refused(
                self.path, f"its members unpack to {total:,} bytes, out of {stored:,} stored ones"
            )
        for name in (CONFIG, WEIGHTS):
            if name not in seen:
                raise DamagedFileError(
                    f"{self.path!r} is not a `.keras` file: it has no {name!r}. Pass the file that "
                    "`model.save` wrote."
                )

    def _refused(self, name: str, why: str) -> UnsafeModelError:
        return refused(self.path, f"its member {short(name, 120)!r} {why}")

    def names(self) -> list[str]:
        return self._zip.namelist()

    def size(self, name: str) -> int:
        """The unpacked size of a member."""
        return self._zip.getinfo(name).file_size

    def read(self, name: str, limit: int | None = None) -> bytes:
        """The contents of a member, checked against its checksum."""
        info = self._zip.getinfo(name)
        if limit is not None and info.file_size > limit:
            raise self._refused(name, f"has {info.file_size:,} bytes; the limit is {limit:,}")
        with self._verifying(name):
            return self._zip.read(name)

    def read_json(self, name: str) -> Any:
        """A JSON member, not nested deeper than any model is."""
        text = self.read(name, _JSON_LIMIT)
        try:
            value = json.loads(text)
        except RecursionError:
            raise self._refused(name, "is nested too deeply") from None
        except ValueError as error:
            raise damaged(self.path, f"{name!r} is no JSON: {error}") from error
        if _deeper_than(value, _DEPTH):
            raise self._refused(name, f"is nested more than {_DEPTH} levels deep")
        return value

    @contextlib.contextmanager
    def member(self, name: str) -> Iterator[IO[bytes]]:
        """A seekable copy of a member, checked against its checksum."""
        with tempfile.SpooledTemporaryFile(_MEMORY) as file:
            with self._verifying(name), self._zip.open(name) as source:
                shutil.copyfileobj(source, file, 2**20)
            file.seek(0)
            yield file  # type: ignore[misc]

    @contextlib.contextmanager
    def _verifying(self, name: str) -> Iterator[None]:
        try:
            yield
        except (zipfile.BadZipFile, zipfile.zlib.error, EOFError, OSError) as error:  # type: ignore[attr-defined]
            raise damaged(self.path, f"its member {name!r}: {error}") from error
        except NotImplementedError as error:
            raise self._refused(name, f"cannot be unpacked ({error})") from error


def _deeper_than(value: Any, limit: int) -> bool:
    level = [value]
    for _ in range(limit):
        level = [
            child
            for item in level
            if isinstance(item, (dict, list))
            for child in (item.values() if isinstance(item, dict) else item)
        ]
        if not level:
            return False
    return True
