"""HDF5 files of weights: opened with suspicion, read one array at a time.

A file is checked as a whole before anything is read: no links or data outside of it, no
declared sizes beyond what is stored, only numbers.
"""

from __future__ import annotations

import contextlib
import zlib
from collections.abc import Iterator, Mapping
from typing import IO, Any

import h5py
import numpy as np

from keraslite.core import dtypes
from keraslite.core.errors import UnsafeModelError, short
from keraslite.saving import seal
from keraslite.saving.errors import DamagedFileError, damaged, refused

#: Root of the attribute that holds the checksum of an array; other readers ignore it.
CHECKSUM = "crc32"
_RATIO, _SLACK = 3, 16 * 2**20
_KINDS = "fiubcSV"
# deflate, shuffle, fletcher32 and LZF: HDF5 looks for others in shared libraries.
_FILTERS = {1, 2, 3, 32000}


@contextlib.contextmanager
def open_weights(source: str | IO[bytes], path: str) -> Iterator[h5py.File]:
    """The checked HDF5 file in `source`; `path` is its name in messages.

    Its attribute `sealed` tells whether a checksum of all its bytes was verified; parts of an
    archive were by the archive.

    Raises:
        UnsafeModelError: for links and data outside of the file, and false sizes.
        DamagedFileError: if HDF5 cannot read it.
    """
    sealed = True
    try:
        if isinstance(source, str):
            with open(source, "rb") as whole:
                sealed = seal.check(whole, path)
        file = h5py.File(source, "r")
    except DamagedFileError:
        raise
    except FileNotFoundError:
        raise FileNotFoundError(f"There is no file {path!r}.") from None
    except (OSError, RuntimeError, ValueError) as error:
        raise damaged(path, error) from error
    with file:
        file.sealed = sealed
        with _reading(path):
            _check(file, path, file.id.get_filesize())
        yield file


@contextlib.contextmanager
def _reading(path: str) -> Iterator[None]:
    try:
        yield
    except (UnsafeModelError, DamagedFileError):
        raise
    except (OSError, RuntimeError, KeyError, ValueError, AttributeError, TypeError) as error:
        raise damaged(path, error) from error


def _check(root: h5py.Group, path: str, size: int) -> None:
    seen = {h5py.h5o.get_info(root.id).addr}
    stack, total = [root], 0
    while stack:
        group = stack.pop()
        for name in group:
            where = f"{group.name.rstrip('/')}/{name}"
            if not isinstance(group.get(name, getlink=True), h5py.HardLink):
                raise _unsafe(path, where, "is a link to another place")
            item = group[name]
            address = h5py.h5o.get_info(item.id).addr
            if address in seen:
                raise _unsafe(path, where, "is a second name of something else")
            seen.add(address)
            if isinstance(item, h5py.Group):
                stack.append(item)
            elif isinstance(item, h5py.Dataset):
                _check_dataset(item, path, where, size)
                total += item.nbytes
                if total > _RATIO * size + _SLACK:
                    raise _unsafe(path, where, f"and others declare {total:,} bytes")
            else:
                raise _unsafe(path, where, "is a named type")


def _check_dataset(item: h5py.Dataset, path: str, where: str, size: int) -> None:
    plan = item.id.get_create_plist()
    if plan.get_layout() == h5py.h5d.VIRTUAL:
        raise _unsafe(path, where, "takes its data from other files (virtual dataset)")
    if plan.get_external_count():
        raise _unsafe(path, where, "takes its data from another file (external storage)")
    filters = {plan.get_filter(i)[0] for i in range(plan.get_nfilters())}
    if not filters <= _FILTERS:
        raise _unsafe(path, where, f"is packed by a plugin (HDF5 filters {sorted(filters)})")
    if item.shape is None:
        raise _unsafe(path, where, "declares an array and holds none")
    if item.dtype.kind not in _KINDS or item.dtype.hasobject or item.dtype.fields:
        raise _unsafe(path, where, f"does not hold numbers (dtype {item.dtype})")
    if item.nbytes > _RATIO * size + _SLACK:
        declared = f"declares {item.nbytes:,} bytes (shape {item.shape})"
        raise _unsafe(path, where, f"{declared} in a file of {size:,} bytes")


def _unsafe(path: str, where: str, what: str) -> UnsafeModelError:
    return refused(path, f"{short(where, 160)!r} {what}")


class StoredArray:
    """An array in a file that is read when it is needed.

    Attributes:
        shape, dtype: known without reading.
    """

    def __init__(self, dataset: h5py.Dataset, path: str, sealed: bool = False) -> None:
        self._dataset = dataset
        self._path = path
        self._sealed = sealed
        self.shape: tuple[int, ...] = dataset.shape
        with _reading(path):
            name = dataset.attrs.get("dtype")
            self.dtype = dataset.dtype if name is None else _own_type(name, dataset.dtype)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        with _reading(self._path):
            array = np.asarray(self._dataset[()])
            expected = None if self._sealed else self._dataset.attrs.get(CHECKSUM)
            fits = expected is None or int(expected) == _checksum(array)
        if not fits:
            raise damaged(self._path, f"the checksum of {self._dataset.name!r} does not fit")
        if array.dtype != self.dtype:
            array = array.view(self.dtype)
        return array if dtype is None else array.astype(dtype, copy=False)

    def __getitem__(self, key: Any) -> Any:
        return np.asarray(self)[key]

    def __len__(self) -> int:
        return self.shape[0]


def _own_type(name: Any, stored: np.dtype) -> np.dtype:
    """The type of an array that HDF5 itself does not know.

    Raises:
        ValueError: if the bytes are not those of such an array.
    """
    found = np.dtype(dtypes.standardize_dtype(name))
    if stored.itemsize != found.itemsize:
        raise ValueError(f"{stored} holds no {found}")
    return found


def _checksum(array: np.ndarray) -> int:
    return zlib.crc32(np.ascontiguousarray(array).reshape(-1).view("uint8"))


def read_variables(group: Mapping[str, Any], path: str, sealed: bool = False) -> Mapping[str, Any]:
    """The arrays of one object by name: nested groups become nested dicts.

    Args:
        group: of the object.
        path: the name of the file, in messages.
        sealed: whether the arrays need no check against checksums of their own.
    """
    return {
        name: read_variables(item, path, sealed)
        if isinstance(item, Mapping)
        else (StoredArray(item, path, sealed) if isinstance(item, h5py.Dataset) else item)
        for name, item in group.items()
    }


def write_variables(group: h5py.Group, values: Mapping[str, Any]) -> None:
    """Write arrays, variables and nested dicts of them."""
    for name, value in values.items():
        if isinstance(value, Mapping):
            write_variables(group.create_group(name), value)
            continue
        array = np.asarray(value)
        stored = array
        if array.dtype.kind == "V" or array.dtype.isbuiltin == 2:
            # bfloat16 and the like: HDF5 has no such types.
            stored = array.view(f"V{array.dtype.itemsize}")
        dataset = group.create_dataset(name, data=stored)
        if stored is not array:
            dataset.attrs["dtype"] = array.dtype.name
        dataset.attrs[CHECKSUM] = np.uint32(_checksum(stored))
