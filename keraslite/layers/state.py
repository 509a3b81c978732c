"""The state of a layer: its variables, the layers below it, losses and weights."""

from __future__ import annotations

import contextlib
import functools
import math
import weakref
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from keraslite.backend import engine
from keraslite.core.errors import describe
from keraslite.core.keras_tensor import KerasTensor
from keraslite.core.operation import Operation
from keraslite.core.scopes import StatelessScope
from keraslite.core.variable import Variable
from keraslite.layers.call import current_call
from keraslite.layers.tracking import CONTAINERS, NOT_OWNED, assignments, inside, owned, unique
from keraslite.metrics.metric import Metric
from keraslite.random.seed_generator import SeedGenerator

#: The layers that hold losses of a call. Mostly there are none, and none to clear.
_HOLDERS: weakref.WeakSet[Any] = weakref.WeakSet()


class LayerState(Operation, engine.LayerBase):  # type: ignore[name-defined, misc]
    """What belongs to a layer, found by looking at its attributes."""

    #: Names of attributes that refer to layers or variables of others.
    _not_tracked: frozenset[str] = frozenset()
    #: Whether all state is there once the layer is built.
    _locks = True
    #: Attributes that may get state at any time.
    _unlocked: frozenset[str] = frozenset()
    built: bool

    def __new__(cls, *args: Any, **kwargs: Any) -> Any:
        self = super().__new__(cls, *args, **kwargs)
        self._engine_setup()
        # In the instance before any `__init__`: subclasses may set attributes first.
        put = functools.partial(object.__setattr__, self)
        put("_own_variables", [])
        put("_losses", [])
        put("_trainable", True)
        put("_path", None)
        put("_locked", False)
        put("built", False)
        return self

    def __getstate__(self) -> dict[str, Any]:
        """What a copy gets: all but the losses of the last call, which are tensors."""
        return {**vars(self), "_losses": []}

    def __setattr__(self, name: str, value: Any) -> None:
        if self._locked and isinstance(value, HOLDERS):
            self._refuse_new_state(name, value)
        if isinstance(value, Variable) and not any(value is v for v in self._own_variables):
            self._own_variables.append(value)
        if isinstance(value, HOLDERS):
            assignments.number += 1
        object.__setattr__(self, name, value)

    def __delattr__(self, name: str) -> None:
        value = vars(self).get(name)
        if isinstance(value, Variable):
            self._own_variables[:] = [v for v in self._own_variables if v is not value]
        assignments.number += 1
        object.__delattr__(self, name)

    # Once it is built ---------------------------------------------------------------

    def _lock(self) -> None:
        """From now on all state is there; steps that are compiled rely on it."""
        object.__setattr__(self, "_locked", self._locks)

    @contextlib.contextmanager
    def _adding_state(self) -> Iterator[None]:
        """In which a layer that is built may get new state."""
        locked, self._locked = self._locked, False
        try:
            yield
        finally:
            self._locked = locked

    def _refuse_new_state(self, name: str, value: Any) -> None:
        if name in NOT_OWNED or name in self._not_tracked or name in self._unlocked:
            return
        found = [value] if isinstance(value, _STATE) else list(inside(value, _STATE))
        if not found:
            return
        known = {id(x) for x in self._own_variables}
        known.update(id(x) for _, x in owned(self, _STATE))
        for new in found:
            if id(new) not in known:
                raise self._is_built_already(f"{name}={describe(new)}")

    def _is_built_already(self, received: str) -> ValueError:
        return ValueError(
            f"Layer {self.path!r} ({type(self).__name__}) is built, and takes no new variables, "
            f"layers or metrics: compiled steps would not know them. Received: {received}. Make "
            "it in `__init__` or in `build`."
        )

    # What belongs to the layer -----------------------------------------------------

    def _direct_layers(self) -> list[LayerState]:
        """The layers right below this one, in the order of its attributes."""
        return self._direct_state(LayerState)

    def _flatten_layers(
        self, include_self: bool = True, recursive: bool = True
    ) -> Iterator[LayerState]:
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
        names = {id(v): name.removeprefix("_") for name, v in owned(self, (Variable,))}
        for variable in [*self._variables_here(), *self._passing_state()]:
            yield names.get(id(variable), variable.name), variable
        attributes = list(owned(self, (LayerState,)))
        yield from attributes
        known = {id(layer) for _, layer in attributes}
        # The layers of a graph are no attributes.
        yield from ((x.name, x) for x in self._direct_layers() if id(x) not in known)

    def _variables_here(self) -> list[Variable]:
        """This layer's own weights, trainable ones first; no seeds, no metrics."""
        inside = [v for name, v in owned(self, (Variable,)) if name != "_own_variables"]
        passing = {id(v) for v in self._passing_state()}
        found = [v for v in unique([*self._own_variables, *inside]) if id(v) not in passing]
        return [v for v in found if v._kind_trainable] + [v for v in found if not v._kind_trainable]

    def _passing_state(self) -> list[Variable]:
        """Own variables that are no weights: what is left of the last batch."""
        return []

    @property
    def variables(self) -> list[Variable]:
        """All variables, seeds among them, without those of metrics."""
        found: list[Variable] = []
        for layer in self._flatten_layers():
            found.extend(layer._variables_here())
            found.extend(layer._passing_state())
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

    # Losses --------------------------------------------------------------------------

    def add_loss(self, loss: Any) -> None:
        """Add a scalar penalty, or a list of them, to the training loss.

        Call it inside `call`. The next outermost call of the layer, or of one that it belongs
        to, forgets the penalties.

        Raises:
            ValueError: for a symbolic tensor outside of a call.
        """
        scope = StatelessScope.current.get()
        for value in loss if isinstance(loss, (list, tuple)) else [loss]:
            if not isinstance(value, KerasTensor):
                self._losses.append(value)
                _HOLDERS.add(self)
                if scope is not None and scope.collect_losses:
                    scope.add_loss(value)
            elif current_call.get() is None:
                raise ValueError(
                    f"`add_loss` of {self.name!r} takes no symbolic tensor of a graph. Put it into "
                    "the `call` of a layer, and that layer into the graph."
                )

    @property
    def losses(self) -> list[Any]:
        """Scalars from `add_loss` in the last call, and from the weights' regularizers."""
        return self._collect_losses(list(self._flatten_layers()))

    def _collect_losses(self, layers: list[LayerState]) -> list[Any]:
        found: list[Any] = []
        for layer in layers:
            found.extend(layer._losses)
        penalties = []
        seen = set()
        for layer in layers:
            for variable in layer._own_variables:
                counts = variable.regularizer is not None and variable.trainable
                if counts and id(variable) not in seen:
                    seen.add(id(variable))
                    penalties.append(variable.regularizer(variable))
        return found + penalties

    def _clear_losses(self, layers: Iterable[LayerState] | None = None) -> None:
        """Forget the losses of calls, of `layers` or of all layers from this one down."""
        if _HOLDERS:
            for layer in self._flatten_layers() if layers is None else layers:
                layer._losses.clear()
                _HOLDERS.discard(layer)

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
        for i, value in enumerate(self._values_in_file()):
            store[str(i)] = value

    def _variables_in_file(self) -> list[Variable]:
        """The layer's own variables that files hold, in their order."""
        return self._variables_here()

    def _values_in_file(self) -> list[Any]:
        """What files hold for these variables."""
        return self._variables_in_file()

    def _loaded(self) -> None:
        """Called after the variables were assigned from a file."""

    def load_own_variables(self, store: Any) -> None:
        """Assign the layer's own variables from `store`."""
        own = self._variables_in_file()
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
            variable.assign(store[str(i)])
        self._loaded()


_STATE = (Variable, LayerState, Metric, SeedGenerator)
#: What may hold state of a layer.
HOLDERS = (*_STATE, *CONTAINERS)
