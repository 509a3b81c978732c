"""Objects that can say how they were made: `get_config` from the constructor's arguments."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any

from keraslite.core.errors import unexpected_arguments
from keraslite.core.old_names import ARGUMENTS

_MISSING = object()
_PACKAGE = __name__.partition(".")[0] + "."


@functools.lru_cache(maxsize=1024)
def parameters_of(cls: type) -> dict[str, inspect.Parameter]:
    """The parameters of the constructor of `cls`, without `self`.

    `**kwargs` is followed to the constructor of the next class in the resolution order.
    """
    found: dict[str, inspect.Parameter] = {}
    for base in cls.__mro__:
        if "__init__" not in base.__dict__ or base is object:
            continue
        parameters = list(inspect.signature(base.__dict__["__init__"]).parameters.values())[1:]
        for parameter in parameters:
            if parameter.kind in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY):
                found.setdefault(parameter.name, parameter)
        if not any(p.kind is p.VAR_KEYWORD for p in parameters):
            break
    return found


@functools.lru_cache(maxsize=1024)
def _takes_any(cls: type) -> bool:
    return any(p.kind is p.VAR_KEYWORD for p in _signature(cls).parameters.values())


@functools.lru_cache(maxsize=1024)
def _signature(cls: type) -> inspect.Signature:
    """That of the constructor, with `self`."""
    return inspect.signature(cls.__init__)  # type: ignore[misc]


def check_arguments(cls: type, kwargs: dict[str, Any]) -> None:
    """Raise for keyword arguments that a class of ours does not take.

    Where a constructor takes any, it looks at them itself: but Python would first miss an
    argument that is there under an old name.
    """
    if not cls.__module__.startswith(_PACKAGE):
        return
    parameters = parameters_of(cls)
    unknown = [name for name in kwargs if name not in parameters]
    if not unknown:
        return
    now = [parameters.get(ARGUMENTS.get(name, "")) for name in unknown]
    if not _takes_any(cls) or any(p is not None and p.default is p.empty for p in now):
        raise unexpected_arguments(cls.__name__, unknown, parameters)


def shared_arguments(function: Callable[..., Any], local: dict[str, Any]) -> dict[str, Any]:
    """Of the `locals()` of a function, the arguments that `function` takes too, and `kwargs`."""
    names = inspect.signature(function).parameters.keys() & local.keys() - {"self", "kwargs"}
    return {**{name: local[name] for name in names}, **local.get("kwargs", {})}


class Configurable:
    """Records the arguments it is constructed with and derives `get_config` from them.

    The value of an argument is the attribute of the same name where there is one, so that
    later changes count; otherwise what the constructor received.
    """

    _arguments: tuple[tuple, dict[str, Any]]

    def __new__(cls, *args: Any, **kwargs: Any) -> Any:
        if kwargs:
            check_arguments(cls, kwargs)
        self = object.__new__(cls)
        object.__setattr__(self, "_arguments", (args, kwargs))
        return self

    def _recorded(self) -> dict[str, Any]:
        args, kwargs = self._arguments
        cls: type = type(self)
        try:
            bound = _signature(cls).bind(self, *args, **kwargs)
        except TypeError:
            return dict(kwargs)
        found = dict(bound.arguments)
        found.update(found.pop("kwargs", {}))
        return found

    def _config_owner(self) -> type:
        """The class whose constructor the config describes.

        A subclass that overrides `get_config` adds its own arguments there, so they are
        not ours to describe.
        """
        owner = type(self)
        mro = type(self).__mro__
        for i, cls in enumerate(mro):
            method = cls.__dict__.get("get_config")
            if method is not None and not getattr(method, "_derived", False):
                owner = mro[i + 1]
        return owner

    def _config_value(self, name: str, recorded: dict[str, Any], default: Any) -> Any:
        value = getattr(self, name, _MISSING)
        if value is _MISSING or inspect.ismethod(value):
            value = recorded.get(name, default)
        return value

    #: Arguments that hold regular expressions, in a list or as the keys of a dict.
    _patterns: tuple[str, ...] = ()

    #: Arguments that never belong in a config.
    _not_in_config: frozenset[str] = frozenset()

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments as JSON-ready values; `from_config` takes them."""
        from keraslite.core.serialization import serialize_value

        recorded = self._recorded()
        config = {}
        for name, parameter in parameters_of(self._config_owner()).items():
            if name in self._not_in_config:
                continue
            value = self._config_value(name, recorded, parameter.default)
            if value is inspect.Parameter.empty:
                continue
            config[name] = serialize_value(value)
        return config

    get_config._derived = True  # type: ignore[attr-defined]

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        """An object made from what `get_config` gave.

        Raises:
            TypeError: if the constructor does not take an argument of `config`.
        """
        from keraslite.core.serialization import check_patterns_of, deserialize_value

        for name in cls._patterns:
            check_patterns_of(config, name)
        return cls(**{key: deserialize_value(value) for key, value in config.items()})
