"""What an optimizer keeps: its learning rate, its variables, and how these are saved."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from keraslite import ops
from keraslite.backend import engine
from keraslite.core.configurable import Configurable
from keraslite.core.errors import describe
from keraslite.core.op import Tensor
from keraslite.core.registry import CustomObjects
from keraslite.core.scopes import name_scope
from keraslite.core.variable import Variable
from keraslite.optimizers.groups import PLAIN, Group, groups_of
from keraslite.optimizers.schedules import LearningRateSchedule

MISSING_RATE = object()


class OptimizerState(CustomObjects, Configurable, engine.StateBase):  # type: ignore[name-defined, misc]
    """The part of `Optimizer` that holds values and computes no update."""

    name: str
    built: bool
    use_ema: bool
    gradient_accumulation_steps: int | None
    groups: dict[str, dict[str, Any]] | None
    _variables: list[Variable]
    _iterations: Variable

    # The learning rate -----------------------------------------------------------

    @property
    def learning_rate(self) -> Any:
        """The current rate: the `Variable` that holds it, or what the schedule gives now."""
        return self._learning_rate if self._rate_is_settable else self._current_rate()

    @learning_rate.setter
    def learning_rate(self, value: Any) -> None:
        first = self._learning_rate is MISSING_RATE
        if isinstance(value, LearningRateSchedule) or (
            callable(value) and not isinstance(value, Variable)
        ):
            if self._rate_is_settable:
                self._variables = [v for v in self._variables if v is not self._learning_rate]
            self._learning_rate = value
        elif self._rate_is_settable:
            self._learning_rate.assign(value)
        elif not first:
            raise TypeError(
                f"Optimizer {self.name!r}: its learning rate follows a schedule, so it cannot be "
                "set to a number. Make the optimizer with `learning_rate=<number>`."
            )
        elif isinstance(value, bool) or np.shape(_plain(value)) != () or not _is_number(value):
            raise ValueError(
                f"Optimizer {self.name!r}: `learning_rate` must be a number, a "
                "LearningRateSchedule, or a function without arguments that gives a number. "
                f"Received: {describe(value)}"
            )
        else:
            self._learning_rate = self.add_variable(
                (),
                initializer=lambda shape, dtype: ops.full(shape, float(_plain(value)), dtype),
                aggregation="only_first_replica",
                name="learning_rate",
            )

    @property
    def _rate_is_settable(self) -> bool:
        return isinstance(self._learning_rate, Variable)

    def _current_rate(self, group: Group = PLAIN) -> Tensor:
        rate = self._learning_rate if group.learning_rate is None else group.learning_rate
        if isinstance(rate, Variable):
            found = rate.value
        elif isinstance(rate, LearningRateSchedule):
            found = rate(self._updates_done())
        else:
            found = ops.convert_to_tensor(rate() if callable(rate) else rate, "float32")
        factor = group.learning_rate_multiplier
        return found if factor is None else found * factor

    def _rates_of(self, variables: list[Variable]) -> list[tuple[Tensor, list[int]]]:
        """Learning rates, each with the places of the variables that have it."""
        if not self.groups:
            return [(self._current_rate(), list(range(len(variables))))]
        places: dict[Any, list[int]] = {}
        groups = [self._group_of(v)._replace(weight_decay=None) for v in variables]
        for i, group in enumerate(groups):
            places.setdefault(group, []).append(i)
        return [(self._current_rate(group), where) for group, where in places.items()]

    def _group_of(self, variable: Variable) -> Group:
        return self._groups[self._get_variable_index(variable)] if self.groups else PLAIN

    # Variables -------------------------------------------------------------------

    @property
    def variables(self) -> list[Variable]:
        """Its own variables: the iteration, the learning rate, then those of `build`."""
        direct = [v for v in vars(self).values() if isinstance(v, Variable)]
        return list({id(v): v for v in (*self._variables, *direct)}.values())

    @property
    def iterations(self) -> Any:
        """How many updates were done: a `Variable`, or a tensor when gradients accumulate."""
        return self._updates_done() if self.gradient_accumulation_steps else self._iterations

    def _updates_done(self) -> Tensor:
        calls = self._iterations.value
        steps = self.gradient_accumulation_steps
        return calls // steps if steps else calls

    def _index_variables(self) -> None:
        variables = self._trainable_variables
        self._trainable_variables_indices = {id(v): i for i, v in enumerate(variables)}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Take the state of which this is a copy; its variables are others."""
        self.__dict__.update(state)
        self._decays = {}
        self._index_variables()

    def build(self, variables: Iterable[Variable]) -> None:
        """Make the variables that go with `variables`; does nothing the second time."""
        if self.built:
            return
        variables = list(variables)
        if self.groups:
            #: for each trained variable its group
            self._groups = groups_of(self.groups, variables, f"Optimizer {self.name!r}")
        self._trainable_variables = variables
        self._index_variables()
        self.built = True
        if self.use_ema:
            self._model_variables_moving_average = self.add_optimizer_variables(
                variables, "average"
            )
        if self.gradient_accumulation_steps:
            self._accumulated_gradients = [
                self.add_variable_from_reference(v, "gradient_accumulator") for v in variables
            ]

    def add_variable(
        self,
        shape: Sequence[int],
        initializer: Any = "zeros",
        dtype: Any = None,
        aggregation: str = "none",
        layout: Any = None,
        name: str | None = None,
    ) -> Variable:
        """Make a variable that belongs to this optimizer.

        Args:
            shape: of the variable.
            initializer: a name or a function.
            dtype: `floatx()` by default.
            aggregation: how replicas of it combine.
            layout: how it is spread over devices.
            name: last part of its path.
        """
        with name_scope(self.name, caller=self):
            variable = Variable(
                initializer,
                shape=tuple(shape),
                dtype=dtype,
                trainable=False,
                autocast=False,
                aggregation=aggregation,
                layout=layout,
                name=name,
            )
        self._variables.append(variable)
        return variable

    def add_variable_from_reference(
        self, reference_variable: Variable, name: str | None = None, initializer: Any = "zeros"
    ) -> Variable:
        """Make a variable with the shape, dtype and layout of another one.

        Args:
            reference_variable: usually one that the optimizer trains.
            name: what it is for, such as `"momentum"`; follows the name of the other one.
            initializer: a name or a function.
        """
        path = reference_variable.path.replace("/", "_")
        return self.add_variable(
            reference_variable.shape,
            initializer,
            reference_variable.dtype,
            layout=getattr(reference_variable, "layout", None),
            name=f"{path}_{name or 'var'}",
        )

    def add_optimizer_variables(
        self,
        trainable_variables: Iterable[Variable],
        name: str | Sequence[str],
        initializer: Any = "zeros",
    ) -> Any:
        """Make one variable for each trainable one.

        Args:
            trainable_variables: the arguments of `build`.
            name: what they are for; a list of names makes several for each.
            initializer: a name or a function; or a list, one for each name.

        Returns:
            A list with one entry for each trainable variable; None for those that their
            gradient overwrites. For a list of names a tuple of such lists.
        """
        names = [name] if isinstance(name, str) else list(name)
        several = isinstance(initializer, (list, tuple))
        initializers = list(initializer) if several else [initializer] * len(names)
        columns: tuple[list[Variable | None], ...] = tuple([] for _ in names)
        for variable in trainable_variables:
            skip = variable.overwrite_with_gradient
            for column, one, start in zip(columns, names, initializers, strict=True):
                made = None if skip else self.add_variable_from_reference(variable, one, start)
                column.append(made)
        return columns[0] if isinstance(name, str) else columns

    def _get_variable_index(self, variable: Variable) -> int:
        return self._trainable_variables_indices[id(variable)]

    # Saving and loading ----------------------------------------------------------

    def set_weights(self, weights: Sequence[Any]) -> None:
        """Set the values of `variables`, in their order.

        Raises:
            ValueError: if the optimizer is not built, or the number of values is wrong.
        """
        variables = self.variables
        if not self.built or len(weights) != len(variables):
            state = f"{len(variables)} variables" if self.built else "not been built yet"
            raise ValueError(
                f"Optimizer {self.name!r} has {state}; `set_weights` needs one value for each. "
                f"Received: {len(weights)} values"
            )
        for variable, value in zip(variables, weights, strict=True):
            variable.assign(value)

    def save_own_variables(self, store: Any) -> None:
        """Put the values of `variables` into `store`, under `"0"`, `"1"`..."""
        for i, variable in enumerate(self.variables):
            store[str(i)] = variable

    def load_own_variables(self, store: Any) -> None:
        """Take the values of `variables` from `store`; warns and leaves them if it has others."""
        variables = self.variables
        if len(store) != len(variables):
            warnings.warn(
                f"Optimizer {self.name!r} keeps its state: it has {len(variables)} variables and "
                f"the saved one {len(store)}.",
                stacklevel=2,
            )
            return
        for i, variable in enumerate(variables):
            variable.assign(store[str(i)])

    def _config_value(self, name: str, recorded: dict[str, Any], default: Any) -> Any:
        if name == "learning_rate":
            rate = self._learning_rate
            return float(rate.numpy()) if isinstance(rate, Variable) else rate
        if name == "groups" and self.groups is None:
            return inspect.Parameter.empty  # Keras does not know it.
        return super()._config_value(name, recorded, default)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} name={self.name}>"


def _plain(value: Any) -> Any:
    return value.numpy() if isinstance(value, Variable) else value


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float, np.ndarray, np.generic, Variable)) or engine.is_tensor(
        value
    )
