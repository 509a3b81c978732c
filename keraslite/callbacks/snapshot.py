"""Trees of plain values and arrays as one file."""

from __future__ import annotations

import json
import math
import os
import zipfile
from typing import IO, Any

import numpy as np
from numpy.lib import format as npy

from keraslite.core.dtypes import numpy_dtype
from keraslite.core.errors import describe
from keraslite.core.json_text import parse_json
from keraslite.saving.archive import directory_size
from keraslite.saving.errors import damaged, loading

_TREE = "tree"
_LARGEST_LIST = 2**24  # bytes of the list of arrays


def write(file: IO[bytes], state: dict[str, Any]) -> None:
    """Write dicts, lists, numbers, strings, None and NumPy arrays, nested at will.

    Raises:
        TypeError: for another value; names its place.
    """
    arrays: dict[str, np.ndarray] = {}
    text = json.dumps(_encode(state, "", arrays))
    np.savez(file, allow_pickle=False, **{_TREE: np.frombuffer(text.encode(), "uint8")}, **arrays)


def read(file: IO[bytes]) -> dict[str, Any]:
    """What `write` wrote, with lists in the place of tuples.

    Raises:
        LoadError: for anything else; takes no more memory than the file has bytes.
    """
    path = str(file.name)
    with loading(path):
        if directory_size(path) > _LARGEST_LIST:
            raise damaged(path, "its list of arrays is too long")
        with zipfile.ZipFile(file) as members:
            arrays = _Arrays(path, members, os.fstat(file.fileno()).st_size)
            found = _decode(parse_json(arrays[_TREE].tobytes()), arrays)
    if not isinstance(found, dict):
        raise damaged(path, f"expected a dict. Received: {describe(found)}")
    return found


class _Arrays:
    """The arrays of a file by their names, each read once."""

    def __init__(self, path: str, members: zipfile.ZipFile, size: int) -> None:
        self._path, self._members = path, members
        self._left = size

    def __getitem__(self, name: str) -> np.ndarray:
        member = self._members.getinfo(f"{name}.npy")
        self._left -= member.file_size
        if member.compress_type != zipfile.ZIP_STORED or self._left < 0:
            raise damaged(self._path, f"its array {name!r} takes more than the file has")
        with self._members.open(member) as file:
            read_header = _HEADERS.get(npy.read_magic(file))
            if read_header is None:
                raise damaged(self._path, f"its array {name!r} has another version")
            shape, by_columns, dtype = read_header(file)
            data = file.read()
        if dtype.hasobject or math.prod(shape) * dtype.itemsize != len(data):
            raise damaged(self._path, f"its array {name!r} has another size than it says")
        found = np.frombuffer(bytearray(data), dtype)
        return found.reshape(shape, order="F" if by_columns else "C")


_HEADERS = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}


def _encode(value: Any, place: str, arrays: dict[str, np.ndarray]) -> Any:
    if value is None or type(value) in (bool, int, float, str):
        return value
    if isinstance(value, dict) and all(isinstance(key, str) for key in value):
        return {"dict": {k: _encode(v, f"{place}/{k}", arrays) for k, v in value.items()}}
    if isinstance(value, (list, tuple)):
        return [_encode(v, f"{place}/{i}", arrays) for i, v in enumerate(value)]
    if isinstance(value, (np.ndarray, np.generic)) and value.dtype.kind != "O":
        name = f"a{len(arrays)}"
        # NumPy's files have no names for bfloat16 and its kin.
        foreign = value.dtype.kind == "V" or value.dtype.name not in np.sctypeDict
        array = np.asarray(value)
        arrays[name] = array.view(f"u{array.dtype.itemsize}") if foreign else array
        return {
            "array": name,
            "dtype": array.dtype.name if foreign else None,
            "scalar": isinstance(value, np.generic),
        }
    raise TypeError(
        f"The state {place.strip('/')!r} must be made of dicts with strings as keys, lists, "
        f"numbers, strings, None and NumPy arrays. Received: {describe(value)}"
    )


def _decode(value: Any, arrays: Any) -> Any:
    if isinstance(value, list):
        return [_decode(v, arrays) for v in value]
    if not isinstance(value, dict):
        return value
    if "dict" in value:
        return {k: _decode(v, arrays) for k, v in value["dict"].items()}
    array = arrays[value["array"]]
    array = array if value["dtype"] is None else array.view(numpy_dtype(value["dtype"]))
    return array[()] if value["scalar"] else array
