"""`get_file` and what it extracts: right, complete, and nowhere else."""

from __future__ import annotations

import functools
import hashlib
import http.server
import io
import pathlib
import stat
import tarfile
import threading
import zipfile
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from keraslite.utils import extraction, get_file

DATA = b"some data" * 1000
SHA256, MD5 = hashlib.sha256(DATA).hexdigest(), hashlib.md5(DATA).hexdigest()


def tar_of(*members: tuple[Any, bytes], mode: str = "w:gz") -> bytes:
    """An archive of `(name or TarInfo, contents)`."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode=mode) as archive:
        for member, data in members:
            info = member if isinstance(member, tarfile.TarInfo) else tarfile.TarInfo(member)
            if info.isfile():
                info.size = info.size or len(data)
            archive.addfile(info, io.BytesIO(data))
    return file.getvalue()


def zip_of(*members: tuple[Any, bytes]) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for member, data in members:
            archive.writestr(member, data)
    return file.getvalue()


def special(name: str, kind: bytes, link: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, link
    return info


def zip_link(name: str) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name)
    info.create_system, info.external_attr = 3, (stat.S_IFLNK | 0o777) << 16
    return info


class Handler(http.server.SimpleHTTPRequestHandler):
    asked: list[str] = []

    def do_GET(self) -> None:
        self.asked.append(self.path)
        if self.path == "/short":
            self.send_response(200)
            self.send_header("Content-Length", "5000")
            self.end_headers()
            self.wfile.write(b"x" * 100)
        elif self.path.startswith("/to"):
            self.send_response(302)
            self.send_header("Location", {"/to-data": "/data.bin"}.get(self.path, "ftp://[::1]/x"))
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
        ("data.bin", {"file_hash": SHA256[::-1]}, ValueError, "not the expected file"),
        ("data.bin", {"file_hash": "12"}, ValueError, "64 hexadecimal digits"),
        ("data.bin", {"file_hash": MD5, "hash_algorithm": "sha256"}, ValueError, "64 hexa"),
        ("data.bin", {"hash_algorithm": "sha1"}, ValueError, "must be 'auto'"),
        ("data.bin", {"allow_http": False}, ValueError, "not encrypted.*allow_http"),
    ],
)
def test_nothing_is_kept_of_a_failure(
    get: Callable, tmp_path: pathlib.Path, path: str, options: dict, error: Any, words: str
) -> None:
    with pytest.raises(error, match=words):
        get("x", path, **options)
    assert not files(tmp_path)


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


BIG = tarfile.TarInfo("big")
BIG.size = 2**40
WHOLE = zip_of(("a", DATA))
FLIPPED = WHOLE[:50] + bytes([WHOLE[50] ^ 255]) + WHOLE[51:]
HOSTILE = {
    "absolute": tar_of(("/tmp/evil", b"x")),
    "dots": tar_of(("a/../../evil", b"x")),
    "windows": zip_of(("..\\evil", b"x")),
    "drive": zip_of(("C:/evil", b"x")),
    "zip_absolute": zip_of(("/tmp/evil", b"x")),
    "zip_dots": zip_of(("../../evil", b"x")),
    "symlink": tar_of((special("l", tarfile.SYMTYPE, "/etc"), b""), ("l/evil", b"x")),
    "hard_link": tar_of((special("l", tarfile.LNKTYPE, "/etc/hosts"), b"")),
    "device": tar_of((special("d", tarfile.CHRTYPE), b"")),
    "pipe": tar_of((special("d", tarfile.FIFOTYPE), b"")),
    "zip_symlink": zip_of((zip_link("l"), b"/etc")),
    "twice": tar_of(("a", b"x"), ("a", b"y")),
    "file_as_folder": tar_of(("a", b"x"), ("a/b", b"y")),
    "bytes": zip_of(("zeros", bytes(2**26))),
    "members": tar_of(*((f"f{i}", b"") for i in range(101))),
    "claimed": BIG.tobuf() + bytes(2048),
    "cut": tar_of(("a", DATA), ("b", b"y"))[:-60],
    "flipped": FLIPPED,
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_archives(
    name: str, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(extraction, "MOST_MEMBERS", 100)
    monkeypatch.setattr(extraction, "_SLACK", 2**20)
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "target").mkdir()
    (tmp_path / "in" / "target" / "mine").write_text("kept")
    archive = tmp_path / "archive"
    archive.write_bytes(HOSTILE[name])
    before = files(tmp_path)
    with pytest.raises(ValueError, match="was not extracted") as caught:
        extraction.extract_archive(archive, tmp_path / "in" / "target")
    assert len(str(caught.value)) <= 600
    assert files(tmp_path) == before
    assert {p.name for p in (tmp_path / "in").iterdir()} == {"target"}
