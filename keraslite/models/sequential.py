"""`Sequential`: a plain stack of layers."""

from __future__ import annotations

import inspect
from typing import Any

from keraslite import dtype_policies
from keraslite.core.budget import WorkBudget
from keraslite.core.errors import describe
from keraslite.core.keras_tensor import KerasTensor
from keraslite.core.naming import get_uid
from keraslite.core.scopes import SymbolicScope, name_scope
from keraslite.layers.input_layer import InputLayer
from keraslite.layers.layer import Layer
from keraslite.models.functional import Functional
from keraslite.models.model import Model


class Sequential(Model):
    """A stack of layers, each with one input and one output.

    Args:
        layers: the layers in order; the first may be `keras.Input(...)`.
        trainable: whether the layers should be trained.
        name: of the model.

    Example:
        >>> model = keras.Sequential([keras.Input((16,)), keras.layers.Dense(8)])
        >>> model.add(keras.layers.Dense(1))
        >>> model.output_shape
        (None, 1)
    """

    _not_tracked = frozenset({"_functional"})
    # The first layer casts: an Embedding wants its integers as they are.
    _casts_inputs = False
    _locks = False

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        layers, trainable, name = _arguments(*args, **kwargs)
        super().__init__(trainable=trainable, name=name)
        self._layers: list[Layer] = []
        self._names: set[str] = set()  # also of layers that are gone
        self._functional: Any = None
        for layer in layers or ():
            self.add(layer, rebuild=False)
        self._maybe_rebuild()

    def add(self, layer: Any, rebuild: bool = True) -> None:
        """Put a layer on top.

        Raises:
            ValueError: if it is not a layer, its name is taken, or an input comes after other
                layers.
        """
        if isinstance(layer, KerasTensor):
            layer = layer._keras_history.operation  # type: ignore[attr-defined]
        if not isinstance(layer, Layer):
            hint = (
                f"Make a layer of the class: `{layer.__name__}(...)`."
                if inspect.isclass(layer)
                else "A function becomes one with `keras.layers.Lambda`."
            )
            raise ValueError(
                f"Model {self.name!r} takes layers only. Received: {describe(layer)}. {hint}"
            )
        if layer.name in self._names and any(layer.name == x.name for x in self._layers):
            raise ValueError(
                f"Model {self.name!r} already has a layer named {layer.name!r}. Give the layers "
                "different names."
            )
        if isinstance(layer, InputLayer) and self._layers:
            raise ValueError(
                f"Model {self.name!r} already begins with {self._layers[0].name!r}: an input must "
                "come first."
            )
        if not self._layers and not isinstance(layer, InputLayer):
            shape = layer._input_shape_argument or _shape_of_model(layer)
            if shape is not None:
                dtype = getattr(layer, "input_dtype", None)
                entry = _entry_of_model(layer)
                self._push(
                    InputLayer(batch_shape=shape, dtype=entry.dtype if entry is not None else dtype)
                )
        self._push(layer)
        if rebuild:
            self._maybe_rebuild()
        else:
            self.built = False
            self._functional = None

    def _push(self, layer: Layer, place: int | None = None) -> None:
        self._layers.insert(len(self._layers) if place is None else place, layer)
        self._names.add(layer.name)

    def pop(self, rebuild: bool = True) -> Layer:
        """Take the layer on top away and return it."""
        if not self._layers:
            raise ValueError(f"Model {self.name!r} has no layers to remove.")
        layer = self._layers.pop()
        self._functional = None
        self.built = False
        if rebuild:
            self._maybe_rebuild()
        return layer

    def _maybe_rebuild(self) -> None:
        self._functional = None
        self.built = False
        self._fast = False
        if len(self._layers) > 1 and isinstance(self._layers[0], InputLayer):
            self.build(self._layers[0].batch_shape)

    def build(self, input_shape: Any = None) -> None:
        """Create the variables for inputs of `input_shape` (with the batch axis)."""
        if not self._layers:
            raise ValueError(f"Model {self.name!r} has no layers. Add some with `add`.")
        if not isinstance(self._layers[0], InputLayer):
            if input_shape is None:
                raise ValueError(
                    f"Model {self.name!r} needs a shape: `build((None, 16))`, or begin with "
                    "`keras.Input((16,))`."
                )
            if _is_nested_shape(input_shape):
                return  # A first layer with several inputs is built when it is called.
            first = self._layers[0]
            # A stack that starts with an embedding gets integers.
            self._push(InputLayer(batch_shape=tuple(input_shape), dtype=first.input_dtype), 0)
        x = self._layers[0].output
        for layer in self._layers[1:]:
            try:
                x = layer(x)
            except NotImplementedError:
                return  # Its outputs are known only on real data.
        # Keras counts the graph of a stack among the automatic names of models.
        get_uid("functional")
        self._functional = _Stack(self._layers[0].output, x, name=self.name)

    def _direct_layers(self) -> list[Layer]:
        return list(vars(self).get("_layers", ()))

    @property
    def layers(self) -> list[Layer]:
        """The layers, without an `InputLayer`."""
        found = self._direct_layers()
        return found[1:] if found and isinstance(found[0], InputLayer) else found

    def call(self, inputs: Any, training: bool | None = None, mask: Any = None) -> Any:
        """One layer after the other."""
        if self._functional is not None:
            inputs = self._functional._prepare_inputs(inputs)[0]
        for layer in self.layers:
            inputs = layer(inputs) if mask is None else layer(inputs, **_mask_for(layer, mask))
            mask = None
        return inputs

    def compute_output_spec(self, inputs: Any, training: Any = None, mask: Any = None) -> Any:
        if self._functional is not None:
            return self._functional.compute_output_spec(inputs)
        with SymbolicScope():
            for layer in self.layers:
                inputs = layer(inputs)
        return inputs

    def compute_output_shape(self, input_shape: Any) -> Any:
        if self._functional is not None:
            return self._functional.compute_output_shape(input_shape)
        with name_scope(self.name, caller=self):
            for layer in self.layers:
                input_shape = layer.compute_output_shape(input_shape)
        return input_shape

    def compute_mask(self, inputs: Any, previous_mask: Any) -> Any:
        return None

    def _graph_of(self, what: str) -> Any:
        if self._functional is None:
            raise AttributeError(
                f"Sequential model {self.name!r} has no `{what}` yet: it is not built. Begin it "
                "with `keras.Input(...)`, or call it on data first."
            )
        return self._functional

    @property
    def inputs(self) -> list[KerasTensor]:
        return self._graph_of("inputs").inputs

    @property
    def outputs(self) -> list[KerasTensor]:
        return self._graph_of("outputs").outputs

    @property
    def input(self) -> Any:
        return self._graph_of("input").input

    @property
    def output(self) -> Any:
        return self._graph_of("output").output

    @property
    def input_shape(self) -> Any:
        return self._graph_of("input_shape").input_shape

    @property
    def output_shape(self) -> Any:
        return self._graph_of("output_shape").output_shape

    def get_config(self) -> dict[str, Any]:
        """The layers' configs and the input shape."""
        from keraslite.core.serialization import serialize_keras_object

        config: dict[str, Any] = {
            "name": self.name,
            "trainable": self.trainable,
            "dtype": dtype_policies.serialize(self.dtype_policy),
            "layers": [serialize_keras_object(layer) for layer in self._layers],
        }
        if self._functional is not None:
            config["build_input_shape"] = self._layers[0].batch_shape
        return config

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> Sequential:
        """A model made from what `get_config` gave."""
        from keraslite.core.serialization import deserialize_keras_object

        model = cls(name=config.get("name"))
        if "trainable" in config:
            model._trainable = config["trainable"]
        with WorkBudget.outermost():
            for layer in config["layers"]:
                made = deserialize_keras_object(layer, custom_objects=custom_objects)
                model.add(made, rebuild=False)
            if "dtype" in config:
                model.dtype_policy = config["dtype"]
            model._maybe_rebuild()
            shape = config.get("build_input_shape")
            if not model.built and shape and isinstance(shape, (list, tuple)):
                model.build(tuple(shape))
        return model


class _Stack(Functional):
    """The graph of a `Sequential`: each layer says itself which sizes it takes."""

    _fixed_sizes = False


def _arguments(
    layers: Any = None, trainable: bool = True, name: str | None = None
) -> tuple[Any, bool, str | None]:
    return layers, trainable, name


def _mask_for(layer: Layer, mask: Any) -> dict[str, Any]:
    return {"mask": mask} if "mask" in layer._call.parameters else {}


def _is_nested_shape(shape: Any) -> bool:
    return isinstance(shape, dict) or any(isinstance(n, (list, tuple, dict)) for n in shape)


def _entry_of_model(layer: Layer) -> KerasTensor | None:
    try:
        inputs = layer.inputs  # type: ignore[attr-defined]
    except AttributeError:
        return None
    return inputs[0] if inputs and len(inputs) == 1 else None


def _shape_of_model(layer: Layer) -> tuple | None:
    entry = _entry_of_model(layer)
    return None if entry is None else entry.shape
