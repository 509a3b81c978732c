"""The graph of a functional model: nodes, and functions from tensors to tensors."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, NamedTuple

from keraslite.core import tree
from keraslite.core.budget import WorkBudget
from keraslite.core.keras_tensor import KerasTensor

if TYPE_CHECKING:
    from keraslite.core.operation import Operation

_work = WorkBudget.current.get


class KerasHistory(NamedTuple):
    """Where a symbolic tensor comes from."""

    operation: Operation
    node_index: int
    tensor_index: int


class Node:
    """One call of an operation on symbolic tensors.

    Attributes:
        operation: what was called.
        args, kwargs: with which arguments, symbolic tensors among them.
        output_tree: what it returned.
        input_tensors, outputs: the symbolic tensors in both, in tree order.
    """

    __slots__ = (
        "__weakref__",
        "args",
        "index",
        "input_tensors",
        "kwargs",
        "operation",
        "output_tree",
        "outputs",
    )

    def __init__(
        self, operation: Operation, args: tuple, kwargs: dict[str, Any], outputs: Any
    ) -> None:
        self.operation = operation
        self.args = args
        self.kwargs = kwargs
        self.output_tree = outputs
        if len(args) == 1 and not kwargs and isinstance(args[0], KerasTensor):
            self.input_tensors = [args[0]]
        else:
            leaves = tree.flatten((args, kwargs))
            self.input_tensors = [x for x in leaves if isinstance(x, KerasTensor)]
        self.outputs = (
            [outputs]
            if isinstance(outputs, KerasTensor)
            else [x for x in tree.flatten(outputs) if isinstance(x, KerasTensor)]
        )
        self.index = len(operation._inbound_nodes)
        operation._inbound_nodes.append(self)
        for i, tensor in enumerate(self.outputs):
            tensor._keras_history = KerasHistory(operation, self.index, i)  # type: ignore[attr-defined]
        for parent in self.parents:
            parent.operation._outbound_nodes.append(self)

    @property
    def parents(self) -> list[Node]:
        """The nodes that made the inputs; an input made by none has no parent."""
        found = []
        for tensor in self.input_tensors:
            node = node_of(tensor)
            if node is not None:
                found.append(node)
        return found

    @property
    def is_input(self) -> bool:
        return not self.input_tensors

    def __repr__(self) -> str:
        return f"<Node {self.operation.name}[{self.index}]>"


def node_of(tensor: KerasTensor) -> Node | None:
    """The node that made `tensor`."""
    history = getattr(tensor, "_keras_history", None)
    return None if history is None else history.operation._inbound_nodes[history.node_index]


def get_source_inputs(tensor: Any) -> list[KerasTensor]:
    """The inputs that a symbolic tensor, or several, depend on.

    Example:
        >>> a, b = keras.Input((3,)), keras.Input((3,))
        >>> keras.utils.get_source_inputs(keras.layers.Dense(2)(a) + b)  # [a, b]
    """
    found: list[KerasTensor] = []
    seen: set[int] = set()
    waiting = tree.flatten(tensor)[::-1]
    while waiting:
        tensor = waiting.pop()
        if id(tensor) in seen:
            continue
        seen.add(id(tensor))
        node = node_of(tensor)
        if node is None or node.is_input:
            found.append(tensor)
        else:
            waiting.extend(reversed(node.input_tensors))
    return found


def sort_nodes(inputs: Iterable[KerasTensor], outputs: Iterable[KerasTensor]) -> list[Node]:
    """All nodes between `inputs` and `outputs`, parents first; depth-first and iterative.

    Raises:
        ValueError: if an output depends on an input that is not among `inputs`.
    """
    given = {id(x) for x in inputs}
    ordered: list[Node] = []
    done: set[int] = set()
    # (node, whether its parents have been visited)
    stack: list[tuple[Node, bool]] = []
    for tensor in reversed(list(outputs)):
        node = node_of(tensor)
        if node is not None and id(tensor) not in given:
            stack.append((node, False))
        elif node is None and id(tensor) not in given:
            raise _disconnected(tensor)
    while stack:
        node, ready = stack.pop()
        if id(node) in done:
            continue
        if ready:
            done.add(id(node))
            ordered.append(node)
            continue
        if node.is_input:
            raise _disconnected(node.outputs[0])
        stack.append((node, True))
        for tensor in reversed(node.input_tensors):
            if id(tensor) in given:
                continue
            parent = node_of(tensor)
            if parent is None:
                raise _disconnected(tensor)
            stack.append((parent, False))
    return ordered


def _disconnected(tensor: KerasTensor) -> ValueError:
    return ValueError(
        f"The outputs depend on the input {tensor.name!r} of shape {tensor.shape}, which is not "
        "among the model's inputs. Add it to `inputs`, or leave out the outputs that need it."
    )


def _arguments(
    leaves: list[Any], where: list[tuple[int, int]], spec: Any, values: list[Any]
) -> Any:
    """The arguments of one call, with values in the places of tensors."""
    filled = list(leaves)
    for i, slot in where:
        filled[i] = values[slot]
    return tree.unflatten(spec, filled)


class _Step(NamedTuple):
    """One node, with slot numbers in the place of symbolic tensors."""

    operation: Operation
    single: int  # the slot of the only argument, or -1
    args: Callable[[list[Any]], tuple[tuple, dict[str, Any]]] | None
    output: int  # the slot of the only output, or -1
    outputs: list[int]


class Graph:
    """An executable plan: computes output tensors from input tensors."""

    def __init__(self, inputs: list[KerasTensor], outputs: Any) -> None:
        self.inputs = inputs
        leaves, self._output_spec = tree.split(outputs)
        self.nodes = sort_nodes(inputs, [x for x in leaves if isinstance(x, KerasTensor)])
        self._slots: dict[int, int] = {}
        for tensor in inputs:
            self._slots.setdefault(id(tensor), len(self._slots))
        self._input_slots = [self._slots[id(x)] for x in inputs]
        self.steps = [self._plan(node) for node in self.nodes]
        self._output_leaves = [
            self._slots[id(x)] if isinstance(x, KerasTensor) else None for x in leaves
        ]
        self._constants = leaves
        self._single_output = self._output_leaves[0] if isinstance(outputs, KerasTensor) else None

    def _plan(self, node: Node) -> _Step:
        outputs = [self._slots.setdefault(id(x), len(self._slots)) for x in node.outputs]
        args = node.args
        if len(args) == 1 and not node.kwargs and isinstance(args[0], KerasTensor):
            single, build = self._slots[id(args[0])], None
        else:
            single, build = -1, self._argument_builder(node)
        output = outputs[0] if isinstance(node.output_tree, KerasTensor) else -1
        return _Step(node.operation, single, build, output, outputs)

    def _argument_builder(self, node: Node) -> Callable[[list[Any]], Any]:
        leaves, spec = tree.split((node.args, node.kwargs))
        where = [
            (i, self._slots[id(leaf)])
            for i, leaf in enumerate(leaves)
            if isinstance(leaf, KerasTensor)
        ]
        return functools.partial(_arguments, leaves, where, spec)

    def run(
        self,
        tensors: Iterable[Any],
        operation_fn: Callable[[Operation], Callable[..., Any]] | None = None,
    ) -> Any:
        """The outputs for input `tensors`; `operation_fn` may replace what each node calls."""
        work = _work()
        if work is not None:
            work.spend(len(self.steps))
        values: list[Any] = [None] * len(self._slots)
        for slot, tensor in zip(self._input_slots, tensors, strict=True):
            values[slot] = tensor
        for operation, single, build, output, outputs in self.steps:
            fn = operation if operation_fn is None else operation_fn(operation)
            if build is None:
                result = fn(values[single])
            else:
                args, kwargs = build(values)
                result = fn(*args, **kwargs)
            if output >= 0:
                values[output] = result
            else:
                found = tree.flatten(result)
                if len(found) != len(outputs):
                    found = [x for x in found if x is not None]
                for slot, value in zip(outputs, found, strict=True):
                    values[slot] = value
        if self._single_output is not None:
            return values[self._single_output]
        return tree.unflatten(
            self._output_spec,
            [
                constant if slot is None else values[slot]
                for slot, constant in zip(self._output_leaves, self._constants, strict=True)
            ],
        )
