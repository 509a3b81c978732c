"""Trees: nested lists, tuples, namedtuples and dicts, dict keys in sorted order.

A thin layer over optree (https://optree.readthedocs.io). None is a leaf here, as in Keras.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import optree

NAMESPACE = "keraslite"


def is_nested(structure: Any) -> bool:
    """Whether `structure` is a container (an empty one too)."""
    return not optree.tree_is_leaf(structure, none_is_leaf=True, namespace=NAMESPACE)


def flatten(structure: Any) -> list[Any]:
    """The leaves, dicts by sorted keys.

    Example:
        >>> flatten({"b": [1, None], "a": (2,)})
        [2, 1, None]
    """
    return optree.tree_leaves(structure, none_is_leaf=True, namespace=NAMESPACE)


def flatten_with_path(structure: Any) -> list[tuple[tuple, Any]]:
    """`(path, leaf)` pairs; a path is a tuple of keys and indices."""
    paths, leaves, _ = optree.tree_flatten_with_path(
        structure, none_is_leaf=True, namespace=NAMESPACE
    )
    return list(zip(paths, leaves, strict=True))


def structure_of(structure: Any) -> optree.PyTreeSpec:
    """The treedef: equal for trees of one shape, `unflatten`s leaves."""
    return optree.tree_structure(structure, none_is_leaf=True, namespace=NAMESPACE)


def split(structure: Any) -> tuple[list[Any], optree.PyTreeSpec]:
    """Leaves and treedef at once."""
    return optree.tree_flatten(structure, none_is_leaf=True, namespace=NAMESPACE)


def pack_sequence_as(structure: Any, flat_sequence: Iterable[Any]) -> Any:
    """A tree shaped like `structure` with the leaves of `flat_sequence`.

    Raises:
        ValueError: if the number of leaves differs.
    """
    leaves = list(flat_sequence)
    spec = structure_of(structure)
    if len(leaves) != spec.num_leaves:
        raise ValueError(
            f"The structure has {spec.num_leaves} leaves. Received: a sequence of {len(leaves)}."
        )
    return optree.tree_unflatten(spec, leaves)


def map_structure(func: Callable[..., Any], *structures: Any, none_is_leaf: bool = True) -> Any:
    """`func` applied leaf by leaf over trees of one shape.

    Raises:
        TypeError: if `func` is not callable.
        ValueError: if no tree is given, or their shapes differ.

    Example:
        >>> map_structure(lambda a, b: a + b, {"x": 1}, {"x": 2})
        {'x': 3}
    """
    if not callable(func):
        raise TypeError(f"`func` must be callable. Received: {type(func).__name__}")
    if not structures:
        raise ValueError("`map_structure` needs at least one structure.")
    return optree.tree_map(func, *structures, none_is_leaf=none_is_leaf, namespace=NAMESPACE)


def map_structure_up_to(shallow_structure: Any, func: Callable[..., Any], *structures: Any) -> Any:
    """`func` applied where `shallow_structure` has leaves; deeper parts pass whole."""
    spec = structure_of(shallow_structure)
    columns = [spec.flatten_up_to(s) for s in structures]
    return optree.tree_unflatten(spec, [func(*row) for row in zip(*columns, strict=True)])


def assert_same_structure(a: Any, b: Any, check_types: Any = None) -> None:
    """Raise a ValueError that names both shapes unless `a` and `b` nest alike.

    `check_types` has no effect, as in Keras: types of containers always count.
    """
    left, right = structure_of(a), structure_of(b)
    if left != right:
        raise ValueError(
            f"The two structures differ. First: {str(left)[:200]}. Second: {str(right)[:200]}."
        )


def assert_same_paths(a: Any, b: Any) -> None:
    """Raise a ValueError unless `a` and `b` have leaves at the same paths."""
    left = {path for path, _ in flatten_with_path(a)}
    right = {path for path, _ in flatten_with_path(b)}
    if left != right:
        raise ValueError(
            f"Paths differ. Only in the first: {sorted(map(str, left - right))[:5]}. "
            f"Only in the second: {sorted(map(str, right - left))[:5]}."
        )


class MAP_TO_NONE:
    """Returned by the function of `traverse` to put None in a place."""


def traverse(func: Callable[[Any], Any], structure: Any, top_down: bool = True) -> Any:
    """Call `func` on every container and leaf; None means "go on inside".

    Args:
        func: gets a subtree; what it returns, unless None, replaces it.
            Return `MAP_TO_NONE` for None itself.
        structure: a tree.
        top_down: containers before what is in them.
    """
    if not callable(func):
        raise TypeError(f"`func` must be callable. Received: {type(func).__name__}")

    def inside(node: Any) -> Any:
        children, spec = optree.tree_flatten(
            node, is_leaf=lambda x: x is not node, none_is_leaf=True, namespace=NAMESPACE
        )
        return optree.tree_unflatten(spec, [visit(child) for child in children])

    def visit(node: Any) -> Any:
        if top_down:
            found = func(node)
            if found is not None:
                return None if found is MAP_TO_NONE else found
            return inside(node) if is_nested(node) else node
        if is_nested(node):
            node = inside(node)
        found = func(node)
        if found is None:
            return node
        return None if found is MAP_TO_NONE else found

    return visit(structure)


def lists_to_tuples(structure: Any) -> Any:
    """The same tree with every list turned into a tuple."""

    def convert(node: Any) -> Any:
        return tuple(node) if isinstance(node, list) else None

    return traverse(convert, structure, top_down=False)


def unflatten(spec: optree.PyTreeSpec, leaves: Iterable[Any]) -> Any:
    """The inverse of `split`."""
    return optree.tree_unflatten(spec, leaves)


def map_shape_structure(func: Callable[[tuple], Any], structure: Any) -> Any:
    """`func` applied to every shape (a tuple or list of sizes and None) in a tree.

    Example:
        >>> keras.tree.map_shape_structure(len, {"a": (None, 3), "b": [(2,), (4, 5)]})
        {'a': 2, 'b': [1, 2]}
    """

    def visit(node: Any) -> Any:
        if isinstance(node, (list, tuple)) and all(n is None or isinstance(n, int) for n in node):
            return func(tuple(node))
        return None

    return traverse(visit, structure)
