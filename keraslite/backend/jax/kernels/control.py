"""Control flow. Variables assigned inside a traced branch or body keep what they got."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from keraslite.backend.jax.state import with_state

Array = Any


def _is_traced(x: Any) -> bool:
    return isinstance(x, jax.core.Tracer)


def cond(pred: Any, true_fn: Callable[[], Any], false_fn: Callable[[], Any]) -> Any:
    if not _is_traced(pred):
        return true_fn() if bool(pred) else false_fn()
    return switch(jnp.asarray(pred, "int32"), (false_fn, true_fn))


def switch(index: Any, branches: Sequence[Callable[..., Any]], *operands: Any) -> Any:
    if not _is_traced(index):
        return branches[min(max(int(index), 0), len(branches) - 1)](*operands)
    return with_state(branches, lambda pures, values: lax.switch(index, pures, values, *operands))


def while_loop(
    cond: Callable[..., Any],
    body: Callable[..., Any],
    loop_vars: Any,
    maximum_iterations: int | None = None,
) -> Any:
    several = isinstance(loop_vars, (tuple, list))
    start = tuple(loop_vars) if several else (loop_vars,)

    def as_tuple(found: Any) -> tuple:
        return tuple(found) if isinstance(found, (tuple, list)) and several else (found,)

    def run(pures: list[Callable[..., Any]], values: list[Array]) -> Any:
        def goes_on(state: Any) -> Array:
            count, current, _ = state
            going = jnp.all(cond(*current))
            return going if maximum_iterations is None else going & (count < maximum_iterations)

        def step(state: Any) -> Any:
            count, current, values = state
            found, values = pures[0](values, *current)
            return count + 1, as_tuple(found), values

        _, found, values = lax.while_loop(goes_on, step, (jnp.int32(0), start, values))
        return found, values

    found = with_state([body], run)
    if not several:
        return found[0]
    return list(found) if isinstance(loop_vars, list) else found


def fori_loop(lower: Any, upper: Any, body_fun: Callable[..., Any], init_val: Any) -> Any:
    def run(pures: list[Callable[..., Any]], values: list[Array]) -> Any:
        def step(i: Array, state: Any) -> Any:
            current, values = state
            return pures[0](values, i, current)

        return lax.fori_loop(lower, upper, step, (init_val, values))

    return with_state([body_fun], run)


def scan(
    f: Callable[..., Any],
    init: Any,
    xs: Any = None,
    length: int | None = None,
    reverse: bool = False,
    unroll: int = 1,
) -> tuple[Any, Any]:
    def run(pures: list[Callable[..., Any]], values: list[Array]) -> Any:
        def step(state: Any, x: Any) -> Any:
            carry, values = state
            (carry, y), values = pures[0](values, carry, x)
            return (carry, values), y

        (carry, values), ys = lax.scan(
            step, (init, values), xs, length=length, reverse=reverse, unroll=unroll
        )
        return (carry, ys), values

    return with_state([f], run)


def map(f: Callable[..., Any], xs: Any) -> Any:
    return scan(lambda _, x: (None, f(x)), None, xs)[1]


def vectorized_map(function: Callable[..., Any], elements: Any) -> Any:
    return jax.vmap(function)(elements)


def associative_scan(
    f: Callable[..., Any], elems: Any, reverse: bool = False, axis: int = 0
) -> Any:
    return lax.associative_scan(f, elems, reverse=reverse, axis=axis)


def jvp(
    fn: Callable[..., tuple[Any, Any]], primals: Sequence[Array], tangents: Sequence[Array]
) -> tuple[Any, Any, Any]:
    return jax.jvp(fn, tuple(primals), tuple(tangents), has_aux=True)


KERNELS: dict[str, Callable[..., Any]] = {
    fn.__name__: fn
    for fn in (
        cond,
        switch,
        while_loop,
        fori_loop,
        scan,
        map,
        vectorized_map,
        associative_scan,
        jvp,
    )
}
