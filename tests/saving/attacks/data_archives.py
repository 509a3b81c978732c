"""Archives of data that ask for more than a data set needs, for `get_file`."""

from __future__ import annotations

import gzip
import io
import stat
import struct
import tarfile
import zipfile
from pathlib import Path
from typing import Any

from keraslite.core.errors import LoadError
from keraslite.utils import extraction

DATA = b"some data" * 1000


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


def extract(archive: Path) -> None:
    """Extract it where there is something already, which a refusal must leave as it is."""
    folder = archive.parent / "temporary"  # the only one that may be written to
    target = folder / "in" / "target"
    target.mkdir(parents=True)
    (target / "mine").write_text("kept")
    try:
        extraction.extract_archive(archive, target)
    except ValueError as error:
        left = sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*"))
        assert left == ["in", "in/target", "in/target/mine"], left
        assert "extracted" in str(error)
        raise LoadError(str(error)) from error
    finally:
        extraction.shutil.rmtree(folder / "in")


def _special(name: str, kind: bytes, link: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, link
    return info


def _zip_special(name: str, kind: int) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name)
    info.create_system, info.external_attr = 3, (kind | 0o777) << 16
    return info


def _declared(size: int, kind: bytes = tarfile.REGTYPE) -> bytes:
    """The header of a member that says to have so many bytes."""
    info = _special("big", kind)
    info.size = size
    return info.tobuf(tarfile.GNU_FORMAT)


def _extension(kind: bytes) -> bytes:
    """A long name, or attributes, of 400 MB, behind a member of an honest archive."""
    start = tarfile.TarInfo("a").tobuf() + _declared(400 * 2**20, kind)
    return gzip.compress(start) + gzip.compress(bytes(2**20)) * 400


def _zip_claimed() -> bytes:
    data = bytearray(zip_of(("a", DATA)))
    place = data.find(b"PK\x01\x02") + 24
    data[place : place + 4] = struct.pack("<I", 2**31)
    return bytes(data)


def zip_crowded(number: int = 10**6) -> bytes:
    """One member, listed so often."""
    header = struct.pack("<4s5H3L2H", b"PK\3\4", 20, *[0] * 7, 1, 0) + b"a"
    entry = struct.pack("<4s6H3L5H2L", b"PK\1\2", 20, 20, *[0] * 7, 1, *[0] * 6) + b"a"
    size = number * len(entry)
    large = struct.pack("<4sQ2H2L4Q", b"PK\6\6", 44, 45, 45, 0, 0, number, number, size, 31)
    place = struct.pack("<4sLQL", b"PK\6\7", 0, len(header) + size, 1)
    end = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 0xFFFF, 0xFFFF, 2**32 - 1, 2**32 - 1, 0)
    return header + entry * number + large + place + end


def _with_attributes(**attributes: str) -> bytes:
    """An archive with attributes of its only member."""
    file = io.BytesIO()
    info = tarfile.TarInfo("a" * 120)
    info.pax_headers = {name.replace("__", "."): value for name, value in attributes.items()}
    with tarfile.open(fileobj=file, mode="w", format=tarfile.PAX_FORMAT) as archive:
        archive.addfile(info)
    return file.getvalue()


def _patched(data: bytes, place: int) -> bytes:
    return data[:place] + bytes([data[place] ^ 255]) + data[place:][1:]


def _negative() -> bytes:
    header = bytearray(_declared(0))
    header[124:136] = b"\xff" * 12
    header[148:156] = b"%06o\0 " % (sum(header[:148]) + 256 + sum(header[156:]))
    return tarfile.TarInfo("a").tobuf() + bytes(header) * 2 + bytes(1024)


def _negative_attribute() -> bytes:
    record = b"18 size=-00000512\n"
    header = _declared(len(record), tarfile.XHDTYPE) + record.ljust(512, b"\0")
    return tarfile.TarInfo("a").tobuf() + header + tarfile.TarInfo("b").tobuf() + bytes(1024)


def _encrypted() -> bytes:
    data = bytearray(zip_of(("a", DATA)))
    data[data.find(b"PK\x01\x02") + 8] |= 1
    return bytes(data)


_GZIP, _BZIP = tar_of(("a", DATA)), tar_of(("a", DATA), mode="w:bz2")
_WHOLE = zip_of(("a", DATA))
_DEEP = "a/" * 1900 + "f"
HOSTILE: dict[str, bytes] = {
    "CVE-2025-12060 CVE-2025-12638 absolute": tar_of(("/tmp/evil", b"x")),
    "CVE-2024-55459 CVE-2025-12060 CVE-2025-12638 dots": tar_of(("a/../../evil", b"x")),
    "CVE-2025-12060 zip absolute": zip_of(("/tmp/evil", b"x")),
    "CVE-2025-12060 zip dots": zip_of(("../../evil", b"x")),
    "CVE-2025-12060 windows": zip_of(("..\\evil", b"x")),
    "CVE-2025-12060 drive": zip_of(("C:/evil", b"x")),
    "CVE-2025-12638 link and through it": tar_of(
        (_special("l", tarfile.SYMTYPE, "/etc"), b""), ("l/evil", b"x")
    ),
    "CVE-2025-12638 link to a neighbour": tar_of(
        ("a", b"x"), (_special("l", tarfile.SYMTYPE, "a"), b"")
    ),
    "CVE-2025-12638 links on links": tar_of(
        (_special("a" * 200, tarfile.SYMTYPE, "."), b""),
        (_special("a" * 200 + "/l", tarfile.SYMTYPE, "../../.."), b""),
    ),
    "CVE-2025-12638 hard link to a neighbour": tar_of(
        ("a", b"x"), (_special("l", tarfile.LNKTYPE, "a"), b"")
    ),
    "CVE-2025-12638 hard link by dots": tar_of((_special("l", tarfile.LNKTYPE, "../../x"), b"")),
    "CVE-2025-12638 hard link": tar_of((_special("l", tarfile.LNKTYPE, "/etc/hosts"), b"")),
    "CVE-2025-12638 zip link": zip_of((_zip_special("l", stat.S_IFLNK), b"/etc")),
    "A17 device": tar_of((_special("d", tarfile.CHRTYPE), b"")),
    "A17 block device": tar_of((_special("d", tarfile.BLKTYPE), b"")),
    "A17 a kind that nobody knows": tar_of((_special("d", b"Z"), b"")),
    "A17 zip device": zip_of((_zip_special("d", stat.S_IFBLK), b"")),
    "A17 a name that is no text": zip_of(("\xe9", b"x")).replace("\xe9".encode(), b"\xff\xfe"),
    "A17 dots behind bytes that are no text": tar_of(("a\udcff/../../x", b"x")),
    "A17 a name with control characters": tar_of(("a\n\x1b]0;x\x07", b"x")),
    "A17 zip with control characters": zip_of(("a\n\x1b]0;x\x07", b"x")),
    "A17 pipe": tar_of((_special("d", tarfile.FIFOTYPE), b"")),
    "A17 twice": tar_of(("a", b"x"), ("a", b"y")),
    "A17 a file as a folder": tar_of(("a", b"x"), ("a/b", b"y")),
    "A17 a folder as a file": tar_of(("a/b", b"x"), ("a", b"y")),
    "A17 the folder itself": tar_of((".", b"x")),
    "A17 no name": tar_of(("", b"x")),
    "A17 deep": tar_of((_DEEP, b"x")),
    "A17 zip deep": zip_of((_DEEP, b"x")),
    "A17 a long name": tar_of(("a" * 300, b"x")),
    "A17 a name that a terminal obeys": tar_of(("../\x1b]0;x\x07\u202e", b"x")),
    "A18 zip claimed": _zip_claimed(),
    "A18 claimed": _declared(2**40) + bytes(2048),
    "A18 sparse": _declared(2**40, tarfile.GNUTYPE_SPARSE) + bytes(2048),
    "A18 less than nothing": _negative(),
    "A18 less than nothing, by an attribute": _negative_attribute(),
    "A18 a name of 400 MB": _extension(tarfile.GNUTYPE_LONGNAME),
    "A18 a link of 400 MB": _extension(tarfile.GNUTYPE_LONGLINK),
    "A18 attributes of 400 MB": _extension(tarfile.XHDTYPE),
    "A18 attributes of all, of 400 MB": _extension(tarfile.XGLTYPE),
    "A18 many members": zip_of(("a", DATA))[:-22]
    + struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 0xFFFF, 0xFFFF, 2**31, 0, 0),
    "A18 one member a million times": zip_crowded(),
    "A18 a size of a thousand digits": _with_attributes(size="9" * 1000),
    "A18 holes that are no numbers": _with_attributes(GNU__sparse__map="0,1,x"),
    "A18 holes": _with_attributes(GNU__sparse__major="1", GNU__sparse__minor="0"),
    "A25 gzip flipped at its checksum": _patched(_GZIP, len(_GZIP) - 8),
    "A25 gzip flipped": _patched(_GZIP, len(_GZIP) // 2),
    "A25 bzip2 flipped": _patched(_BZIP, len(_BZIP) // 2),
    "A25 cut": tar_of(("a", DATA), ("b", b"y"))[:-60],
    "A25 flipped": _patched(_WHOLE, 50),
    "A25 encrypted": _encrypted(),
}
