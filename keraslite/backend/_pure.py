"""Stateful functions run so that what they assign stays in a scope, for functional engines."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any

from keraslite.core.scopes import StatelessScope

Tensor = Any
Variable = Any


def current(variable: Variable) -> Tensor:
    """The value of `variable` as stored or, inside a scope, as the scope has it."""
    scope = StatelessScope.current.get()
    found = None if scope is None else scope.get_current_value(variable)
    return variable._storage if found is None else found


@contextlib.contextmanager
def isolated(
    variables: Sequence[Variable] = (), values: Sequence[Tensor] = ()
) -> Iterator[StatelessScope]:
    """A scope that starts as the surrounding one, with `values` for `variables`."""
    outer = StatelessScope.current.get()
    scope = StatelessScope(collect_losses=outer is not None and outer.collect_losses)
    if outer is not None:
        scope.state.update(outer.state)
    for variable, value in zip(variables, values, strict=True):
        scope.state[id(variable)] = (variable, value)
    with scope:
        yield scope
