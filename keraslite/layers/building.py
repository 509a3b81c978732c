"""Building a layer: its dtypes, and its variables once shapes are known."""

from __future__ import annotations

import functools
import itertools
import re
import warnings
from collections.abc import Callable
from typing import Any

from keraslite import constraints, dtype_policies, initializers, regularizers
from keraslite.backend import engine
from keraslite.core import tree
from keraslite.core.errors import describe
from keraslite.core.inference import known_sizes
from keraslite.core.scopes import SymbolicScope, current_path, name_scope
from keraslite.core.tree import map_shape_structure
from keraslite.core.variable import Variable
from keraslite.layers.call import call_signature
from keraslite.layers.state import LayerState


def _wrap_build(build: Callable[..., Any]) -> Callable[..., Any]:
    """`build` in the layer's name scope, remembering the shapes; sets `built`.

    Graphs that it makes are recorded, also when the call that needs them is not.
    """

    @functools.wraps(build)
    def wrapped(self: BuildableLayer, *args: Any, **kwargs: Any) -> None:
        token = SymbolicScope.current.set(None)
        # One that a subclass extends comes back here with the layer's state still to come.
        outermost = not self._is_building
        self._is_building = True
        try:
            with name_scope(self.name, caller=self), engine.concrete():
                if isinstance(self._dtype_policy, dtype_policies.DTypePolicyMap):
                    self._path = current_path()
                    self._read_policy()
                if "_build_shapes" not in vars(self):
                    self._build_shapes = call_signature(build).bind(args, kwargs)
                build(self, *args, **kwargs)
        finally:
            SymbolicScope.current.reset(token)
            if outermost:
                self._is_building = False
        self.built = True
        if outermost:
            self._lock()

    return wrapped


def _shapes_of(value: Any) -> Any:
    return tree.map_structure(
        lambda x: known_sizes(x.shape) if hasattr(x, "shape") else None, value
    )


def build_once(layer: Any, input_shape: Any) -> None:
    """Build a layer inside another one, unless it is built already."""
    if not layer.built:
        layer.build(input_shape)


class BuildableLayer(LayerState):
    """A layer as far as its variables: dtype policy, `build` and `add_weight`."""

    _is_building = False

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "build" in cls.__dict__:
            cls.build = _wrap_build(cls.__dict__["build"])  # type: ignore[method-assign]

    # Dtypes ----------------------------------------------------------------------

    @property
    def dtype_policy(self) -> dtype_policies.DTypePolicy:
        """Which dtype it computes in and keeps its variables in."""
        return self._dtype_policy

    @dtype_policy.setter
    def dtype_policy(self, value: Any) -> None:
        self._dtype_policy = dtype_policies.get(value)
        self._read_policy()

    def _set_policy(self, policy: dtype_policies.DTypePolicy) -> None:
        """Change this layer's own policy, which may be one of a map for many layers."""
        if self._policy is self._dtype_policy:
            self._dtype_policy = policy
        else:
            self._dtype_policy.pop(self.path, None)
            self._dtype_policy[self.path] = policy
        self._read_policy()

    def _is_told_by_policy(self) -> bool:
        """Whether the dtype policy says all of how the layer is quantized."""
        return True

    @property
    def _policy(self) -> dtype_policies.DTypePolicy:
        """The policy, looked up by the layer's path where there is a map."""
        policy = self._dtype_policy
        return policy[self.path] if isinstance(policy, dtype_policies.DTypePolicyMap) else policy

    def _policy_with_layers_inside(self) -> dtype_policies.DTypePolicy:
        """The policy as configs have it: a map, if layers inside were quantized on their own.

        That is for layers that this one makes. Those that it was given have configs of their own.
        """
        given = [x for x in tree.flatten(self._arguments) if isinstance(x, BuildableLayer)]
        told = {id(self), *(id(y) for x in given for y in x._flatten_layers())}
        inside = [
            x
            for x in self._flatten_layers()
            if id(x) not in told
            and x.quantization_mode is not None
            and x._dtype_policy is not self._dtype_policy
        ]
        if not inside:
            return self._dtype_policy
        for layer in inside:
            if not layer._is_told_by_policy():
                warnings.warn(
                    f"Layer {layer.path!r} will quantize its inputs in another way when it is made "
                    f"again: the config of {self.name!r} has its dtype policy, but not its "
                    "`quantization_config`.",
                    stacklevel=2,
                )
        # What comes before this layer's name in a path depends on the model around it.
        policies = {}
        for layer in inside:
            _, within, rest = f"/{layer.path}".rpartition(f"/{self.name}/")
            policies[f"(.*/)?{re.escape(within[1:] + rest.lstrip('/'))}"] = layer._policy
        return dtype_policies.DTypePolicyMap(self._policy, policies)

    def _read_policy(self) -> None:
        """Note what calls need to know of the policy."""
        policy = self._policy
        self._native_dtype = engine.native_dtype(policy.compute_dtype)
        self._mixed = policy.compute_dtype != policy.variable_dtype
        self._fast = False

    @property
    def compute_dtype(self) -> str:
        """The dtype of the computation."""
        return self._policy.compute_dtype

    @property
    def variable_dtype(self) -> str:
        """The dtype of the variables."""
        return self._policy.variable_dtype

    dtype = variable_dtype

    @property
    def input_dtype(self) -> str:
        """The dtype that float inputs are cast to."""
        return self.compute_dtype

    @property
    def quantization_mode(self) -> str | None:
        """How it is quantized, None when it is not."""
        return self._policy.quantization_mode

    # Building ----------------------------------------------------------------------

    def build(self, input_shape: Any) -> None:
        """Create the variables for inputs of `input_shape`. Subclasses override it."""
        vars(self).setdefault("_build_shapes", {"input_shape": input_shape})
        self.built = True

    def _defines_build(self) -> bool:
        return type(self).build is not BuildableLayer.build

    def _build_for(self, arguments: dict[str, Any]) -> None:
        """Call `build` with the shapes of the arguments of `call`."""
        if self.built:
            return
        if not self._defines_build():
            # The call itself builds the layers inside; files and summaries tell the shape.
            for name, value in itertools.islice(arguments.items(), 1):
                self._build_shapes = {name: _shapes_of(value)}
            self._lock()
            return
        build = type(self).build
        expected = call_signature(getattr(build, "__wrapped__", build))
        shapes = {}
        for name, value in arguments.items():
            leaves = [x for x in tree.flatten(value) if x is not None]
            if leaves and all(hasattr(x, "shape") for x in leaves):
                shapes[name] = _shapes_of(value)
        wanted = [p for p in expected.parameters if p.endswith("_shape")]
        if len(wanted) > 1 or (wanted and wanted[0].removesuffix("_shape") in shapes):
            given = {p: shapes.get(p.removesuffix("_shape")) for p in wanted}
            optional = expected.signature.parameters
            given = {
                p: s
                for p, s in given.items()
                if s is not None or optional[p].default is optional[p].empty
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
        shape: Any = None,
        initializer: Any = None,
        dtype: Any = None,
        *,
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
        if isinstance(shape, str):
            raise ValueError(
                f"`add_weight` of layer {self.name!r}: the shape comes first. "
                f"Received: {shape!r}. Give the name as `name={shape!r}`."
            )
        if self._locked:
            raise self._is_built_already(f"add_weight(shape={shape}, name={name!r})")
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
