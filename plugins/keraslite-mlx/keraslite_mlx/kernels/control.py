"""Control flow: Python's, which MLX records; both ways where a value is not known yet."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import mlx.core as mx

from keraslite.backend.support import PythonLoops, StatelessScope, current, isolated, tree
from keraslite_mlx.state import is_tracing

Array = mx.array


class Loops(PythonLoops):
    """Loops are unrolled. In a compiled step all branches are computed and one is taken."""

    def cond(self, pred: Any, true_fn: Callable[[], Any], false_fn: Callable[[], Any]) -> Any:
        if not is_tracing():
            return super().cond(pred, true_fn, false_fn)
        return self.switch(pred, (false_fn, true_fn))

    def switch(self, index: Any, branches: Sequence[Callable[..., Any]], *operands: Any) -> Any:
        if is_tracing() == "infer":
            return branches[-1](*operands)
        if not is_tracing():
            return super().switch(index, branches, *operands)
        results, scopes = [], []
        for branch in branches:
            with isolated() as scope:
                results.append(branch(*operands))
            scopes.append(scope)
        index = mx.clip(index.astype(mx.int32), 0, len(branches) - 1)

        def choose(*found: Any) -> Any:
            if not isinstance(found[0], Array):
                return found[0]
            chosen = found[0]
            for i, x in enumerate(found[1:], start=1):
                chosen = mx.where(index == i, x, chosen)
            return chosen

        for variable in {id(v): v for scope in scopes for v, _ in scope.updates()}.values():
            values = [scope.get_current_value(variable) for scope in scopes]
            variable._store(choose(*(current(variable) if x is None else x for x in values)))
        outer = StatelessScope.current.get()
        if outer is not None:
            outer.losses.extend(loss for scope in scopes for loss in scope.losses)
        return tree.map_structure(choose, *results)

    def while_loop(
        self,
        cond: Callable[..., Any],
        body: Callable[..., Any],
        loop_vars: Any,
        maximum_iterations: int | None = None,
    ) -> Any:
        if is_tracing() == "infer":
            return loop_vars
        return super().while_loop(cond, body, loop_vars, maximum_iterations)

    def vectorized_map(self, function: Callable[..., Any], elements: Any) -> Any:
        return mx.vmap(function)(elements)


def jvp(
    fn: Callable[..., tuple[Any, Any]], primals: Sequence[Array], tangents: Sequence[Array]
) -> tuple[Any, Any, Any]:
    aux: list[Any] = []

    def run(*arrays: Array) -> Any:
        values, other = fn(*arrays)
        aux[:] = [other]
        return list(values)

    values, changes = mx.jvp(run, list(primals), list(tangents))
    return tuple(values), tuple(changes), aux[0]


KERNELS: dict[str, Callable[..., Any]] = {**Loops(mx).table(), "jvp": jvp}
