"""`Layer`: state and a computation, the unit that models are made of."""

from __future__ import annotations

import contextlib
import functools
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from keraslite import dtype_policies, regularizers
from keraslite.backend import engine, framework_of
from keraslite.core import tree
from keraslite.core.configurable import parameters_of
from keraslite.core.errors import unexpected_arguments
from keraslite.core.keras_tensor import KerasTensor, any_symbolic
from keraslite.core.old_names import Gone
from keraslite.core.operation import Operation
from keraslite.core.remat import RematScope
from keraslite.core.scopes import (
    AutocastScope,
    StatelessScope,
    current_path,
    name_scope,
)
from keraslite.core.variable import Variable
from keraslite.layers.call import CallContext, call_signature, current_call
from keraslite.layers.input_spec import check_inputs
from keraslite.layers.symbolic import SymbolicLayer

_TENSORS = engine.tensor_types
_mask_of = engine.get_mask
_autocast = AutocastScope.current.get
_ARRAYS = (np.ndarray, np.generic)
_PACKAGE = __name__.partition(".")[0]


class Layer(SymbolicLayer):
    """State (variables) and a computation (`call`).

    Subclasses define `__init__` (arguments), `build(input_shape)` (variables, once shapes
    are known) and `call(inputs)`. Layers and variables that are set as attributes, also
    inside lists and dicts, belong to the layer.

    Args:
        activity_regularizer: penalty on the output.
        trainable: whether its variables should be trained.
        dtype: a dtype or `DTypePolicy`.
        autocast: whether float inputs are cast to the compute dtype.
        name: unique in a model.

    Example:
        >>> class Linear(keras.layers.Layer):
        ...     def __init__(self, units, **kwargs):
        ...         super().__init__(**kwargs)
        ...         self.units = units
        ...
        ...     def build(self, input_shape):
        ...         self.w = self.add_weight(shape=(input_shape[-1], self.units))
        ...
        ...     def call(self, inputs):
        ...         return keras.ops.matmul(inputs, self.w)
        >>> Linear(4)(np.ones((2, 3))).shape
        (2, 4)
    """

    _is_activation = False
    #: Whether inputs are cast here, and not by the layers inside.
    _casts_inputs = True
    #: Whether configs of the class say so when it has no `activity_regularizer`.
    _writes_activity_regularizer = False
    #: What inputs must look like: an `InputSpec` or a tree of them.
    input_spec: Any = None
    #: Whether the mask of the input holds for the output too.
    supports_masking: bool = False
    input_shape, output_shape = Gone("input_shape"), Gone("output_shape")
    get_input_at, get_output_at = Gone("get_input_at"), Gone("get_output_at")

    def __new__(cls, *args: Any, **kwargs: Any) -> Any:
        self = super().__new__(cls, *args, **kwargs)
        put = functools.partial(object.__setattr__, self)
        put("_is_leaf", False)
        put("_checked_shape", None)
        put("_fast", False)
        put("_call", call_signature(cls.call))
        return self

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "call" in cls.__dict__:
            cls._ops_only = cls.__module__.partition(".")[0] == _PACKAGE

    def __init__(
        self,
        *,
        activity_regularizer: Any = None,
        trainable: bool = True,
        dtype: Any = None,
        autocast: bool = True,
        name: str | None = None,
        **kwargs: Any,
    ) -> None:
        Operation.__init__(self, name=name)
        self.activity_regularizer = regularizers.get(activity_regularizer)
        self._input_shape_argument = _input_shape_from(kwargs)
        if kwargs:
            valid = [p for p in parameters_of(type(self)) if p not in ("args", "kwargs")]
            raise unexpected_arguments(f"Layer {type(self).__name__}", kwargs, valid)
        if trainable not in (True, False):
            raise ValueError(
                f"{type(self).__name__}: `trainable` must be True or False. Received: {trainable!r}"
            )
        self.autocast = autocast
        self._trainable = bool(trainable)
        self._parent_path = current_path()
        self._remat = RematScope.current.get()
        self.dtype_policy = dtype_policies.get(dtype)

    # Calling -----------------------------------------------------------------------

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        # The fast path: one tensor of the right dtype and of a shape seen before.
        if self._fast and not kwargs and len(args) == 1:
            x = args[0]
            if (
                type(x) in _TENSORS
                and (x.dtype is self._native_dtype or x.dtype == self._native_dtype)
                and x.shape == self._checked_shape
                and _mask_of(x) is None
                and _autocast() is None
            ):
                outer = current_call.get()
                if outer is None:
                    self._clear_losses()
                if outer is not None or self._is_leaf:
                    if self._call.has_training:
                        return self.call(x, training=self._training(None, outer))
                    return self.call(x)
                token = current_call.set(CallContext(False))
                try:
                    return self.call(x)
                finally:
                    current_call.reset(token)
        if self._has_hooks:
            return self._call_with_hooks(args, kwargs)
        return self._full_call(args, kwargs)

    def _training(self, given: bool | None, outer: CallContext | None) -> bool | None:
        """Explicit, then of the outer call, then the default in the signature, then False."""
        if given is not None:
            return given
        if outer is not None and outer.training is not None:
            return outer.training
        default = self._call.training_default
        return False if default is None and self._call.has_training else default

    def _full_call(self, args: tuple, kwargs: dict[str, Any]) -> Any:
        signature = self._call
        explicit = kwargs.pop("training", None) if not signature.has_training else None
        try:
            arguments = signature.bind(args, kwargs)
        except TypeError as error:
            raise TypeError(f"Layer {self.name!r} ({type(self).__name__}).call: {error}") from None
        for name in signature.required:
            if name not in arguments:
                raise TypeError(
                    f"Layer {self.name!r} ({type(self).__name__}).call: missing argument {name!r}."
                )
        if signature.has_training:
            explicit = arguments.pop("training", None)
        symbolic = any_symbolic(args, kwargs)
        arguments = self._convert(arguments)
        first = arguments.get(signature.first) if signature.first else None
        if self.input_spec is not None and first is not None:
            check_inputs(self.input_spec, first, self)

        outer = current_call.get()
        training = self._training(explicit, outer)
        recorded = dict(arguments)
        if explicit is not None and signature.has_training:
            recorded["training"] = explicit
        masks = {} if symbolic else self._fill_masks(arguments)

        with contextlib.ExitStack() as stack:
            if not self.built or not self._fast:
                stack.enter_context(name_scope(self.name, caller=self))
                self._path = current_path()
                if self._policy is not self._dtype_policy:
                    self._read_policy()
            self._build_for(arguments)
            if outer is None:
                self._clear_losses()
            stack.callback(current_call.reset, current_call.set(CallContext(training)))
            cast = AutocastScope.current.get()
            if self._mixed or cast is not None:
                stack.enter_context(AutocastScope(self.compute_dtype if self.autocast else None))
            if signature.has_training:
                arguments["training"] = training
            if symbolic:
                return self._symbolic(arguments, recorded)
            outputs = self._run(arguments)
            if self.activity_regularizer is not None:
                self._penalize(outputs)
        self.built = True
        self._after(arguments, outputs, masks)
        self._fast = (
            signature.plain
            and not self._has_hooks
            and not signature.training_default
            and not self._mixed
            and self.autocast
            and self.activity_regularizer is None
            and self._remat is None
            and type(self).compute_mask is Layer.compute_mask
        )
        if self._fast and first is not None:
            self._checked_shape = getattr(first, "shape", None)
            self._is_leaf = not self._direct_layers()
        return outputs

    def _run(self, arguments: dict[str, Any]) -> Any:
        call = self.quantized_call if self.quantization_mode is not None else self.call
        if self._remat is not None and RematScope.current.get() is None:
            with self._remat:
                return self.rematerialized_call(call, **arguments)
        return self._invoke(call, arguments)

    def _invoke(self, call: Callable[..., Any], arguments: dict[str, Any]) -> Any:
        """`call` with positional first argument, whatever its name."""
        positional = []
        rest = dict(arguments)
        for name, parameter in list(self._call.signature.parameters.items())[1:]:
            if parameter.kind is parameter.VAR_POSITIONAL:
                positional.extend(rest.pop(name, ()))
                break
            if parameter.kind is parameter.KEYWORD_ONLY or name not in rest:
                break
            positional.append(rest.pop(name))
        return call(*positional, **rest)

    def _convert(self, arguments: dict[str, Any]) -> dict[str, Any]:
        """Arrays become tensors; floats are cast to the compute dtype."""
        dtype, autocast = self.compute_dtype, self.autocast and self._casts_inputs
        policy, first = self._dtype_policy, self._call.first

        def convert(x: Any) -> Any:
            if isinstance(x, Variable):
                x = x.value
            if isinstance(x, (KerasTensor, *_ARRAYS)) or engine.is_tensor(x):
                return policy.convert_input(x, autocast, dtype)
            other = framework_of(x)
            if other is not None:
                raise TypeError(
                    f"Layer {self.name!r} ({type(self).__name__}) runs on the engine "
                    f"{engine.name!r}. Received: a tensor of {other!r}. Convert it with "
                    "`numpy.asarray` first, or set KERAS_BACKEND to its framework."
                )
            return x

        found = {}
        for name, value in arguments.items():
            if type(value) in _TENSORS or isinstance(value, (*_ARRAYS, KerasTensor)):
                found[name] = convert(value)
            elif name == first and isinstance(value, (int, float)) and not isinstance(value, bool):
                found[name] = engine.convert(value, dtype if isinstance(value, float) else None)
            elif name == first and _is_numbers(value):
                found[name] = policy.convert_input(np.asarray(value), autocast, dtype)
            else:
                found[name] = tree.map_structure(convert, value)
        return found

    def _fill_masks(self, arguments: dict[str, Any]) -> dict[str, Any]:
        """Masks of the arguments, put into `arguments` where `call` takes them."""
        found = {}
        for name, value in arguments.items():
            if type(value) in _TENSORS:
                mask = engine.get_mask(value)
            elif tree.is_nested(value):
                mask = tree.map_structure(
                    lambda x: engine.get_mask(x) if engine.is_tensor(x) else None, value
                )
                mask = mask if any(m is not None for m in tree.flatten(mask)) else None
            else:
                continue
            if mask is not None:
                found[name] = mask
        for name, parameter in self._call.masks.items():
            if arguments.get(parameter) is None and name in found:
                arguments[parameter] = found[name]
            elif parameter == "mask" and arguments.get(parameter) is not None:
                found[name] = arguments[parameter]
        return found

    def _penalize(self, outputs: Any) -> None:
        """Add the activity penalty: the mean over the batch, as Keras has it."""
        for output in tree.flatten(outputs):
            if engine.is_tensor(output):
                penalty = self.activity_regularizer(output)
                size = engine.dynamic_shape(output)[0] if len(output.shape) else 1
                self.add_loss(penalty / engine.convert(size, engine.dtype(penalty)))

    def _after(self, arguments: dict[str, Any], outputs: Any, masks: dict[str, Any]) -> None:
        """Masks of the outputs."""
        first = self._call.first
        previous = masks.get(first) if first else None
        own = type(self).compute_mask is not Layer.compute_mask
        if previous is None and not own:
            return
        if previous is not None and not self.supports_masking and not own:
            if "mask" not in self._call.parameters:
                warnings.warn(
                    f"Layer {self.name!r} ({type(self).__name__}) does not support masking, "
                    "but its input has a mask, which ends here. Set `supports_masking = True` "
                    "if the mask holds for its output as well.",
                    stacklevel=4,
                )
            return
        mask = self.compute_mask(arguments.get(first), previous)
        if mask is None:
            return
        leaves, found = tree.flatten(outputs), tree.flatten(mask)
        if len(found) == 1 and len(leaves) > 1:
            found = found + [None] * (len(leaves) - 1)
        for tensor, value in zip(leaves, found, strict=False):
            # What `call` itself attached wins.
            if value is not None and engine.is_tensor(tensor) and engine.get_mask(tensor) is None:
                engine.set_mask(tensor, value)

    def compute_mask(self, inputs: Any, previous_mask: Any) -> Any:
        """The mask of the outputs; by default that of the inputs."""
        return previous_mask

    def stateless_call(
        self,
        trainable_variables: Any,
        non_trainable_variables: Any,
        *args: Any,
        return_losses: bool = False,
        **kwargs: Any,
    ) -> Any:
        """Call with the given values of the variables and return the new ones.

        Returns:
            `(outputs, non_trainable_variables)`, and the list of losses as a third when
            `return_losses` is set.

        Example:
            >>> outputs, state = layer.stateless_call(
            ...     layer.trainable_variables, layer.non_trainable_variables, x
            ... )
        """
        mapping = []
        for what, own, given in (
            ("trainable_variables", self.trainable_variables, trainable_variables),
            ("non_trainable_variables", self.non_trainable_variables, non_trainable_variables),
        ):
            if not self.built:
                raise ValueError(f"Layer {self.name!r} must be built before `stateless_call`.")
            if len(own) != len(given):
                raise ValueError(
                    f"`{what}` must have {len(own)} values, one for each in `layer.{what}`. "
                    f"Received: {len(given)}"
                )
            mapping += zip(own, given, strict=True)
        with StatelessScope(mapping, collect_losses=return_losses) as scope:
            outputs = self(*args, **kwargs)
            losses = self.losses if return_losses else None
        # Of a trace, maybe: nothing outside of it.
        self._clear_losses()
        new = [
            value if (value := scope.get_current_value(v)) is not None else v.value
            for v in self.non_trainable_variables
        ]
        return (outputs, new, losses) if return_losses else (outputs, new)

    # Config --------------------------------------------------------------------------

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments as JSON-ready values."""
        derived = super().get_config()
        config: dict[str, Any] = {
            "name": self.name,
            "trainable": self.trainable,
            "dtype": dtype_policies.serialize(self._policy_with_layers_inside()),
        }
        if self.activity_regularizer is not None or self._writes_activity_regularizer:
            config["activity_regularizer"] = regularizers.serialize(self.activity_regularizer)
        for name, value in derived.items():
            if name not in ("name", "trainable", "dtype", "autocast", "activity_regularizer"):
                config[name] = value
        return config

    get_config._derived = True  # type: ignore[attr-defined]

    def quantize(self, mode: Any = None, type_check: bool = True, config: Any = None) -> None:
        """Keep the weights in fewer bits; for layers that have such a form."""
        raise NotImplementedError(
            f"Layer {self.name!r} ({type(self).__name__}) has no quantized form."
        )

    def quantized_build(self, input_shape: Any, mode: Any) -> None:
        """Create the variables of the quantized form."""
        raise NotImplementedError(f"{type(self).__name__} has no quantized form.")

    def add_metric(self, *args: Any, **kwargs: Any) -> None:
        """Not part of Keras 3."""
        raise NotImplementedError(
            "`add_metric` is gone. Make a metric in `__init__` (`self.m = keras.metrics.Mean()`) "
            "and call `self.m.update_state(value)`."
        )

    def __repr__(self) -> str:
        return f"<{type(self).__name__} name={self.name}, built={self.built}>"


def _is_numbers(value: Any) -> bool:
    leaves = tree.flatten(value) if isinstance(value, (list, tuple)) else []
    return bool(leaves) and all(isinstance(x, (int, float, bool)) for x in leaves)


def _input_shape_from(kwargs: dict[str, Any]) -> tuple | None:
    """The batch shape given through one of the old keyword arguments of first layers."""
    batch_size = kwargs.pop("batch_size", None)
    if "batch_input_shape" in kwargs:
        return tuple(kwargs.pop("batch_input_shape"))
    if "batch_shape" in kwargs:
        return tuple(kwargs.pop("batch_shape"))
    if "input_shape" in kwargs:
        return (batch_size, *kwargs.pop("input_shape"))
    if "input_dim" in kwargs:
        return (batch_size, kwargs.pop("input_dim"))
    return None
