"""Weights, or a whole model, in one safetensors file.

A tensor's name is the path of its layer in the model (as in `.weights.h5`) and the name of the
variable: `layers/dense/kernel`; the optimizer's are numbered: `optimizer/0`. The metadata has
`format` (`"keras"`), `keras_version`, `config` (whole models: what `config.json` of a `.keras`
file has), `crc32` (of each tensor with its name, type and shape) and `digest` (of the rest).

Format: https://huggingface.co/docs/safetensors; eight bytes of length, a JSON header, the data.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import zlib
from collections.abc import Callable, Iterator
from typing import IO, Any

import numpy as np

from keraslite.core import dtypes
from keraslite.core.errors import short
from keraslite.core.naming import unique_among
from keraslite.core.stored import Stored, new_array
from keraslite.saving import seal
from keraslite.saving.archive import checked_json
from keraslite.saving.errors import damaged, refused
from keraslite.saving.tree import Tree, leaves
from keraslite.saving.walk import walk
from keraslite.saving.weights import assign_weights, own_store, own_variables

_HEADER_LIMIT = 32 * 2**20
_PIECE = 1 << 20
_TYPES = {
    "bool": "BOOL",
    "uint8": "U8",
    "int8": "I8",
    "uint16": "U16",
    "int16": "I16",
    "uint32": "U32",
    "int32": "I32",
    "uint64": "U64",
    "int64": "I64",
    "float16": "F16",
    "bfloat16": "BF16",
    "float32": "F32",
    "float64": "F64",
    "complex64": "C64",
    "float8_e4m3fn": "F8_E4M3",
    "float8_e5m2": "F8_E5M2",
}
_NUMPY = {code: name for name, code in _TYPES.items()}


# Writing ---------------------------------------------------------------------------------


def write_safetensors(model: Any, file: IO[bytes], metadata: dict[str, str]) -> None:
    """Write the variables of a model, and those of its optimizer.

    Args:
        model: built.
        file: to write to.
        metadata: further entries, such as `config`.

    Raises:
        ValueError: for layers with files of their own, or values that are no arrays of numbers.
    """
    arrays = dict(_named_arrays(model))
    header: dict[str, Any] = {}
    sums: dict[str, int] = {}
    offset = 0
    # The specification wants no holes; big elements first keeps everything aligned.
    order = sorted(arrays, key=lambda name: (-arrays[name].dtype.itemsize, name))
    for name in order:
        array = arrays[name]
        kind = _TYPES.get(array.dtype.name)
        if kind is None:
            raise ValueError(f"safetensors files hold no {array.dtype} (variable {name!r}).")
        entry = {"dtype": kind, "shape": list(array.shape)}
        sums[name] = _checksum(name, entry, array)
        header[name] = {**entry, "data_offsets": [offset, offset + array.nbytes]}
        offset += array.nbytes
    metadata = {"format": "keras", **metadata, "crc32": json.dumps(sums)}
    header = {"__metadata__": {**metadata, "digest": _digest(metadata)}, **header}
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    file.write(len(text).to_bytes(8, "little") + text)
    for name in order:
        file.write(_bytes(arrays[name]))


def _named_arrays(model: Any) -> Iterator[tuple[str, np.ndarray]]:
    for where, saveable in walk(model):
        if hasattr(saveable, "save_assets"):
            raise ValueError(
                f"Layer {saveable.name!r} keeps files of its own, for which safetensors has no "
                "place. Save the model as `.keras`."
            )
        names = _names(saveable)
        for key, value in leaves(own_store(saveable)):
            array = np.asarray(value)
            yield f"{where}/{names.get(key, key)}".lstrip("/"), array


def _names(saveable: Any) -> dict[str, str]:
    """Number of a variable in files -> its name, unique among those of the object."""
    taken: set[str] = set()
    own = own_variables(saveable) or ()
    return {str(i): unique_among(v.name.replace("/", "_"), taken) for i, v in enumerate(own)}


def _bytes(array: np.ndarray) -> memoryview:
    flat = np.ascontiguousarray(array).reshape(-1)
    if flat.dtype.kind in "iufc":
        flat = flat.astype(flat.dtype.newbyteorder("<"), copy=False)
    return memoryview(flat.view("uint8"))


def _checksum(name: str, entry: dict[str, Any], array: np.ndarray) -> int:
    return zlib.crc32(_bytes(array), _head_sum(name, entry))


def _head_sum(name: str, entry: dict[str, Any]) -> int:
    return zlib.crc32(f"{name} {entry['dtype']} {entry['shape']}".encode())


def _digest(metadata: dict[str, str]) -> str:
    rest = {k: v for k, v in metadata.items() if k != "digest"}
    return f"{zlib.crc32(json.dumps(rest, sort_keys=True).encode()):08x}"


# Reading ---------------------------------------------------------------------------------


class _Tensor(Stored):
    """A tensor, checked when it is read."""

    def __init__(self, path: str, name: str, entry: dict[str, Any], start: int, crc: Any) -> None:
        self._path, self._name, self._entry, self._crc = path, name, entry, crc
        self.shape = tuple(entry["shape"])
        self.dtype = dtypes.numpy_dtype(_NUMPY[entry["dtype"]])
        self._start = start + entry["data_offsets"][0]
        self._compared: object = None  # the state of the file when its bytes fitted

    def _read(self) -> np.ndarray:
        array = new_array(self.shape, self.dtype)
        self.read_into(array.reshape(-1).view("uint8"))
        return array

    def check(self) -> None:
        begin, stop = self._entry["data_offsets"]
        spare = memoryview(bytearray(min(stop - begin, _PIECE)))
        with self._reading() as fill:
            for place in range(begin, stop, _PIECE):
                fill(place - begin, spare[: stop - place])

    def read_into(self, memory: np.ndarray) -> None:
        with self._reading() as fill:
            for begin in range(0, len(memory), _PIECE):
                fill(begin, memoryview(memory[begin : begin + _PIECE]))

    @contextlib.contextmanager
    def _reading(self) -> Iterator[Callable[[int, memoryview], None]]:
        """A function that reads one piece after another.

        All of them are compared at the end, once as long as the file is the same.
        """
        found = _head_sum(self._name, self._entry)

        def fill(begin: int, piece: memoryview) -> None:
            nonlocal found
            file.seek(self._start + begin)
            if file.readinto(piece) != len(piece):
                raise damaged(self._path, f"tensor {short(self._name, 160)!r} is incomplete")
            if not compared:
                found = zlib.crc32(piece, found)

        with open(self._path, "rb") as file:
            state = seal.state(file)
            compared = self._crc is None or state == self._compared
            yield fill
            if state != seal.state(file):
                raise damaged(self._path, "it changed while it was read")
        if not compared and self._crc != found:
            raise damaged(self._path, f"the checksum of {short(self._name, 160)!r} does not fit")
        self._compared = state


def read_header(path: str) -> tuple[dict[str, str], dict[str, Any]]:
    """The metadata and the checked tensors by name.

    Raises:
        FileNotFoundError: if there is no file.
        UnsafeModelError: for a header that is larger than any model needs.
        DamagedFileError: for sizes and places that do not fit the file, or a wrong digest.
    """
    try:
        size = os.stat(path).st_size
    except FileNotFoundError:
        raise FileNotFoundError(f"There is no file {path!r}.") from None
    with open(path, "rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if size < 8 or length > size - 8:
            raise damaged(path, "its header is incomplete")
        if length > _HEADER_LIMIT:
            raise refused(path, f"its header has {length:,} bytes")
        header = checked_json(file.read(length), path, "the header")
    if not isinstance(header, dict):
        raise damaged(path, "its header is no dict")
    metadata = header.pop("__metadata__", {})
    if not isinstance(metadata, dict) or not all(isinstance(v, str) for v in metadata.values()):
        raise damaged(path, "its metadata is no dict of strings")
    if "digest" in metadata and metadata["digest"] != _digest(metadata):
        raise damaged(path, "the digest of its metadata does not fit")
    sums = checked_json(metadata.get("crc32", "{}").encode(), path, "crc32")
    if not isinstance(sums, dict) or (sums and sums.keys() != header.keys()):
        raise damaged(path, "it has other tensors than were written")
    _check_places(path, header, size - 8 - length)
    start = 8 + length
    return metadata, {n: _Tensor(path, n, e, start, sums.get(n)) for n, e in header.items()}


def _check_places(path: str, header: dict[str, Any], size: int) -> None:
    """The tensors must fill the data without holes, as the specification demands."""
    places = []
    for name, entry in header.items():
        shown = short(name, 160)
        fits = isinstance(entry, dict) and entry.keys() == {"dtype", "shape", "data_offsets"}
        if not fits or entry["dtype"] not in _NUMPY:
            raise damaged(path, f"the entry of tensor {shown!r} is of no known type")
        shape, place = entry["shape"], entry["data_offsets"]
        if not _are_counts(shape) or not _are_counts(place) or len(place) != 2:
            raise damaged(path, f"the entry of tensor {shown!r} has no valid shape and place")
        taken = math.prod(shape) * dtypes.numpy_dtype(_NUMPY[entry["dtype"]]).itemsize
        if place[1] - place[0] != taken:
            raise damaged(path, f"tensor {shown!r} takes {taken:,} bytes, not those at {place}")
        places.append(place)
    end = 0
    for begin, stop in sorted(places):
        if begin != end:
            raise damaged(path, f"its tensors overlap or leave holes at byte {begin:,}")
        end = stop
    if end != size:
        raise damaged(path, f"its tensors take {end:,} bytes, and it has {size:,}")


def _are_counts(values: Any) -> bool:
    return isinstance(values, list) and all(type(n) is int and 0 <= n < 2**48 for n in values)


def read_safetensors(model: Any, path: str, skip_mismatch: bool = False, new: bool = False) -> None:
    """Assign the variables of a model from a file that `write_safetensors` wrote.

    See `read_weights`.
    """
    _, tensors = read_header(path)
    numbers: dict[str, str] = {}
    for where, saveable in walk(model):
        prefix = f"{where}/" if where else ""
        names = _names(saveable)
        numbers |= {prefix + name: f"{prefix}vars/{number}" for number, name in names.items()}
    tree = Tree()
    for name, tensor in tensors.items():
        above, _, last = name.rpartition("/")
        try:
            tree.put(numbers.get(name, f"{above}/vars/{last}"), tensor)
        except (KeyError, ValueError) as error:
            raise damaged(path, f"tensor {short(name, 160)!r} is there twice") from error
    assign_weights(model, tree, path, skip_mismatch, new)
