"""Writing a file so that a crash at any moment leaves the old one or the new one."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO


@contextlib.contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[IO[bytes]]:
    """A binary file to write to; it takes the place of `path` when the block ends well.

    The data is on the disk before the name changes, and the change of name as well before
    this returns. When the block or the disk fails, the old file stays as it was.

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
