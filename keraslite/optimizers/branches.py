"""`either`: one of two stateful actions, chosen by a tensor."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from keraslite import ops
from keraslite.backend import engine
from keraslite.core.op import Tensor
from keraslite.core.scopes import StatelessScope
from keraslite.core.variable import Variable


def either(
    condition: Tensor,
    if_true: Callable[[], Any],
    if_false: Callable[[], Any],
    variables: Sequence[Variable],
) -> None:
    """Run `if_true` or `if_false`, inside a compiled step too.

    Args:
        condition: a bool scalar.
        if_true, if_false: actions that assign to `variables` and to no other ones.
        variables: all that either of them assigns to.
    """
    if not (engine.capabilities.functional or engine.is_tracing()):
        (if_true if condition else if_false)()
        return

    outer = StatelessScope.current.get()

    def pure(action: Callable[[], Any]) -> Callable[[], list[Tensor]]:
        def run() -> list[Tensor]:
            with StatelessScope() as scope:
                if outer is not None:
                    scope.state.update(outer.state)
                action()
                return [v.value for v in variables]

        return run

    values = ops.cond(condition, pure(if_true), pure(if_false))
    for variable, value in zip(variables, values, strict=True):
        variable._store(value)
