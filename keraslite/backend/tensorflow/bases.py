"""What TensorFlow's own tools need to see of layers, variables and other state."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import tensorflow as tf

from keraslite.backend import contract

_FUNCTIONS = (tf.types.experimental.PolymorphicFunction, tf.types.experimental.ConcreteFunction)
_Trackable = tf.__internal__.tracking.Trackable


class VariableBase(contract.VariableBase):
    """Lets `tf` functions take a `Variable`, and a tape give the gradient for one."""

    value: Any
    _storage: tf.Variable
    #: By this, TensorFlow takes an object with a `handle` for a variable of its own.
    _should_act_as_resource_variable = True

    @property
    def handle(self) -> Any:
        """The resource behind the `tf.Variable`."""
        return self._storage.handle

    def __tf_tensor__(self, dtype: tf.DType | None = None, name: str | None = None) -> Any:
        return tf.convert_to_tensor(self.value, dtype, name=name)


class StateBase(_Trackable):
    """Lets `tf.train.Checkpoint` and `tf.saved_model.save` find the variables of an object."""

    def _contents(self) -> Iterator[tuple[str, Any]]:
        """`(name, object)`: its `variables`, or else its attributes."""
        if hasattr(self, "variables"):
            yield from ((f"variables_{i}", v) for i, v in enumerate(self.variables))
        else:
            yield from vars(self).items()

    def _trackable_children(self, save_type: str = "checkpoint", **kwargs: Any) -> dict[str, Any]:
        found = super()._trackable_children(save_type, **kwargs)
        for name, value in self._contents():
            child = value._storage if isinstance(value, VariableBase) else value
            if not isinstance(child, _Trackable):
                continue
            if save_type == "savedmodel" or not isinstance(child, _FUNCTIONS):
                found[name] = child
        return found

    def _lookup_dependency(self, name: str, cached_dependencies: Any = None) -> Any:
        return (cached_dependencies or self._trackable_children()).get(name)


class LayerBase(contract.LayerBase, StateBase):
    """A layer's children are what it tracks itself, and seeds, metrics and an optimizer."""

    def _contents(self) -> Iterator[tuple[str, Any]]:
        for name, value in vars(self).items():
            # Layers are left to `_tracked`: an attribute may refer to one of another owner.
            if isinstance(value, _Trackable) and not isinstance(value, LayerBase):
                yield name, value
        yield from self._tracked()
