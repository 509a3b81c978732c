"""Stateful functions made pure: what they assign to variables becomes an output."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import jax
import numpy as np

from keraslite.backend import _pure
from keraslite.backend._host import MaskTable
from keraslite.backend._pure import current
from keraslite.core import tree
from keraslite.core.scopes import StatelessScope

Array = Any
Variable = Any

#: Masks of arrays; tracers take no attributes.
masks = MaskTable()


def is_sparse(x: object) -> bool:
    """Whether `x` is a sparse array, whose module takes a while to import."""
    loaded = sys.modules.get("jax.experimental.sparse")
    return loaded is not None and isinstance(x, loaded.JAXSparse)


def _subclasses(cls: type) -> set[type]:
    return {cls}.union(*(_subclasses(sub) for sub in cls.__subclasses__()))


#: Exact types of what JAX computes with: the arrays and every kind of tracer.
TENSORS = frozenset(
    _subclasses(jax.core.Tracer) | {c for c in jax.Array.__subclasses__() if "Impl" in c.__name__}
)
_ARRAYS = TENSORS | {np.ndarray}

ALONE, TUPLE = "alone", "tuple"


class Packed:
    """Any tree as a JAX pytree: arrays are its leaves, everything else is static.

    Args:
        arrays: in the order of the tree.
        static: `ALONE` for an array that is no tree, `TUPLE` for a tuple of arrays, else the
            tree, its leaves with None for the arrays, and the places of these.
    """

    __slots__ = ("arrays", "static")

    def __init__(self, arrays: Sequence[Array], static: Any) -> None:
        self.arrays = arrays
        self.static = static

    def unpack(self, replace: Callable[[Array], Any] | None = None) -> Any:
        """The tree, with `replace(array)` in the place of each array."""
        arrays = self.arrays if replace is None else [replace(x) for x in self.arrays]
        if self.static is ALONE:
            return arrays[0]
        if self.static is TUPLE:
            return tuple(arrays)
        spec, others, places = self.static
        leaves = list(others)
        for place, array in zip(places, arrays, strict=True):
            leaves[place] = array
        return tree.unflatten(spec, leaves)


def pack(structure: Any) -> Packed:
    """`structure` with its arrays told apart from the rest."""
    # Most batches and outputs, for which a tree takes as long as a small step.
    if type(structure) in _ARRAYS:
        return Packed((structure,), ALONE)
    if type(structure) is tuple and all([type(x) in _ARRAYS for x in structure]):
        return Packed(structure, TUPLE)
    leaves, spec = tree.split(structure)
    arrays, places = [], []
    for place, leaf in enumerate(leaves):
        if isinstance(leaf, (jax.Array, np.ndarray, np.generic)) or is_sparse(leaf):
            arrays.append(leaf)
            places.append(place)
            leaves[place] = None
    return Packed(arrays, (spec, tuple(leaves), tuple(places)))


jax.tree_util.register_pytree_node(
    Packed, lambda p: (p.arrays, p.static), lambda static, arrays: Packed(arrays, static)
)


def strong(x: Array) -> Array:
    """`x` without JAX's weak typing, so that a compiled step sees one type of state."""
    return jax.lax.convert_element_type(x, x.dtype) if x.aval.weak_type else x


@contextlib.contextmanager
def isolated(
    variables: Sequence[Variable] = (), values: Sequence[Array] = ()
) -> Iterator[StatelessScope]:
    """As the shared `isolated`; masks attached inside are forgotten too."""
    with masks.temporary(), _pure.isolated(variables, values) as scope:
        yield scope


class Outcome:
    """What a traced function did besides returning: assignments and added losses.

    `outcome.of(scope)` gives a pytree inside the trace; `outcome.apply(pytree)` brings
    it about outside.
    """

    def __init__(self) -> None:
        self.variables: list[Variable] = []

    def of(self, scope: StatelessScope) -> tuple[list[Array], Packed]:
        self.variables = [variable for variable, _ in scope.updates()]
        return [strong(value) for _, value in scope.updates()], pack(scope.losses)

    def apply(self, found: tuple[list[Array], Packed]) -> None:
        values, losses = found
        for variable, value in zip(self.variables, values, strict=True):
            variable._store(value)
        outer = StatelessScope.current.get()
        if outer is not None and outer.collect_losses:
            outer.losses.extend(losses.unpack())


class Unlisted(Exception):
    """Variables were assigned that are no part of a pure function's state."""

    def __init__(self, variables: list[Variable]) -> None:
        super().__init__(", ".join(v.path for v in variables))
        self.variables = variables


def pure(fn: Callable[..., Any], variables: Sequence[Variable]) -> Callable[..., Any]:
    """`fn(*args) -> outputs` as `(values, *args) -> (outputs, new values)`.

    Raises:
        Unlisted: while tracing, if `fn` assigns others than `variables`.
    """
    listed = {id(v) for v in variables}

    def run(values: Sequence[Array], *args: Any) -> tuple[Any, list[Array]]:
        with isolated(variables, values) as scope:
            outputs = fn(*args)
        unlisted = [v for key, v in scope.updated.items() if key not in listed]
        if unlisted:
            raise Unlisted(unlisted)
        return outputs, [strong(scope.state[id(v)][1]) for v in variables]

    return run


def with_state(
    fns: Sequence[Callable[..., Any]],
    run: Callable[[list[Callable[..., Any]], list[Array]], tuple[Any, list[Array]]],
) -> Any:
    """Outputs of `run(pure fns, values) -> (outputs, new values)`, assignments done.

    The state is whatever the functions turn out to assign: usually nothing, so the
    first attempt goes without and is traced again only when it has to be.
    """
    variables: list[Variable] = []
    while True:
        values = [current(v) for v in variables]
        try:
            outputs, values = run([pure(fn, variables) for fn in fns], values)
        except Unlisted as found:
            variables += found.variables
            continue
        for variable, value in zip(variables, values, strict=True):
            variable._store(value)
        return outputs
