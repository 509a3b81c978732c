"""`Layer`: state and a computation, the unit that models are made of."""

from __future__ import annotations

import contextlib
import functools
import math
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from keraslite import constraints, dtype_policies, initializers, regularizers
from keraslite.backend import engine
from keraslite.core import inference, tree
from keraslite.core.configurable import parameters_of
from keraslite.core.errors import describe, unexpected_arguments
from keraslite.core.graph import Node
from keraslite.core.keras_tensor import KerasTensor, any_symbolic
from keraslite.core.operation import Operation
from keraslite.core.remat import RematScope
from keraslite.core.scopes import (
    AutocastScope,
    StatelessScope,
    SymbolicScope,
    current_path,
    name_scope,
)
from keraslite.core.variable import Variable
from keraslite.layers.call import CallContext, call_signature, current_call
from keraslite.layers.input_spec import check_inputs
from keraslite.layers.tracking import owned, unique
from keraslite.metrics.metric import Metric
from keraslite.random.seed_generator import SeedGenerator
from keraslite.core.tree import map_shape_structure

_TENSORS = engine.tensor_types
_mask_of = engine.get_mask
_autocast = AutocastScope.current.get
_ARRAYS = (np.ndarray, np.generic)
_PACKAGE = __name__.partition(".")[0]


def _wrap_build(build: Callable[..., Any]) -> Callable[..., Any]:
    """`build` in the layer's name scope, remembering the shapes; sets `built`."""

    @functools.wraps(build)
    def wrapped(self: Layer, *args: Any, **kwargs: Any) -> None:
        with name_scope(self.name, caller=self), engine.concrete():
            if "_build_shapes" not in vars(self):
                signature = call_signature(build)
                self._build_shapes = signature.bind(args, kwargs)
            build(self, *args, **kwargs)
        self.built = True

    return wrapped


class Layer(Operation, engine.LayerBase):  # type: ignore[name-defined, misc]
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

    #: Names of attributes that refer to layers or variables of others.
    _not_tracked: frozenset[str] = frozenset()
    #: Whether `call` is written with `ops` only, so that it runs on `KerasTensor`s.
    _ops_only = True
    _is_activation = False

    def __new__(cls, *args: Any, **kwargs: Any) -> Any:
        self = super().__new__(cls, *args, **kwargs)
        self._engine_setup()
        # In the instance before any `__init__`: subclasses may set attributes first.
        put = functools.partial(object.__setattr__, self)
        put("_own_variables", [])
        put("_losses", [])
        put("_losses_of", None)
        put("_is_leaf", False)
        put("_checked_shape", None)
        put("_fast", False)
        put("built", False)
        put("_trainable", True)
        put("supports_masking", False)
        put("input_spec", None)
        put("_call", call_signature(cls.call))
        return self

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "build" in cls.__dict__:
            cls.build = _wrap_build(cls.__dict__["build"])  # type: ignore[method-assign]
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
        self.autocast = autocast
        self._trainable = bool(trainable)
        self._path: str | None = None
        self._parent_path = current_path()
        self._remat = RematScope.current.get()
        self.dtype_policy = dtype_policies.get(dtype)

    def __setattr__(self, name: str, value: Any) -> None:
        if isinstance(value, Variable) and not any(value is v for v in self._own_variables):
            self._own_variables.append(value)
        object.__setattr__(self, name, value)

    def __delattr__(self, name: str) -> None:
        value = vars(self).get(name)
        if isinstance(value, Variable):
            self._own_variables[:] = [v for v in self._own_variables if v is not value]
        object.__delattr__(self, name)

    # What belongs to the layer -----------------------------------------------------

    def _direct_layers(self) -> list[Layer]:
        """The layers right below this one, in the order of its attributes."""
        return unique(x for _, x in owned(self, (Layer,)))

    def _flatten_layers(self, include_self: bool = True, recursive: bool = True) -> Iterator[Layer]:
        seen = {id(self)}
        if include_self:
            yield self
        stack = self._direct_layers()[::-1]
        while stack:
            layer = stack.pop()
            if id(layer) in seen:
                continue
            seen.add(id(layer))
            yield layer
            if recursive:
                stack.extend(layer._direct_layers()[::-1])

    def _direct_state(self, kind: type) -> list[Any]:
        return unique(x for _, x in owned(self, (kind,)))

    def _tracked(self) -> Iterator[tuple[str, Any]]:
        """`(name, variable or layer)` right below this layer, for the engine's own tools."""
        names = {id(v): name for name, v in owned(self, (Variable,))}
        for variable in self._variables_here():
            yield names.get(id(variable), variable.name), variable
        yield from owned(self, (Layer,))

    def _variables_here(self) -> list[Variable]:
        """This layer's own variables, trainable ones first; no seeds, no metrics."""
        inside = [v for name, v in owned(self, (Variable,)) if name != "_own_variables"]
        found = unique([*self._own_variables, *inside])
        return [v for v in found if v._kind_trainable] + [v for v in found if not v._kind_trainable]

    @property
    def variables(self) -> list[Variable]:
        """All variables, seeds among them, without those of metrics."""
        found: list[Variable] = []
        for layer in self._flatten_layers():
            found.extend(layer._variables_here())
            found.extend(seed.state for seed in layer._direct_state(SeedGenerator))
        return unique(found)

    @property
    def weights(self) -> list[Variable]:
        """The variables that files hold: without seeds and metrics."""
        return unique([v for layer in self._flatten_layers() for v in layer._variables_here()])

    @property
    def trainable_variables(self) -> list[Variable]:
        """The variables that training changes."""
        return [v for v in self.variables if v.trainable] if self.trainable else []

    @property
    def non_trainable_variables(self) -> list[Variable]:
        """The variables that training leaves to the layers themselves, seeds among them."""
        return [v for v in self.variables if not v.trainable] if self.trainable else self.variables

    @property
    def trainable_weights(self) -> list[Variable]:
        """The weights that training changes."""
        return [v for v in self.weights if v.trainable] if self.trainable else []

    @property
    def non_trainable_weights(self) -> list[Variable]:
        """The weights that training does not change."""
        return [v for v in self.weights if not v.trainable] if self.trainable else self.weights

    @property
    def metrics(self) -> list[Metric]:
        """The metrics of this layer and those below it."""
        return unique([m for x in self._flatten_layers() for m in x._direct_state(Metric)])

    @property
    def metrics_variables(self) -> list[Variable]:
        return [v for metric in self.metrics for v in metric.variables]

    @property
    def trainable(self) -> bool:
        """Whether its variables should be trained; setting it sets all layers below."""
        return self._trainable

    @trainable.setter
    def trainable(self, value: bool) -> None:
        for layer in self._flatten_layers():
            layer._trainable = bool(value)
            for variable in layer._variables_here():
                if variable._kind_trainable:
                    variable.trainable = bool(value)

    @property
    def path(self) -> str:
        """Names of the enclosing layers and its own, with slashes."""
        return self._path or self.name

    # Dtypes ----------------------------------------------------------------------

    @property
    def dtype_policy(self) -> dtype_policies.DTypePolicy:
        """Which dtype it computes in and keeps its variables in."""
        return self._dtype_policy

    @dtype_policy.setter
    def dtype_policy(self, value: Any) -> None:
        self._dtype_policy = dtype_policies.get(value)
        compute, variable = self._dtype_policy.compute_dtype, self._dtype_policy.variable_dtype
        self._native_dtype = engine.native_dtype(compute)
        self._mixed = compute != variable
        self._fast = False

    @property
    def compute_dtype(self) -> str:
        """The dtype of the computation."""
        return self._dtype_policy.compute_dtype

    @property
    def variable_dtype(self) -> str:
        """The dtype of the variables."""
        return self._dtype_policy.variable_dtype

    dtype = variable_dtype

    @property
    def input_dtype(self) -> str:
        """The dtype that float inputs are cast to."""
        return self.compute_dtype

    @property
    def quantization_mode(self) -> str | None:
        """How it is quantized, None when it is not."""
        return self._dtype_policy.quantization_mode

    # Building ----------------------------------------------------------------------

    def build(self, input_shape: Any) -> None:
        """Create the variables for inputs of `input_shape`. Subclasses override it."""
        self.built = True

    def _build_for(self, arguments: dict[str, Any]) -> None:
        """Call `build` with the shapes of the arguments of `call`."""
        if self.built:
            return
        build = type(self).build
        if build is Layer.build:
            return
        expected = call_signature(getattr(build, "__wrapped__", build))
        shapes = {}
        for name, value in arguments.items():
            leaves = [x for x in tree.flatten(value) if x is not None]
            if leaves and all(hasattr(x, "shape") for x in leaves):
                shapes[name] = tree.map_structure(
                    lambda x: None if x is None else tuple(x.shape), value
                )
        wanted = [p for p in expected.parameters if p.endswith("_shape")]
        if len(wanted) > 1 or (wanted and wanted[0].removesuffix("_shape") in shapes):
            given = {p: shapes.get(p.removesuffix("_shape")) for p in wanted}
            optional = expected.signature.parameters
            given = {
                p: s for p, s in given.items() if s is not None or optional[p].default is optional[p].empty
            }
            self.build(**given)
        elif shapes:
            self.build(next(iter(shapes.values())))
        else:
            raise ValueError(
                f"Layer {self.name!r} cannot be built: its first argument must be a tensor. "
                f"Received: {', '.join(f'{k}={describe(v)}' for k, v in arguments.items())}"
            )

    def get_build_config(self) -> dict[str, Any] | None:
        """The shapes that `build` was called with."""
        shapes = vars(self).get("_build_shapes")
        if not shapes:
            return None
        if len(shapes) == 1:
            return {"input_shape": next(iter(shapes.values()))}
        return {"shapes_dict": dict(shapes)}

    def build_from_config(self, config: dict[str, Any] | None) -> None:
        """Build with the shapes of `get_build_config`."""
        if not config or self.built:
            return
        config = {k: map_shape_structure(tuple, v) for k, v in config.items()}
        if "shapes_dict" in config:
            self.build(**config["shapes_dict"])
        else:
            self.build(config["input_shape"])

    def add_weight(
        self,
        *args: Any,
        shape: Any = None,
        initializer: Any = None,
        dtype: Any = None,
        trainable: bool = True,
        autocast: bool = True,
        regularizer: Any = None,
        constraint: Any = None,
        aggregation: str = "none",
        overwrite_with_gradient: bool = False,
        name: str | None = None,
    ) -> Variable:
        """Create a variable that belongs to the layer.

        Args:
            shape: of the variable, `()` by default.
            initializer: name, function or `Initializer`; Glorot uniform by default for
                floats and zeros for others.
            dtype: by default the layer's variable dtype.
            trainable: whether optimizers update it.
            autocast: whether `call` sees it in the compute dtype.
            regularizer: penalty that is added to the loss.
            constraint: function applied after each update.
            aggregation: how replicas combine.
            overwrite_with_gradient: the "gradient" is the new value.
            name: last part of its path.
        """
        if args:
            raise TypeError(
                f"`add_weight` of layer {self.name!r} takes keyword arguments only: "
                "`add_weight(shape=..., initializer=..., name=...)`."
            )
        dtype = self.variable_dtype if dtype is None else dtype
        if initializer is None:
            initializer = "glorot_uniform" if "float" in str(dtype) else "zeros"
        with name_scope(self.name, caller=self):
            self._path = current_path()
            variable = Variable(
                initializers.get(initializer),
                shape=() if shape is None else shape,
                dtype=dtype,
                trainable=trainable,
                autocast=autocast,
                aggregation=aggregation,
                name=name,
            )
        variable.regularizer = regularizers.get(regularizer)
        variable.constraint = constraints.get(constraint)
        variable.overwrite_with_gradient = overwrite_with_gradient
        self._own_variables.append(variable)
        if trainable and not self._trainable:
            variable.trainable = False
        return variable

    def add_variable(
        self,
        shape: Any,
        initializer: Any,
        dtype: Any = None,
        trainable: bool = True,
        autocast: bool = True,
        regularizer: Any = None,
        constraint: Any = None,
        name: str | None = None,
    ) -> Variable:
        """`add_weight` with positional arguments."""
        return self.add_weight(
            shape=shape,
            initializer=initializer,
            dtype=dtype,
            trainable=trainable,
            autocast=autocast,
            regularizer=regularizer,
            constraint=constraint,
            name=name,
        )

    # Calling -----------------------------------------------------------------------

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        # The fast path: one tensor of the right dtype and of a shape seen before.
        if self._fast and not kwargs and len(args) == 1:
            x = args[0]
            if (
                type(x) in _TENSORS
                and x.dtype is self._native_dtype
                and x.shape == self._checked_shape
                and _mask_of(x) is None
                and _autocast() is None
            ):
                outer = current_call.get()
                if outer is not None or self._is_leaf:
                    if self._call.has_training:
                        return self.call(x, training=self._training(None, outer))
                    return self.call(x)
                token = current_call.set(CallContext(None, False))
                try:
                    return self.call(x)
                finally:
                    current_call.reset(token)
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
            self._build_for(arguments)
            stack.callback(current_call.reset, current_call.set(CallContext(outer, training)))
            cast = AutocastScope.current.get()
            if self._mixed or cast is not None:
                stack.enter_context(AutocastScope(self.compute_dtype if self.autocast else None))
            if signature.has_training:
                arguments["training"] = training
            if symbolic:
                return self._symbolic(arguments, recorded)
            outputs = self._run(arguments)
        self.built = True
        self._after(arguments, outputs, masks)
        self._fast = (
            signature.plain
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
        dtype, autocast = self.compute_dtype, self.autocast
        policy, first = self._dtype_policy, self._call.first

        def convert(x: Any) -> Any:
            if isinstance(x, Variable):
                x = x.value
            if isinstance(x, KerasTensor) or isinstance(x, _ARRAYS) or engine.is_tensor(x):
                return policy.convert_input(x, autocast, dtype)
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
            elif arguments.get(parameter) is not None:
                found[name] = arguments[parameter]
        return found

    def _after(self, arguments: dict[str, Any], outputs: Any, masks: dict[str, Any]) -> None:
        """Activity penalty and masks of the outputs."""
        if self.activity_regularizer is not None:
            for output in tree.flatten(outputs):
                if engine.is_tensor(output):
                    self.add_loss(self.activity_regularizer(output))
        first = self._call.first
        previous = masks.get(first) if first else None
        if previous is None and type(self).compute_mask is Layer.compute_mask:
            return
        if previous is not None and not self.supports_masking:
            if type(self).compute_mask is Layer.compute_mask:
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

    # Symbolic calls ------------------------------------------------------------------

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
        if type(self).compute_output_shape is not Layer.compute_output_shape:
            shapes = self._shapes_for_output(args, kwargs)
            output = self.compute_output_shape(**shapes)
            return map_shape_structure(
                lambda s: KerasTensor(s, self.compute_dtype, record_history=False), output
            )
        if self._ops_only:
            with SymbolicScope(), StatelessScope():
                return self.call(*args, **kwargs)
        return inference.trace(self.call, args, kwargs)

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
        new = [
            value if (value := scope.get_current_value(v)) is not None else v.value
            for v in self.non_trainable_variables
        ]
        return (outputs, new, losses) if return_losses else (outputs, new)

    # Losses --------------------------------------------------------------------------

    def add_loss(self, loss: Any) -> None:
        """Add a scalar penalty, or a list of them, to the training loss.

        Call it inside `call`; penalties of one call replace those of the call before.
        """
        for value in loss if isinstance(loss, (list, tuple)) else [loss]:
            if isinstance(value, KerasTensor):
                continue
            call = current_call.get()
            root = None if call is None else call.root
            if root is None or self._losses_of is not root:
                object.__setattr__(self, "_losses", [])
                object.__setattr__(self, "_losses_of", root)
            self._losses.append(value)

    @property
    def losses(self) -> list[Any]:
        """Scalars from `add_loss` in the last call, and from the weights' regularizers."""
        return self._collect_losses(list(self._flatten_layers()))

    def _collect_losses(self, layers: list[Layer]) -> list[Any]:
        found: list[Any] = []
        for layer in layers:
            found.extend(layer._losses)
        penalties = []
        seen = set()
        for layer in layers:
            for variable in layer._own_variables:
                if variable.regularizer is not None and variable.trainable:
                    if id(variable) not in seen:
                        seen.add(id(variable))
                        penalties.append(variable.regularizer(variable))
        return found + penalties

    def _clear_losses(self) -> None:
        for layer in self._flatten_layers():
            object.__setattr__(layer, "_losses", [])

    # Weights -------------------------------------------------------------------------

    def count_params(self) -> int:
        """The number of scalars in the weights."""
        if not self.built:
            raise ValueError(
                f"Layer {self.name!r} has no weights yet. Call it on data, or call `build`."
            )
        return sum(math.prod(w.shape) for w in self.weights)

    def get_weights(self) -> list[np.ndarray]:
        """The values of `weights`."""
        return [w.numpy() for w in self.weights]

    def set_weights(self, weights: list[Any]) -> None:
        """Assign the values of `weights`, in its order.

        Raises:
            ValueError: for another number of values or another shape.
        """
        own = self.weights
        if len(own) != len(weights):
            raise ValueError(
                f"Layer {self.name!r} has {len(own)} weights. Received: a list of {len(weights)}"
            )
        for variable, value in zip(own, weights, strict=True):
            if variable.shape != np.shape(value):
                raise ValueError(
                    f"Weight {variable.path!r} has shape {variable.shape}. "
                    f"Received: shape {np.shape(value)}"
                )
        for variable, value in zip(own, weights, strict=True):
            variable.assign(value)

    def save_own_variables(self, store: dict[str, Any]) -> None:
        """Put the layer's own variables into `store` under `"0"`, `"1"`..."""
        for i, variable in enumerate(self._variables_here()):
            store[str(i)] = variable

    def load_own_variables(self, store: Any) -> None:
        """Assign the layer's own variables from `store`."""
        own = self._variables_here()
        if len(store) != len(own):
            if not own and not self.built:
                raise ValueError(
                    f"Layer {self.path!r} is not built, but the file holds {len(store)} variables "
                    "for it. Build it, or call the model on data, before loading."
                )
            raise ValueError(
                f"Layer {self.path!r} has {len(own)} variables, the file holds {len(store)} for it."
            )
        for i, variable in enumerate(own):
            value = store[str(i)]
            if tuple(value.shape) != variable.shape:
                raise ValueError(
                    f"Variable {variable.path!r} has shape {variable.shape}; the file holds "
                    f"{tuple(value.shape)}."
                )
        for i, variable in enumerate(own):
            variable.assign(np.asarray(store[str(i)]))

    # Config --------------------------------------------------------------------------

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments as JSON-ready values."""
        derived = super().get_config()
        config: dict[str, Any] = {
            "name": self.name,
            "trainable": self.trainable,
            "dtype": dtype_policies.serialize(self.dtype_policy),
        }
        if self.activity_regularizer is not None:
            config["activity_regularizer"] = regularizers.serialize(self.activity_regularizer)
        for name, value in derived.items():
            if name not in ("name", "trainable", "dtype", "autocast", "activity_regularizer"):
                config[name] = value
        return config

    get_config._derived = True  # type: ignore[attr-defined]

    def quantize(self, mode: Any = None, type_check: bool = True, config: Any = None) -> None:
        """Replace the computation by a quantized one."""
        raise NotImplementedError(
            f"Layer {self.name!r} ({type(self).__name__}) cannot be quantized: quantization "
            "is not part of this release yet."
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

    def __str__(self) -> str:
        return repr(self)

    def __hash__(self) -> int:
        return id(self)

    def __eq__(self, other: object) -> bool:
        return self is other


def _own_tensor(x: Any) -> Any:
    """An output that is an argument of the layer passed through gets a tensor of its own."""
    if isinstance(x, KerasTensor) and hasattr(x, "_keras_history"):
        return KerasTensor(x.shape, x.dtype, x.sparse, x.ragged)
    return x


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
