"""`DataLayer`: what layers that prepare data have in common."""

from __future__ import annotations

from typing import Any

from keraslite import ops
from keraslite.backend import TensorSpec, engine
from keraslite.backend.foreign import (
    Unconverted,
    engine_of,
    foreign_engine,
    host_array,
    to_host,
)
from keraslite.core import tree
from keraslite.core.keras_tensor import KerasTensor
from keraslite.core.scopes import SymbolicScope
from keraslite.layers.layer import Layer


class DataLayer(Unconverted, Layer):
    """A layer that input pipelines call too, with the tensors of another framework.

    What it returns belongs to the framework that the arguments came from: in `map` of a
    `tf.data.Dataset` the layer takes and gives tensors of TensorFlow on every engine.
    """

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if not args or type(args[0]) not in engine.tensor_types:
            foreign = foreign_engine(tree.flatten((args, kwargs)))
            if foreign is not None:
                return self._call_from(foreign, args, kwargs)
        return super().__call__(*args, **kwargs)

    def _call_from(self, foreign: Any, args: tuple, kwargs: dict[str, Any]) -> Any:
        leaves, structure = tree.split((args, kwargs))
        places = [i for i, x in enumerate(leaves) if engine_of(x) is foreign]
        tensors = [leaves[i] for i in places]

        def call(values: list[Any]) -> Any:
            given = list(leaves)
            for i, value in zip(places, values, strict=True):
                given[i] = value
            positional, named = tree.unflatten(structure, given)
            return super(DataLayer, self).__call__(*positional, **named)

        if not foreign.is_tracing():
            outputs = call([foreign.to_numpy(x) for x in tensors])
            return tree.map_structure(lambda x: foreign.from_host(to_host(x)), outputs)
        with SymbolicScope():
            spec = call([KerasTensor(foreign.shape(x), foreign.dtype(x)) for x in tensors])
        found = foreign.on_host(
            lambda *arrays: [host_array(x) for x in tree.flatten(call(list(arrays)))],
            tensors,
            [TensorSpec(x.shape, x.dtype) for x in tree.flatten(spec)],
        )
        return tree.pack_sequence_as(spec, found)

    def convert_weight(self, weight: Any) -> Any:
        """A weight as a tensor of the engine that computes."""
        return ops.convert_to_tensor(weight)
