"""Which objects below a model hold weights, and under which path a file keeps each.

One walk serves saving, loading and assets: attributes in alphabetical order, those that
begin with an underscore last; the elements of a list are named by their class.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator
from typing import Any

from keraslite.core.naming import to_snake_case, unique_among

_CONTAINERS = (list, tuple, dict, set)


def is_saveable(value: Any) -> bool:
    """Whether a file has a place for the state of `value`: layers and optimizers."""
    from keraslite.layers.layer import Layer
    from keraslite.optimizers import Optimizer

    return isinstance(value, (Layer, Optimizer))


def walk(root: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """`(path, object)` of `root` and all below it, each object once, parents first.

    Args:
        root: a model, layer or optimizer.
        path: of `root` in the file; empty for the top.

    Example:
        >>> [path for path, _ in walk(keras.Sequential([keras.Input((3,)), Dense(2)]))]
        ['', 'layers/dense']
    """
    yield from _walk(root, path, set())


def _walk(saveable: Any, path: str, seen: set[int]) -> Iterator[tuple[str, Any]]:
    if id(saveable) in seen:
        return
    seen.add(id(saveable))
    yield path, saveable
    for name, value in _children(saveable):
        inner = f"{path}/{name}" if path else name
        if is_saveable(value):
            yield from _walk(value, inner, seen)
        elif isinstance(value, _CONTAINERS):
            yield from _walk_container(value, inner, seen)


def _walk_container(container: Any, path: str, seen: set[int]) -> Iterator[tuple[str, Any]]:
    if id(container) in seen:
        return
    seen.add(id(container))
    taken: set[str] = set()
    for value in _elements(container):
        # An element that was visited elsewhere still uses up its name.
        if is_saveable(value):
            name = unique_among(to_snake_case(type(value).__name__), taken)
            yield from _walk(value, f"{path}/{name}", seen)
        elif isinstance(value, _CONTAINERS):
            name = unique_among("container", taken)
            yield from _walk_container(value, f"{path}/{name}", seen)


def _elements(container: Any) -> Iterable[Any]:
    if isinstance(container, dict):
        return container.values()
    if isinstance(container, set):
        return sorted(container, key=lambda x: str(getattr(x, "name", x)))
    return container


def _children(saveable: Any) -> Iterator[tuple[str, Any]]:
    """Attributes in the order in which files name them."""
    from keraslite.models.functional import Functional
    from keraslite.models.model import Model
    from keraslite.models.sequential import Sequential

    names = sorted(_attribute_names(saveable), key=lambda name: (name.startswith("_"), name))
    if isinstance(saveable, (Functional, Sequential)):
        yield "layers", saveable.layers
    elif isinstance(saveable, Model):
        names = sorted({*names, "layers"}, key=lambda name: (name.startswith("_"), name))
    for name in names:
        try:
            value = getattr(saveable, name)
        except Exception:  # noqa: BLE001 - any property of a user; one that fails owns nothing
            continue
        yield name, value
    if isinstance(saveable, Model) and getattr(saveable, "optimizer", None) is not None:
        yield "optimizer", saveable.optimizer


def _attribute_names(saveable: Any) -> set[str]:
    """Attributes and properties that are not the framework's own."""
    bases, skipped = _bases()
    found = set(vars(saveable))
    for cls in type(saveable).__mro__:
        if cls not in bases and cls.__module__.partition(".")[0] not in _ENGINES:
            found.update(k for k, v in cls.__dict__.items() if isinstance(v, property))
    skipped = skipped | getattr(saveable, "_not_tracked", frozenset())
    return {n for n in found if n not in skipped and not n.startswith("__")}


_ENGINES = ("torch", "tensorflow", "builtins")
_NOT_STATE = {"_build_shapes", "_functional", "_layers"}


@functools.cache
def _bases() -> tuple[frozenset[type], frozenset[str]]:
    """The framework's base classes, and the attributes that they keep for themselves."""
    from keraslite.layers.layer import Layer
    from keraslite.layers.tracking import NOT_OWNED
    from keraslite.models.functional import Functional
    from keraslite.models.model import Model
    from keraslite.models.sequential import Sequential
    from keraslite.optimizers import Optimizer

    classes = {c for cls in (Functional, Sequential, Optimizer) for c in cls.__mro__}
    names = {*vars(Layer(name="layer")), *vars(Model(name="model"))}
    return frozenset(classes), frozenset(names | NOT_OWNED | _NOT_STATE)
