"""`Operation`: a named thing that can be called on tensors and recorded in a graph."""

from __future__ import annotations

from typing import Any

from keraslite.core import inference
from keraslite.core.configurable import Configurable
from keraslite.core.graph import Node
from keraslite.core.keras_tensor import any_symbolic
from keraslite.core.naming import auto_name, to_snake_case
from keraslite.core.scopes import SymbolicScope


class Operation(Configurable):
    """Base class of layers and of recorded calls of ops.

    Subclasses define `call`; shapes and dtypes of results come from tracing it, unless
    the subclass defines `compute_output_spec`.

    Example:
        >>> class Double(keras.Operation):
        ...     def call(self, x):
        ...         return x * 2
        >>> Double()(keras.KerasTensor((None, 3))).shape
        (None, 3)
    """

    def __init__(self, name: str | None = None) -> None:
        if name is None:
            name = auto_name(to_snake_case(type(self).__name__))
        if not isinstance(name, str) or "/" in name:
            raise ValueError(f"`name` must be a string without '/'. Received: {name!r}")
        self.name = name
        self._inbound_nodes: list[Node] = []
        self._outbound_nodes: list[Node] = []

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if any_symbolic(args, kwargs):
            return self.symbolic_call(*args, **kwargs)
        return self.call(*args, **kwargs)

    def call(self, *args: Any, **kwargs: Any) -> Any:
        """What the operation computes."""
        raise NotImplementedError(f"{type(self).__name__} must define `call`.")

    def compute_output_spec(self, *args: Any, **kwargs: Any) -> Any:
        """`KerasTensor`s with the shapes and dtypes that `call` gives."""
        return inference.trace(self.call, args, kwargs)

    def symbolic_call(self, *args: Any, **kwargs: Any) -> Any:
        """Call on `KerasTensor`s and record the call in the graph."""
        outputs = self.compute_output_spec(*args, **kwargs)
        if SymbolicScope.current.get() is None:
            Node(self, args, kwargs, outputs)
        return outputs

    def rematerialized_call(self, layer_call: Any, *args: Any, **kwargs: Any) -> Any:
        """A version of `layer_call` that recomputes its activations in the backward pass."""
        from keraslite.core.remat import rematerialize_by_scope

        return rematerialize_by_scope(self, layer_call, args, kwargs)

    def quantized_call(self, *args: Any, **kwargs: Any) -> Any:
        """What the operation computes when quantized."""
        raise NotImplementedError(f"{type(self).__name__} has no quantized form.")

    def _first_node(self, what: str) -> Node:
        if not self._inbound_nodes:
            raise AttributeError(
                f"{type(self).__name__} {self.name!r} has no `{what}`: it was never called on "
                "a symbolic tensor (`keras.Input`)."
            )
        return self._inbound_nodes[0]

    @property
    def input(self) -> Any:
        """The symbolic input of the first call."""
        node = self._first_node("input")
        tensors = node.input_tensors
        if len(node.args) == 1 and not node.kwargs:
            return node.args[0]
        return tensors[0] if len(tensors) == 1 else list(tensors)

    @property
    def output(self) -> Any:
        """The symbolic output of the first call."""
        return self._first_node("output").output_tree
