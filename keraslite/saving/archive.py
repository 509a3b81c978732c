"""The `.keras` archive: a zip with `metadata.json`, `config.json` and `model.weights.h5`."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import stat
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import IO, Any

from keraslite.core.errors import BadConfigError, UnsafeModelError, short
from keraslite.core.json_text import parse_json
from keraslite.saving import seal
from keraslite.saving.errors import DamagedFileError, damaged, refused

METADATA, CONFIG, WEIGHTS, ASSETS = (
    "metadata.json",
    "config.json",
    "model.weights.h5",
    "assets/",
)
_MEMORY = 64 * 2**20  # larger members go through the disk
JSON_LIMIT = 24 * 2**20
_RATIO, _SLACK, _SMALL = 10, 64 * 2**20, 4 * 2**20
_DIRECTORY = 4 * 2**20  # bytes of the list of members, for tens of thousands of them
_END_SIZE = 22


class Writer:
    """An archive that is being written to a file, which must be sealed afterwards."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._zip = zipfile.ZipFile(file, "w", zipfile.ZIP_STORED)

    def __enter__(self) -> Writer:
        return self

    def __exit__(self, kind: type[BaseException] | None, *rest: object) -> None:
        self._zip.close()
        # The seal that follows becomes the comment, whose size stands in the last two bytes.
        size = self._file.seek(0, os.SEEK_END)
        self._file.seek(-2, os.SEEK_END)
        self._file.write(seal.size_for(size).to_bytes(2, "little"))

    def add_json(self, name: str, value: Any) -> None:
        self._zip.writestr(name, json.dumps(value))

    @contextlib.contextmanager
    def member(self, name: str) -> Iterator[IO[bytes]]:
        """A seekable file whose contents become the member: a part of the archive's own."""
        info = zipfile.ZipInfo(name)
        info.external_attr, info.CRC = 0o600 << 16, 0
        info.header_offset = self._zip.start_dir
        self._file.seek(info.header_offset)
        self._file.write(info.FileHeader(zip64=True))
        part = _Growing(self._file, self._file.tell(), 0)
        yield part  # type: ignore[misc]
        info.CRC = part.checksum()
        info.file_size = info.compress_size = part.seek(0, os.SEEK_END)
        self._zip.start_dir = self._file.seek(0, os.SEEK_END)
        self._file.seek(info.header_offset)
        self._file.write(info.FileHeader(zip64=True))
        self._zip.filelist.append(info)
        self._zip.NameToInfo[name] = info

    def add_bytes(self, name: str, data: bytes) -> None:
        self._zip.writestr(name, data)


class _Growing(seal.Part):
    """What a file has from a place on, while it is written."""

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self._file.seek(self._start + self._position)
        count = self._file.write(data)
        self._position += count
        self._size = max(self._size, self._position)
        return count

    def fill(self, place: int, memory: memoryview) -> int:
        self._file.flush()  # It is read past the buffer that keeps what was written last.
        return super().fill(place, memory)

    def truncate(self, size: int | None = None) -> int:
        self._size = self._position if size is None else size
        self._file.truncate(self._start + self._size)
        return self._size

    def checksum(self) -> int:
        """The CRC-32 of all of it."""
        self.seek(0)
        memory, crc = memoryview(bytearray(2**20)), 0
        while count := self.readinto(memory):
            crc = zlib.crc32(memory[:count], crc)
        return crc


class Reader:
    """A checked archive. Members are read on demand and verified as they are read.

    Raises:
        FileNotFoundError: if there is none.
        UnsafeModelError: for members that no archive needs.
        DamagedFileError: for anything that is no complete zip file.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self._open = contextlib.ExitStack()
        try:
            self._size = os.path.getsize(path)
            self._file = self._open.enter_context(seal.opened(path))
            _check_directory(path)
            self._zip = self._open.enter_context(zipfile.ZipFile(self._file))
        except FileNotFoundError:
            raise FileNotFoundError(f"There is no file {path!r}.") from None
        except (UnsafeModelError, DamagedFileError):
            self._open.close()
            raise
        except (zipfile.BadZipFile, OSError, ValueError) as error:
            self._open.close()
            raise self._not_a_zip(error) from error
        try:
            self._check()
        except BaseException:
            self._open.close()
            raise

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

    def __exit__(self, *exc: Any) -> None:
        self._open.__exit__(*exc)

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
            if stat.S_IFMT(member.external_attr >> 16) not in (0, stat.S_IFREG, stat.S_IFDIR):
                raise self._refused(name, "is neither a file nor a folder")
            seen.add(name)
        total = sum(m.file_size for m in members)
        stored = min(sum(m.compress_size for m in members), self._size)
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
        """The bytes of the file that a member takes; what it claims to take may be more."""
        return min(self._zip.getinfo(name).compress_size, self._size)

    def read(self, name: str, limit: int | None = None) -> bytes:
        """The contents of a member, checked against its checksum.

        Args:
            name: of the member.
            limit: of its size; by default a few times what it takes in the file.
        """
        size = self._zip.getinfo(name).file_size
        limit = _RATIO * self.size(name) + _SMALL if limit is None else limit
        if size > limit:
            raise self._refused(name, f"has {size:,} bytes; the limit is {limit:,}")
        with self._verifying(name):
            return self._zip.read(name)

    def read_json(self, name: str) -> Any:
        """A JSON member, not nested deeper than any model is."""
        text = self.read(name, JSON_LIMIT)
        return checked_json(text, self.path, name)

    @contextlib.contextmanager
    def member(self, name: str) -> Iterator[IO[bytes]]:
        """A member as a seekable file, checked against its checksum."""
        info = self._zip.getinfo(name)
        if info.header_offset + info.compress_size > self._size:
            raise damaged(self.path, f"its member {name!r} ends behind the end of the file")
        if info.compress_type == zipfile.ZIP_STORED and info.file_size == info.compress_size:
            with self._verifying(name), self._zip.open(name) as source:
                while not isinstance(self._file, seal.Checked) and source.read(2**20):
                    pass
            yield seal.Part(self._file, self._start(info), info.file_size)  # type: ignore[misc]
            return
        with tempfile.SpooledTemporaryFile(_MEMORY) as file:
            with self._verifying(name), self._zip.open(name) as source:
                shutil.copyfileobj(source, file, 2**20)
            file.seek(0)
            yield file  # type: ignore[misc]

    def _start(self, info: zipfile.ZipInfo) -> int:
        """Where the contents of a member are: behind its header and two texts."""
        self._file.seek(info.header_offset + 26)
        sizes = self._file.read(4)
        name, extra = int.from_bytes(sizes[:2], "little"), int.from_bytes(sizes[2:], "little")
        return info.header_offset + 30 + name + extra

    @contextlib.contextmanager
    def _verifying(self, name: str) -> Iterator[None]:
        try:
            yield
        except (zipfile.BadZipFile, zipfile.zlib.error, EOFError, OSError) as error:  # type: ignore[attr-defined]
            raise damaged(self.path, f"its member {name!r}: {error}") from error
        except NotImplementedError as error:
            raise self._refused(name, f"cannot be unpacked ({error})") from error


def checked_json(text: bytes | str, path: str, name: str) -> Any:
    """The value of a JSON text that a file has, not nested deeper than any model is.

    Raises:
        DamagedFileError: for anything else than JSON.
        UnsafeModelError: for one that is nested too deeply.
    """
    try:
        return parse_json(text)
    except BadConfigError as error:
        raise damaged(path, f"{name!r}: {error}") from error
    except UnsafeModelError as error:
        raise refused(path, f"{name!r}: {error}") from error


def _check_directory(path: str) -> None:
    """Raise before a list of members is read that would fill the memory.

    Raises:
        UnsafeModelError: if it is longer than that of any model.
    """
    size = directory_size(path)
    if size > _DIRECTORY:
        raise refused(path, f"its list of members takes {size:,} bytes")


def directory_size(path: str | os.PathLike[str]) -> int:
    """The bytes that the list of members takes, as the end of a zip file claims; 0 without one."""
    with open(path, "rb") as file:
        file.seek(max(0, os.path.getsize(path) - _END_SIZE - 2**16))
        end = file.read()
    at = end.rfind(b"PK\x05\x06")
    if at < 0 or len(end) < at + _END_SIZE:
        return 0
    large = end[max(0, at - 76) : at]  # the record of archives beyond 4 GiB, and its locator
    if large[:4] == b"PK\x06\x06":
        return int.from_bytes(large[40:48], "little")
    return int.from_bytes(end[at + 12 : at + 16], "little")
