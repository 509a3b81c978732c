"""A saved model as a folder: the members of an archive as files, `model.save(path, zipped=False)`.

A folder takes the place of another in two renamings, so a crash between them leaves the old one
beside its place, as `.name.old`; it is read from there until the next save.
"""

from __future__ import annotations

import contextlib
import glob
import json
import os
import shutil
import stat
import tempfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from keraslite.core.errors import UnsafeModelError, short
from keraslite.saving import seal
from keraslite.saving.archive import (
    ASSETS,
    CONFIG,
    JSON_LIMIT,
    METADATA,
    WEIGHTS,
    Reader,
    checked_json,
)
from keraslite.saving.commit import allowed, remove_left, replacing, sync_directory, writer
from keraslite.saving.errors import DamagedFileError, damaged, refused

_RATIO, _SMALL = 10, 4 * 2**20
_FILES, _DEPTH = 10_000, 8
_SUMS = "crc32"
#: Of the metadata: what says nothing to people.
HIDDEN = ("seal", _SUMS)


def reader(path: str) -> Reader | FolderReader:
    """The checked members of a `.keras` file or of a folder."""
    return FolderReader(path) if os.path.isdir(path) else Reader(path)


def place_of(path: str) -> str:
    """Where the folder called `path` is: beside its place, when a crash kept it from there."""
    old = _old(Path(path))
    return str(old) if not os.path.lexists(path) and old.is_dir() else path


def _old(target: Path) -> Path:
    return target.with_name(f".{target.name}.old")


@contextlib.contextmanager
def replacing_folder(path: str) -> Iterator[Path]:
    """A folder to write into; it takes the place of `path` when the block ends well.

    Raises:
        ValueError: if there is something else than a saved model, which is left alone.
        OSError: if it cannot be written; the old one was kept.
    """
    target = Path(path)
    _refuse_others(target)
    beginning = f".{target.name[:80]}."
    remove_left(target.parent, glob.escape(beginning))
    old = _old(target)
    made = Path(tempfile.mkdtemp(".tmp", f"{beginning}{writer()}-", target.parent))
    try:
        yield made
        made.chmod(allowed(0o777))
        sync_directory(made)
        if target.exists():
            if old.exists():
                shutil.rmtree(old)
            os.rename(target, old)
        os.rename(made, target)
    except BaseException as error:
        shutil.rmtree(made, ignore_errors=True)
        if old.exists() and not target.exists():
            os.rename(old, target)
        if isinstance(error, OSError):
            kept = " The old folder was kept." if target.exists() else ""
            text = f"Cannot write {path!r}: {error.strerror or error}.{kept}"
            raise type(error)(error.errno, text) from error
        raise
    sync_directory(target.parent)
    shutil.rmtree(old, ignore_errors=True)


def _refuse_others(target: Path) -> None:
    if not os.path.lexists(target):
        return
    known = {METADATA, CONFIG, WEIGHTS, ASSETS.rstrip("/")}
    ours = target.is_dir() and not target.is_symlink()
    if not ours or set(os.listdir(target)) - known:
        raise ValueError(
            f"{str(target)!r} is not a saved model, so it is not replaced. Choose another path, or "
            "remove it yourself."
        )


class FolderWriter:
    """A folder that is being written, as `archive.Writer` is used."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._metadata: dict[str, Any] = {}
        self._sums: dict[str, int] = {}

    def __enter__(self) -> FolderWriter:
        return self

    def __exit__(self, kind: type[BaseException] | None, *rest: object) -> None:
        if kind is None:
            text = json.dumps({"seal": seal.BLANK, **self._metadata, _SUMS: self._sums})
            with replacing(self._folder / METADATA, sealed=True) as file:
                file.write(text.encode())

    def add_json(self, name: str, value: Any) -> None:
        if name == METADATA:  # with the checksums of the others, as the last
            self._metadata = value
        else:
            self.add_bytes(name, json.dumps(value).encode())

    def add_bytes(self, name: str, data: bytes) -> None:
        path = self._folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as file:
            file.write(data)
        self._sums[name] = zlib.crc32(data)

    @contextlib.contextmanager
    def member(self, name: str) -> Iterator[IO[bytes]]:
        """A seekable file, sealed when the block ends well."""
        with replacing(self._folder / name, sealed=True) as file:
            yield file


class FolderReader:
    """A checked folder, as `archive.Reader` is used.

    Raises:
        UnsafeModelError: for links out of the folder, devices and pipes, or more files than any
            model has.
        DamagedFileError: if it is no saved model.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self._root = os.path.realpath(path)
        self._files: dict[str, str] = {}
        self._list(self._root, "")
        for name in (CONFIG, WEIGHTS):
            if name not in self._files:
                raise DamagedFileError(
                    f"{path!r} is a folder without {name!r}, perhaps a SavedModel. Pass the folder "
                    "or the `.keras` file that `model.save` wrote."
                )
        self._sums: dict[str, Any] = {}
        if METADATA in self._files:
            metadata = self.read_json(METADATA)
            found = metadata.get(_SUMS) if isinstance(metadata, dict) else None
            self._sums = found if isinstance(found, dict) else {}
            with open(self._files[METADATA], "rb") as file:
                if seal.is_whole(file) is False:
                    raise damaged(path, f"{METADATA!r} is not what was written")
        missing = [name for name in self._sums if name not in self._files]
        if missing:
            raise damaged(path, f"it has no {short(missing[0], 120)!r}")

    def __enter__(self) -> FolderReader:
        return self

    def __exit__(self, *exc: object) -> None:
        pass

    def _list(self, folder: str, prefix: str) -> None:
        """Find the files below a folder, without opening one."""
        if prefix.count("/") > _DEPTH:
            raise refused(self.path, f"its folders are more than {_DEPTH} levels deep")
        with os.scandir(folder) as entries:
            for entry in entries:
                name = prefix + entry.name
                real = os.path.realpath(entry.path)
                if os.path.commonpath([real, self._root]) != self._root:
                    raise self._refused(name, "is a link to another place")
                kind = os.stat(real).st_mode if os.path.exists(real) else 0
                if stat.S_ISDIR(kind) and not entry.is_symlink():
                    self._list(real, f"{name}/")
                elif stat.S_ISREG(kind):
                    self._files[name] = real
                else:
                    raise self._refused(name, "is neither a file nor a folder")
                if len(self._files) > _FILES:
                    raise refused(self.path, f"it has more than {_FILES:,} files")

    def _refused(self, name: str, why: str) -> UnsafeModelError:
        return refused(self.path, f"{short(name, 120)!r} {why}")

    def names(self) -> list[str]:
        return sorted(self._files)

    def size(self, name: str) -> int:
        """The bytes of a file, but no more than a few times what it takes on the disk."""
        found = os.stat(self._files[name])
        blocks = getattr(found, "st_blocks", None)
        limit = found.st_size if blocks is None else _RATIO * 512 * blocks + _SMALL
        return min(found.st_size, limit)

    def read(self, name: str, limit: int | None = None) -> bytes:
        """The contents of a file, checked against its checksum."""
        size = os.path.getsize(self._files[name])
        limit = self.size(name) if limit is None else limit
        if size > limit:
            raise self._refused(name, f"has {size:,} bytes; the limit is {limit:,}")
        with open(self._files[name], "rb") as file:
            data = file.read(limit + 1)
        if name in self._sums and zlib.crc32(data) != self._sums[name]:
            raise damaged(self.path, f"{name!r} is not what was written")
        return data

    def read_json(self, name: str) -> Any:
        """A JSON file, not nested deeper than any model is."""
        return checked_json(self.read(name, JSON_LIMIT), self.path, name)

    @contextlib.contextmanager
    def member(self, name: str) -> Iterator[str]:
        """The path of a file, for `open_weights`, which checks it."""
        yield self._files[name]
