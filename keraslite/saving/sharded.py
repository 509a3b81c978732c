"""Weights in several files: `x.weights.json` says which, `x_00000.weights.h5` holds a part.

The index is Keras's: `{"metadata": {"total_size": ...}, "weight_map": {"/layers/dense/vars":
["x_00000.weights.h5", ...]}}`. Keras finds the parts by these names, so a save cannot give new
parts new names for good. They begin as `.x-1a2b3c4d_00000.weights.h5`; then the index that names
their beginning (`"staged"`) takes its place, which is the commit; then they take theirs.
"""

from __future__ import annotations

import contextlib
import functools
import glob
import itertools
import json
import math
import os
import re
import secrets
from collections.abc import Iterator
from pathlib import Path, PureWindowsPath
from typing import Any

import h5py

from keraslite.core import dtypes
from keraslite.core.errors import short
from keraslite.saving import seal
from keraslite.saving.archive import checked_json
from keraslite.saving.commit import remove_left, replacing
from keraslite.saving.errors import damaged, refused
from keraslite.saving.hdf5 import StoredArray, open_weights, write_variables
from keraslite.saving.tree import Tree, leaves, tree_of
from keraslite.saving.walk import walk
from keraslite.saving.weights import assign_weights, own_store

_ENDING, _PART = ".weights.json", ".weights.h5"
_LIMIT = 32 * 2**20


def index_of(path: str) -> str:
    """The path of the index for `x.weights.h5` and `x.weights.json`."""
    return path.removesuffix(_PART).removesuffix(_ENDING) + _ENDING


def write_shards(model: Any, path: str, max_shard_size: float) -> None:
    """Write the variables of a model to files of at most `max_shard_size` GB and their index.

    Raises:
        ValueError: for a limit that one variable exceeds.
        OSError: if a file cannot be written; the old ones were kept.
    """
    limit = float(max_shard_size) * 2**30
    index = Path(index_of(path))
    base = index.name.removesuffix(_ENDING)
    shards: list[dict[str, dict[str, Any]]] = [{}]
    places: dict[str, list[str]] = {}
    filled = total = 0
    for where, saveable in walk(model):
        group = f"{where}/vars".lstrip("/")
        for key, value in leaves(own_store(saveable)):
            kind = dtypes.numpy_dtype(dtypes.standardize_dtype(value.dtype))
            size = math.prod(value.shape) * kind.itemsize
            if size > limit:
                raise ValueError(
                    f"`max_shard_size` ({limit:,.0f} bytes) is less than variable {key!r} of "
                    f"{short(where or 'the model', 120)!r} takes ({size:,} bytes)."
                )
            if filled + size > limit:
                shards.append({})
                filled = 0
            shards[-1].setdefault(group, {})[key] = value
            filled += size
            total += size
            used = places.setdefault(f"/{group}", [])
            name = _part(base, len(shards) - 1)
            if name not in used:
                used.append(name)
    staged = f".{base}-{secrets.token_hex(4)}"
    try:
        for number, groups in enumerate(shards):
            part = index.with_name(_part(staged, number))
            with replacing(part, sealed=True) as file, h5py.File(file, "w") as root:
                for group, values in groups.items():
                    write_variables(root.create_group(group), values)
        metadata = {"total_size": total, "staged": staged, "seal": seal.BLANK}
        with replacing(index, sealed=True) as file:
            text = json.dumps({"metadata": metadata, "weight_map": places}, indent=4)
            file.write(text.encode())
    except BaseException:
        for left in index.parent.glob(f"{glob.escape(staged)}_*{_PART}"):
            left.unlink(missing_ok=True)
        raise
    for number in range(len(shards)):
        os.replace(index.with_name(_part(staged, number)), index.with_name(_part(base, number)))
    _clear(index, base, len(shards))


def _part(base: str, number: int) -> str:
    return f"{base}_{number:05d}{_PART}"


def _clear(index: Path, base: str, count: int) -> None:
    """Delete the parts of saves before: those with a higher number, and staged ones."""
    here = index.parent
    for number in itertools.count(count):
        left = here / _part(base, number)
        if not left.exists():
            break
        left.unlink()
    for left in here.glob(f".{glob.escape(base)}-????????_?????{_PART}"):
        left.unlink(missing_ok=True)
    remove_left(here, f"..{glob.escape(base)}-????????_?????{_PART}")


def _listed(names: Any) -> list[Any]:
    return names if isinstance(names, list) else [names]


def _is_plain(name: Any) -> bool:
    """Whether it is the name of a file beside the index, on any system."""
    plain = isinstance(name, str) and PureWindowsPath(name).name == name and "\0" not in name
    return plain and name.endswith(_PART)


@contextlib.contextmanager
def open_shards(path: str) -> Iterator[Tree]:
    """The checked arrays of all files of an index, each read when it is needed.

    Raises:
        FileNotFoundError: names the file that is missing.
        UnsafeModelError: for an index that names files elsewhere.
        DamagedFileError: for one that is no index.
    """
    index = Path(index_of(path))
    if not index.exists():
        raise FileNotFoundError(f"There is no file {str(index)!r}.")
    if index.stat().st_size > _LIMIT:
        raise refused(str(index), f"it has more than {_LIMIT:,} bytes")
    with open(index, "rb") as file:
        seal.check(file, str(index))
    content = checked_json(index.read_bytes(), str(index), "the index")
    places = content.get("weight_map") if isinstance(content, dict) else None
    if not isinstance(places, dict):
        raise damaged(str(index), "it has no 'weight_map'")
    names = sorted({str(n) for value in places.values() for n in _listed(value)})
    for name in names:
        if not _is_plain(name):
            raise refused(str(index), f"it names the file {short(name, 120)!r}")
    staged = (content.get("metadata") or {}).get("staged")
    base = index.name.removesuffix(_ENDING)
    if staged is not None and not re.fullmatch(rf"\.{re.escape(base)}-[0-9a-f]{{8}}", str(staged)):
        raise refused(str(index), f"it names the files {short(str(staged), 120)!r}")
    with contextlib.ExitStack() as stack:
        tree = Tree()
        for name in names:
            # A part that a crash kept from its place is still where it began.
            first = index.with_name(f"{staged}_{name.rpartition('_')[2]}")
            where = str(first if staged and first.exists() else index.with_name(name))
            if os.path.exists(where) and not os.path.isfile(where):
                raise refused(str(index), f"{short(name, 120)!r} is no file")
            root = stack.enter_context(open_weights(where, where))
            make = functools.partial(StoredArray, path=where, source=root.source)
            try:
                tree_of(root, make, tree)
            except KeyError as error:
                raise damaged(where, f"{error} is in two files") from error
        yield tree


def read_shards(model: Any, path: str, skip_mismatch: bool = False) -> None:
    """Assign the variables of a model from the files of an index."""
    with open_shards(path) as tree:
        assign_weights(model, tree, path, skip_mismatch)
