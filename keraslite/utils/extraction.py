"""Archives unpacked without trust: nothing outside the folder is read, written or removed."""

from __future__ import annotations

import contextlib
import os
import shutil
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from lzma import LZMAError
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import IO, Any, NamedTuple

from keraslite.core.errors import check_choice, short
from keraslite.saving.archive import directory_size
from keraslite.utils.downloads import room_in

FORMATS = ("tar", "zip")
# What an honest archive stays below, by far: members, and bytes for each byte of the archive.
MOST_MEMBERS = 1_000_000
_RATIO, _SLACK = 200, 256 * 2**20
_DIRECTORY = 128 * 2**20
_LONGEST, _PART, _DEEPEST = 1000, 255, 100
_EXTENSION = 2**16
_DAMAGE = (
    tarfile.TarError,
    zipfile.BadZipFile,
    zlib.error,
    LZMAError,
    EOFError,
    NotImplementedError,
    # What the libraries raise for headers of other kinds.
    ArithmeticError,
    LookupError,
    ValueError,
)


class _RefusedError(ValueError):
    """What is said of an archive that has more than it should."""


class _Member(NamedTuple):
    name: str
    is_folder: bool
    size: int
    open: Callable[[], IO[bytes] | None]


def extract_archive(
    path: str | os.PathLike[str],
    target: str | os.PathLike[str],
    formats: Iterable[str] = FORMATS,
) -> None:
    """Unpack an archive into a folder that takes the place of `target` once it is complete.

    Files get no permissions, owners or times from the archive.

    Args:
        path: of the archive.
        target: the folder; when there is one, it is replaced as a whole.
        formats: `"tar"` (compressed or not) and `"zip"`, in the order in which they are tried.

    Raises:
        ValueError: if the file is no archive of these formats, is damaged, or has members that
            no data set needs: links, devices, paths that lead elsewhere, or far more bytes than
            it could hold.
    """
    path, target = Path(path), Path(target)
    for name in formats:
        check_choice("", ("auto", *FORMATS), archive_format=name)
    kind = next((f for f in formats if _IS[f](path)), None)
    if kind is None:
        raise ValueError(
            f"{str(path)!r} cannot be extracted: it is no archive of the formats "
            f"{', '.join(formats)}."
        )
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{target.name[:80]}.", dir=target.parent) as folder:
        fresh = Path(folder) / "fresh"
        fresh.mkdir()
        try:
            _unpack(path, _MEMBERS[kind](path), fresh)
        except _RefusedError:
            raise
        except (*_DAMAGE, OSError) as error:
            if isinstance(error, OSError) and error.errno is not None:
                raise  # of the disk; others are about compressed data
            raise _refused(path, f"it is damaged ({short(str(error), 120)})") from error
        if target.exists():
            target.rename(Path(folder) / "old")
        fresh.rename(target)


def _unpack(path: Path, members: Iterator[_Member], folder: Path) -> None:
    stored = path.stat().st_size
    most = min(_RATIO * stored + _SLACK, room_in(folder))
    total = 0
    with contextlib.closing(members):
        for count, member in enumerate(members, 1):
            place = folder / _checked_name(path, member.name)
            total += member.size
            if count > MOST_MEMBERS or total > most:
                raise _refused(
                    path,
                    f"it unpacks to {count:,} members and {total:,} bytes or more, out of "
                    f"{stored:,}; the limits are {MOST_MEMBERS:,} and {most:,}",
                )
            try:
                if member.is_folder:
                    place.mkdir(parents=True, exist_ok=True)
                    continue
                place.parent.mkdir(parents=True, exist_ok=True)
                with open(place, "xb") as to, member.open() as source:  # type: ignore[union-attr]
                    shutil.copyfileobj(source, to, 2**20)
            except (FileExistsError, NotADirectoryError, IsADirectoryError):
                raise _refused(
                    path, f"its member {short(member.name, 120)!r} is there twice"
                ) from None


def _checked_name(path: Path, name: str) -> PurePosixPath:
    """The path of a member below the folder, on any system."""
    posix, windows = PurePosixPath(name), PureWindowsPath(name)
    leads_out = posix.is_absolute() or windows.anchor or ".." in {*posix.parts, *windows.parts}
    if leads_out or "\0" in name:
        raise _refused(path, f"its member {short(name, 120)!r} points out of the folder")
    if any(c < " " or c == "\x7f" for c in name):
        raise _refused(path, f"its member {short(name, 120)!r} has control characters")
    sizes = [len(part.encode("utf-8", "surrogateescape")) for part in posix.parts]
    if sum(sizes) > _LONGEST or max(sizes, default=0) > _PART or len(sizes) > _DEEPEST:
        raise _refused(path, f"the name of its member {short(name, 120)!r} is too long")
    return posix


class _TarMember(tarfile.TarInfo):
    """A header whose extension (a long name, say) is not read where that would fill the memory."""

    _EXTENSIONS = (
        tarfile.GNUTYPE_LONGNAME,
        tarfile.GNUTYPE_LONGLINK,
        tarfile.XHDTYPE,
        tarfile.XGLTYPE,
        tarfile.SOLARIS_XHDTYPE,
    )

    @classmethod
    def frombuf(cls, *args: Any, **kwargs: Any) -> Any:
        found = super().frombuf(*args, **kwargs)
        if found.size < 0 or (found.type in cls._EXTENSIONS and found.size > _EXTENSION):
            raise tarfile.ReadError(f"a header declares {found.size:,} bytes")
        return found


def _is_tar(path: Path) -> bool:
    try:
        tarfile.open(path, tarinfo=_TarMember).close()
    except tarfile.TarError:
        return False
    except ValueError:
        pass  # One it is, but no good one.
    return True


def _of_tar(path: Path) -> Iterator[_Member]:
    with tarfile.open(path, tarinfo=_TarMember) as archive:
        while (member := archive.next()) is not None:
            archive.members.clear()  # type: ignore[attr-defined] # which it keeps otherwise
            if not (member.isfile() or member.isdir()):
                kind = "a link" if member.issym() or member.islnk() else "a device"
                raise _refused(path, f"its member {short(member.name, 120)!r} is {kind}")

            def opened(member: tarfile.TarInfo = member) -> IO[bytes] | None:
                return archive.extractfile(member)

            yield _Member(member.name, member.isdir(), member.size, opened)
        for _ in range(_SLACK // 2**20):  # What compressed it checks its sums at the very end.
            if not archive.fileobj.read(2**20):  # type: ignore[union-attr]
                break


def _of_zip(path: Path) -> Iterator[_Member]:
    listed, stored = directory_size(path), path.stat().st_size
    # Of an honest archive even empty members have headers elsewhere, nearly as long.
    if listed > min(_DIRECTORY, stored * 3 // 4 + 2**16):
        raise _refused(path, f"its list of members takes {listed:,} bytes, of {stored:,}")
    with zipfile.ZipFile(path) as archive:
        for member in archive.infolist():
            # The upper half says what kind of file this was on Unix; 0 where it says nothing.
            if (member.external_attr >> 28) not in (0, 0o04, 0o10):
                raise _refused(
                    path, f"its member {short(member.filename, 120)!r} is a link or a device"
                )
            if member.flag_bits & 1:
                raise _refused(path, f"its member {short(member.filename, 120)!r} is encrypted")

            def opened(member: zipfile.ZipInfo = member) -> IO[bytes]:
                return archive.open(member)

            yield _Member(member.filename, member.is_dir(), member.file_size, opened)


def _refused(path: Path, why: str) -> _RefusedError:
    return _RefusedError(
        short(f"The archive {short(str(path), 200)!r} was not extracted: {why}. Nothing was kept.")
    )


_IS: dict[str, Callable[[Any], bool]] = {"tar": _is_tar, "zip": zipfile.is_zipfile}
_MEMBERS: dict[str, Callable[[Path], Iterator[_Member]]] = {"tar": _of_tar, "zip": _of_zip}
