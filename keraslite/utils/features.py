"""What a feature space is made of: features, crosses of them, and their configs."""

from __future__ import annotations

from typing import Any

from keraslite import ops
from keraslite.core.errors import check_choice
from keraslite.core.registry import CustomObjectScope
from keraslite.core.serialization import deserialize_keras_object, serialize_keras_object
from keraslite.layers.data_layer import DataLayer

# The names that files of Keras have for the parts of a feature space.
_MODULE = "keras.src.layers.preprocessing.feature_space"


class TFDIdentity(DataLayer):
    """Passes a feature on, in the compute dtype."""

    def call(self, inputs: Any) -> Any:
        return ops.cast(inputs, self.compute_dtype)

    def compute_output_shape(self, input_shape: Any) -> Any:
        return tuple(input_shape)


class _Part:
    """Something that the config of a feature space describes."""

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return dict(vars(self))

    def described(self) -> dict[str, Any]:
        name = type(self).__name__
        return {
            "module": _MODULE,
            "class_name": name,
            "config": self.get_config(),
            "registered_name": name,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        """The part that a config describes."""
        return cls(**config)


class Cross(_Part):
    """Several features crossed into one: see `FeatureSpace.cross`."""

    def __init__(self, feature_names: Any, crossing_dim: int, output_mode: str = "one_hot") -> None:
        check_choice("FeatureSpace.cross: ", ("int", "one_hot"), output_mode=output_mode)
        self.feature_names = tuple(feature_names)
        self.crossing_dim = crossing_dim
        self.output_mode = output_mode

    @property
    def name(self) -> str:
        """The names of the features, joined."""
        return "_X_".join(self.feature_names)


class Feature(_Part):
    """One column: its dtype, the layer that prepares it, and the form it gets at the end."""

    def __init__(self, dtype: str, preprocessor: Any, output_mode: str) -> None:
        check_choice("FeatureSpace: ", ("int", "one_hot", "float"), output_mode=output_mode)
        self.dtype = dtype
        self.preprocessor = preprocessor
        self.output_mode = output_mode

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        preprocessor = serialize_keras_object(self.preprocessor)
        if type(self.preprocessor) is TFDIdentity:
            preprocessor.update(module=_MODULE, registered_name="TFDIdentity")
        return {**super().get_config(), "preprocessor": preprocessor}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Feature:
        """The feature that a config describes."""
        config = dict(config)
        with CustomObjectScope(PARTS):
            config["preprocessor"] = deserialize_keras_object(config["preprocessor"])
        return cls(**config)


#: What configs name.
PARTS = {"Cross": Cross, "Feature": Feature, "TFDIdentity": TFDIdentity}
