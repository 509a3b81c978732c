"""`python -m keraslite inspect FILE`: what is in a saved file, and whether it is whole.

Reads every array once and checks it where the file has checksums; makes no model.
"""

from __future__ import annotations

import json
import math
import os
import zipfile
from collections.abc import Iterator
from typing import Any

import numpy as np

from keraslite.core.errors import printable, short
from keraslite.saving.contents import open_contents
from keraslite.saving.errors import loading
from keraslite.saving.folder import FolderReader

_INDENTED = 2**18


def inspect_file(path: str, show_config: bool = False) -> list[str]:
    """Lines that describe a file.

    Args:
        path: of the file.
        show_config: with the whole configuration as JSON.

    Raises:
        FileNotFoundError: if there is no file.
        ValueError: if it is damaged or unsafe.
    """
    if not os.path.exists(path):
        raise FileNotFoundError(f"There is no file {path!r}.")
    with loading(path), open_contents(path) as found:
        lines = [f"{path}: {found.kind}, {_size(path):,} bytes"]
        lines += [f"  {key}: {short(str(v), 120)}" for key, v in sorted(found.metadata.items())]
        if found.config is not None:
            lines += [f"  {line}" for line in _model_lines(found.config)]
            if show_config:
                lines += _config_lines(found.config)
        total = count = 0
        for name, array in found.weights.arrays():
            np.asarray(array)  # verifies its checksum
            count += math.prod(array.shape)
            size = math.prod(array.shape) * np.dtype(array.dtype).itemsize
            total += size
            lines.append(f"  {name}  {tuple(array.shape)}  {array.dtype}  {size:,} bytes")
        lines.append(f"  {count:,} numbers, {total:,} bytes")
        if os.path.isdir(path):
            with FolderReader(path) as members:
                lines += [
                    f"  {name}: {len(members.read(name)):,} bytes" for name in members.names()
                ]
        elif path.endswith(".keras"):
            lines += _check_members(path)
    return [printable(line) for line in (*lines, "  whole: every part was read")]


def _config_lines(config: Any) -> list[str]:
    """As JSON; in one line where indents would take far more room than the values."""
    text = json.dumps(config)
    return json.dumps(config, indent=2).splitlines() if len(text) < _INDENTED else [text]


def _size(path: str) -> int:
    """Of a file, or of all in a folder."""
    if not os.path.isdir(path):
        return os.path.getsize(path)
    return sum(os.path.getsize(f"{where}/{n}") for where, _, names in os.walk(path) for n in names)


def _check_members(path: str) -> Iterator[str]:
    with zipfile.ZipFile(path) as archive:
        broken = archive.testzip()
        if broken is not None:
            raise ValueError(f"its member {short(broken, 120)!r} is damaged")
        for member in archive.infolist():
            yield f"  member {member.filename}: {member.file_size:,} bytes"


def _model_lines(config: Any) -> Iterator[str]:
    if not isinstance(config, dict):
        yield f"config: {short(str(config), 120)}"
        return
    inner = config.get("config")
    name = inner.get("name") if isinstance(inner, dict) else None
    yield f"model: {short(str(config.get('class_name')), 80)} {short(str(name), 80)!r}"
    layers = inner if isinstance(inner, list) else (inner or {}).get("layers")
    for layer in layers if isinstance(layers, list) else ():
        given = layer.get("config") if isinstance(layer, dict) else None
        title = given.get("name") if isinstance(given, dict) else None
        kind = layer.get("class_name") if isinstance(layer, dict) else layer
        yield f"  {short(str(kind), 60)} {short(str(title), 60)!r}"
    optimizer = (config.get("compile_config") or {}).get("optimizer")
    if isinstance(optimizer, dict):
        yield f"optimizer: {short(str(optimizer.get('class_name')), 60)}"


def main(arguments: list[str]) -> int:
    """The command; 0 for files that are whole, 1 for damaged ones, 2 for wrong arguments."""
    paths = [a for a in arguments if not a.startswith("-")]
    if not paths or set(arguments) - {*paths, "--config"}:
        print("usage: python -m keraslite inspect [--config] FILE...")
        return 2
    status = 0
    for path in paths:
        try:
            print("\n".join(inspect_file(path, "--config" in arguments)))
        except (OSError, ValueError) as error:
            print(f"{path}: {type(error).__name__}: {error}")
            status = 1
    return status
