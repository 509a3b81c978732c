"""Finding the state that belongs to a layer by looking at its attributes.

Nothing is wrapped or registered: lists, dicts and tuples stay what they are, and a layer
appended to a list later is found like any other.
"""

from __future__ import annotations

import operator
from collections.abc import Iterator
from typing import Any

#: Attributes of the framework that refer to other layers but do not own them.
NOT_OWNED = frozenset(
    {
        "_arguments",
        "_build_shapes",
        "_compile_arguments",
        "_functions",
        "_inbound_nodes",
        "_outbound_nodes",
    }
)
CONTAINERS = (list, tuple, dict, set)


def owned(owner: Any, kinds: tuple[type, ...]) -> Iterator[tuple[str, Any]]:
    """`(name, object)` of the given kinds among the attributes of `owner`.

    Containers are searched at any depth; elements are named `blocks_0`, `blocks_key`.
    """
    skipped = NOT_OWNED | owner._not_tracked
    for name, value in list(vars(owner).items()):
        if name in skipped:
            continue
        if isinstance(value, kinds):
            yield name, value
        elif isinstance(value, CONTAINERS) and value:
            yield from _inside(name, value, kinds)


def _inside(name: str, container: Any, kinds: tuple[type, ...]) -> Iterator[tuple[str, Any]]:
    pairs = container.items() if isinstance(container, dict) else enumerate(container)
    for key, value in pairs:
        if isinstance(value, kinds):
            yield f"{name}_{key}", value
        elif isinstance(value, CONTAINERS) and value:
            yield from _inside(f"{name}_{key}", value, kinds)


def inside(container: Any, kinds: tuple[type, ...]) -> Iterator[Any]:
    """The objects of the given kinds in a container, at any depth."""
    return (x for _, x in _inside("", container, kinds))


def unique(objects: Iterator[Any] | list[Any]) -> list[Any]:
    """The objects in order, each once (by identity)."""
    return list({id(x): x for x in objects}.values())


# Remembering a walk ------------------------------------------------------------------


class _Count:
    """How often any layer was given something that may hold state."""

    number = 0


assignments = _Count()


class Walk:
    """What belongs to a layer, and whether another look would find the same.

    Attributes:
        layers: the layer and all below it.
        variables: of all of them.
        identity: differs where any of these is another one.
    """

    def __init__(self, owner: Any) -> None:
        self._number = assignments.number
        self.layers = list(owner._flatten_layers())
        self.variables = owner.variables
        self.identity = tuple(map(id, (*self.layers, *self.variables)))
        containers = [
            container
            for layer in self.layers
            for container in _mutable(
                vars(layer), NOT_OWNED | layer._not_tracked | layer._engine_attributes
            )
        ]
        contents = [c.values() if isinstance(c, dict) else c for c in containers]
        self._contents = [(now, list(now)) for now in contents]

    def holds(self) -> bool:
        """Whether no layer got a new attribute, and no container of one a new element."""
        if self._number != assignments.number:
            return False
        for now, then in self._contents:
            if len(now) != len(then) or (then and not all(map(operator.is_, now, then))):
                return False
        return True


def _mutable(container: Any, skipped: frozenset[str] = frozenset()) -> Iterator[Any]:
    """The containers inside that may change, at any depth."""
    pairs = container.items() if isinstance(container, dict) else enumerate(container)
    for key, value in pairs:
        if isinstance(value, CONTAINERS) and not (skipped and key in skipped):
            if not isinstance(value, tuple):
                yield value
            yield from _mutable(value)
