"""Trees of plain values and arrays as one file."""

from __future__ import annotations

import json
from typing import IO, Any

import numpy as np

from keraslite.core.dtypes import numpy_dtype
from keraslite.core.errors import describe

_TREE = "tree"


def write(file: IO[bytes], state: dict[str, Any]) -> None:
    """Write dicts, lists, numbers, strings, None and NumPy arrays, nested at will.

    Raises:
        TypeError: for another value; names its place.
    """
    arrays: dict[str, np.ndarray] = {}
    text = json.dumps(_encode(state, "", arrays))
    np.savez(file, allow_pickle=False, **{_TREE: np.frombuffer(text.encode(), "uint8")}, **arrays)


def read(file: IO[bytes]) -> dict[str, Any]:
    """What `write` wrote, with lists in the place of tuples."""
    with np.load(file, allow_pickle=False) as arrays:
        return _decode(json.loads(arrays[_TREE].tobytes()), arrays)


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
