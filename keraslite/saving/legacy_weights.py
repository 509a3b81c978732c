"""Arrays of layers in old releases, brought into the layout that layers have now."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

_CONVOLUTIONS = ("Conv1D", "Conv2D", "Conv3D", "Conv2DTranspose", "SeparableConv2D")
#: Gates of Keras 1 in the order of now: where each begins among the arrays of a layer.
_GATES = {"LSTM": (0, 6, 3, 9), "GRU": (0, 3, 6)}


def converted(layer: Any, arrays: Sequence[Any], version: str, engine: str) -> list[Any]:
    """The arrays of one layer as Keras 3 would have written them.

    Args:
        layer: that they are for.
        arrays: in the order of the file.
        version: of the Keras that wrote them.
        engine: that it ran on; Theano turned the kernels of convolutions around.
    """
    kind = _kind(layer)
    found = list(arrays)
    if isinstance(getattr(layer, "layers", None), list):
        return _nested(layer, found, version, engine)
    if kind == "Bidirectional" and len(found) % 2 == 0:
        half = len(found) // 2
        return [
            *converted(layer.forward_layer, found[:half], version, engine),
            *converted(layer.backward_layer, found[half:], version, engine),
        ]
    if kind == "TimeDistributed":
        return converted(layer.layer, found, version, engine)
    if kind in _GATES:
        return _recurrent(kind, layer, found)
    if kind in _CONVOLUTIONS and found:
        if version.startswith("1"):
            found[0] = _kernel_of_keras_1(layer, np.asarray(found[0]))
        if engine == "theano":
            found[0] = np.flip(np.asarray(found[0]), range(layer.kernel.ndim - 2))
    return found


def _kind(layer: Any) -> str:
    names = [cls.__name__ for cls in type(layer).__mro__]
    wanted = ("Bidirectional", "TimeDistributed", *_GATES, *_CONVOLUTIONS)
    return next((n for n in names if n in wanted), names[0])


def _nested(model: Any, arrays: list[Any], version: str, engine: str) -> list[Any]:
    """Of a model inside: what each layer trains, one after the other, and then the rest."""
    found: list[Any] = []
    place = 0
    for layer in model.layers:
        end = place + _count(layer, version)
        found += converted(layer, arrays[place:end], version, engine)
        place = end
    return found + arrays[place:]


def _count(layer: Any, version: str) -> int:
    """How many trained arrays a file has for a layer."""
    kind = _kind(layer)
    if isinstance(getattr(layer, "layers", None), list):
        return sum(_count(inner, version) for inner in layer.layers)
    if kind == "Bidirectional":
        return _count(layer.forward_layer, version) + _count(layer.backward_layer, version)
    if kind == "TimeDistributed":
        return _count(layer.layer, version)
    if kind in _GATES and version.startswith("1"):
        return 3 * len(_GATES[kind])
    return len(layer.trainable_weights)


def _kernel_of_keras_1(layer: Any, kernel: np.ndarray) -> np.ndarray:
    """Filters came first with `dim_ordering="th"`, and a 1D kernel had an axis to spare."""
    if _kind(layer) == "Conv1D" and kernel.ndim == 4:
        kernel = kernel[:, 0] if kernel.shape[1] == 1 else kernel.transpose(2, 3, 1, 0)[:, 0]
    elif layer.data_format == "channels_first" and kernel.shape != tuple(layer.kernel.shape):
        kernel = np.moveaxis(kernel, (0, 1), (-1, -2))
    return kernel


def _recurrent(kind: str, layer: Any, arrays: list[Any]) -> list[Any]:
    gates = _GATES[kind]
    count = len(gates)
    if len(arrays) == 3 * count:  # Keras 1: each gate has its own arrays
        return [np.concatenate([np.asarray(arrays[g + i]) for g in gates], -1) for i in range(3)]
    units = getattr(layer, "units", None)
    bias = arrays[-1] if len(arrays) == 3 else None
    if bias is None or units is None or tuple(bias.shape) != (2 * count * units,):
        return arrays
    # cuDNN keeps each gate's matrix transposed, and two biases.
    kernels = []
    for array in map(np.asarray, arrays[:2]):
        parts = [p.reshape(p.shape[::-1]).T for p in np.split(array, count, axis=1)]
        kernels.append(np.concatenate(parts, axis=1))
    halves = np.asarray(bias).reshape(2, -1)
    return [*kernels, halves.sum(axis=0) if kind == "LSTM" else halves]
