"""Writing a file so that a crash at any moment leaves the old one or the new one."""

from __future__ import annotations

import contextlib
import os
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from keraslite.saving import seal


@contextlib.contextmanager
def replacing(path: str | os.PathLike[str], sealed: bool = False) -> Iterator[IO[bytes]]:
    """A binary file to write to; it takes the place of `path` when the block ends well.

    The data is on the disk before the name changes, and the change of name as well before
    this returns. When the block or the disk fails, the old file stays as it was.

    Args:
        path: of the file.
        sealed: whether it gets a checksum of all its bytes; see `keraslite.saving.seal`.

    Raises:
        OSError: names the path and says that the old file was kept.
    """
    target = Path(path)
    try:
        descriptor, name = tempfile.mkstemp(
            prefix=f".{target.name[:80]}.", suffix=".tmp", dir=target.parent
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
        _sync_directory(target.parent)
    except BaseException as error:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(name)
        if isinstance(error, OSError):
            raise _failed(target, error) from error
        raise


def _mode(target: Path) -> int:
    """The permissions of the file that is replaced, or those of a new file."""
    if target.exists():
        return target.stat().st_mode & 0o777
    mask = os.umask(0)
    os.umask(mask)
    return 0o666 & ~mask


def _sync_directory(directory: Path) -> None:
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
        return sorted(self.directory.glob(f"{self.name}-*.npz"))

    @contextlib.contextmanager
    def writing(self) -> Iterator[IO[bytes]]:
        """The next file; it counts when the block ends well.

        Raises:
            OSError: names the path.
        """
        self.directory.mkdir(parents=True, exist_ok=True)
        files = self._files()
        number = int(files[-1].stem.rpartition("-")[2]) + 1 if files else 1
        with replacing(self.directory / f"{self.name}-{number:08d}.npz", sealed=True) as file:
            yield file
        for old in files[:-1]:
            old.unlink(missing_ok=True)

    @contextlib.contextmanager
    def reading(self) -> Iterator[IO[bytes] | None]:
        """The newest good file, None when nothing was written; a warning names damaged ones.

        Raises:
            ValueError: if there are files, all of them damaged.
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
            raise ValueError(
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
