"""Weights of `Embedding` layers for TensorBoard's projector."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np

from keraslite.core.errors import nearest
from keraslite.layers import Embedding
from keraslite.saving.commit import replacing


def _embeddings(model: Any) -> dict[str, Any]:
    return {x.name: x for x in model._flatten_layers() if isinstance(x, Embedding)}


def _file_of(layer: Any) -> str:
    return f"{layer.path.replace('/', '_')}.tsv"


def configure(directory: Path, model: Any, metadata: Any) -> None:
    """Tell the projector of the files that `write` writes.

    Args:
        directory: of a run.
        model: has the layers.
        metadata: file with the names of the rows, or such files by the names of the layers.

    Raises:
        ValueError: if one of those names is no `Embedding` layer.
    """
    layers = _embeddings(model)
    named = metadata if isinstance(metadata, dict) else dict.fromkeys(layers, metadata)
    for name in named:
        if name not in layers:
            raise ValueError(
                "TensorBoard: `embeddings_metadata` must name `Embedding` layers of the model: "
                f"{list(layers)}.{nearest(name, layers)} Received: {name!r}"
            )
    text = ""
    for name, layer in layers.items():
        fields = {"tensor_name": f"{layer.path}/embeddings", "tensor_path": _file_of(layer)}
        if named.get(name) is not None:
            fields["metadata_path"] = os.fspath(named[name])
        lines = "".join(f'  {key}: "{value}"\n' for key, value in fields.items())
        text += f"embeddings {{\n{lines}}}\n"
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "projector_config.pbtxt").write_text(text)


def write(directory: Path, model: Any) -> None:
    """Write the weights as they are now, one row a line."""
    for layer in _embeddings(model).values():
        with replacing(directory / _file_of(layer)) as file:
            np.savetxt(file, layer.embeddings.numpy().astype("float32"), "%.9g", "\t")
