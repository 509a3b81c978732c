"""`Model`: a layer that can be trained, saved and inspected."""

from __future__ import annotations

import contextlib
import functools
import inspect
import json
import re
import types
from collections.abc import Callable
from typing import Any

from keraslite.core.budget import WorkBudget
from keraslite.core.errors import describe, nearest
from keraslite.core.old_names import Gone
from keraslite.core.scopes import SymbolicScope
from keraslite.core.tree import map_shape_structure
from keraslite.layers.calibration import quantize_blocks
from keraslite.layers.layer import Layer
from keraslite.quantizers.configs import CalibratedConfig, config_for
from keraslite.training.trainer import Trainer


class Model(Trainer, Layer):
    """Layers put together, with training, evaluation, prediction and saving.

    There are three ways to make one: `Model(inputs, outputs)` from symbolic tensors,
    a subclass that defines `call`, or `Sequential` for a plain stack.

    Args:
        inputs: `keras.Input`, or a list or dict of them.
        outputs: symbolic tensor or tree of them computed from `inputs`.
        name: of the model.

    Example:
        >>> inputs = keras.Input((37,))
        >>> outputs = keras.layers.Dense(5, activation="softmax")(inputs)
        >>> model = keras.Model(inputs, outputs)
        >>> model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
        >>> model.fit(x, y, epochs=2)
    """

    fit_generator, predict_generator = Gone("fit_generator"), Gone("predict_generator")
    predict_classes, predict_proba = Gone("predict_classes"), Gone("predict_proba")
    evaluate_generator, to_yaml = Gone("evaluate_generator"), Gone("to_yaml")

    def __new__(cls, *args: Any, **kwargs: Any) -> Any:
        if cls is Model and is_graph_call(args, kwargs):
            from keraslite.models.functional import Functional

            return Functional.__new__(Functional, *args, **kwargs)
        return super().__new__(cls, *args, **kwargs)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        if is_graph_call(args, kwargs):
            # A subclass that calls `super().__init__(inputs, outputs)` becomes functional.
            self.__class__ = _functional_subclass(type(self))
            type(self)._init_graph(self, *args, **kwargs)
            return
        if not kwargs.keys().isdisjoint(("inputs", "outputs", "input", "output")):
            raise ValueError(
                f"{type(self).__name__} needs both `inputs` and `outputs`, or neither. "
                f"Received: {', '.join(kwargs)}"
            )
        Layer.__init__(self, *args, **kwargs)
        Trainer.__init__(self)

    # Building ----------------------------------------------------------------------

    def build(self, input_shape: Any) -> None:
        """Create the variables by calling the model on symbolic tensors of `input_shape`.

        Args:
            input_shape: of the first argument of `call`, with the batch axis; a tree of
                shapes for a tree of tensors.

        Raises:
            ValueError: if `call` needs more than one argument.
        """
        if self.built:
            return
        needed = _required_arguments(self)
        if len(needed) > 1:
            raise ValueError(
                f"Model {self.name!r} cannot be built from one shape: its `call` needs "
                f"{', '.join(needed)}. Call it on data instead."
            )
        with SymbolicScope():
            self(map_shape_structure(self._spec_of, input_shape))

    def _defines_build(self) -> bool:
        return type(self).build is not Model.build

    def build_from_config(self, config: dict[str, Any] | None) -> None:
        """Build with the shapes of `get_build_config`, where one shape is enough."""
        if self._defines_build() or len(_required_arguments(self)) == 1:
            super().build_from_config(config)

    # Layers ------------------------------------------------------------------------

    @property
    def layers(self) -> list[Layer]:
        """The layers right below the model."""
        return self._direct_layers()

    @layers.setter
    def layers(self, value: Any) -> None:
        raise AttributeError(
            f"`layers` of {type(self).__name__} is the list of the layers found among its "
            "attributes. Choose another name for the attribute."
        )

    def get_layer(self, name: str | None = None, index: int | None = None) -> Layer:
        """A layer by name or by its index in `layers`.

        Raises:
            ValueError: if there is none; names the nearest one.

        Example:
            >>> model.get_layer("dense_1"), model.get_layer(index=0)
        """
        if (name is None) == (index is None):
            raise ValueError(f"Give a name or an index. Received: name={name!r}, index={index!r}")
        layers = self.layers
        if index is not None:
            if not -len(layers) <= index < len(layers):
                raise ValueError(f"The model has {len(layers)} layers. Received: index={index}")
            return layers[index]
        for layer in layers:
            if layer.name == name:
                return layer
        names = [layer.name for layer in layers]
        raise ValueError(
            f"Model {self.name!r} has no layer {name!r}.{nearest(name, names)} "
            f"Its layers: {', '.join(names)}"[:600]
        )

    def quantize(
        self, mode: Any = None, config: Any = None, filters: Any = None, **kwargs: Any
    ) -> None:
        """Quantize the layers that can be: keep their weights, or multiply, in fewer bits.

        Args:
            mode: `"int8"`, `"int4"` or `"float8"`, see `quantize` of the layers; `"gptq"` or
                `"awq"`, see `keras.quantizers.GPTQConfig` and `AWQConfig`.
            config: how in detail: a `keras.quantizers.QuantizationConfig`.
            filters: which layers: a regular expression for names, a list of them, or a function
                from a layer to bool.
            kwargs: `type_check`: whether to leave users' subclasses of layers alone, by default.

        Raises:
            ValueError: for a layer that is not built, or quantized already.

        Example:
            >>> model.quantize("int8", filters=lambda layer: layer.name != "head")
        """
        type_check = kwargs.pop("type_check", True)
        if kwargs:
            raise ValueError(f"`quantize` got unexpected arguments: {', '.join(kwargs)}")
        config = config_for(mode, config)
        chosen = _layer_filter(filters)
        if not self.built:
            raise ValueError(f"Model {self.name!r} must be built before `quantize`.")
        if isinstance(config, CalibratedConfig):
            structure = config.quantization_layer_structure
            if structure is None:
                structure = self.get_quantization_layer_structure(config.mode)
            return quantize_blocks(structure, config, chosen, type_check)
        for layer in self._flatten_layers(include_self=False):
            if isinstance(layer, Layer) and not layer._direct_layers() and chosen(layer):
                # Most layers have no quantized form, and stay as they are.
                with contextlib.suppress(NotImplementedError):
                    layer.quantize(type_check=type_check, config=config)

    def get_quantization_layer_structure(self, mode: str | None = None) -> Any:
        """Which layers belong together when weights are fitted to data; None: not said."""
        return None

    def summary(
        self,
        line_length: int | None = None,
        positions: list[float] | None = None,
        print_fn: Callable[[str], Any] | None = None,
        expand_nested: bool = False,
        show_trainable: bool = False,
        layer_range: list[str] | tuple[str, str] | None = None,
    ) -> None:
        """Print a table of the layers.

        Args:
            line_length: width of the table.
            positions: relative or absolute ends of the columns.
            print_fn: gets the text; printed by default.
            expand_nested: also show the layers of nested models.
            show_trainable: with a column that says which layers are trained.
            layer_range: first and last layer (names or patterns) to show.
        """
        from keraslite.utils.summary import print_summary

        print_summary(
            self,
            line_length=line_length,
            positions=positions,
            print_fn=print_fn,
            expand_nested=expand_nested,
            show_trainable=show_trainable,
            layer_range=layer_range,
        )

    # Files -------------------------------------------------------------------------

    def save(
        self, filepath: Any, overwrite: bool = True, zipped: bool | None = None, **kwargs: Any
    ) -> Any:
        """Save architecture, weights and training state to a `.keras` file.

        Args:
            filepath: ends in `.keras`.
            overwrite: False asks before an existing file is replaced.
            zipped: whether the file is one archive (the default) or a directory.
            **kwargs: `include_optimizer` and `asynchronous`; see `keras.saving.save_model`.
        """
        from keraslite.saving import save_model

        return save_model(self, filepath, overwrite=overwrite, zipped=zipped, **kwargs)

    def save_weights(self, filepath: Any, overwrite: bool = True, **kwargs: Any) -> Any:
        """Save the weights to a `.weights.h5` file."""
        from keraslite.saving import save_weights

        return save_weights(self, filepath, overwrite=overwrite, **kwargs)

    def load_weights(self, filepath: Any, skip_mismatch: bool = False, **kwargs: Any) -> None:
        """Load weights from a `.weights.h5` or `.keras` file.

        Args:
            filepath: of the file.
            skip_mismatch: leave layers alone whose weights do not fit, with a warning.
        """
        from keraslite.saving import load_weights

        load_weights(self, filepath, skip_mismatch=skip_mismatch, **kwargs)

    def to_json(self, **kwargs: Any) -> str:
        """The architecture as JSON; `keras.models.model_from_json` makes it again."""
        from keraslite.core.serialization import serialize_keras_object

        return json.dumps(serialize_keras_object(self), **kwargs)

    def export(
        self,
        filepath: Any,
        format: str = "tf_saved_model",  # noqa: A002 - Keras's name
        verbose: bool | None = None,
        input_signature: Any = None,
        **kwargs: Any,
    ) -> None:
        """Export for inference elsewhere."""
        raise NotImplementedError(
            "Exporting is not part of this release yet. Save the model with "
            "`model.save('model.keras')`; Keras loads that file and exports it."
        )

    # Config ------------------------------------------------------------------------

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> Any:
        """A model made from what `get_config` gave."""
        from keraslite.core.registry import custom_object_scope
        from keraslite.models.functional import Functional

        with custom_object_scope(custom_objects or {}), WorkBudget.outermost():
            if {"layers", "input_layers", "output_layers"} <= set(config):
                from keraslite.models.functional_config import functional_from_config

                return functional_from_config(
                    cls if issubclass(cls, Functional) else Functional, config
                )
            return super().from_config(config)


def _layer_filter(filters: Any) -> Callable[[Layer], bool]:
    """Whether `quantize` means a layer."""
    if filters is None:
        return lambda layer: True
    if callable(filters):
        return filters
    patterns = [filters] if isinstance(filters, str) else filters
    if not isinstance(patterns, (list, tuple)) or not all(isinstance(p, str) for p in patterns):
        raise ValueError(
            "`filters` must be a regular expression, a list of them, or a function of a layer. "
            f"Received: {describe(filters)}"
        )
    return lambda layer: any(re.search(p, layer.name) for p in patterns)


def _required_arguments(model: Model) -> list[str]:
    """The arguments that every call of the model must give."""
    found = list(model._call.signature.parameters.values())[1:]
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return [
        p.name
        for p in found
        if p.kind in kinds and p.default is p.empty and p.name not in ("training", "mask")
    ]


def is_graph_call(args: tuple, kwargs: dict[str, Any]) -> bool:
    """Whether constructor arguments are the inputs and outputs of a graph."""
    return (
        len(args) == 2
        or (len(args) == 1 and "outputs" in kwargs)
        or ("inputs" in kwargs and "outputs" in kwargs)
    )


@functools.cache
def _functional_subclass(cls: type) -> type:
    from keraslite.models.functional import Functional

    if issubclass(cls, Functional):
        return cls

    def body(namespace: dict[str, Any]) -> None:
        namespace.update(
            __module__=cls.__module__, __qualname__=cls.__qualname__, __doc__=cls.__doc__
        )

    return types.new_class(cls.__name__, (cls, Functional), exec_body=body)


def model_from_json(json_string: str, custom_objects: dict[str, Any] | None = None) -> Model:
    """The model whose `to_json` gave `json_string`, with new weights.

    Args:
        json_string: from `model.to_json()`.
        custom_objects: name -> class or function, for what is not built in.
    """
    from keraslite.core.json_text import parse_json
    from keraslite.core.serialization import deserialize_keras_object

    return deserialize_keras_object(parse_json(json_string), custom_objects=custom_objects)
