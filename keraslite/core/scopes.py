"""Scopes that hold for a stretch of code: names, state, symbols, autocast.

Plain Python with no engine in it, so that engines may use `StatelessScope`.
"""

from __future__ import annotations

import contextvars
from collections.abc import Iterable
from typing import Any, Generic, TypeVar

T = TypeVar("T")


class _Current(Generic[T]):
    """A context variable with a stack discipline."""

    def __init__(self, name: str) -> None:
        self._var: contextvars.ContextVar[T | None] = contextvars.ContextVar(name, default=None)
        self.get = self._var.get
        self.set = self._var.set
        self.reset = self._var.reset


class Scope:
    """Base of context managers of which the innermost one is current.

    A subclass that declares `current = _Current(...)` starts a family of its own.
    """

    current: _Current[Any]
    _tokens: list[Any]

    def __enter__(self) -> Any:
        self.__dict__.setdefault("_tokens", []).append(self.current.set(self))
        return self

    def __exit__(self, *exc: object) -> None:
        self.current.reset(self._tokens.pop())


class StatelessScope(Scope):
    """Inside, variables read from and write to this scope and keep their own values.

    Args:
        state_mapping: pairs `(variable, value)` that reads start from.
        collect_losses: gather losses that layers add, in `losses`.
        initialize_variables: kept for compatibility; variables created inside are
            always real.

    Example:
        >>> v = keras.Variable(1.0)
        >>> with keras.StatelessScope([(v, 2.0)]) as scope:
        ...     v.assign(v + 1)
        >>> float(scope.get_current_value(v)), float(v)
        (3.0, 1.0)
    """

    current: _Current[StatelessScope] = _Current("stateless")

    def __init__(
        self,
        state_mapping: Iterable[tuple[Any, Any]] | None = None,
        collect_losses: bool = False,
        initialize_variables: bool = True,
    ) -> None:
        self.collect_losses = collect_losses
        self.initialize_variables = initialize_variables
        self.losses: list[Any] = []
        # id -> (variable, value); keeps the variables alive while ids matter.
        self.state: dict[int, tuple[Any, Any]] = {}
        self.updated: dict[int, Any] = {}
        for variable, value in state_mapping or ():
            variable = getattr(variable, "_variable", variable)
            self.state[id(variable)] = (variable, variable._check_value(value))

    def add_loss(self, loss: Any) -> None:
        """Record a loss, when `collect_losses` is set."""
        self.losses.append(loss)

    def add_update(self, update: tuple[Any, Any]) -> None:
        """Record `(variable, new value)`."""
        variable, value = update
        self.state[id(variable)] = (variable, value)
        self.updated[id(variable)] = variable

    def get_current_value(self, variable: Any) -> Any:
        """The value of `variable` in this scope, or None when it has none here."""
        found = self.state.get(id(variable))
        return None if found is None else found[1]

    def updates(self) -> list[tuple[Any, Any]]:
        """`(variable, value)` for everything assigned inside, in order of first assignment."""
        return [self.state[key] for key in self.updated]


class SymbolicScope(Scope):
    """Inside, calls on `KerasTensor`s work out shapes and dtypes and record no graph."""

    current: _Current[SymbolicScope] = _Current("symbolic")


class AutocastScope(Scope):
    """Inside, float variables with `autocast` read as `dtype` (None: as stored)."""

    current: _Current[AutocastScope] = _Current("autocast")

    def __init__(self, dtype: str | None) -> None:
        self.dtype = dtype


class name_scope(Scope):  # noqa: N801 - Keras's public name
    """A component of the paths of variables created inside.

    Args:
        name: without slashes.
        caller: the object that opens the scope; entering it again inside itself adds nothing.

    Example:
        >>> with keras.name_scope("block"):
        ...     v = keras.Variable(0.0, name="v")
        >>> v.path
        'block/v'
    """

    current: _Current[name_scope] = _Current("name")

    def __init__(self, name: str, caller: Any = None, deduplicate: bool = True, **kwargs: Any):
        if not isinstance(name, str) or "/" in name:
            raise ValueError(f"`name` must be a string without '/'. Received: {name!r}")
        self.name = name
        self.caller = caller
        self._override_parent = kwargs.get("override_parent")
        outer = type(self).current.get()
        parent = self._override_parent
        if parent is None:
            parent = outer.path if outer else ""
        self.path: str = f"{parent}/{name}" if parent else name
        if deduplicate and outer is not None and caller is not None and outer.caller is caller:
            self.path = outer.path


def current_path() -> str:
    """The path of the open name scopes, `""` outside of all."""
    scope = name_scope.current.get()
    return "" if scope is None else scope.path
