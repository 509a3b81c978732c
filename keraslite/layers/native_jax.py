"""JAX functions and Flax modules as layers, on the jax engine."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

from keraslite import ops
from keraslite.backend import engine
from keraslite.core import tree
from keraslite.core.dtypes import is_float
from keraslite.core.errors import describe
from keraslite.core.tree import map_shape_structure
from keraslite.core.variable import Variable
from keraslite.layers.native import NativeLayer
from keraslite.random.seed_generator import SeedGenerator

__all__ = ["FlaxLayer", "JaxLayer"]


class JaxLayer(NativeLayer):
    """A pair of pure JAX functions as a layer: one makes parameters, one computes with them.

    Args:
        call_fn: computes the outputs. It takes some of these arguments, by these names:
            `params`, `state`, `rng` (None outside of training), `inputs` and `training`. With
            `state` it returns `(outputs, new_state)`, else the outputs.
        init_fn: makes the parameters from `rng`, `inputs` (ones of the shapes of the inputs)
            and `training`, as far as it takes them. Returns `params`, or `(params, state)` if
            `call_fn` takes a state.
        params: a pytree of trainable values in the place of `init_fn`.
        state: a pytree of values that `call_fn` updates.
        seed: of the random keys.
        native_serialization_platforms: accepted for compatibility.

    Raises:
        NotImplementedError: on other engines.
        ValueError: for functions of other arguments, or without a way to get parameters.

    Example:
        >>> def init(rng, inputs):
        ...     return {"w": jax.random.normal(rng, (inputs.shape[-1], 3))}
        >>> def call(params, inputs):
        ...     return inputs @ params["w"]
        >>> keras.layers.JaxLayer(call, init)(np.ones((2, 4))).shape
        (2, 3)
    """

    _not_in_config = frozenset({"params", "state", "seed"})

    def __init__(
        self,
        call_fn: Callable[..., Any],
        init_fn: Callable[..., Any] | None = None,
        params: Any = None,
        state: Any = None,
        seed: int | None = None,
        native_serialization_platforms: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.call_fn = call_fn
        self.init_fn = init_fn
        self.native_serialization_platforms = native_serialization_platforms
        takes = self._arguments_of("call_fn", call_fn, ("params", "state", "rng"))
        init = init_fn and self._arguments_of("init_fn", init_fn, ("rng",))
        needed = {"params", "state"} & {*takes}
        if needed and init_fn is None and params is None and state is None:
            raise ValueError(
                f"{type(self).__name__}: `call_fn` takes {' and '.join(sorted(needed))}, so one of "
                "`init_fn`, `params` and `state` is needed."
            )
        self._begin(takes, init or (), params, state, seed)

    def _begin(
        self,
        takes: tuple[str, ...],
        init_takes: tuple[str, ...],
        params: Any,
        state: Any,
        seed: int | None,
    ) -> None:
        """Keep what the functions take and, where they are given, params and state."""
        self._takes, self._init_takes = takes, init_takes
        self._input_dtypes: Any = None
        self._params = self._keep(params, "params", True)
        self._state = self._keep(state, "state", False)
        self._given = params is not None or state is not None
        random = "rng" in takes or ("rng" in init_takes and not self._given)
        self._seed = SeedGenerator(seed) if random else None

    def _arguments_of(
        self, what: str, function: Callable[..., Any], more: tuple[str, ...]
    ) -> tuple[str, ...]:
        """The names of the arguments of a function, all of them known."""
        found = tuple(inspect.signature(function).parameters)
        known = (*more, "inputs", "training")
        for name in found:
            if name not in known:
                raise ValueError(
                    f"{type(self).__name__}: `{what}` takes an argument `{name}`. "
                    f"Expected some of: {', '.join(known)}."
                )
        if "inputs" not in found:
            raise ValueError(
                f"{type(self).__name__}: `{what}` must take an argument `inputs`. "
                f"Received: a function of ({', '.join(found)})"
            )
        return found

    def _keep(self, values: Any, kind: str, trainable: bool) -> _Pytree:
        """A pytree of values as variables of this layer."""
        leaves, rebuild, names = engine.flatten_pytree(values)
        variables = []
        for leaf, name in zip(leaves, names, strict=True):
            tensor = engine.convert(leaf)
            dtype = engine.dtype(tensor)
            floating = is_float(dtype)
            variables.append(
                self.add_weight(
                    shape=tuple(tensor.shape),
                    initializer=lambda shape, dtype, tensor=tensor: tensor,
                    dtype=self.variable_dtype if floating else dtype,
                    trainable=trainable and floating,
                    autocast=floating,
                    name=(name or kind).replace("/", "_"),
                )
            )
        return _Pytree(self, variables, rebuild, names)

    # Building and calling ------------------------------------------------------------------

    def _build_for(self, arguments: dict[str, Any]) -> None:
        if not self.built:
            self._input_dtypes = tree.map_structure(ops.dtype, arguments["inputs"])
        super()._build_for(arguments)

    def build(self, input_shape: Any) -> None:
        if self._given or not self._init_takes:
            return
        inputs = map_shape_structure(
            lambda shape: ops.ones([1 if n is None else n for n in shape], self.compute_dtype),
            input_shape,
        )
        if self._input_dtypes is not None:
            inputs = tree.map_structure(ops.cast, inputs, self._input_dtypes)
        rng = None if self._seed is None else self._seed.next()
        params, state = self._initial(rng, inputs)
        self._params = self._keep(params, "params", True)
        self._state = self._keep(state, "state", False)

    def _initial(self, rng: Any, inputs: Any) -> tuple[Any, Any]:
        """The first parameters and state."""
        given = {"rng": rng, "inputs": inputs, "training": True}
        found = self.init_fn(*(given[name] for name in self._init_takes))
        if "state" not in self._takes:
            return found, None
        if not isinstance(found, tuple) or len(found) != 2:
            raise ValueError(
                f"Layer {self.name!r}: `init_fn` must return `(params, state)`, because `call_fn` "
                f"takes `state`. Received: {describe(found)}"
            )
        return found

    def call(self, inputs: Any, training: bool | None = False) -> Any:
        rng = self._seed.next() if training and "rng" in self._takes else None
        outputs, state = self._compute(
            self._params.values(), self._state.values(), rng, inputs, bool(training)
        )
        self._state.assign(state)
        return outputs

    def _compute(
        self, params: Any, state: Any, rng: Any, inputs: Any, training: bool
    ) -> tuple[Any, Any]:
        """Outputs and the new state."""
        given = {
            "params": params,
            "state": state,
            "rng": rng,
            "inputs": inputs,
            "training": training,
        }
        found = self.call_fn(*(given[name] for name in self._takes))
        return found if "state" in self._takes else (found, state)


class FlaxLayer(JaxLayer):
    """A Flax module (`flax.linen.Module`) as a layer.

    The collection `"params"` becomes the trainable weights; all others, such as
    `"batch_stats"`, non-trainable ones that each call may update.

    Args:
        module: has Flax's methods `init` and `apply`.
        method: what to call in the place of the module's `__call__`: the name of a method, or a
            function of the module and the inputs. If it takes an argument `training`, it gets it.
        variables: the variables in the place of new ones, as `module.init` returns them.

    Raises:
        NotImplementedError: on other engines.
        TypeError: for a module without these methods.

    Example:
        >>> layer = keras.layers.FlaxLayer(flax.linen.Dense(3))
        >>> layer(np.ones((2, 4))).shape
        (2, 3)
    """

    _not_in_config = JaxLayer._not_in_config | {
        "call_fn",
        "init_fn",
        "native_serialization_platforms",
        "variables",
    }

    def __init__(
        self, module: Any, method: Any = None, variables: Any = None, **kwargs: Any
    ) -> None:
        seed = kwargs.pop("seed", None)
        NativeLayer.__init__(self, **kwargs)
        if not (callable(getattr(module, "init", None)) and hasattr(module, "apply")):
            raise TypeError(
                "FlaxLayer: `module` must be a Flax module, with methods `init` and `apply`. "
                f"Received: {describe(module)}"
            )
        self.module = module
        self.method = method
        function = getattr(module, method or "__call__", None) if not callable(method) else method
        if function is None:
            raise ValueError(f"FlaxLayer: the module has no method `{method}`.")
        self._wants_training = "training" in inspect.signature(function).parameters
        params, state = (None, None) if variables is None else _split(variables)
        self._begin(("rng",), ("rng",), params, state, seed)

    def _options(self, inputs: Any, training: bool) -> tuple[tuple, dict[str, Any]]:
        options = {} if self.method is None else {"method": self.method}
        if self._wants_training:
            options["training"] = training
        return (inputs,), options

    def _initial(self, rng: Any, inputs: Any) -> tuple[Any, Any]:
        args, options = self._options(inputs, True)
        return _split(self.module.init(_streams(rng), *args, **options))

    def _compute(
        self, params: Any, state: Any, rng: Any, inputs: Any, training: bool
    ) -> tuple[Any, Any]:
        args, options = self._options(inputs, training)
        given = {**({} if params is None else {"params": params}), **(state or {})}
        rngs = None if rng is None else _streams(rng)
        mutable = list(state or ())
        if not mutable:
            return self.module.apply(given, *args, rngs=rngs, **options), state
        return self.module.apply(given, *args, rngs=rngs, mutable=mutable, **options)


class _Pytree:
    """Variables as the leaves of a pytree."""

    def __init__(
        self,
        layer: JaxLayer,
        variables: list[Variable],
        rebuild: Callable[..., Any],
        names: list[str],
    ) -> None:
        self._layer = layer
        self._variables = variables
        self._rebuild = rebuild
        self._names = names

    def values(self) -> Any:
        return self._rebuild([v.value for v in self._variables])

    def assign(self, new: Any) -> None:
        leaves, _, names = engine.flatten_pytree(new)
        if names != self._names:
            raise ValueError(
                f"Layer {self._layer.name!r}: the new state must have the structure of the old "
                f"one, with the leaves {self._names}. Received: {names}"
            )
        for variable, leaf in zip(self._variables, leaves, strict=True):
            variable.assign(leaf)


def _split(variables: Mapping[str, Any]) -> tuple[Any, dict[str, Any] | None]:
    """The parameters, and all other collections."""
    rest = {key: value for key, value in variables.items() if key != "params"}
    return variables.get("params"), rest or None


def _streams(rng: Any) -> dict[str, Any]:
    """Flax's streams of random keys: those without a name of their own follow `"params"`."""
    return {"params": rng, "dropout": rng}
