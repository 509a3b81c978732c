"""`RuleOptimizer`: an optimizer that is a list of slots and a pure rule for one variable."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from keraslite import ops
from keraslite.backend import engine
from keraslite.core.op import Tensor
from keraslite.core.scopes import StatelessScope
from keraslite.core.variable import Variable
from keraslite.optimizers.optimizer import Optimizer


class RuleOptimizer(Optimizer):
    """Base of the built-in optimizers.

    A subclass says which variables ("slots") go with each trained one, what of an update is
    the same for all of them (`prepare`), and how one value changes (`rule`).
    """

    #: Whether `rule` treats all elements alike, and so may run on many variables at once.
    elementwise = True

    def slot_groups(self) -> list[tuple[str, ...]]:
        """Names of the slots. Those of one group are made together, variable by variable."""
        return []

    def slot_initializer(self) -> Any:
        """What all slots start with."""
        return "zeros"

    def prepare(self, learning_rate: Tensor) -> Any:
        """A tensor or a tuple of tensors for `rule`, computed once for all variables."""
        return learning_rate

    def rule(self, gradient: Tensor, value: Tensor, prepared: Any, *slots: Tensor) -> Any:
        """The new value, or a tuple of the new value and the new slots."""
        raise NotImplementedError

    def build(self, variables: Iterable[Variable]) -> None:
        if self.built:
            return
        variables = list(variables)
        super().build(variables)
        #: for each trained variable its slots
        self._slots = self._make_slots(variables)

    def _make_slots(self, variables: list[Variable]) -> list[tuple[Any, ...]]:
        columns: list[list[Variable | None]] = []
        for group in self.slot_groups():
            columns.extend(self.add_optimizer_variables(variables, group, self.slot_initializer()))
        return [tuple(column[i] for column in columns) for i in range(len(variables))]

    def update_step(self, gradient: Tensor, variable: Variable, learning_rate: Tensor) -> None:
        self._follow_rule(gradient, variable, self.prepare(learning_rate))

    def _update_each(
        self, gradients: list[Tensor], variables: list[Variable], learning_rate: Tensor
    ) -> None:
        if type(self).update_step is not RuleOptimizer.update_step:  # a user's own
            super()._update_each(gradients, variables, learning_rate)
            return
        prepared = self.prepare(learning_rate)
        kernel = self._fused_kernel("fused_rule", variables) if self.elementwise else None
        if kernel is not None:
            kernel(
                lambda gradient, value, *slots: self.rule(gradient, value, prepared, *slots),
                gradients,
                [v._storage for v in variables],
                *self._storages_of_slots(variables),
            )
            return
        for gradient, variable in zip(gradients, variables, strict=True):
            self._follow_rule(gradient, variable, prepared)

    def _follow_rule(self, gradient: Tensor, variable: Variable, prepared: Any) -> None:
        slots = self._slots[self._get_variable_index(variable)]
        found = self.rule(
            gradient, variable.value, _cast(prepared, variable.dtype), *(s.value for s in slots)
        )
        if not slots:
            variable.assign(found)
            return
        for target, value in zip((variable, *slots), found, strict=True):
            target.assign(value)

    def _step(self) -> Tensor:
        """The number of this update as a float, from 1 on."""
        return ops.cast(self._updates_done() + 1, "float32")

    # Fused kernels ---------------------------------------------------------------

    def _fused_kernel(self, name: str, variables: list[Variable]) -> Any:
        """The engine's kernel that updates lists of storages in place, None when it cannot."""
        kernel = getattr(engine.kernels, name, None)
        if (
            kernel is None
            or StatelessScope.current.get() is not None
            or type(self).update_step is not RuleOptimizer.update_step
            or any(v.dtype != "float32" for v in variables)
        ):
            return None
        return kernel

    def _storages_of_slots(self, variables: list[Variable]) -> list[list[Any]]:
        """One list of storages for each slot."""
        rows = [self._slots[self._get_variable_index(v)] for v in variables]
        return [[slot._storage for slot in column] for column in zip(*rows, strict=True)]


def _cast(prepared: Any, dtype: str) -> Any:
    if isinstance(prepared, tuple):
        return tuple(_cast(x, dtype) for x in prepared)
    return ops.cast(prepared, dtype)
