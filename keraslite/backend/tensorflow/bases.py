"""What TensorFlow's own tools need to see of a `Layer` and of a `Variable`."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from keraslite.backend import contract

_FUNCTIONS = (tf.types.experimental.PolymorphicFunction, tf.types.experimental.ConcreteFunction)


class VariableBase:
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


_tracking = tf.__internal__.tracking


class LayerBase(contract.LayerBase, _tracking.AutoTrackable):
    """Makes `tf.train.Checkpoint` and `tf.saved_model.save` find the variables of a layer."""

    def _engine_track(self, name: str, value: Any) -> None:
        child = value._storage if isinstance(value, VariableBase) else value
        self._track_trackable(child, name, overwrite=True)

    def _engine_untrack(self, name: str) -> None:
        self._delete_tracking(name)

    def _trackable_children(self, save_type: str = "checkpoint", **kwargs: Any) -> dict[str, Any]:
        # `AutoTrackable` itself would read every property to find functions.
        children = _tracking.Trackable._trackable_children(self, save_type, **kwargs)
        if save_type != "savedmodel":
            return children
        functions = {k: v for k, v in vars(self).items() if isinstance(v, _FUNCTIONS)}
        return {**children, **functions}
