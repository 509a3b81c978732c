"""Arrays in files: known by shape and dtype, read when they are needed."""

from __future__ import annotations

import abc
import concurrent.futures
import math
import mmap
import os
from collections.abc import Callable
from typing import Any

import numpy as np

# Engines keep memory that begins at a multiple of this without a copy.
_ALIGNMENT = 64
_LARGE = 1 << 20
_PIECE = 1 << 22
_WORKERS = min(4, os.cpu_count() or 1)


class Stored(abc.ABC):
    """An array in a file.

    Attributes:
        shape, dtype: known without reading.
    """

    shape: tuple[int, ...]
    dtype: np.dtype

    _ahead: np.ndarray | None = None

    @abc.abstractmethod
    def _read(self) -> np.ndarray:
        """See `read`."""

    def read(self) -> np.ndarray:
        """The values, in new memory that nobody else uses.

        Raises:
            DamagedFileError: if they are not what was written.
        """
        array, self._ahead = self._ahead, None
        return self._read() if array is None else array

    def read_ahead(self) -> None:
        """Do now what the next `read` would do."""
        self._ahead = self.read()

    def check(self) -> None:
        """Raise now what `read` and `read_into` would raise; this may read ahead."""
        self.read_ahead()

    def read_into(self, memory: np.ndarray) -> None:
        """Put the values into memory that exists: all its bytes, in one dimension."""
        memory[:] = np.ascontiguousarray(self.read()).reshape(-1).view("uint8")

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        array = self.read()
        return array if dtype is None else array.astype(dtype, copy=False)

    def __getitem__(self, key: Any) -> Any:
        return self.read()[key]

    def __len__(self) -> int:
        return self.shape[0]


def new_array(shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
    """Memory for an array, where engines want it."""
    size = math.prod(shape) * dtype.itemsize
    if size >= _LARGE and hasattr(mmap, "MAP_POPULATE"):
        # The system hands out all pages at once. One by one, as they are touched, takes as long
        # as reading the file; the large ones that NumPy asks for may take longer still.
        return _array_in(_mapped(size, mmap.MAP_POPULATE), shape, dtype)
    whole = np.empty(size + _ALIGNMENT, "uint8")
    begin = -whole.ctypes.data % _ALIGNMENT
    return whole[begin : begin + size].view(dtype).reshape(shape)


def filled(
    shape: tuple[int, ...], dtype: np.dtype, fill: Callable[[int, memoryview], None], place: int = 0
) -> np.ndarray:
    """A `new_array`, filled piece after piece.

    Args:
        shape: of the array.
        dtype: of the array.
        fill: called with the place of a piece among the bytes of the array, and with its memory;
            in several threads at a time.
        place: of the array in a file, of which pieces do not cross multiples of 4 MiB.
    """
    size = math.prod(shape) * dtype.itemsize
    if size < _PIECE or not hasattr(mmap, "MAP_POPULATE"):
        array = new_array(shape, dtype)
        if size:
            fill(0, array.reshape(-1).view("uint8").data)
        return array
    memory = _mapped(size)
    view = memoryview(memory)
    bounds = [0, *range(_PIECE - place % _PIECE, size, _PIECE), size]
    with concurrent.futures.ThreadPoolExecutor(_WORKERS) as pool:
        # Pages are handed out as they are read into: here in several threads.
        for _ in pool.map(lambda low, high: fill(low, view[low:high]), bounds, bounds[1:]):
            pass
    return _array_in(memory, shape, dtype)


def _mapped(size: int, flags: int = 0) -> mmap.mmap:
    return mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | flags)


def _array_in(memory: mmap.mmap, shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
    return np.frombuffer(memory, dtype).reshape(shape)
