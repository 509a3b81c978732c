"""`get_file`: files from the network, kept in a folder."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import IO, Any
from urllib.parse import unquote, urlsplit

from keraslite.config import keras_home
from keraslite.core.errors import check_choice, printable, short
from keraslite.saving.commit import replacing
from keraslite.utils import console
from keraslite.utils.progbar import Progbar

_LENGTHS = {64: "sha256", 32: "md5"}
# What data sets stay below, by far; and what is left of the disk, or a hundredth of a small one.
MOST_BYTES = 256 * 2**30
_SPARE = 64 * 2**20
_CHUNK = 2**18
_TIMEOUT = 60


def get_file(
    fname: str | os.PathLike[str] | None = None,
    origin: str | None = None,
    untar: bool = False,
    md5_hash: str | None = None,
    file_hash: str | None = None,
    cache_subdir: str | os.PathLike[str] = "datasets",
    hash_algorithm: str = "auto",
    extract: bool = False,
    archive_format: str | Sequence[str] | None = "auto",
    cache_dir: str | os.PathLike[str] | None = None,
    force_download: bool = False,
    *,
    allow_http: bool = False,
    max_size: int | None = MOST_BYTES,
) -> str:
    """The path of a file that is downloaded unless it is there.

    The file appears under its name when it is complete and its hash is right; nothing is kept of
    a download that fails.

    Args:
        fname: name of the file, by default that of `origin`. Without an ending, and with
            `extract`, it is the name of the folder.
        origin: address, `https://...` or `file:///...`.
        untar, extract: whether to extract it, as an archive; they mean the same.
        md5_hash: as `file_hash`, of MD5.
        file_hash: in hexadecimal digits. A file with another one is downloaded again.
        cache_subdir: folder in `cache_dir`.
        hash_algorithm: `"sha256"`, `"md5"`, or `"auto"`: the one that makes as many digits.
        extract: extract the file, as an archive; see `archive_format`.
        archive_format: `"tar"`, `"zip"`, several in the order in which they are tried, or
            `"auto"` for these two. With None nothing is extracted.
        cache_dir: `$KERAS_HOME`, or `~/.keras`, by default.
        force_download: download it even if it is there.
        allow_http: accept `http://...`, which anyone on the way can change; `file_hash` tells.
        max_size: bytes that the file may have, whatever the server says of it; None for as many
            as fit on the disk, which is never filled.

    Returns:
        The path of the file; of the folder, `<name>_extracted`, when it is extracted.

    Raises:
        RuntimeError: if the download fails.
        ValueError: if the file is not the right one or is too large, for members of an archive
            that no data set needs, or arguments that are not understood.

    Example:
        >>> keras.utils.get_file("mnist.npz", "https://example.org/mnist.npz", file_hash="731c...")
        '/home/me/.keras/datasets/mnist.npz'
    """
    if not origin:
        raise ValueError("get_file: `origin`, the address of the file, is needed. Received: none")
    _check_scheme(origin, allow_http)
    if max_size is not None and (not isinstance(max_size, int) or max_size < 1):
        raise ValueError(
            f"get_file: `max_size` must be a positive integer or None. Received: {max_size!r:.80}"
        )
    name = _file_name(fname, origin)
    expected = _hash_of(file_hash or md5_hash, hash_algorithm)
    folder = Path(keras_home() if cache_dir is None else cache_dir).expanduser() / cache_subdir
    folder.mkdir(parents=True, exist_ok=True)
    extract = (extract or untar) and bool(archive_format)
    stem = Path(name).stem.removesuffix(".tar")
    plain = stem == name
    path = folder / (f"{name}_archive" if extract and plain else name)
    downloaded = force_download or not _is_right(path, expected)
    if downloaded:
        _download(origin, path, expected, allow_http, max_size)
    if not extract:
        return str(path)
    target = folder / (name if plain else f"{stem}_extracted")
    if downloaded or not target.is_dir():
        from keraslite.utils.extraction import FORMATS, extract_archive

        given = [archive_format] if isinstance(archive_format, str) else archive_format or ()
        extract_archive(path, target, FORMATS if archive_format == "auto" else tuple(given))
    return str(target)


def _file_name(fname: str | os.PathLike[str] | None, origin: str) -> str:
    name = unquote(urlsplit(origin).path).rpartition("/")[2] if fname is None else os.fspath(fname)
    if name in ("", ".", "..") or set(name) & {"/", "\\", "\0", ":"}:
        raise ValueError(
            "get_file: `fname` must be the name of a file, without folders; those go into "
            f"`cache_dir` and `cache_subdir`. Received: {short(repr(name), 120)}"
        )
    return name


def _check_scheme(origin: str, allow_http: bool) -> None:
    scheme = urlsplit(origin).scheme.lower()
    if scheme == "http" and not allow_http:
        raise ValueError(
            f"get_file: {short(origin, 200)!r} is not encrypted, so that anyone on the way can "
            "change the file. Use `https://`; or pass `allow_http=True`, best with `file_hash`."
        )
    if scheme not in ("http", "https", "file"):
        raise ValueError(
            "get_file: `origin` must begin with 'https://', or with 'file://' (`Path.as_uri()`). "
            f"Received: {short(origin, 200)!r}"
        )


def _hash_of(digits: str | None, algorithm: str) -> tuple[str, str] | None:
    """Algorithm and digits; None when nothing is to be checked."""
    check_choice("get_file: ", ("auto", *_LENGTHS.values()), hash_algorithm=algorithm)
    if digits is None:
        return None
    found = _LENGTHS.get(len(digits))
    if found is None or algorithm not in ("auto", found):
        raise ValueError(
            "get_file: `file_hash` must be 64 hexadecimal digits (sha256) or 32 (md5). "
            f"Received: {len(digits)} characters, hash_algorithm={algorithm!r}"
        )
    return found, digits.lower()


def _is_right(path: Path, expected: tuple[str, str] | None) -> bool:
    if not path.is_file():
        return False
    if expected is None:
        return True
    with open(path, "rb") as file:
        found = hashlib.file_digest(file, expected[0]).hexdigest()
    if found != expected[1]:
        console.say(f"{str(path)!r} has another hash than it should: it is downloaded again.")
    return found == expected[1]


def _download(
    origin: str,
    path: Path,
    expected: tuple[str, str] | None,
    allow_http: bool,
    max_size: int | None,
) -> None:
    console.say(f"Downloading data from {origin}")
    digest = hashlib.new(expected[0]) if expected else None
    with replacing(path) as file:

        def check(size: int) -> None:
            _check_size(origin, size, size - file.tell(), path.parent, max_size)

        for chunk in _chunks(origin, allow_http, check):
            check(file.tell() + len(chunk))
            file.write(chunk)
            if digest is not None:
                digest.update(chunk)
        if expected and digest is not None and digest.hexdigest() != expected[1]:
            raise ValueError(
                short(
                    f"get_file: {short(origin, 200)!r} is not the expected file: its "
                    f"{expected[0]} hash is {digest.hexdigest()}, expected: {expected[1]}. "
                    "Nothing was kept."
                )
            )


def _check_size(origin: str, size: int, more: int, folder: Path, most: int | None) -> None:
    """Raise for a file of `size` bytes, of which `more` are not in the folder yet."""
    if most is not None and size > most:
        why = f"the limit, `max_size`, is {most:,}. Pass a greater one if it should be so large"
    else:
        room = room_in(folder)
        if more <= room:
            return
        why = f"{str(folder)!r} has room for no more than {room:,}"
    raise ValueError(
        short(
            f"get_file: {short(origin, 200)!r} was not downloaded: it has {size:,} bytes or more, "
            f"and {why}. Nothing was kept."
        )
    )


def room_in(folder: Path) -> int:
    """How many bytes may be written to a folder so that its disk is not filled."""
    total, _, free = shutil.disk_usage(folder)
    return max(free - min(_SPARE, total // 100), 0)


def _chunks(origin: str, allow_http: bool, check: Callable[[int], None]) -> Iterator[bytes]:
    """The bytes of a file; all of them, or an error that is none of the disk's.

    `check` is given the size first, where it is known.
    """
    import http.client

    try:
        source, size = _opened(origin, allow_http)
        with source:
            check(size or 0)
            bar = Progbar(size, verbose=int(console.is_live()), unit_name="byte")
            got = 0
            while chunk := source.read(_CHUNK):
                yield chunk
                got += len(chunk)
                bar.update(got)
            if size is None:
                bar.update(got, finalize=True)
    except (OSError, http.client.HTTPException) as error:
        raise _failed(origin, str(error) or type(error).__name__) from error
    if size is not None and got != size:
        raise _failed(origin, f"it ended after {got:,} of {size:,} bytes")


def _opened(origin: str, allow_http: bool) -> tuple[IO[bytes], int | None]:
    """A file to read, and its size where it is known."""
    # Importing this takes longer than all of `keras.utils`, and most never do.
    import urllib.request

    parts = urlsplit(origin)
    if parts.scheme.lower() == "file":
        path = Path(urllib.request.url2pathname(parts.path))
        if not path.is_file() or parts.netloc not in ("", "localhost"):
            raise FileNotFoundError(f"there is no file {str(path)!r}")
        return open(path, "rb"), path.stat().st_size

    class Redirected(urllib.request.HTTPRedirectHandler):
        def redirect_request(self, *args: Any) -> Any:
            _check_scheme(args[-1], allow_http)
            return super().redirect_request(*args)

    opener = urllib.request.build_opener(Redirected)
    response = opener.open(origin, timeout=_TIMEOUT)
    return response, response.length


def _failed(origin: str, why: str) -> RuntimeError:
    return RuntimeError(
        short(
            f"get_file: downloading {short(origin, 200)!r} failed: {printable(why)}. "
            "Nothing was kept."
        )
    )
