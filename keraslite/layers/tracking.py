"""Finding the state that belongs to a layer by looking at its attributes.

Nothing is wrapped or registered: lists, dicts and tuples stay what they are, and a layer
appended to a list later is found like any other.
"""

from __future__ import annotations

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
_CONTAINERS = (list, tuple, dict, set)


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
        elif isinstance(value, _CONTAINERS) and value:
            yield from _inside(name, value, kinds)


def _inside(name: str, container: Any, kinds: tuple[type, ...]) -> Iterator[tuple[str, Any]]:
    pairs = container.items() if isinstance(container, dict) else enumerate(container)
    for key, value in pairs:
        if isinstance(value, kinds):
            yield f"{name}_{key}", value
        elif isinstance(value, _CONTAINERS) and value:
            yield from _inside(f"{name}_{key}", value, kinds)


def unique(objects: Iterator[Any] | list[Any]) -> list[Any]:
    """The objects in order, each once (by identity)."""
    return list({id(x): x for x in objects}.values())
