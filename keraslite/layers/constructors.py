"""Constructors that say only what differs from those of other classes."""

from __future__ import annotations

import functools
import inspect
import itertools
from collections.abc import Callable, Mapping
from inspect import Parameter, Signature
from typing import Any

from keraslite.core.configurable import parameters_of
from keraslite.core.errors import unexpected_arguments

Constructor = Callable[..., None]


def takes(
    *parents: type,
    behind: Mapping[str, str] | None = None,
    without: str = "",
    fixed: str = "",
    **defaults: Any,
) -> Callable[[Constructor], Constructor]:
    """Name the arguments of parents that a constructor takes as `**kwargs`.

    They come behind its own ones, can be given by position, and are in its signature.

    Args:
        parents: whose arguments these are.
        behind: moves arguments: the name of one -> those that stand behind it.
        without: names of arguments that are not in its signature.
        fixed: names of such that the class itself gives: nobody else can.
        defaults: in place of those that the arguments have.

    Example:
        >>> class Scaled(Dense):
        ...     @takes(Dense, behind={"units": "scale"})
        ...     def __init__(self, scale=1.0, **kwargs):
        ...         super().__init__(**kwargs)
        ...         self.scale = scale
        >>> Scaled(4, 0.5, "relu").units
        4
    """

    def decorate(init: Constructor) -> Constructor:
        signature = _joined(
            init, parents, behind or {}, [*without.split(), *fixed.split()], defaults
        )

        @functools.wraps(init)
        def __init__(self: Any, *args: Any, **kwargs: Any) -> None:  # noqa: N807
            if refused := kwargs.keys() & fixed.split():
                valid = [name for name in parameters_of(type(self)) if name not in refused]
                raise unexpected_arguments(f"Layer {type(self).__name__}", refused, valid)
            try:
                bound = signature.bind(self, *args, **kwargs)
            except TypeError as error:
                raise TypeError(f"{type(self).__name__}.__init__(): {error}") from None
            bound.apply_defaults()
            given = bound.arguments
            init(**given.pop("kwargs", {}), **given)

        __init__.__signature__ = signature  # type: ignore[attr-defined]
        return __init__

    return decorate


def constructor_of(cls: type, *parents: type, **differences: Any) -> Constructor:
    """The constructor of `cls` with the differences that `takes` knows.

    Example:
        >>> class Cropping2D(_Cropping):
        ...     __init__ = constructor_of(_Cropping, cropping=((0, 0), (0, 0)))
    """
    return takes(*parents, **differences)(cls.__init__)  # type: ignore[misc]


def _joined(
    init: Constructor,
    parents: tuple[type, ...],
    behind: Mapping[str, str],
    without: list[str],
    defaults: dict[str, Any],
) -> Signature:
    """The signature of a constructor with the arguments of its parents."""
    first, *own = inspect.signature(init).parameters.values()
    inherited = [
        parameter
        for cls in parents
        for parameter in list(inspect.signature(cls.__init__).parameters.values())[1:]  # type: ignore[misc]
    ]
    named: dict[str, Parameter] = {}
    for parameter in [*own, *inherited]:
        if parameter.kind is not Parameter.VAR_KEYWORD:
            named.setdefault(parameter.name, parameter)
    moved = {anchor: names.split() for anchor, names in behind.items()}
    absent = {*without, *itertools.chain.from_iterable(moved.values())}
    order = [name for name in named if name not in absent]
    for anchor, names in moved.items():
        place = order.index(anchor) + 1
        order[place:place] = names
    rest = [p for p in own if p.kind is Parameter.VAR_KEYWORD]
    arguments = [named[n].replace(default=defaults.get(n, named[n].default)) for n in order]
    return Signature([first, *arguments, *rest])
