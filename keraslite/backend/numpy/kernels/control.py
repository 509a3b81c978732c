"""Control flow, in Python."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from keraslite.core import tree

Array = Any


def _at(xs: Any, i: int) -> Any:
    return tree.map_structure(lambda x: None if x is None else x[i], xs)


def _length(xs: Any) -> int:
    return next(len(x) for x in tree.flatten(xs) if x is not None)


def _stacked(items: Sequence[Any]) -> Any:
    return tree.map_structure(lambda *x: None if x[0] is None else np.stack(x), *items)


def cond(pred: Any, true_fn: Callable[[], Any], false_fn: Callable[[], Any]) -> Any:
    return true_fn() if bool(pred) else false_fn()


def switch(index: Any, branches: Sequence[Callable[..., Any]], *operands: Any) -> Any:
    return branches[min(max(int(index), 0), len(branches) - 1)](*operands)


def while_loop(
    cond: Callable[..., Any],
    body: Callable[..., Any],
    loop_vars: Any,
    maximum_iterations: int | None = None,
) -> Any:
    several = isinstance(loop_vars, (tuple, list))
    current = tuple(loop_vars) if several else (loop_vars,)
    count = 0
    while (maximum_iterations is None or count < maximum_iterations) and np.all(cond(*current)):
        found = body(*current)
        current = tuple(found) if several and isinstance(found, (tuple, list)) else (found,)
        count += 1
    if not several:
        return current[0]
    return list(current) if isinstance(loop_vars, list) else current


def fori_loop(lower: Any, upper: Any, body_fun: Callable[..., Any], init_val: Any) -> Any:
    value = init_val
    for i in range(int(lower), int(upper)):
        value = body_fun(np.int32(i), value)
    return value


def scan(
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
        carry, y = f(carry, _at(xs, i))
        ys.append(y)
    if reverse:
        ys.reverse()
    return carry, _stacked(ys) if ys else None


def map(f: Callable[..., Any], xs: Any) -> Any:
    return _stacked([f(_at(xs, i)) for i in range(_length(xs))])


def vectorized_map(function: Callable[..., Any], elements: Any) -> Any:
    return map(function, elements)


def associative_scan(
    f: Callable[..., Any], elems: Any, reverse: bool = False, axis: int = 0
) -> Any:
    # `f` combines arrays that keep the scanned axis, here with one element of it.
    size = tree.flatten(elems)[0].shape[axis]
    parts = [
        tree.map_structure(lambda x, i=i: np.take(x, [i], axis=axis), elems) for i in range(size)
    ]
    if reverse:
        parts.reverse()
    found = parts[:1]
    for part in parts[1:]:
        found.append(f(found[-1], part))
    if reverse:
        found.reverse()
    return tree.map_structure(lambda *x: np.concatenate(x, axis=axis), *found)


KERNELS: dict[str, Callable[..., Any]] = {
    fn.__name__: fn
    for fn in (
        cond, switch, while_loop, fori_loop, scan, map, vectorized_map, associative_scan,
    )
}  # fmt: skip
