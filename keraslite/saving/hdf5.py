"""HDF5 files of weights: opened with suspicion, read one array at a time.

A file is checked as a whole before anything is read: no links or data outside of it, no
declared sizes beyond what is stored, only numbers.
"""

from __future__ import annotations

import contextlib
import functools
import math
import threading
import zlib
from collections.abc import Iterator, Mapping
from typing import IO, Any

import h5py
import numpy as np

from keraslite.core import dtypes
from keraslite.core.errors import UnsafeModelError, short
from keraslite.core.stored import Stored, filled, new_array
from keraslite.saving import seal
from keraslite.saving.errors import DamagedFileError, damaged, refused

#: Root of the attribute that holds the checksum of an array; other readers ignore it.
CHECKSUM = "crc32"
_RATIO, _SLACK = 3, 16 * 2**20
_DEPTH = 250
_ONE = {(), (1,)}
_KINDS = "fiubcV"
# deflate, shuffle, fletcher32 and LZF: HDF5 looks for others in shared libraries.
_FILTERS = {1, 2, 3, 32000}


class _WithoutPlugins:
    """Inside, HDF5 looks for no shared libraries, as it does for what it cannot read."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._paths: list[bytes] = []

    def __enter__(self) -> None:
        self._lock.acquire()
        self._paths = [h5py.h5pl.get(number) for number in range(h5py.h5pl.size())]
        for _ in self._paths:
            h5py.h5pl.remove(0)

    def __exit__(self, *exc: object) -> None:
        for path in self._paths:
            h5py.h5pl.append(path)
        self._lock.release()


_WITHOUT_PLUGINS = _WithoutPlugins()


@contextlib.contextmanager
def open_weights(source: str | IO[bytes], path: str) -> Iterator[h5py.File]:
    """The checked HDF5 file in `source`; `path` is its name in messages.

    Its attribute `source` is the file of which the bytes are compared with checksums when they
    are read, such as that of a seal; None if they are not.

    Raises:
        UnsafeModelError: for links and data outside of the file, and false sizes.
        DamagedFileError: if HDF5 cannot read it.
    """
    with contextlib.ExitStack() as stack:
        try:
            if isinstance(source, str):
                opened = stack.enter_context(seal.opened(source))
                source = opened if isinstance(opened, seal.Checked) else source
            file = stack.enter_context(_opened(source))
        except DamagedFileError:
            raise
        except FileNotFoundError:
            raise FileNotFoundError(f"There is no file {path!r}.") from None
        except (OSError, RuntimeError, ValueError) as error:
            raise damaged(path, error) from error
        file.source = source if isinstance(source, seal.Part) else None
        with _reading(path), _WITHOUT_PLUGINS:
            _check(file, path, file.id.get_filesize())
        yield file


def _opened(source: str | IO[bytes]) -> h5py.File:
    try:
        with _WITHOUT_PLUGINS:
            return h5py.File(source, "r")
    except (OSError, RuntimeError, ValueError) as error:
        # Frames of h5py that outlive the interpreter's end, as those of errors may, crash it.
        raise error.with_traceback(None) from None


@contextlib.contextmanager
def _reading(path: str) -> Iterator[None]:
    try:
        yield
    except (UnsafeModelError, DamagedFileError):
        raise
    except (OSError, RuntimeError, KeyError, ValueError, AttributeError, TypeError) as error:
        raise damaged(path, error) from error


@contextlib.contextmanager
def _named(name: str) -> Iterator[None]:
    try:
        yield
    except DamagedFileError as error:
        raise error.enter(name) from error


def _check(root: h5py.Group, path: str, size: int) -> None:
    seen = {h5py.h5o.get_info(root.id).addr}
    stack, total = [root], 0
    _check_attributes(root, path, size)
    while stack:
        group = stack.pop()
        if group.name.count("/") > _DEPTH:
            raise _unsafe(path, group.name, f"is a group more than {_DEPTH} levels deep")
        for name in group:
            where = f"{group.name.rstrip('/')}/{name}"
            if not isinstance(group.get(name, getlink=True), h5py.HardLink):
                raise _unsafe(path, where, "is a link to another place")
            item = group[name]
            address = h5py.h5o.get_info(item.id).addr
            if address in seen:
                raise _unsafe(path, where, "is a second name of something else")
            seen.add(address)
            _check_attributes(item, path, size)
            if isinstance(item, h5py.Group):
                stack.append(item)
            elif isinstance(item, h5py.Dataset):
                _check_dataset(item, path, where, size)
                total += item.nbytes
                if total > _RATIO * size + _SLACK:
                    raise _unsafe(path, where, f"and others declare {total:,} bytes")
            else:
                raise _unsafe(path, where, "is a named type")


def _check_attributes(item: Any, path: str, size: int) -> None:
    """Texts of any length may all be the same bytes of the file."""
    for number in range(h5py.h5a.get_num_attrs(item.id)):
        attribute = h5py.h5a.open(item.id, index=number)
        shape, kind = attribute.shape, attribute.get_type()
        if shape in _ONE:
            continue
        varies = isinstance(kind, h5py.h5t.TypeStringID) and kind.is_variable_str()
        varies = varies or kind.detect_class(h5py.h5t.VLEN) or kind.detect_class(h5py.h5t.COMPOUND)
        taken = math.prod(shape) * (size if varies else kind.get_size())
        if taken > _RATIO * size + _SLACK:
            where = f"{item.name} {attribute.name.decode(errors='replace')}"
            raise _unsafe(
                path, where, f"is an attribute that may hold {taken:,} bytes in a file of {size:,}"
            )


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
    if item.dtype.kind not in _KINDS or any(
        (item.dtype.hasobject, item.dtype.fields, item.dtype.subdtype)
    ):
        raise _unsafe(path, where, f"does not hold numbers (dtype {item.dtype})")
    own = item.attrs.get("dtype")
    if own is not None:
        _own_type(own, item.dtype)
    elif item.dtype.kind == "V":
        raise _unsafe(path, where, "holds bytes and does not say of which type")
    if item.nbytes > _RATIO * size + _SLACK:
        declared = f"declares {item.nbytes:,} bytes (shape {item.shape})"
        raise _unsafe(path, where, f"{declared} in a file of {size:,} bytes")


def _unsafe(path: str, where: str, what: str) -> UnsafeModelError:
    return refused(path, f"{short(where, 160)!r} {what}")


class StoredArray(Stored):
    """A dataset.

    Args:
        dataset: of an open file.
        path: of the file, in messages.
        source: see `open_weights`; without it, the array is compared with a checksum of its own.
    """

    def __init__(self, dataset: h5py.Dataset, path: str, source: seal.Part | None = None) -> None:
        self._dataset = dataset
        self._path = path
        self._source = source
        self.shape = dataset.shape
        with _reading(path):
            name = dataset.attrs.get("dtype")
            self.dtype = dataset.dtype if name is None else _own_type(name, dataset.dtype)

    def _read(self) -> np.ndarray:
        with self._reading():
            if self._place is None:
                array = new_array(self.shape, self._dataset.dtype)
                if array.size:
                    self._dataset.read_direct(array)
            else:
                array = filled(self.shape, self._dataset.dtype, self._fill, self._place)
            expected = self._dataset.attrs.get(CHECKSUM) if self._source is None else None
            fits = expected is None or int(expected) == _checksum(array)
            if not fits:
                raise damaged(self._path, "its checksum does not fit")
        return array if array.dtype == self.dtype else array.view(self.dtype)

    def check(self) -> None:
        if self._source is None or self._place is None:
            super().check()
        else:
            with self._reading():
                self._source.check(self._place, self._dataset.nbytes)

    def read_into(self, memory: np.ndarray) -> None:
        if self._place is None:
            super().read_into(memory)
        else:
            with self._reading():
                self._fill(0, memoryview(memory))

    @functools.cached_property
    def _place(self) -> int | None:
        """Where in `source` the bytes are one after another as they are in memory."""
        with self._reading():
            dataset, stored = self._dataset, self._dataset.id
            if self._source is None or dataset.file.userblock_size or not dataset.nbytes:
                return None
            same = stored.get_type() == h5py.h5t.py_create(dataset.dtype)
            return stored.get_offset() if same else None

    def _fill(self, begin: int, piece: memoryview) -> None:
        assert self._source is not None and self._place is not None
        if self._source.fill(self._place + begin, piece) != len(piece):
            raise damaged(self._path, "it is incomplete")

    @contextlib.contextmanager
    def _reading(self) -> Iterator[None]:
        with _named(short(repr(self._dataset.name), 160)), _reading(self._path):
            yield


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


def read_variables(
    group: Mapping[str, Any], path: str, source: seal.Part | None = None
) -> Mapping[str, Any]:
    """The arrays of one object by name: nested groups become nested dicts.

    Args:
        group: of the object.
        path: the name of the file, in messages.
        source: see `StoredArray`.
    """
    return {
        name: read_variables(item, path, source)
        if isinstance(item, Mapping)
        else (StoredArray(item, path, source) if isinstance(item, h5py.Dataset) else item)
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
