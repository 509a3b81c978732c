"""Functional models as configs: their layers, and how these are connected."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

from keraslite.core import tree
from keraslite.core.budget import WorkBudget
from keraslite.core.errors import UnsafeModelError, short
from keraslite.core.graph import Node
from keraslite.core.keras_tensor import KerasTensor
from keraslite.core.op import OpCall
from keraslite.core.op_entries import op_arguments, op_entry
from keraslite.core.serialization import (
    deserialize_keras_object,
    deserialize_value,
    serialize_keras_object,
    serialize_value,
)
from keraslite.layers.input_layer import InputLayer
from keraslite.layers.layer import Layer

if TYPE_CHECKING:
    from keraslite.models.functional import Functional


def functional_config(model: Functional) -> dict[str, Any]:
    """The config of a functional model, in Keras's form."""
    in_graph = {id(node) for node in model._graph.nodes}
    entries = {id(x._keras_history.operation) for x in model.inputs}
    # A layer may have been called in other models too: count the calls in this one.
    numbers: dict[tuple[int, int], int] = {}
    calls: dict[int, list[Node]] = {}
    for operation in model._operations:
        nodes = [
            node
            for node in operation._inbound_nodes
            if id(node) in in_graph or (id(operation) in entries and node.is_input)
        ]
        calls[id(operation)] = nodes
        for number, node in enumerate(nodes):
            numbers[id(operation), node.index] = number

    def address(tensor: KerasTensor) -> list[Any]:
        operation, node_index, tensor_index = tensor._keras_history  # type: ignore[attr-defined]
        return [operation.name, numbers[id(operation), node_index], tensor_index]

    def leaf(value: Any) -> Any:
        if isinstance(value, KerasTensor):
            form = serialize_value(value)
            form["config"]["keras_history"] = address(value)
            return form
        return None

    def call(node: Node) -> dict[str, Any]:
        args, kwargs = op_arguments(node)
        placed = tree.traverse(leaf, (list(args), kwargs))
        return {
            "args": [serialize_value(a) for a in placed[0]],
            "kwargs": {key: serialize_value(value) for key, value in placed[1].items()},
        }

    layers = []
    for operation in model._operations:
        entry = (
            op_entry(operation)
            if isinstance(operation, OpCall)
            else serialize_keras_object(operation)
        )
        entry["name"] = operation.name
        entry["inbound_nodes"] = [
            call(node) for node in calls[id(operation)] if not isinstance(operation, InputLayer)
        ]
        layers.append(entry)
    return {
        "name": model.name,
        "trainable": model.trainable,
        "layers": layers,
        "input_layers": tree.map_structure(address, model._inputs_struct),
        "output_layers": tree.map_structure(address, model._outputs_struct),
    }


class _Builder:
    """Calls the layers of a config on one another."""

    def __init__(self, config: dict[str, Any]) -> None:
        self.made: dict[tuple[str, int], list[KerasTensor]] = {}
        self.layers: dict[str, Any] = {}
        self.waiting: list[tuple[str, int, dict[str, Any]]] = []
        for entry in config["layers"]:
            self._create(entry)

    def _create(self, entry: dict[str, Any]) -> None:
        layer = deserialize_keras_object(
            {k: v for k, v in entry.items() if k not in ("name", "inbound_nodes")}
        )
        name = entry.get("name") or entry["config"]["name"]
        if isinstance(layer, Layer):
            layer.name = name
        self.layers[name] = layer
        if isinstance(layer, InputLayer):
            self.made[name, 0] = [layer.output]
        for number, call in enumerate(entry["inbound_nodes"]):
            if not isinstance(call, dict):
                raise ValueError(
                    f"The config of layer {name!r} is written by Keras 2. Such files are not "
                    "supported yet: load the file with Keras 3 and save it again."
                )
            self.waiting.append((name, number, call))

    def run(self) -> None:
        """Make calls as soon as their inputs exist, until all are made."""
        blocked: dict[int, int] = {}  # by its place: how many results a call waits for
        waiting: defaultdict[tuple[str, int], list[int]] = defaultdict(list)
        for place, (name, number, call) in enumerate(self.waiting):
            arguments, missing = self._arguments(call)
            if number and (name, number - 1) not in self.made:
                missing.add((name, number - 1))
            if missing:
                blocked[place] = len(missing)
                for key in missing:
                    waiting[key].append(place)
                continue
            self._make(name, number, arguments)
            ready = [(name, number)]
            while ready:
                for late in waiting.pop(ready.pop(), ()):
                    blocked[late] -= 1
                    if not blocked[late]:
                        del blocked[late]
                        name, number, call = self.waiting[late]
                        self._make(name, number, self._arguments(call)[0])
                        ready.append((name, number))
        if blocked:
            names = ", ".join(self.waiting[place][0] for place in blocked)
            raise ValueError(
                short(f"The config of the model is broken: no inputs for the layers {names}.")
            )

    def _arguments(self, call: dict[str, Any]) -> tuple[Any, set[tuple[str, int]]]:
        """Positional and named arguments with tensors, and which results are not there yet."""
        missing = set()

        def leaf(value: Any) -> Any:
            if isinstance(value, dict) and value.get("class_name") == "__keras_tensor__":
                address = value["config"]["keras_history"]
                found = self.tensor(address)
                if found is None:
                    missing.add((address[0], address[1]))
                    return tree.MAP_TO_NONE
                return found
            return None

        return tree.traverse(leaf, (list(call["args"]), dict(call["kwargs"]))), missing

    def _make(self, name: str, number: int, arguments: Any) -> None:
        args, kwargs = arguments
        args = [_value(a) for a in args]
        kwargs = {key: _value(a) for key, a in kwargs.items()}
        work = WorkBudget.current.get()
        if work is not None:
            work.earn()
        outputs = self.layers[name](*args, **kwargs)
        self.made[name, number] = [x for x in tree.flatten(outputs) if isinstance(x, KerasTensor)]

    def tensor(self, address: Any) -> KerasTensor | None:
        name, number, index = address
        if name not in self.layers:
            raise UnsafeModelError(
                short(f"The config of the model names a layer that it does not have: {name!r:.80}")
            )
        outputs = self.made.get((name, number))
        return None if outputs is None else outputs[index]

    def tensors(self, addresses: Any) -> Any:
        def leaf(value: Any) -> Any:
            if isinstance(value, (list, tuple)) and len(value) == 3 and isinstance(value[0], str):
                found = self.tensor(value)
                if found is None:
                    raise ValueError(f"The config of the model names a missing tensor: {value}")
                return found
            return None

        return tree.traverse(leaf, addresses)


def _value(x: Any) -> Any:
    """Everything but the tensors, which are in place already."""
    if isinstance(x, KerasTensor):
        return x
    if isinstance(x, (list, tuple)):
        return type(x)(_value(v) for v in x)
    if isinstance(x, dict) and "class_name" not in x:
        return {k: _value(v) for k, v in x.items()}
    return deserialize_value(x)


def functional_from_config(cls: type[Functional], config: dict[str, Any]) -> Functional:
    """A functional model made from what `functional_config` gave."""
    builder = _Builder(config)
    builder.run()
    inputs = builder.tensors(config["input_layers"])
    outputs = builder.tensors(config["output_layers"])
    model = cls(inputs, outputs, name=config.get("name"))
    if not config.get("trainable", True):
        model._trainable = False
    return model
