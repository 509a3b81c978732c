"""Calibration: the layers of a model see some data before their weights are quantized to fit it."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

import numpy as np

from keraslite import ops
from keraslite.core import tree
from keraslite.core.errors import describe
from keraslite.layers.layer import Layer
from keraslite.layers.quantization import QuantizableLayer
from keraslite.quantizers.configs import CalibratedConfig


def quantize_blocks(
    structure: Any, config: CalibratedConfig, wanted: Callable[[Layer], bool], type_check: bool
) -> None:
    """Quantize the layers in the blocks of a model, one block after the other.

    A block sees what the quantized blocks before it give.

    Args:
        structure: `{"pre_block_layers": [...], "sequential_blocks": [...]}`.
        config: how, and to what data.
        wanted: which of the layers.
        type_check: as in `quantize` of layers.

    Raises:
        ValueError: without data, or without blocks.
    """
    blocks = structure.get("sequential_blocks") if isinstance(structure, dict) else None
    if not blocks:
        raise ValueError(
            f"Quantization with {config.mode!r} goes block by block. Give the config a "
            "`quantization_layer_structure` with lists of layers under 'pre_block_layers' and "
            "'sequential_blocks', or define the model's `get_quantization_layer_structure`. "
            f"Received: {describe(structure)}"
        )
    samples = list(_samples(config))
    for layer in structure.get("pre_block_layers") or ():
        samples = _through(layer, samples)
    for block in blocks:
        layers = [
            layer
            for layer in block._flatten_layers()
            if isinstance(layer, QuantizableLayer)
            and config.mode in layer._modes
            and layer.quantization_mode is None
            and wanted(layer)
        ]
        with contextlib.ExitStack() as stack:
            for layer in layers:
                _watch(layer, stack)
            for x in samples:
                block(x)
        for layer in layers:
            try:
                # What the block leaves out stays as it is, and so do users' subclasses.
                if layer._seen is not None:
                    with contextlib.suppress(NotImplementedError):
                        layer.quantize(type_check=type_check, config=config)
            finally:
                layer._seen = None
        samples = _through(block, samples)


def _through(layer: Layer, samples: list[Any]) -> list[Any]:
    """The outputs of a layer, without what gradients would need."""
    return [tree.map_structure(ops.stop_gradient, layer(x)) for x in samples]


def _watch(layer: QuantizableLayer, stack: contextlib.ExitStack) -> None:
    """Have a layer note its inputs until the stack is closed."""
    call = layer.call

    def noting(inputs: Any, *args: Any, **kwargs: Any) -> Any:
        layer._note(inputs)
        return call(inputs, *args, **kwargs)

    layer.call = noting
    stack.callback(delattr, layer, "call")


def _samples(config: CalibratedConfig) -> Any:
    """Pieces `(1, sequence_length)` of the data, at equal distances."""
    data, length = config.dataset, config.sequence_length
    if data is None or isinstance(data, (str, bytes)):
        raise ValueError(
            f"{type(config).__name__}: `dataset` must be an iterable of texts or of tokens. "
            f"Received: {describe(data)}"
        )
    found = [np.ravel(ops.convert_to_numpy(_tokens(item, config))) for item in data]
    if not sum(x.size for x in found):
        raise ValueError(f"{type(config).__name__}: the `dataset` is empty.")
    stream = np.concatenate(found).astype("int32")
    stream = np.resize(stream, max(len(stream), length))
    for start in np.linspace(0, len(stream) - length, config.num_samples).astype(int):
        yield ops.convert_to_tensor(stream[None, start : start + length])


def _tokens(item: Any, config: CalibratedConfig) -> Any:
    tokenizer = config.tokenizer
    if tokenizer is not None:
        return getattr(tokenizer, "tokenize", tokenizer)(item)
    if isinstance(item, str):
        raise ValueError(
            f"{type(config).__name__}: texts need a `tokenizer`. Received: {describe(item)}"
        )
    return item
