"""`Function`: a callable made of recorded operations."""

from __future__ import annotations

from typing import Any

from keraslite.core import tree
from keraslite.core.graph import Graph
from keraslite.core.keras_tensor import KerasTensor
from keraslite.core.operation import Operation


class Function(Operation):
    """The computation from symbolic inputs to symbolic outputs.

    Args:
        inputs: tree of `KerasTensor`s, from `keras.Input` or intermediate ones.
        outputs: tree of `KerasTensor`s computed from them.
        name: of the function.

    Raises:
        ValueError: if an output depends on an input that is not given.

    Example:
        >>> a = keras.Input((3,))
        >>> f = keras.Function(a, keras.ops.sum(a * 2, axis=-1))
        >>> f(np.ones((2, 3)))  # 6, 6
    """

    def __init__(self, inputs: Any, outputs: Any, name: str | None = None) -> None:
        super().__init__(name=name)
        self._setup_graph(inputs, outputs)

    def _setup_graph(self, inputs: Any, outputs: Any) -> None:
        for what, found in (("inputs", inputs), ("outputs", outputs)):
            for leaf in tree.flatten(found):
                if not isinstance(leaf, KerasTensor):
                    raise ValueError(
                        f"`{what}` must hold symbolic tensors (from `keras.Input` or computed from "
                        f"one). Received: an object of type {type(leaf).__name__}"
                    )
        self._inputs_struct = inputs
        self._outputs_struct = outputs
        self._inputs = tree.flatten(inputs)
        self._outputs = tree.flatten(outputs)
        if not self._outputs:
            raise ValueError("`outputs` is empty.")
        seen = set()
        for tensor in self._inputs:
            if id(tensor) in seen:
                raise ValueError(f"The input {tensor.name!r} is given twice.")
            seen.add(id(tensor))
        self._graph = Graph(self._inputs, outputs)

    @property
    def inputs(self) -> list[KerasTensor]:
        """The symbolic inputs as a flat list."""
        return self._inputs

    @property
    def outputs(self) -> list[KerasTensor]:
        """The symbolic outputs as a flat list."""
        return self._outputs

    @property
    def operations(self) -> list[Operation]:
        """The operations in the order in which they run, each once."""
        return list(dict.fromkeys(node.operation for node in self._graph.nodes))

    def call(self, inputs: Any) -> Any:
        """Run the graph on a tree shaped like `inputs`."""
        return self._graph.run(self._flatten_inputs(inputs))

    def _flatten_inputs(self, inputs: Any) -> list[Any]:
        found = tree.flatten(inputs)
        if len(found) != len(self._inputs):
            raise ValueError(
                f"{type(self).__name__} {self.name!r} expects {len(self._inputs)} input(s). "
                f"Received: {len(found)}"
            )
        return found

    def compute_output_spec(self, inputs: Any) -> Any:
        given = self._flatten_inputs(inputs)
        if all(x.shape == y.shape for x, y in zip(given, self._inputs, strict=True)):
            return tree.map_structure(
                lambda x: KerasTensor(x.shape, x.dtype, x.sparse, record_history=False),
                self._outputs_struct,
            )
        from keraslite.core.scopes import SymbolicScope

        with SymbolicScope():
            return self._graph.run(given)

    def compute_output_shape(self, input_shape: Any) -> Any:
        """The shapes of the outputs for a tree of input shapes."""
        from keraslite.core.tree import map_shape_structure

        specs = map_shape_structure(KerasTensor, input_shape)
        return tree.map_structure(lambda x: x.shape, self.compute_output_spec(specs))
