"""`get_file` and what it extracts: right, complete, and nowhere else."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import http.server
import itertools
import pathlib
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from keraslite.utils import downloads, extraction, get_file
from tests.saving.attacks.data_archives import DATA, tar_of, zip_of

SHA256, MD5 = hashlib.sha256(DATA).hexdigest(), hashlib.md5(DATA).hexdigest()


_ELSEWHERE = {"/to-data": "/data.bin", "/to-ftp": "ftp://[::1]/x", "/to-file": "file:///etc/hosts"}

# What the server says of the size of an endless file.
_SIZES = {"/endless": None, "/large": str(2**50), "/small": "100", "/strange": "\u00b2" * 5000}


class Handler(http.server.SimpleHTTPRequestHandler):
    asked: list[str] = []

    def do_GET(self) -> None:
        self.asked.append(self.path)
        if self.path == "/short":
            self.send_response(200)
            self.send_header("Content-Length", "5000")
            self.end_headers()
            self.wfile.write(b"x" * 100)
        elif self.path in _SIZES:
            self.send_response(200)
            if (said := _SIZES[self.path]) is not None:
                self.send_header("Content-Length", said)
            self.end_headers()
            with contextlib.suppress(OSError):  # the other end may leave
                for _ in range(200):
                    self.wfile.write(bytes(2**18))
        elif self.path == "/words":
            self.send_response(404, "\x1b]0;x\x07")
            self.end_headers()
        elif self.path.startswith("/to"):
            self.send_response(302)
            self.send_header("Location", _ELSEWHERE[self.path])
            self.end_headers()
        else:
            super().do_GET()

    def log_message(self, *args: Any) -> None:
        pass


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, pathlib.Path]]:
    """Its address and its folder."""
    folder = tmp_path_factory.mktemp("served")
    (folder / "data.bin").write_bytes(DATA)
    (folder / "set.tar.gz").write_bytes(tar_of(("set/a.txt", b"a"), ("set/deep/b.txt", b"b")))
    (folder / "set.zip").write_bytes(zip_of(("set/a.txt", b"a"), ("set/deep/b.txt", b"b")))
    handler = functools.partial(Handler, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{running.server_port}", folder
        running.shutdown()


@pytest.fixture
def get(server: tuple[str, pathlib.Path], tmp_path: pathlib.Path) -> Callable[..., pathlib.Path]:
    def fetched(name: str | None, path: str, **options: Any) -> pathlib.Path:
        options = {"cache_dir": tmp_path, "allow_http": True, **options}
        return pathlib.Path(get_file(name, f"{server[0]}/{path}", **options))

    return fetched


def files(folder: pathlib.Path) -> dict[str, bytes]:
    return {
        p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()
    }


def test_a_file_is_downloaded_once(get: Callable, tmp_path: pathlib.Path) -> None:
    Handler.asked.clear()
    assert get(None, "data.bin?version=2") == tmp_path / "datasets" / "data.bin"
    assert files(tmp_path) == {"datasets/data.bin": DATA}
    get("data.bin", "data.bin", file_hash=SHA256)
    assert len(Handler.asked) == 1
    get("data.bin", "data.bin", force_download=True)
    (tmp_path / "datasets" / "data.bin").write_bytes(b"damaged")
    get("data.bin", "data.bin", md5_hash=MD5)
    assert len(Handler.asked) == 3 and files(tmp_path) == {"datasets/data.bin": DATA}
    absolute = get("x", "to-data", cache_subdir=tmp_path / "own", file_hash=MD5.upper())
    assert absolute == tmp_path / "own" / "x" and absolute.read_bytes() == DATA


def test_where_files_are_kept(
    server: tuple[str, pathlib.Path], tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "home"))
    origin = (server[1] / "data.bin").as_uri()
    assert get_file(origin=origin) == str(tmp_path / "home" / "datasets" / "data.bin")
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(OSError, match="file"):
        get_file(origin=origin, cache_dir=tmp_path / "file")  # and to no other folder


@pytest.mark.parametrize(
    ("name", "path", "options", "archive", "folder"),
    [
        (None, "set.tar.gz", {"extract": True}, "set.tar.gz", "set_extracted"),
        ("other.zip", "set.zip", {"extract": True}, "other.zip", "other_extracted"),
        ("plain", "set.zip", {"untar": True}, "plain_archive", "plain"),
        ("z", "set.zip", {"extract": True, "archive_format": ["tar", "zip"]}, "z_archive", "z"),
    ],
)
def test_archives(
    get: Callable,
    tmp_path: pathlib.Path,
    name: str,
    path: str,
    options: dict,
    archive: str,
    folder: str,
) -> None:
    found = get(name, path, **options)
    assert found == tmp_path / "datasets" / folder
    assert files(found) == {"set/a.txt": b"a", "set/deep/b.txt": b"b"}
    (found / "mine.txt").write_text("kept")
    assert get(name, path, **options) == found and (found / "mine.txt").exists()
    get(name, path, force_download=True, **options)
    assert files(found) == {"set/a.txt": b"a", "set/deep/b.txt": b"b"}
    assert {p.name for p in found.parent.iterdir()} == {archive, folder}


@pytest.mark.parametrize(
    ("path", "options", "error", "words"),
    [
        ("short", {}, RuntimeError, "ended after 100 of 5,000 bytes"),
        ("missing", {}, RuntimeError, "404"),
        ("to-ftp", {}, ValueError, "must begin with 'https://'"),
        ("to-file", {}, RuntimeError, "not allowed"),
        ("data.bin", {"file_hash": SHA256[::-1]}, ValueError, "not the expected file"),
        ("data.bin", {"file_hash": "12"}, ValueError, "64 hexadecimal digits"),
        ("data.bin", {"file_hash": MD5, "hash_algorithm": "sha256"}, ValueError, "64 hexa"),
        ("data.bin", {"hash_algorithm": "sha1"}, ValueError, "must be one of"),
        ("data.bin", {"allow_http": False}, ValueError, "not encrypted.*allow_http"),
        ("data.bin", {"max_size": 8999}, ValueError, "9,000 bytes or more.*`max_size`, is 8,999"),
        ("endless", {"max_size": 2**20}, ValueError, "bytes or more.*`max_size`"),
        ("strange", {"max_size": 2**20}, ValueError, "bytes or more.*`max_size`"),
        ("large", {}, ValueError, "1,125,899,906,842,624 bytes or more.*`max_size`"),
        ("large", {"max_size": None}, ValueError, "has room for no more than"),
        ("data.bin", {"max_size": 0}, ValueError, "a positive integer or None"),
        ("words", {}, RuntimeError, r"404: \\x1b]0;x\\x07"),
    ],
)
def test_nothing_is_kept_of_a_failure(
    get: Callable, tmp_path: pathlib.Path, path: str, options: dict, error: Any, words: str
) -> None:
    with pytest.raises(error, match=words):
        get("x", path, **options)
    assert not files(tmp_path)


def test_the_disk_is_never_filled(
    get: Callable, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    left = itertools.count(2**30, -(2**18))  # of a disk that others write to
    usage = lambda folder: (2**40, 0, next(left))  # noqa: E731
    monkeypatch.setattr(downloads.shutil, "disk_usage", usage)
    monkeypatch.setattr(downloads, "_SPARE", 2**30 - 2**21)
    with pytest.raises(ValueError, match="has room for no more than"):
        get("x", "endless", max_size=None)
    assert not files(tmp_path)
    monkeypatch.undo()
    assert get("x", "small", max_size=100).stat().st_size == 100
    assert get("y", "data.bin", max_size=9000).read_bytes() == DATA


@pytest.mark.parametrize(
    ("name", "origin", "words"),
    [
        ("x", None, "`origin`"),
        ("../x", "https://localhost/x", "without folders"),
        ("/x", "https://localhost/x", "without folders"),
        (None, "https://localhost/", "without folders"),
        ("x", "ftp://localhost/x", "must begin with"),
        ("x", "data.bin", "must begin with"),
    ],
)
def test_bad_names_and_addresses(
    name: str, origin: str, words: str, tmp_path: pathlib.Path
) -> None:
    with pytest.raises(ValueError, match=words):
        get_file(name, origin, cache_dir=tmp_path)
    assert not list(tmp_path.iterdir())


def test_an_extraction_that_fails_keeps_the_archive_only(
    get: Callable, tmp_path: pathlib.Path
) -> None:
    with pytest.raises(ValueError, match="no archive of the formats"):
        get("x", "data.bin", extract=True)
    with pytest.raises(ValueError, match="`archive_format`"):
        get("y", "set.zip", extract=True, archive_format="rar")
    assert get("z.zip", "set.zip", extract=True, archive_format=None).name == "z.zip"
    names = {p.name for p in (tmp_path / "datasets").iterdir()}
    assert names == {"x_archive", "y_archive", "z.zip"}


@pytest.mark.parametrize(
    ("limit", "archive"),
    [
        ("MOST_MEMBERS", tar_of(*((f"f{i}", b"") for i in range(101)))),
        ("_SLACK", zip_of(("zeros", bytes(2**26)))),
    ],
)
def test_archives_that_unpack_to_too_much(
    limit: str, archive: bytes, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(extraction, limit, 100)
    (tmp_path / "archive").write_bytes(archive)
    with pytest.raises(ValueError, match="was not extracted: it unpacks to"):
        extraction.extract_archive(tmp_path / "archive", tmp_path / "target")
    assert {p.name for p in tmp_path.iterdir()} == {"archive"}
