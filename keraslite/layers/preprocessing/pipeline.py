"""`Pipeline`: layers one after the other, for data."""

from __future__ import annotations

from typing import Any

from keraslite.core.errors import describe
from keraslite.core.serialization import deserialize_keras_object, serialize_keras_object
from keraslite.layers.data_layer import DataLayer
from keraslite.layers.layer import Layer

__all__ = ["Pipeline"]


class Pipeline(DataLayer):
    """Layers one after the other; unlike a `Sequential` it is no model but prepares data.

    It computes as in training unless it is told otherwise.

    Args:
        layers: in their order.

    Example:
        >>> pipeline = keras.layers.Pipeline(
        ...     [keras.layers.Rescaling(1 / 255), keras.layers.RandomFlip()]
        ... )
        >>> dataset = dataset.map(lambda x, y: (pipeline(x), y))
    """

    def __init__(self, layers: Any, name: str | None = None, **kwargs: Any) -> None:
        super().__init__(name=name, **kwargs)
        self._pipeline = list(layers)
        for layer in self._pipeline:
            if not isinstance(layer, Layer):
                raise ValueError(f"Pipeline: `layers` must be layers. Received: {describe(layer)}")

    @property
    def layers(self) -> list[Any]:
        """The layers, in their order."""
        return self._pipeline

    def call(self, inputs: Any, training: bool = True, mask: Any = None) -> Any:
        """What the last layer gives."""
        for layer in self._pipeline:
            kwargs: dict[str, Any] = {}
            if layer._call.has_training:
                kwargs["training"] = training
            if mask is not None and "mask" in layer._call.parameters:
                kwargs["mask"] = mask
            outputs = layer(inputs, **kwargs)
            mask = layer.compute_mask(inputs, mask) if layer.supports_masking else None
            inputs = outputs
        return inputs

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Pipeline:
        """A pipeline of the layers that a config describes."""
        config = dict(config)
        config["layers"] = [deserialize_keras_object(x) for x in config["layers"]]
        return cls(**config)

    def get_config(self) -> dict[str, Any]:
        """The configs of the layers."""
        return {
            "layers": [serialize_keras_object(x) for x in self._pipeline],
            "name": self.name,
        }
