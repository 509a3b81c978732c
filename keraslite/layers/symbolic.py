"""Layers on symbolic tensors: calls in a graph, and the shapes and dtypes of outputs."""

from __future__ import annotations

from typing import Any

from keraslite.core import inference, tree
from keraslite.core.graph import Node
from keraslite.core.keras_tensor import KerasTensor
from keraslite.core.scopes import StatelessScope, SymbolicScope
from keraslite.core.tree import map_shape_structure
from keraslite.layers.building import BuildableLayer
from keraslite.layers.call import call_signature


class SymbolicLayer(BuildableLayer):
    """Part of `Layer`: what it does with `KerasTensor`s."""

    #: Whether `call` is written with `ops` only, so that it runs on `KerasTensor`s.
    _ops_only = True

    def _symbolic(self, arguments: dict[str, Any], recorded: dict[str, Any]) -> Any:
        outputs = self._invoke(self.compute_output_spec, arguments)
        self.built = True
        if SymbolicScope.current.get() is None:
            first = self._call.first
            if first in recorded and next(iter(recorded)) == first:
                args: tuple = (recorded.pop(first),)
            else:
                args = ()
            if "args" in recorded:
                args = (*args, *recorded.pop("args"))
            recorded = {k: v for k, v in recorded.items() if v is not None}
            outputs = tree.map_structure(_own_tensor, outputs)
            Node(self, args, recorded, outputs)
        return outputs

    def symbolic_call(self, *args: Any, **kwargs: Any) -> Any:
        """Call on `KerasTensor`s and record the call in the graph."""
        return self._full_call(args, kwargs)

    def compute_output_spec(self, *args: Any, **kwargs: Any) -> Any:
        """`KerasTensor`s with the shapes and dtypes of the outputs."""
        if type(self).compute_output_shape is not SymbolicLayer.compute_output_shape:
            shapes = self._shapes_for_output(args, kwargs)
            output = self.compute_output_shape(**shapes)
            return map_shape_structure(
                lambda s: KerasTensor(s, self.compute_dtype, record_history=False), output
            )
        if self._ops_only:
            if not self.built and self._defines_build():
                with SymbolicScope():
                    return self(*args, **kwargs)
            with SymbolicScope(), StatelessScope():
                return self.call(*args, **kwargs)
        outputs = inference.trace(self.call, args, kwargs)
        # What the trace added to the losses has no value.
        self._clear_losses()
        return outputs

    def _shapes_for_output(self, args: tuple, kwargs: dict[str, Any]) -> dict[str, Any]:
        arguments = self._call.bind(args, kwargs)
        wanted = call_signature(type(self).compute_output_shape).parameters
        shapes = {
            name: tree.map_structure(lambda x: tuple(x.shape), value)
            for name, value in arguments.items()
            if any(isinstance(x, KerasTensor) for x in tree.flatten(value))
        }
        named = {f"{k}_shape": v for k, v in shapes.items() if f"{k}_shape" in wanted}
        if len(named) > 1 or len(wanted) != 1:
            return named
        return {wanted[0]: next(iter(shapes.values()))}

    def compute_output_shape(self, *args: Any, **kwargs: Any) -> Any:
        """The shape (or tree of shapes) of the outputs for input shapes."""
        specs = [map_shape_structure(self._spec_of, a) for a in args]
        names = {k.removesuffix("_shape"): v for k, v in kwargs.items()}
        if names and not args and set(names) - set(self._call.parameters):
            specs, names = [map_shape_structure(self._spec_of, v) for v in names.values()], {}
        named = {k: map_shape_structure(self._spec_of, v) for k, v in names.items()}
        with SymbolicScope():
            outputs = self(*specs, **named)
        return tree.map_structure(lambda x: x.shape, outputs)

    def _spec_of(self, shape: tuple) -> KerasTensor:
        return KerasTensor(shape, self.compute_dtype, record_history=False)


def _own_tensor(x: Any) -> Any:
    """An output that is an argument of the layer passed through gets a tensor of its own."""
    if isinstance(x, KerasTensor) and hasattr(x, "_keras_history"):
        return KerasTensor(x.shape, x.dtype, x.sparse, x.ragged)
    return x
