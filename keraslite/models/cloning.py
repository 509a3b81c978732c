"""`clone_model`: the same architecture with new weights."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from keraslite.core import tree
from keraslite.core.errors import describe
from keraslite.core.keras_tensor import KerasTensor
from keraslite.core.op import OpCall
from keraslite.core.operation import Operation
from keraslite.layers.input_layer import InputLayer
from keraslite.layers.layer import Layer
from keraslite.models.functional import Functional
from keraslite.models.sequential import Sequential

CloneFunction = Callable[[Layer], Layer]


def clone_model(
    model: Layer,
    input_tensors: Any = None,
    clone_function: CloneFunction | None = None,
    call_function: Callable[..., Any] | None = None,
    recursive: bool = False,
    **kwargs: Any,
) -> Any:
    """A model with the architecture of `model`, new layers and new weights.

    Layers are made again from their configs. A layer that is used several times is used several
    times in the clone.

    Args:
        model: `Sequential`, functional or subclassed; the last by its config.
        input_tensors: `keras.Input`s for the clone, in the structure of `model.input`.
        clone_function: `f(layer) -> layer` in place of making a layer from its config; not
            called for `InputLayer`s.
        call_function: `f(layer, *args, **kwargs)`, which calls a new layer, for functional
            models.
        recursive: use the functions inside nested models too.

    Returns:
        The clone, compiled in the same way when `model` is functional and compiled.

    Raises:
        ValueError: for a function that the kind of model cannot use, or inputs that do not fit.

    Example:
        >>> def thaw(layer):
        ...     config = {**layer.get_config(), "trainable": True}
        ...     return type(layer).from_config(config)
        >>> clone = keras.models.clone_model(model, clone_function=thaw)
        >>> clone.set_weights(model.get_weights())
    """
    if kwargs:
        raise ValueError(f"`clone_model` got unexpected arguments: {', '.join(map(str, kwargs))}")
    if not isinstance(model, (Functional, Sequential)):
        return _by_config(model, input_tensors, clone_function, call_function)
    if isinstance(model, Sequential) and call_function is not None:
        raise ValueError(
            f"`call_function` is for functional models. The layers of the Sequential model "
            f"{model.name!r} are listed and not called."
        )

    def clone(layer: Layer) -> Layer:
        if recursive and isinstance(layer, (Functional, Sequential)):
            inner = call_function if isinstance(layer, Functional) else None
            return clone_model(
                layer, clone_function=clone_function, call_function=inner, recursive=True
            )
        return _copy(layer) if clone_function is None else _checked(clone_function(layer), layer)

    if isinstance(model, Sequential):
        cloned: Any = _sequential(model, input_tensors, clone)
    else:
        cloned = _functional(model, input_tensors, clone, call_function)
    if model.compiled:
        cloned.compile_from_config(model.get_compile_config())
    return cloned


def _copy(layer: Layer) -> Layer:
    return type(layer).from_config(layer.get_config())


def _checked(cloned: Any, layer: Layer) -> Layer:
    if not isinstance(cloned, Layer):
        raise ValueError(
            f"`clone_function` must return a layer. Received: {describe(cloned)} for the layer "
            f"{layer.name!r}"
        )
    return cloned


def _by_config(model: Any, *unused: Any) -> Any:
    if any(x is not None for x in unused):
        raise ValueError(
            "`input_tensors`, `clone_function` and `call_function` are for Sequential and "
            f"functional models. Received: a model of type {type(model).__name__!r}"
        )
    if not isinstance(model, Layer):
        raise ValueError(f"`model` must be a model. Received: {describe(model)}")
    return _copy(model)


def _entries(model: Any, input_tensors: Any, inputs: Any) -> list[KerasTensor]:
    """The symbolic inputs of the clone, for the tree `inputs` of the model's own."""
    if input_tensors is None:
        return [_copy(x._keras_history.operation).output for x in tree.flatten(inputs)]
    given = tree.flatten(input_tensors)
    for tensor in given:
        if not isinstance(tensor, KerasTensor):
            raise ValueError(
                f"`input_tensors` must hold symbolic tensors (`keras.Input`). Received: "
                f"{describe(tensor)}"
            )
    if len(given) != len(tree.flatten(inputs)):
        raise ValueError(
            f"`input_tensors` must have the structure of the inputs of {model.name!r}: "
            f"{len(tree.flatten(inputs))} tensor(s). Received: {len(given)}"
        )
    return given


def _sequential(model: Sequential, input_tensors: Any, clone: CloneFunction) -> Sequential:
    found = model._direct_layers()
    layers: list[Any] = []
    if found and isinstance(found[0], InputLayer):
        layers += _entries(model, input_tensors, found[0].output)
        found = found[1:]
    elif input_tensors is not None:
        layers += _entries(model, input_tensors, 0)
    cloned = Sequential([*layers, *(clone(layer) for layer in found)], name=model.name)
    cloned._trainable = model.trainable
    return cloned


def _functional(
    model: Functional,
    input_tensors: Any,
    clone: CloneFunction,
    call_function: Callable[..., Any] | None,
) -> Functional:
    made: dict[int, Any] = {}

    def new(operation: Operation) -> Callable[..., Any]:
        if id(operation) not in made:
            made[id(operation)] = (
                clone(operation) if isinstance(operation, Layer) else _copy_op(operation)
            )
        cloned = made[id(operation)]
        if call_function is None:
            return cloned if isinstance(cloned, Layer) else cloned.symbolic_call
        return lambda *args, **kwargs: call_function(cloned, *args, **kwargs)

    entries = _entries(model, input_tensors, model._inputs_struct)
    outputs = model._graph.run(entries, operation_fn=new)
    inputs = tree.pack_sequence_as(model._inputs_struct, entries)
    cloned = Functional(inputs, outputs, name=model.name)
    cloned._trainable = model.trainable
    return cloned


def _copy_op(operation: Operation) -> Operation:
    """A recorded op to be recorded again under its name."""
    if isinstance(operation, OpCall):
        return OpCall(operation.op, operation.static, name=operation.name)
    return type(operation).from_config(operation.get_config())
