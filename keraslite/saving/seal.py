"""The seal of a file: a checksum of all its bytes, in a place where other readers skip it.

It is the text `keraslite crc32 ` and eight hexadecimal digits: the CRC-32 of the CRC-32s of
all blocks of 4 MiB (each four bytes, little-endian), in which these digits count as zeros. It
stands at the end of a file, where HDF5, zip and npz files may have more bytes, or among the
first bytes of one whose format is text. It finds accidents, not forgery.
"""

from __future__ import annotations

import concurrent.futures
import os
import threading
import zlib
from typing import IO

from keraslite.saving.errors import damaged

_MARK = b"keraslite crc32 "
_ZEROS = b"0" * 8
#: What a writer may put where the seal shall be; without it, the seal is added at the end.
BLANK = (_MARK + _ZEROS).decode()
_HEAD = 1 << 16
_BLOCK = 1 << 22


def seal(file: IO[bytes]) -> None:
    """Complete a file that was written to its end."""
    place = _place(file)
    if place is None:
        place = file.seek(0, os.SEEK_END) + len(_MARK)
        file.write(BLANK.encode())
    file.flush()
    value = _checksum(file, place)
    file.seek(place)
    file.write(value)
    file.flush()


def is_whole(file: IO[bytes]) -> bool | None:
    """Whether a file is as it was when it was sealed; None for one that has no seal."""
    place = _place(file)
    if place is None:
        return None
    file.seek(place)
    whole = file.read(len(_ZEROS)) == _checksum(file, place)
    file.seek(0)
    return whole


def check(file: IO[bytes], path: str) -> bool:
    """Whether a file has a seal.

    Raises:
        DamagedFileError: if the file is not what was sealed.
    """
    whole = is_whole(file)
    if whole is None:
        file.seek(max(file.seek(0, os.SEEK_END) - len(BLANK), 0))
        if _MARK[:8] in file.read():
            raise damaged(path, "its last bytes are missing")
    elif not whole:
        raise damaged(path, "its bytes do not fit the checksum that was written with them")
    return bool(whole)


def _place(file: IO[bytes]) -> int | None:
    """Where the digits of the seal are."""
    size = file.seek(0, os.SEEK_END)
    file.seek(max(size - len(BLANK), 0))
    if file.read(len(_MARK)) == _MARK:
        return size - len(_ZEROS)
    file.seek(0)
    found = file.read(_HEAD).find(_MARK)
    place = found + len(_MARK)
    return None if found < 0 or place + len(_ZEROS) > size else place


def _checksum(file: IO[bytes], place: int) -> bytes:
    size = file.seek(0, os.SEEK_END)
    reading = threading.Lock()

    def of_block(start: int) -> bytes:
        with reading:
            file.seek(start)
            block = file.read(_BLOCK)
        begin, end = place - start, place - start + len(_ZEROS)
        if end > 0 and begin < len(block):
            zeros = _ZEROS[max(0, -begin) : len(block) - begin]
            block = block[: max(0, begin)] + zeros + block[max(0, end) :]
        return zlib.crc32(block).to_bytes(4, "little")

    starts = range(0, size, _BLOCK)
    workers = min(len(starts), os.cpu_count() or 1, 8)
    # What is written in the background shall not take the whole machine.
    if workers < 2 or threading.current_thread() is not threading.main_thread():
        sums = map(of_block, starts)
        return b"%08x" % zlib.crc32(b"".join(sums))
    with concurrent.futures.ThreadPoolExecutor(workers) as pool:
        return b"%08x" % zlib.crc32(b"".join(pool.map(of_block, starts)))
