"""Which objects below a model hold weights, and under which path a file keeps each.

One walk serves saving, loading and assets: attributes in alphabetical order, those that
begin with an underscore last; the elements of a list are named by their class.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np

from keraslite.backend import engine
from keraslite.core import dtypes
from keraslite.core.naming import to_snake_case, unique_among
from keraslite.core.scopes import Scope, _Current
from keraslite.core.stored import Stored
from keraslite.core.variable import Variable

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
    snapshot = Snapshot.current.get()
    if snapshot is not None and root is snapshot.root and not path:
        yield from snapshot.found
    else:
        yield from _walk(root, path, {})


def own_store(saveable: Any) -> dict[str, Any]:
    """What an object keeps in a file, by number or by its own names."""
    snapshot = Snapshot.current.get()
    if snapshot is not None and id(saveable) in snapshot.stores:
        return snapshot.stores[id(saveable)]
    store: dict[str, Any] = {}
    if hasattr(saveable, "save_own_variables"):
        saveable.save_own_variables(store)
    return store


class Snapshot(Scope):
    """Inside, files get the state that a model had when this was made.

    Args:
        root: the model.
        config: what files say of it.
    """

    current: _Current[Snapshot] = _Current("snapshot")

    def __init__(self, root: Any, config: Any) -> None:
        self.root = root
        self.config = config
        self.found = list(walk(root))
        self.stores = {
            id(saveable): self._copied(own_store(saveable)) for _, saveable in self.found
        }

    def _copied(self, value: Any) -> Any:
        if isinstance(value, Mapping):
            return {name: self._copied(item) for name, item in value.items()}
        return _Held(value) if isinstance(value, Variable) else np.array(value)

    def release(self) -> None:
        """Let go of what nobody reads any more."""
        self.root = self.config = None
        self.found, self.stores = [], {}


class _Held(Stored):
    """The value of a variable at some moment; not to be changed."""

    def __init__(self, variable: Variable) -> None:
        self.shape, self.dtype = variable.shape, dtypes.numpy_dtype(variable.dtype)
        self._value = engine.hold(variable._storage)

    def _read(self) -> np.ndarray:
        view = engine.host_view(self._value)
        return engine.to_numpy(self._value) if view is None else view


def _walk(saveable: Any, path: str, seen: dict[int, Any]) -> Iterator[tuple[str, Any]]:
    if id(saveable) in seen:
        return
    seen[id(saveable)] = saveable
    yield path, saveable
    for name, value in _children(saveable):
        inner = f"{path}/{name}" if path else name
        if is_saveable(value):
            yield from _walk(value, inner, seen)
        elif isinstance(value, _CONTAINERS):
            yield from _walk_container(value, inner, seen)


def _walk_container(container: Any, path: str, seen: dict[int, Any]) -> Iterator[tuple[str, Any]]:
    if id(container) in seen:
        return
    seen[id(container)] = container  # kept alive: a property may make a list for each call
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
    names = sorted(_attribute_names(saveable), key=lambda name: (name.startswith("_"), name))
    if any(f"{c.__module__}.{c.__name__}" in _LAYERS_FIRST for c in type(saveable).__mro__):
        names = ["layers", *(n for n in names if n != "layers")]
    for name in names:
        try:
            value = getattr(saveable, name)
        except Exception:  # noqa: BLE001 - any property of a user; one that fails owns nothing
            continue
        yield name, value


# Graphs and stacks: what a subclass adds comes after the layers of the graph.
_LAYERS_FIRST = {"keraslite.models.functional.Functional", "keraslite.models.sequential.Sequential"}
# Where the base classes are, whose attributes and properties are not state.
_BASES = (
    "keraslite.core.",
    "keraslite.models.",
    "keraslite.training.",
    "keraslite.layers.building",
    "keraslite.layers.layer",
    "keraslite.layers.quantization",
    "keraslite.layers.state",
    "keraslite.optimizers.optimizer",
    "keraslite.optimizers.state",
    "keraslite.backend.",
    "torch.",
    "tensorflow.",
    "builtins",
)
_NOT_STATE = {"_compile_arguments", "_functional", "_layers"}


def _attribute_names(saveable: Any) -> set[str]:
    """Attributes and properties that are not the framework's own."""
    found = set(vars(saveable))
    for cls in type(saveable).__mro__:
        if not cls.__module__.startswith(_BASES):
            found.update(k for k, v in cls.__dict__.items() if isinstance(v, property))
    if hasattr(type(saveable), "layers"):
        found.add("layers")
    skipped = _of_every_layer() | getattr(saveable, "_not_tracked", frozenset())
    return {n for n in found if n not in skipped and not n.startswith("__")}


@functools.cache
def _of_every_layer() -> frozenset[str]:
    from keraslite.layers.layer import Layer
    from keraslite.layers.tracking import NOT_OWNED

    return frozenset(vars(Layer(name="layer"))) | NOT_OWNED | _NOT_STATE
