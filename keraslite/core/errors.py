"""Words for error messages: short descriptions of values and the nearest valid name."""

from __future__ import annotations

import difflib
import functools
import inspect
from collections.abc import Callable, Iterable
from types import NoneType
from typing import Any, ParamSpec, TypeVar

from keraslite.core.old_names import ARGUMENTS, advice

P = ParamSpec("P")
R = TypeVar("R")

LIMIT = 600


class LoadError(ValueError):
    """A file or config that cannot be loaded.

    Attributes:
        within: where in it the fault is, from the file to the innermost object.
    """

    within: tuple[str, ...] = ()

    def enter(self, place: object) -> LoadError:
        """Say that the fault is inside of `place`."""
        self.within = (short(str(place), 160), *self.within)
        return self

    def __str__(self) -> str:
        message = super().__str__()
        if not self.within:
            return printable(message)
        first, *rest = self.within
        places = [first, *(("...",) if len(rest) > 3 else ()), *(short(p, 60) for p in rest[-3:])]
        return printable(short(f"In {' > '.join(places)}: {message}"))


class UnsafeModelError(LoadError):
    """A file or config asks for something that loading must not do."""


class BadConfigError(LoadError, TypeError):
    """A config that no object can be made from."""


class ValuesNeededError(TypeError):
    """A computation looks at values where there are none: in a compiled step, or for a spec."""


def short(text: str, limit: int = LIMIT) -> str:
    """`text`, cut in the middle of nothing: at most `limit` characters."""
    return text if len(text) <= limit else text[: limit - 3] + "..."


def printable(text: str) -> str:
    """`text` with what a terminal would obey, or not show, as escape sequences."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or c == "\n" else repr(c)[1:-1] for c in text)


def describe(value: Any) -> str:
    """A value as an error message shows it: type, shape and dtype; never its contents."""
    shape, dtype = getattr(value, "shape", None), getattr(value, "dtype", None)
    if shape is not None and dtype is not None:
        name = str(getattr(dtype, "name", dtype)).rpartition(".")[2]
        # Not the class: the words are the same on every engine.
        return f"tensor of shape {tuple(shape)} and dtype {name}"
    if isinstance(value, (str, int, float, bool, type(None))):
        return short(repr(value), 80)
    if isinstance(value, dict):
        return f"dict with keys {short(str(list(value)), 160)}"
    if isinstance(value, (list, tuple)):
        return f"{type(value).__name__} of length {len(value)}"
    return f"an object of type {type(value).__name__}"


def nearest(name: object, names: Iterable[str]) -> str:
    """` Did you mean 'relu'?`, or an empty string when nothing is close."""
    found = difflib.get_close_matches(str(name), list(names), n=1, cutoff=0.5)
    return f" Did you mean {found[0]!r}?" if found else ""


def check_choice(where: object, allowed: Iterable[object], **given: object) -> None:
    """Raise a ValueError for an argument that is none of the allowed values.

    Args:
        where: what takes the arguments: an object, or words.
        allowed: strings mostly, and None.
        given: the arguments.
    """
    for name, value in given.items():
        if isinstance(value, (str, int, NoneType)) and value in allowed:
            continue
        start = where if isinstance(where, str) else f"{type(where).__name__}: "
        near = nearest(value, [a for a in allowed if isinstance(a, str)])
        raise ValueError(
            short(
                f"{start}`{name}` must be one of {', '.join(map(repr, allowed))}.{near} "
                f"Received: {value!r:.80}"
            )
        )


def unknown_name(kind: str, name: object, names: Iterable[str]) -> ValueError:
    """The error for a name that is not in a list of valid ones."""
    names = sorted(set(names))
    return ValueError(
        short(
            f"Unknown {kind}: {short(str(name), 80)!r}.{nearest(name, names)} "
            f"Valid names: {', '.join(names)}"
        )
    )


def names_nearest(method: Callable[P, R]) -> Callable[P, R]:
    """`method`, whose error for a misspelt keyword argument names the nearest one."""
    parameters = list(inspect.signature(method).parameters.values())[1:]
    valid = [p.name for p in parameters if p.kind is not p.VAR_KEYWORD]
    known = set(valid)

    @functools.wraps(method)
    def checked(*args: P.args, **kwargs: P.kwargs) -> R:
        if not kwargs.keys() <= known:
            given = [name for name in kwargs if name not in valid]
            raise unexpected_arguments(f"`{method.__name__}`", given, valid)
        return method(*args, **kwargs)

    return checked


def unexpected_arguments(where: str, given: Iterable[str], valid: Iterable[str]) -> TypeError:
    """The error for keyword arguments that `where` does not take."""
    given, valid = list(given), list(valid)
    hints = "".join(_hint(name, valid) for name in given[:10])
    return TypeError(
        short(
            f"{where} got unexpected keyword argument{'s' if len(given) > 1 else ''} "
            f"{short(', '.join(map(repr, given)), 200)}.{hints} Expected: {', '.join(valid)}"
        )
    )


def _hint(name: str, valid: list[str]) -> str:
    """` Did you mean 'padding'?`: what took the place of an old name, or else the nearest one."""
    now = ARGUMENTS.get(name)
    if now in valid or " " in (now or ""):
        return advice(now, " Did you mean {!r}?")
    return nearest(name, valid)
