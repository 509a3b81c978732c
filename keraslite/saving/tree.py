"""Weights of several files, or of none in HDF5, as one tree that reads like an HDF5 file."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any


class Tree(dict[str, Any]):
    """Groups in groups by name; what is no `Tree` is an array with `shape` and `dtype`."""

    def get(self, path: str, default: Any = None) -> Any:
        """What is at a path such as `layers/dense/vars`."""
        found: Any = self
        for name in filter(None, path.split("/")):
            if not isinstance(found, Tree) or name not in found:
                return default
            found = found[name]
        return found

    def put(self, path: str, array: Any) -> None:
        """Add an array, and the groups above it.

        Raises:
            KeyError: if the place is taken.
        """
        group = self
        *above, name = filter(None, path.split("/"))
        for part in above:
            group = group.setdefault(part, Tree())
            if not isinstance(group, Tree):
                raise KeyError(path)
        if name in group:
            raise KeyError(path)
        group[name] = array

    def visititems(self, visit: Callable[[str, Any], Any]) -> None:
        """Call `visit(path, group or array)` for all below, as `h5py.Group` does."""
        for path, item in _items(self):
            visit(path, item)

    def arrays(self) -> Iterator[tuple[str, Any]]:
        """`(path, array)` of all below."""
        return leaves(self)


def _items(tree: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, Any]]:
    for name, item in tree.items():
        yield path + name, item
        if isinstance(item, Tree):
            yield from _items(item, f"{path}{name}/")


def tree_of(group: Mapping[str, Any], leaf: Callable[[Any], Any], into: Tree | None = None) -> Tree:
    """The arrays below an HDF5 group, added to `into`."""
    found = Tree() if into is None else into
    for name, item in group.items():
        if isinstance(item, Mapping):
            tree_of(item, leaf, found.setdefault(name, Tree()))
        else:
            found.put(name, leaf(item))
    return found


def leaves(store: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, Any]]:
    """`(path, value)` of a dict of values and of dicts of them."""
    for name, item in store.items():
        if isinstance(item, Mapping):
            yield from leaves(item, f"{path}{name}/")
        else:
            yield path + name, item
