"""`Functional`: a model made of recorded calls."""

from __future__ import annotations

from typing import Any

import numpy as np

from keraslite import ops
from keraslite.backend import engine
from keraslite.core import tree
from keraslite.core.errors import describe, nearest, short
from keraslite.core.function import Function
from keraslite.core.graph import Node, node_of
from keraslite.core.keras_tensor import KerasTensor
from keraslite.core.operation import Operation
from keraslite.core.scopes import SymbolicScope
from keraslite.layers.call import call_signature
from keraslite.layers.input_layer import InputLayer
from keraslite.layers.layer import Layer
from keraslite.models.model import Model
from keraslite.training.trainer import Trainer


class Functional(Function, Model):
    """A model from symbolic inputs to symbolic outputs; made by `Model(inputs, outputs)`."""

    _not_tracked = frozenset(
        {"_graph", "_inputs_struct", "_outputs_struct", "_inputs", "_outputs", "_operations"}
    )

    # Entries have dtypes of their own: integer ids must not become floats.
    _casts_inputs = False
    #: Whether the sizes of its entries hold for all inputs.
    _fixed_sizes = True

    def __new__(cls, *args: Any, **kwargs: Any) -> Any:
        return Layer.__new__(cls, *args, **kwargs)

    def __init__(self, inputs: Any, outputs: Any, name: str | None = None, **kwargs: Any) -> None:
        self._init_graph(inputs, outputs, name=name, **kwargs)

    def _init_graph(
        self, inputs: Any, outputs: Any, name: str | None = None, **kwargs: Any
    ) -> None:
        Layer.__init__(self, name=name, **kwargs)
        Trainer.__init__(self)
        self._setup_graph(inputs, outputs)
        if not all(_is_entry(x) for x in self._inputs):
            self._enter_at_intermediate_tensors()
        self._operations = self._ordered_operations()
        _refuse_equal_names(self)
        self._call = _SIGNATURE
        self.built = True
        self.supports_masking = True

    def _enter_at_intermediate_tensors(self) -> None:
        """Inputs that are results inside a graph become entries of a copy of it."""
        entries = [
            x if _is_entry(x) else InputLayer(input_tensor=_detached(x), name=x.name).output
            for x in self._inputs
        ]
        outputs = self._graph.run(entries)
        self._setup_graph(tree.pack_sequence_as(self._inputs_struct, entries), outputs)

    def _ordered_operations(self) -> list[Operation]:
        """As Keras orders them: farthest from the outputs first, then as discovered.

        Files name layers by their place in this order.
        """
        nodes = {id(node): node for node in self._graph.nodes}
        entries = [node_of(x) for x in self._inputs]
        nodes.update({id(n): n for n in entries if n is not None})
        children: dict[int, list[Node]] = {key: [] for key in nodes}
        for node in nodes.values():
            for parent in node.parents:
                if id(parent) in children:
                    children[id(parent)].append(node)
        depth: dict[int, int] = {}
        for node in [*reversed(self._graph.nodes), *(n for n in entries if n is not None)]:
            below = [depth[id(c)] + 1 for c in children[id(node)] if id(c) in depth]
            depth[id(node)] = max(below, default=0)
        discovered: dict[int, int] = {}
        stack = [node_of(x) for x in reversed(self._outputs)]
        seen: set[int] = set()
        while stack:
            node = stack.pop()
            if node is None or id(node) in seen or id(node) not in nodes:
                continue
            seen.add(id(node))
            discovered.setdefault(id(node.operation), len(discovered))
            stack.extend(reversed(node.parents))
        deepest: dict[int, tuple[int, Operation]] = {}
        for key, node in nodes.items():
            operation = node.operation
            old = deepest.get(id(operation), (-1, operation))[0]
            deepest[id(operation)] = (max(old, depth[key]), operation)
        return [
            operation
            for _, operation in sorted(
                deepest.values(), key=lambda item: (-item[0], discovered.get(id(item[1]), -1))
            )
        ]

    def _direct_layers(self) -> list[Layer]:
        operations = vars(self).get("_operations", [])
        found = [x for x in operations if isinstance(x, Layer)]
        known = {id(x) for x in found}
        return found + [x for x in super()._direct_layers() if id(x) not in known]

    @property
    def layers(self) -> list[Layer]:
        """The layers of the graph, entries first."""
        return [x for x in self._operations if isinstance(x, Layer)]

    @property
    def operations(self) -> list[Operation]:
        return self._operations

    @property
    def input(self) -> Any:
        return self._inputs_struct

    @property
    def output(self) -> Any:
        return self._outputs_struct

    @property
    def input_shape(self) -> Any:
        """The shape of the only input, or the list of shapes of all."""
        return _only([x.shape for x in self._inputs])

    @property
    def output_shape(self) -> Any:
        """The shape of the only output, or the list of shapes of all."""
        return _only([x.shape for x in self._outputs])

    @property
    def input_names(self) -> list[str]:
        return [x.name for x in self._inputs]

    @property
    def output_names(self) -> list[str]:
        return [x._keras_history.operation.name for x in self._outputs]

    def call(self, inputs: Any, training: bool | None = None, mask: Any = None) -> Any:
        """Run the graph."""
        tensors = self._prepare_inputs(inputs)
        if mask is not None:
            for tensor, value in zip(tensors, tree.flatten(mask), strict=False):
                if value is not None and engine.is_tensor(tensor):
                    engine.set_mask(tensor, value)
        return _single(self._graph.run(tensors))

    def compute_output_spec(self, inputs: Any, training: Any = None, mask: Any = None) -> Any:
        outputs = Function.compute_output_spec(self, self._prepare_inputs(inputs))
        # Only in a graph that is being recorded, as in Keras, the list stays.
        return outputs if SymbolicScope.current.get() is None else _single(outputs)

    def compute_mask(self, inputs: Any, previous_mask: Any) -> Any:
        # The last layers attach the masks of the outputs themselves.
        return None

    def compute_output_shape(self, input_shape: Any) -> Any:
        return Function.compute_output_shape(self, input_shape)

    def _prepare_inputs(self, inputs: Any) -> list[Any]:
        """The values for the entries in order, brought to their rank and dtype."""
        if engine.is_tensor(inputs) and len(self._inputs) == 1:
            values = [inputs]
        else:
            values = self._match(inputs)
        return [self._fit(v, e) for v, e in zip(values, self._inputs, strict=True)]

    def _match(self, inputs: Any) -> list[Any]:
        """Inputs by key for dicts, by position otherwise; names what is missing."""
        if isinstance(inputs, dict):
            names = self.input_names
            if isinstance(self._inputs_struct, dict) and set(self._inputs_struct) <= set(inputs):
                return [inputs[key] for key in sorted(self._inputs_struct)]
            missing = [n for n in names if n not in inputs]
            if missing:
                optional = {x.name for x in self._inputs if _is_optional(x)}
                missing = [n for n in missing if n not in optional]
            if missing:
                hint = nearest(missing[0], map(str, inputs))
                expected = (
                    sorted(self._inputs_struct) if isinstance(self._inputs_struct, dict) else names
                )
                raise ValueError(
                    short(
                        f"Model {self.name!r} misses the input(s) {missing}.{hint} "
                        f"Expected keys: {expected}. Received: {sorted(map(str, inputs))}"
                    )
                )
            return [inputs.get(n) for n in names]
        if isinstance(self._inputs_struct, dict):
            raise ValueError(
                f"Model {self.name!r} expects a dict with the keys {sorted(self._inputs_struct)}. "
                f"Received: {describe(inputs)}"
            )
        return self._flatten_inputs(inputs)

    def _fit(self, value: Any, entry: KerasTensor) -> Any:
        if value is None:
            if _is_optional(entry):
                return None
            raise ValueError(f"Input {entry.name!r} of model {self.name!r} must not be None.")
        if isinstance(value, np.ndarray):  # of `model.call(array)`
            value = engine.convert(value)
        shape = tuple(value.shape)
        if len(shape) != len(entry.shape):
            adapted = _adapt_rank(value, shape, entry)
            if adapted is not None:
                return adapted
            hint = (
                " If the batch axis is missing, add it: `x[None]`."
                if len(shape) == len(entry.shape) - 1
                else ""
            )
            raise ValueError(
                f"Input {entry.name!r} of model {self.name!r}: expected shape={entry.shape}. "
                f"Received: shape={shape}.{hint}"
            )
        for given, expected in zip(shape[1:], entry.shape[1:], strict=True):
            if (
                self._fixed_sizes
                and given is not None
                and expected is not None
                and given != expected
            ):
                raise ValueError(
                    f"Input {entry.name!r} of model {self.name!r}: expected shape={entry.shape}. "
                    f"Received: shape={shape}"
                )
        given_dtype = value.dtype if isinstance(value, KerasTensor) else engine.dtype(value)
        if given_dtype != entry.dtype and given_dtype != "string":
            mask = engine.get_mask(value) if engine.is_tensor(value) else None
            value = ops.cast(value, entry.dtype)
            if mask is not None:
                engine.set_mask(value, mask)
        return value

    def get_config(self) -> dict[str, Any]:
        """Layers, their connections, and which tensors go in and out."""
        from keraslite.models.functional_config import functional_config

        if type(self).__init__ is not Functional.__init__:
            # A subclass with a constructor of its own is described by its arguments.
            return super().get_config()
        return functional_config(self)

    get_config._derived = True  # type: ignore[attr-defined]


_SIGNATURE = call_signature(Functional.call)


def _single(outputs: Any) -> Any:
    """`Model([x], [y])` gives a tensor, as in Keras."""
    is_one = isinstance(outputs, (list, tuple)) and len(outputs) == 1
    return outputs[0] if is_one else outputs


def _only(found: list[Any]) -> Any:
    return found[0] if len(found) == 1 else found


def _is_entry(tensor: KerasTensor) -> bool:
    history = getattr(tensor, "_keras_history", None)
    return history is not None and isinstance(history.operation, InputLayer)


def _is_optional(tensor: KerasTensor) -> bool:
    return getattr(tensor._keras_history.operation, "optional", False)


def _detached(tensor: KerasTensor) -> KerasTensor:
    return KerasTensor(tensor.shape, tensor.dtype, tensor.sparse, tensor.ragged, name=tensor.name)


def _adapt_rank(value: Any, shape: tuple, entry: KerasTensor) -> Any:
    """A last axis of size 1 may be missing or extra, as in Keras."""
    if len(shape) == len(entry.shape) + 1 and shape[-1] == 1:
        return ops.squeeze(value, axis=-1)
    if len(shape) == len(entry.shape) - 1 and entry.shape[-1] == 1:
        return ops.expand_dims(value, axis=-1)
    return None


def _refuse_equal_names(model: Functional) -> None:
    seen: dict[str, Operation] = {}
    for operation in model._operations:
        if operation.name in seen and isinstance(operation, Layer):
            raise ValueError(
                f"Model {model.name!r} has two layers named {operation.name!r}. "
                "Give one of them another `name`."
            )
        seen[operation.name] = operation


__all__ = ["Functional"]
