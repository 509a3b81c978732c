"""What is being traced, and functions of arrays made from stateful ones."""

from __future__ import annotations

import contextlib
import contextvars
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import mlx.core as mx

from keraslite.backend.support import MaskTable, StatelessScope, isolated, tree

Array = mx.array
Variable = Any

#: Masks of arrays, which take no attributes.
masks = MaskTable()

#: "compile" or "infer" while arrays have no values, "" otherwise.
_tracing: contextvars.ContextVar[str] = contextvars.ContextVar("mlx_tracing", default="")
is_tracing = _tracing.get


@contextlib.contextmanager
def tracing(kind: str) -> Iterator[None]:
    """Say that inside arrays have no values (`kind` "compile" or "infer"), or do ("")."""
    token = _tracing.set(kind)
    try:
        yield
    finally:
        _tracing.reset(token)


#: Stands for an array in a tree whose arrays were taken out.
_ARRAY = object()


def pack(structure: Any) -> tuple[list[Array], Callable[[Sequence[Array]], Any]]:
    """The arrays in a tree, and what puts others into their places."""
    leaves, spec = tree.split(structure)
    static = [_ARRAY if isinstance(x, Array) else x for x in leaves]

    def unpack(arrays: Sequence[Array]) -> Any:
        given = iter(arrays)
        return tree.unflatten(spec, [next(given) if x is _ARRAY else x for x in static])

    return [x for x in leaves if isinstance(x, Array)], unpack


class Call:
    """One run of a stateful function whose effects come out as arrays.

    `outputs = call.run(fn)` gives arrays, inside a transformation of MLX;
    `call.finish(arrays)`, outside of it, does the assignments and returns what `fn` did.
    """

    def __init__(self, variables: Sequence[Variable] = ()) -> None:
        self.variables = variables
        self.written: list[Variable] = []

    def run(self, fn: Callable[[], Any], values: Sequence[Array] = ()) -> list[Array]:
        """The arrays of `fn`'s result and of all that it assigned, with `values` for state."""
        with masks.temporary(), isolated(self.variables, values) as scope:
            result = fn()
        self.written = [variable for variable, _ in scope.updates()]
        new = [value for _, value in scope.updates()]
        arrays, self._unpack = pack((result, new, scope.losses))
        return arrays

    def finish(self, arrays: Sequence[Array]) -> Any:
        """Do what `fn` did, with `arrays` in the place of those that `run` gave."""
        result, new, losses = self._unpack(arrays)
        for variable, value in zip(self.written, new, strict=True):
            variable._store(value)
        outer = StatelessScope.current.get()
        if outer is not None and outer.collect_losses:
            outer.losses.extend(losses)
        return result
