"""Arrays in files: known by shape and dtype, read when they are needed."""

from __future__ import annotations

import abc
import math
import mmap
from typing import Any

import numpy as np

# Engines keep memory that begins at a multiple of this without a copy.
_ALIGNMENT = 64
_LARGE = 1 << 20


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
        flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | mmap.MAP_POPULATE
        return np.frombuffer(mmap.mmap(-1, size, flags=flags), dtype).reshape(shape)
    whole = np.empty(size + _ALIGNMENT, "uint8")
    begin = -whole.ctypes.data % _ALIGNMENT
    return whole[begin : begin + size].view(dtype).reshape(shape)
