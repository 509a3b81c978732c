"""What is in a saved file of any format: metadata, configuration and arrays; makes no model."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from keraslite.saving.archive import CONFIG, METADATA, WEIGHTS, checked_json
from keraslite.saving.folder import HIDDEN, reader
from keraslite.saving.hdf5 import StoredArray, open_weights
from keraslite.saving.tree import Tree, tree_of


@dataclass
class Contents:
    """The parts of an open file.

    Attributes:
        kind: the format in words.
        metadata: who wrote it and when, as far as the file says.
        config: of the model; None for weights alone.
        weights: the arrays; read when they are used.
    """

    kind: str
    metadata: dict[str, Any] = field(default_factory=dict)
    config: Any = None
    weights: Tree = field(default_factory=Tree)


@contextlib.contextmanager
def open_contents(path: str) -> Iterator[Contents]:
    """The checked contents of a file that `save` or `save_weights` wrote, of any release.

    Raises:
        FileNotFoundError: if there is no file.
        ValueError: for a damaged or unsafe file, or another extension.
    """
    if path.endswith(".keras") or os.path.isdir(path):
        with reader(path) as archive, archive.member(WEIGHTS) as file:
            metadata = archive.read_json(METADATA) if METADATA in archive.names() else {}
            metadata = {k: v for k, v in metadata.items() if k not in HIDDEN}
            config = archive.read_json(CONFIG)
            with open_weights(file, path) as root:
                kind = "folder of a model" if os.path.isdir(path) else "Keras archive"
                yield Contents(kind, metadata, config, _tree(root, path))
    elif path.endswith(".weights.json"):
        from keraslite.saving.sharded import open_shards

        with open_shards(path) as tree:
            yield Contents("index of weights in several files", {}, None, tree)
    elif path.endswith(".safetensors"):
        from keraslite.saving.safetensors_file import read_header

        metadata, tensors = read_header(path)
        tree = Tree()
        for name, tensor in tensors.items():
            tree.put(name, tensor)
        text = metadata.get("config")
        config = None if text is None else checked_json(text, path, "config")
        hidden = ("config", "crc32", "digest")
        metadata = {k: v for k, v in metadata.items() if k not in hidden}
        yield Contents("safetensors", metadata, config, tree)
    elif path.endswith((".h5", ".hdf5")):
        with open_weights(path, path) as root:
            attrs = root.attrs
            metadata = {k: _text(attrs[k]) for k in ("keras_version", "backend") if k in attrs}
            found = attrs.get("model_config")
            config = None if found is None else checked_json(_text(found), path, "model_config")
            kind = "weights in HDF5" if path.endswith(".weights.h5") else "legacy HDF5"
            yield Contents(kind, metadata, config, _tree(root, path))
    else:
        raise ValueError(
            "Expected a path that ends in `.keras`, `.weights.h5`, `.weights.json`, `.safetensors` "
            f"or `.h5`. Received: filepath={path!r}"
        )


def _text(value: Any) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def _tree(root: Any, path: str) -> Tree:
    return tree_of(root, lambda item: StoredArray(item, path))
