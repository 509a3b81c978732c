"""Functions for XLA that are named by what they compute, so that equal ones are compiled once.

XLA keeps each program that it compiled, under the name of its function, as long as the process
lives; TensorFlow gives a new name to every trace. All that is private in TensorFlow and needed
for names of our own is used here.
"""

from __future__ import annotations

import functools
import hashlib
import weakref
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import tensorflow as tf
from tensorflow.python.eager import context, record
from tensorflow.python.framework import config, op_def_registry

from keraslite.backend.tensorflow import support as s
from keraslite.core import tree

_EAGER = tf.__internal__.EagerTensor
#: Operations with a state, all of it in resources that a function is given.
_STATE_GIVEN = frozenset(
    [
        "AssignAddVariableOp",
        "AssignSubVariableOp",
        "AssignVariableOp",
        "Case",
        "If",
        "ReadVariableOp",
        "StatefulPartitionedCall",
        "VarIsInitializedOp",
        "VariableShape",
        "While",
    ]
)
_STATE_GIVEN_PREFIXES = (
    "ResourceApply",
    "ResourceGather",
    "ResourceScatter",
    "ResourceSparseApply",
    "ResourceStridedSliceAssign",
)
#: Attributes that differ between equal graphs: names of the Python objects behind them.
_INCIDENTAL = (
    "_gradient_op_type",
    "_user_specified_name",
    "backward_function_name",
    "forward_function_name",
)
_ARGUMENT = "argument_"
_NOT_COMPILED = "tf2xla conversion failed"
_NEEDED = {
    context.Context: (
        "add_function_def",
        "call_function",
        "function_call_options",
        "get_function_def",
        "has_function",
        "remove_function",
    ),
    tf.__internal__.FuncGraph: ("deferred_external_captures", "function_captures"),
    config: ("is_op_determinism_enabled",),
    op_def_registry: ("get",),
    record: ("could_possibly_record",),
}
#: Whether this TensorFlow has what is needed; each trace is compiled for itself where not.
AVAILABLE = all(hasattr(place, name) for place, names in _NEEDED.items() for name in names)


class SharedFunction:
    """Calls a function for XLA, its graphs by names of their content where that is sound.

    Args:
        function: a `tf.function` of tensors and None.
    """

    def __init__(self, function: Any) -> None:
        self._function = function
        self._calls: dict[tuple[Any, ...], Callable[..., Any]] = {}
        self._traced: dict[Any, Callable[..., Any]] = {}

    def __call__(self, *leaves: Any) -> Any:
        if not _runs_as_it_is():
            return self._function(*leaves)
        key = tuple([None if x is None else (x.dtype, x.shape) for x in leaves])
        call = self._calls.get(key)
        if call is None:
            call = self._calls[key] = self._call(leaves)
        try:
            return call(*leaves)
        except tf.errors.OpError as error:
            if call is self._function or _NOT_COMPILED not in error.message:
                raise
        # Nothing has run yet. The original says at which lines its operations were made.
        return self._function(*leaves)

    def _call(self, leaves: Sequence[Any]) -> Callable[..., Any]:
        if not all(x is None or type(x) is _EAGER for x in leaves):
            return self._function
        # One trace may serve many shapes.
        traced = self._function.get_concrete_function(*leaves)
        if traced not in self._traced:
            self._traced[traced] = _Call.of(traced) or self._function
        return self._traced[traced]


def _runs_as_it_is() -> bool:
    """Whether a call is no part of a graph, and nobody wants its gradient or its Python code."""
    return (
        tf.executing_eagerly()
        and not tf.distribute.has_strategy()
        and not record.could_possibly_record()
        and not tf.config.functions_run_eagerly()
    )


class _Call:
    """A program with the variables and tensors that one trace captured."""

    def __init__(self, program: _Program, captures: list[Any], pack: Callable[..., Any]) -> None:
        self._program = program
        self._captures = captures
        self._pack = pack

    @classmethod
    def of(cls, traced: Any) -> _Call | None:
        """For a concrete function; None where its definition does not say all that it does."""
        graph = traced.graph
        if graph.deferred_external_captures or graph.function_captures.control:
            return None
        captures = traced.captured_inputs
        pack = _packing(traced.structured_outputs, graph.outputs)
        if pack is None or any(type(x) is not _EAGER for x in captures):
            return None
        content = _Content()
        name = content.name(traced.name)
        if name is None:
            return None
        return cls(_Program(name, content.definitions, len(graph.outputs)), captures, pack)

    def __call__(self, *leaves: Any) -> Any:
        given = [x for x in leaves if x is not None]
        return self._pack(self._program(given + self._captures))


def _packing(structured: Any, outputs: Sequence[Any]) -> Callable[..., Any] | None:
    """What makes `structured` of the values of `outputs`, if it has tensors and None only."""
    leaves, structure = tree.split(structured)
    positions = {id(x): i for i, x in enumerate(outputs)}
    if not all(x is None or type(x) in s.TENSORS and id(x) in positions for x in leaves):
        return None
    if any(x.dtype in (tf.resource, tf.variant) for x in outputs):
        return None
    chosen = [None if x is None else positions[id(x)] for x in leaves]

    def pack(values: Sequence[Any]) -> Any:
        return tree.unflatten(structure, [None if i is None else values[i] for i in chosen])

    return pack


class _Program:
    """A function that TensorFlow knows, with those that it calls, as long as this lives.

    TensorFlow counts how often it was told of the same one.
    """

    def __init__(self, name: str, definitions: Sequence[Any], outputs: int) -> None:
        self._name = name.encode()
        self._outputs = outputs
        self._context = context.context()
        names = [definition.signature.name for definition in definitions]
        for definition in definitions:
            self._context.add_function_def(definition)
        weakref.finalize(self, _remove, self._context, names).atexit = False

    def __call__(self, inputs: list[Any]) -> Sequence[Any]:
        return self._context.call_function(self._name, inputs, self._outputs)


def _remove(where: Any, names: Sequence[str]) -> None:
    for name in names:
        where.remove_function(name)


class _Content:
    """Definitions of functions under names of what they compute."""

    def __init__(self) -> None:
        self._context = context.context()
        self._names: dict[str, str | None] = {}
        #: Callees first.
        self.definitions: list[Any] = []

    def name(self, given: str) -> str | None:
        """The name here of a function that TensorFlow calls `given`; None if it cannot have one."""
        if given not in self._names:
            # None while this is looked for: a function that calls itself.
            self._names[given] = None
            if self._context.has_function(given):
                self._names[given] = self._add(self._context.get_function_def(given))
        return self._names[given]

    def _add(self, definition: Any) -> str | None:
        nodes = definition.node_def
        if any(not _is_explicit(node.op) or node.name.startswith(_ARGUMENT) for node in nodes):
            return None
        _forget_origin(definition)
        for callee in _callees(definition):
            name = self.name(callee.name)
            if name is None:
                return None
            callee.name = name
        definition.signature.name = ""
        content = _settings() + definition.SerializeToString(deterministic=True)
        definition.signature.name = f"keraslite_{hashlib.sha256(content).hexdigest()}"
        self.definitions.append(definition)
        return definition.signature.name


def _callees(definition: Any) -> Iterator[Any]:
    for node in definition.node_def:
        for value in node.attr.values():
            kind = value.WhichOneof("value")
            if kind == "func":
                yield value.func
            elif kind == "list":
                yield from value.list.func


def _forget_origin(definition: Any) -> None:
    """Remove what tells where and when a function was made: none of it is computed with.

    Arguments and results, which may be called after other functions, get numbers.
    """
    signature = definition.signature
    names = {x.name: f"{_ARGUMENT}{i}" for i, x in enumerate(signature.input_arg)}
    results = [definition.ret[x.name] for x in signature.output_arg]
    for argument in signature.input_arg:
        argument.name = names[argument.name]
    for node in definition.node_def:
        node.ClearField("experimental_debug_info")
        # Results of nodes have a colon, control inputs a caret.
        node.input[:] = [
            f"^{names.get(x[1:], x[1:])}" if x[0] == "^" else names.get(x, x) for x in node.input
        ]
    definition.ret.clear()
    for i, (output, result) in enumerate(zip(signature.output_arg, results, strict=True)):
        output.name = f"output_{i}"
        definition.ret[output.name] = names.get(result, result)
    for owner in (definition, *definition.arg_attr.values(), *definition.node_def):
        for incidental in _INCIDENTAL:
            owner.attr.pop(incidental, None)


@functools.cache
def _is_explicit(operation: str) -> bool:
    """Whether an operation depends on nothing but its inputs and attributes."""
    found = op_def_registry.get(operation)
    if found is None:
        return False
    # That one has what it computes from elsewhere: a registry of gradients.
    return operation != "SymbolicGradient" and (
        not found.is_stateful
        or operation in _STATE_GIVEN
        or operation.startswith(_STATE_GIVEN_PREFIXES)
    )


def _settings() -> bytes:
    """What else decides what is compiled."""
    return repr(
        (
            context.context().function_call_options.as_attrs(),
            config.is_op_determinism_enabled(),
            tf.config.experimental.tensor_float_32_execution_enabled(),
        )
    ).encode()
