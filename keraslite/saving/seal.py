"""The seal of a file: checksums of all its bytes, in a place where other readers skip it.

It stands at the end of a file, where HDF5, zip and npz files may have more bytes: the CRC-32 of
each block of 4 MiB (four bytes, little-endian), the text `keraslite crc32 ` and the CRC-32 of
these as eight hexadecimal digits. (Beyond 32 GiB, the blocks are larger.) So each part of a file
is checked when it is read. A text that begins with `{` has the digits alone, among its first
bytes: those of all its bytes, with zeros in their place. It finds accidents, not forgery.
"""

from __future__ import annotations

import concurrent.futures
import contextlib
import io
import os
import threading
import zlib
from collections.abc import Iterator
from typing import IO, Any

from keraslite.saving.errors import DamagedFileError, damaged

_MARK = b"keraslite crc32 "
_ZEROS = b"0" * 8
#: What the writer of a text puts where the seal shall be; elsewhere, it is added at the end.
BLANK = (_MARK + _ZEROS).decode()
_HEAD = 1 << 16
_PIECE = 1 << 20
_BLOCK = 1 << 22
_MOST = 1 << 13  # blocks: the comment of a zip file has room for their checksums


def seal(file: IO[bytes]) -> None:
    """Complete a file that was written to its end."""
    place = _place_in_text(file)
    if place is None:
        table = _sums(file, file.seek(0, os.SEEK_END))
        file.seek(0, os.SEEK_END)
        file.write(table + _MARK + _digits(table))
    else:
        digits = _digits(_without_digits(file, place))
        file.seek(place)
        file.write(digits)
    file.flush()


def size_for(size: int) -> int:
    """The bytes that `seal` adds to a file of `size` bytes."""
    return 4 * -(-size // _block_size(size)) + len(BLANK)


def is_whole(file: IO[bytes]) -> bool | None:
    """Whether a file is as it was when it was sealed; None for one that has no seal."""
    place = _place_in_text(file)
    if place is not None:
        valid = _digits(_without_digits(file, place)), _digits_before_tables(file, place)
        file.seek(place)
        return file.read(len(_ZEROS)) in valid
    try:
        checked = Checked.of(file, "")
        if checked is None:
            return None
        checked.check()
    except DamagedFileError:
        return False
    file.seek(0)
    return True


def check(file: IO[bytes], path: str) -> None:
    """Raise for a file that is not what was sealed.

    Raises:
        DamagedFileError: names the file.
    """
    if is_whole(file) is False:
        raise _changed(path)


@contextlib.contextmanager
def opened(path: str) -> Iterator[IO[bytes]]:
    """The file at `path`, which is `Checked` if it is sealed.

    Raises:
        DamagedFileError: for what is read and is not what was sealed.
    """
    with open(path, "rb") as file:
        checked = Checked.of(file, path)
        if checked is None:
            yield file
            return
        before = state(file)
        if hasattr(os, "posix_fadvise"):  # while the model is made
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_WILLNEED)
        with checked:
            yield checked  # type: ignore[misc]
        if checked.failed:  # perhaps a library in between took the error for its own
            raise _changed(path)
        if state(file) != before:  # blocks are compared once and may be read again
            raise damaged(path, "it changed while it was read")


def state(file: IO[bytes]) -> tuple[int, ...]:
    """Numbers that differ when an open file is another one, or was written to."""
    found = os.fstat(file.fileno())
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns


_turn = threading.Lock()


def read_at(file: IO[bytes], place: int, memory: memoryview) -> int:
    """Fill memory with what a file has from `place` on; the count of bytes, less at its end."""
    if not hasattr(os, "preadv"):
        with _turn:
            file.seek(place)
            return file.readinto(memory)  # type: ignore[attr-defined]
    count = 0
    while count < len(memory) and (more := os.preadv(file.fileno(), [memory[count:]], place)):
        count, place = count + more, place + more
    return count


class Part(io.RawIOBase):
    """So many bytes of a file, from a place on, as a file."""

    def __init__(self, file: IO[bytes], start: int, size: int) -> None:
        self._file, self._start, self._size, self._position = file, start, size, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        begin = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._size}[whence]
        self._position = max(0, begin + offset)
        return self._position

    def readinto(self, buffer: Any) -> int:
        view = memoryview(buffer).cast("B")[: max(0, self._size - self._position)]
        count = self.fill(self._position, view)
        self._position += count
        return count

    def fill(self, place: int, memory: memoryview) -> int:
        """Read what is at `place`; the count of bytes, which is less at the end.

        Several threads may do so at a time.
        """
        if isinstance(self._file, Part):
            inside = memory[: max(0, self._file._size - self._start - place)]
            return self._file.fill(self._start + place, inside)
        return read_at(self._file, self._start + place, memory)

    def check(self, place: int = 0, size: int | None = None) -> None:
        """Raise now what reading these bytes would raise; none of them is compared again then."""
        if isinstance(self._file, Part):
            self._file.check(self._start + place, self._size - place if size is None else size)


class Checked(Part):
    """The bytes that a file had when it was sealed, each block compared when it is read.

    Attributes:
        failed: whether a block was not what was sealed.
    """

    @classmethod
    def of(cls, file: IO[bytes], path: str) -> Checked | None:
        """What is in `file`; None if there is no seal at its end.

        Raises:
            DamagedFileError: for a seal that is not what was written.
        """
        size = file.seek(0, os.SEEK_END) - len(BLANK)
        file.seek(max(size, 0))
        end = file.read()
        if not end.startswith(_MARK) or size < 0:
            if _MARK[:8] in end:
                raise damaged(path, "its last bytes are missing")
            file.seek(0)
            return None
        block = _BLOCK
        while size > _MOST * (block + 4):
            block *= 2
        count = -(-size // (block + 4))
        file.seek(max(size - 4 * count, 0))
        table = file.read(4 * count)
        if end[len(_MARK) :] == _digits(table):
            return cls(file, size - 4 * count, path, table)
        if end[len(_MARK) :] != _digits_before_tables(file, size + len(_MARK)):
            raise _changed(path)
        found = cls(file, size, path, b"")
        found._known = bytearray(b"\1") * -(-size // found._block)
        return found

    def __init__(self, file: IO[bytes], size: int, path: str, table: bytes) -> None:
        super().__init__(file, 0, size)
        self._path, self._table, self._block = path, table, _block_size(size)
        self._known = bytearray(len(table) // 4)  # for each block, whether it was compared
        self.failed = False

    def check(self, place: int = 0, size: int | None = None) -> None:
        """Compare all bytes of the file, on all processors, if not all of these are known."""
        end = self._size if size is None else place + size
        wanted = slice(place // self._block, -(-end // self._block))
        if not all(self._known[wanted]):
            sums = _sums(self._file, self._size)
            for number in range(len(self._known)):
                four = slice(4 * number, 4 * number + 4)
                self._known[number] |= sums[four] == self._table[four]
        if not all(self._known[wanted]):
            raise self._failed()

    def fill(self, place: int, memory: memoryview) -> int:
        end = place + len(memory)
        for number in range(place // self._block, -(-end // self._block)) if memory else ():
            low = number * self._block
            high = min(low + self._block, self._size)
            begin, stop = max(low, place), min(high, end)
            if not self._known[number] and stop - begin < high - low:
                self._compare(number, self._whole(low, memoryview(bytearray(high - low))))
            piece = self._whole(begin, memory[begin - place : stop - place])
            if not self._known[number]:
                self._compare(number, piece)
        return len(memory)

    def _whole(self, place: int, memory: memoryview) -> memoryview:
        if super().fill(place, memory) != len(memory):
            raise self._failed()
        return memory

    def _compare(self, number: int, block: memoryview) -> None:
        if _sum(block) != self._table[4 * number : 4 * number + 4]:
            raise self._failed()
        self._known[number] = True

    def _failed(self) -> DamagedFileError:
        self.failed = True
        return _changed(self._path)


def _changed(path: str) -> DamagedFileError:
    return damaged(path, "its bytes do not fit the checksum that was written with them")


def _block_size(size: int) -> int:
    block = _BLOCK
    while size > _MOST * block:
        block *= 2
    return block


def _digits(data: bytes) -> bytes:
    return b"%08x" % zlib.crc32(data)


def _digits_before_tables(file: IO[bytes], place: int) -> bytes:
    """Args: place: of the digits."""
    sums = b""
    for start in range(0, file.seek(0, os.SEEK_END), _BLOCK):
        file.seek(start)
        block = bytearray(file.read(_BLOCK))
        begin, end = max(0, place - start), min(place + len(_ZEROS) - start, len(block))
        if begin < end:
            block[begin:end] = _ZEROS[: end - begin]
        sums += _sum(block)
    return _digits(sums)


def _sum(block: memoryview | bytearray) -> bytes:
    return zlib.crc32(block).to_bytes(4, "little")


def _place_in_text(file: IO[bytes]) -> int | None:
    """Where a text has the digits of its seal."""
    file.seek(0)
    head = file.read(_HEAD)
    found = head.find(_MARK) if head.startswith(b"{") else -1
    return None if found < 0 else found + len(_MARK)


def _without_digits(file: IO[bytes], place: int) -> bytes:
    file.seek(0)
    text = file.read()
    return text[:place] + _ZEROS + text[place + len(_ZEROS) :]


def _sums(file: IO[bytes], size: int) -> bytes:
    """The checksums of the blocks of the first `size` bytes."""
    length = _block_size(size)
    reading, own = threading.Lock(), threading.local()

    def of_block(start: int) -> bytes:
        # Memory that is used again: touching new memory takes longer than the checksum.
        if not hasattr(own, "memory"):
            own.memory = memoryview(bytearray(min(length, size)))
        block = own.memory[: size - start]
        with reading:
            file.seek(start)
            count = file.readinto(block)  # type: ignore[attr-defined]
        return _sum(block[:count])

    starts = range(0, size, length)
    workers = min(len(starts), os.cpu_count() or 1, 8)
    # What is written in the background shall not take the whole machine.
    if workers < 2 or threading.current_thread() is not threading.main_thread():
        return b"".join(map(of_block, starts))
    with concurrent.futures.ThreadPoolExecutor(workers) as pool:
        return b"".join(pool.map(of_block, starts))
