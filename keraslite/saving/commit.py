"""Writing a file so that a crash at any moment leaves the old one or the new one."""

from __future__ import annotations

import contextlib
import functools
import glob
import os
import platform
import re
import shutil
import tempfile
import warnings
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from keraslite.saving import seal
from keraslite.saving.errors import DamagedFileError


@contextlib.contextmanager
def replacing(path: str | os.PathLike[str], sealed: bool = False) -> Iterator[IO[bytes]]:
    """A binary file to write to; it takes the place of `path` when the block ends well.

    The data is on the disk before the name changes, and the change of name as well before
    this returns. When the block or the disk fails, the old file stays as it was. What processes
    left that were killed meanwhile is removed.

    Args:
        path: of the file.
        sealed: whether it gets a checksum of all its bytes; see `keraslite.saving.seal`.

    Raises:
        OSError: names the path and says that the old file was kept.
    """
    target = Path(path)
    beginning = f".{target.name[:80]}."
    remove_left(target.parent, glob.escape(beginning))
    try:
        descriptor, name = tempfile.mkstemp(
            prefix=f"{beginning}{writer()}-", suffix=".tmp", dir=target.parent
        )
    except OSError as error:
        raise _failed(target, error) from error
    try:
        with os.fdopen(descriptor, "w+b") as file:
            yield file
            file.flush()
            if sealed:
                seal.seal(file)
            os.fsync(file.fileno())
        os.chmod(name, _mode(target))
        os.replace(name, target)
        sync_directory(target.parent)
    except BaseException as error:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(name)
        if isinstance(error, OSError):
            raise _failed(target, error) from error
        raise


def remove_left(directory: Path, beginning: str) -> None:
    """Delete unfinished files and folders of processes that ended without an end of their own.

    Args:
        directory: of the files.
        beginning: a pattern that their names begin with, before what `replacing` adds.
    """
    for path in directory.glob(f"{beginning}*.tmp"):
        found = _WRITER.search(path.name)
        if found and found["host"] == _host() and _is_over(int(found["pid"]), found["start"]):
            with contextlib.suppress(OSError):
                shutil.rmtree(path) if path.is_dir() else path.unlink()


# In the name of an unfinished file: who writes it.
_WRITER = re.compile(r"\.(?P<host>[0-9a-f]{8})-(?P<pid>\d+)-(?P<start>\d+)-\w+\.tmp$")


def writer() -> str:
    """Says in the name of an unfinished file which process writes it, for `remove_left`."""
    process = os.getpid()
    return f"{_host()}-{process}-{_start_of(process) or 0}"


@functools.cache
def _host() -> str:
    """Where the number of a process means something: a machine, or a container on it."""
    try:
        numbers = os.readlink("/proc/self/ns/pid")
    except OSError:
        numbers = ""
    return f"{zlib.crc32(f'{platform.node()} {numbers}'.encode()):08x}"


def _start_of(process: int) -> str | None:
    """When a process began, in the system's units; None if it is over or nothing is known."""
    try:
        state, *rest = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    except (OSError, ValueError):
        return None
    return None if state in "ZX" else rest[18]


def _is_over(process: int, start: str) -> bool:
    if start != "0":
        return _start_of(process) != start
    if os.name != "posix":
        return False
    try:
        os.kill(process, 0)
    except OSError as error:
        return isinstance(error, ProcessLookupError)
    return False


def _mode(target: Path) -> int:
    """The permissions of the file that is replaced, or those of a new file."""
    if target.exists():
        return target.stat().st_mode & 0o777
    return allowed(0o666)


def allowed(mode: int) -> int:
    """The permissions of something new that asks for `mode`."""
    mask = os.umask(0)
    os.umask(mask)
    return mode & ~mask


def sync_directory(directory: Path) -> None:
    """Wait until the names in a directory are on the disk."""
    if os.name != "posix":
        return  # Windows cannot open directories.
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _failed(target: Path, error: OSError) -> OSError:
    kept = " The old file was kept." if target.exists() else ""
    return type(error)(
        error.errno, f"Cannot write {str(target)!r}: {error.strerror or error}.{kept}"
    )


class Generations:
    """Files of which each takes the place of the one before; the last two are kept.

    A file is written whole or not at all, and ends with a checksum of its contents. So there
    is a good one after a crash at any moment, and when the newest is damaged later.

    Args:
        directory: of the files, made when the first is written.
        name: that theirs begin with; a number follows.
    """

    def __init__(self, directory: str | os.PathLike[str], name: str) -> None:
        self.directory = Path(directory)
        self.name = name

    def _files(self) -> list[Path]:
        """From the oldest; nothing that others put beside them, and no links."""
        numbered = re.compile(rf"{re.escape(self.name)}-[0-9]{{8,}}\.npz")
        found = (p for p in self.directory.glob("*.npz") if numbered.fullmatch(p.name))
        return sorted((p for p in found if p.is_file() and not p.is_symlink()), key=_number)

    @contextlib.contextmanager
    def writing(self) -> Iterator[IO[bytes]]:
        """The next file; it counts when the block ends well.

        Raises:
            OSError: names the path.
        """
        self.directory.mkdir(parents=True, exist_ok=True)
        files = self._files()
        number = _number(files[-1]) + 1 if files else 1
        with replacing(self.directory / f"{self.name}-{number:08d}.npz", sealed=True) as file:
            yield file
        for old in files[:-1]:
            old.unlink(missing_ok=True)

    @contextlib.contextmanager
    def reading(self) -> Iterator[IO[bytes] | None]:
        """The newest good file, None when nothing was written; a warning names damaged ones.

        Raises:
            DamagedFileError: if there are files, all of them damaged.
        """
        damaged: list[Path] = []
        for path in reversed(self._files()):
            with open(path, "rb") as file:
                if not seal.is_whole(file):
                    damaged.append(path)
                    continue
                for other in damaged:
                    warnings.warn(
                        f"{str(other)!r} is damaged and was removed; the one before it is used.",
                        stacklevel=4,
                    )
                    other.unlink()
                yield file
                return
        if damaged:
            raise DamagedFileError(
                f"{' and '.join(repr(str(path)) for path in damaged)}: damaged, no other is left. "
                "Delete the directory to begin anew."
            )
        yield None

    def clear(self) -> None:
        """Delete the files, with what a crash left behind, and the directory if it is empty."""
        for path in (*self._files(), *self.directory.glob(f".{self.name}-*.tmp")):
            path.unlink(missing_ok=True)
        with contextlib.suppress(OSError):
            self.directory.rmdir()


def _number(path: Path) -> int:
    return int(path.stem.rpartition("-")[2])
