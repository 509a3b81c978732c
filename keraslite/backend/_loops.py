"""Control flow as plain Python, for engines that compute (or record) op by op."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import ModuleType
from typing import Any

from keraslite.core import tree

Array = Any


def _length(xs: Any) -> int:
    return next(len(x) for x in tree.flatten(xs) if x is not None)


class PythonLoops:
    """The kernels of control flow over the array namespace `xp`: NumPy's, or one like it.

    Args:
        xp: has `stack`, `concatenate`, `all` and `asarray`; its arrays can be sliced.
    """

    def __init__(self, xp: ModuleType) -> None:
        self.xp = xp

    def table(self) -> dict[str, Callable[..., Any]]:
        """All kernels by name."""
        return {
            n: getattr(self, n)
            for kind in reversed(type(self).__mro__)
            for n in vars(kind)
            if kind is not object and n[0] != "_" and n != "table"
        }

    def cond(self, pred: Any, true_fn: Callable[[], Any], false_fn: Callable[[], Any]) -> Any:
        return true_fn() if bool(pred) else false_fn()

    def switch(self, index: Any, branches: Sequence[Callable[..., Any]], *operands: Any) -> Any:
        return branches[min(max(int(index), 0), len(branches) - 1)](*operands)

    def while_loop(
        self,
        cond: Callable[..., Any],
        body: Callable[..., Any],
        loop_vars: Any,
        maximum_iterations: int | None = None,
    ) -> Any:
        several = isinstance(loop_vars, (tuple, list))
        current = tuple(loop_vars) if several else (loop_vars,)
        count = 0
        while maximum_iterations is None or count < maximum_iterations:
            if not bool(self.xp.all(cond(*current))):
                break
            found = body(*current)
            current = tuple(found) if several and isinstance(found, (tuple, list)) else (found,)
            count += 1
        if not several:
            return current[0]
        return list(current) if isinstance(loop_vars, list) else current

    def fori_loop(self, lower: Any, upper: Any, body_fun: Callable[..., Any], init_val: Any) -> Any:
        value = init_val
        for i in range(int(lower), int(upper)):
            value = body_fun(self.xp.asarray(i, dtype=self.xp.int32), value)
        return value

    def scan(
        self,
        f: Callable[..., Any],
        init: Any,
        xs: Any = None,
        length: int | None = None,
        reverse: bool = False,
        unroll: int = 1,
    ) -> tuple[Any, Any]:
        count = _length(xs) if length is None else length
        carry, ys = init, []
        for i in reversed(range(count)) if reverse else range(count):
            carry, y = f(carry, self._at(xs, i))
            ys.append(y)
        if reverse:
            ys.reverse()
        return carry, self._stacked(ys) if ys else None

    def map(self, f: Callable[..., Any], xs: Any) -> Any:
        return self._stacked([f(self._at(xs, i)) for i in range(_length(xs))])

    def vectorized_map(self, function: Callable[..., Any], elements: Any) -> Any:
        return self.map(function, elements)

    def associative_scan(
        self, f: Callable[..., Any], elems: Any, reverse: bool = False, axis: int = 0
    ) -> Any:
        # `f` combines arrays that keep the scanned axis, here with one element of it.
        first = tree.flatten(elems)[0]
        size, before = first.shape[axis], (slice(None),) * (axis % first.ndim)
        parts = [
            tree.map_structure(lambda x, i=i: x[(*before, slice(i, i + 1))], elems)
            for i in range(size)
        ]
        if reverse:
            parts.reverse()
        found = parts[:1]
        for part in parts[1:]:
            found.append(f(found[-1], part))
        if reverse:
            found.reverse()
        return tree.map_structure(lambda *x: self.xp.concatenate(x, axis=axis), *found)

    def _at(self, xs: Any, i: int) -> Any:
        return tree.map_structure(lambda x: None if x is None else x[i], xs)

    def _stacked(self, items: Sequence[Any]) -> Any:
        return tree.map_structure(lambda *x: None if x[0] is None else self.xp.stack(x), *items)
