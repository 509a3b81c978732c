"""Values that nobody means: looked for in arrays on the host, before steps run on them."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from keraslite import activations
from keraslite.backend import engine
from keraslite.core import tree
from keraslite.core.function import Function
from keraslite.layers import Embedding, ReversibleEmbedding, Softmax
from keraslite.layers.bounds import host_array
from keraslite.training.compiled_loss import ACTIVATIONS
from keraslite.training.data import unpack_x_y_sample_weight
from keraslite.training.outputs import output_items

#: Above it, not every integer is a float32.
_EXACT = 2**24

Check = Callable[..., None]


def value_checks(model: Any) -> Check:
    """`check(batch)` that raises for labels and indices out of range, in arrays on the host.

    `check(data, True)` looks at tensors on other devices too, which takes waiting. Which
    arrays hold labels and indices is found once, so that checking a batch costs little.
    """
    graph, loss = _graph(model), model._compile_loss
    known = model._functions.get("checks")
    if known is not None and known[0] is graph:
        return known[1]
    found = [] if graph is None else list(_lookups(graph))
    # Numbers may be vectors that go back through the table.
    lookups = [(i, layer) for i, layer in found if not isinstance(layer, ReversibleEmbedding)]

    def check(batch: Any, waits: bool = False) -> None:
        x, y, _ = unpack_x_y_sample_weight(batch)
        if lookups:
            entries = _entries(graph, x)
            for i, layer in lookups:
                indices = host_array(entries[i], waits)
                if indices is not None and indices.dtype.kind in "iuf":
                    layer.check_indices(indices)
        if loss is not None and loss.classes and y is not None:
            loss.check_labels(y, waits)

    model._functions["checks"] = graph, check
    return check


def checked_before(model: Any) -> list[Any]:
    """Layers and the loss whose numbers `value_checks` looks at, whatever the data are."""
    if not engine.devices()[0].startswith("cpu"):
        return []
    graph = _graph(model)
    found = [] if graph is None else [layer for _, layer in _lookups(graph)]
    # One that is called twice may get computed indices too.
    return [model._compile_loss, *(layer for layer in found if len(layer._inbound_nodes) == 1)]


def _graph(model: Any) -> Any:
    graph = getattr(model, "_functional", None) or model
    return graph if isinstance(graph, Function) else None


def _entries(graph: Any, x: Any) -> list[Any]:
    """What goes to the entries of a graph."""
    try:
        return graph._match(x)
    except ValueError:
        # Not the inputs of the model: a step of the user's own may take any data.
        return [None] * len(graph.inputs)


def _lookups(graph: Any) -> Iterator[tuple[int, Any]]:
    """Places of entries that are indices, and the `Embedding` that they go to."""
    places = {id(x): i for i, x in enumerate(graph.inputs)}
    for node in graph._graph.nodes:
        for place, tensor in enumerate(node.input_tensors):
            if id(tensor) not in places:
                continue
            if isinstance(node.operation, Embedding):
                yield places[id(tensor)], node.operation
            elif (inner := _graph(node.operation)) is not None:
                for there, layer in _lookups(inner):
                    if there == place:
                        yield places[id(tensor)], layer


def warn_of_values(model: Any, data: Any) -> None:
    """Warn of NaN, and of integers that floats round, in arrays of NumPy."""
    x, y, _ = unpack_x_y_sample_weight(data)
    given = [("x", x)]
    if model._compile_loss is not None and model._compile_loss.is_built_in:
        given.append(("y", y))
    for name, part in given:
        for path, leaf in tree.flatten_with_path(part):
            if isinstance(leaf, np.ndarray) and leaf.size and leaf.dtype.kind == "f":
                _warn_of_nan(name + "".join(f"[{key!r}]" for key in path), leaf)
    graph = _graph(model)
    if graph is not None:
        indices = {i for i, _ in _lookups(graph)}
        for i, (leaf, entry) in enumerate(zip(_entries(graph, x), graph.inputs, strict=True)):
            if entry.dtype == "float32" and i not in indices:
                _warn_of_rounding(entry.name, leaf)


def _warn_of_nan(name: str, x: np.ndarray) -> None:
    # A minimum is NaN where one element is; it needs no memory, unlike `isnan`.
    if not np.isnan(x.min()):
        return
    row = next(i for i, values in enumerate(x) if np.isnan(values).any())
    warnings.warn(
        f"`{name}` holds NaN, first in row {row} of {len(x)}: expected numbers. Received: "
        f"{name} of shape {x.shape}. The loss and all weights become NaN. Leave such rows out, or "
        "replace the values (`np.nan_to_num`).",
        stacklevel=3,
    )


def _warn_of_rounding(name: str, x: Any) -> None:
    if not isinstance(x, np.ndarray) or x.dtype.kind not in "iu" or x.itemsize < 4 or not x.size:
        return
    largest = max(int(x.max()), -int(x.min()))
    if largest > _EXACT:
        warnings.warn(
            f"Input {name!r} is computed in float32, which holds integers exactly up to {_EXACT} "
            f"only. Received: {x.dtype} up to {largest}. Rescale the values, or make them indices "
            "(`keras.layers.Hashing`, `IntegerLookup`) with `keras.Input(..., dtype='int32')`.",
            stacklevel=3,
        )


def warn_of_outputs(model: Any) -> None:
    """Warn of last layers whose activation does not suit the loss."""
    graph = _graph(model)
    if graph is None:
        return
    names = model.output_names if graph is model else None
    for name, output in output_items(graph._outputs_struct, names).items():
        layer = output._keras_history.operation
        activation = getattr(layer, "activation", None)
        if output.shape[-1:] == (1,) and (
            activation is activations.softmax or isinstance(layer, Softmax)
        ):
            warnings.warn(
                f"Layer {layer.name!r} ends in a softmax over one unit, which is always 1: "
                f"expected two units or more. Received: outputs of shape {output.shape}. Use "
                "`activation='sigmoid'`.",
                stacklevel=3,
            )
        loss = model._compile_loss.of_output(name)
        wanted = ACTIVATIONS.get(getattr(loss, "fn", None))  # type: ignore[arg-type]
        if wanted and activation is activations.linear and not getattr(loss, "from_logits", False):
            warnings.warn(
                f"The loss {loss.name!r} expects probabilities. Received: the logits of layer "
                f"{layer.name!r}, which has no activation. Make the loss with "
                f"`from_logits=True`, or the layer with `activation={wanted!r}`.",
                stacklevel=3,
            )


def warn_of_loss(loss: Any, epoch: int) -> bool:
    """Warn of a loss that is no number any more; returns whether it is none."""
    wrong = isinstance(loss, float) and not math.isfinite(loss)
    if wrong:
        warnings.warn(
            f"The loss is {loss} after epoch {epoch + 1}: expected a finite number. Use a smaller "
            "learning rate, or `clipnorm` of the optimizer. `keras.config.set_debug_nans(True)` "
            "names the first bad step and its layer, and `TerminateOnNaN` stops there.",
            stacklevel=3,
        )
    return wrong
