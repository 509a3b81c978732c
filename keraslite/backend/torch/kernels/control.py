"""Control flow: plain Python, recorded step by step when a step is compiled."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch

from keraslite.backend.torch import tensors
from keraslite.backend.torch.recording import NotRecordable
from keraslite.core import tree
from keraslite.core.scopes import StatelessScope


def _unknown(x: Any) -> bool:
    """Whether `x` has no value because shapes are inferred.

    Raises:
        NotRecordable: if it has none because a step is recorded.
    """
    if not tensors.is_fake(x):
        return False
    if not tensors.is_inferring():
        raise NotRecordable(
            "A compiled step on the torch engine cannot loop or switch on a value that is "
            "computed in the step. Compile the model with `jit_compile=False`."
        )
    return True


def cond(pred: Any, true_fn: Callable[[], Any], false_fn: Callable[[], Any]) -> Any:
    if tensors.is_fake(pred):
        if tensors.is_recording():
            raise NotRecordable("As it is, the step computes one branch of two; recorded, both.")
        return true_fn() if tensors.is_inferring() else _both(pred, true_fn, false_fn)
    if isinstance(pred, torch.Tensor) and torch.compiler.is_exporting():
        return torch.cond(pred, true_fn, false_fn)
    return true_fn() if pred else false_fn()


def _both(pred: torch.Tensor, true_fn: Callable[[], Any], false_fn: Callable[[], Any]) -> Any:
    """Both branches, then a choice between their results and between their assignments."""

    def branch(fn: Callable[[], Any]) -> tuple[Any, dict[int, tuple[Any, Any]]]:
        outer = StatelessScope.current.get()
        with StatelessScope(collect_losses=outer is not None and outer.collect_losses) as scope:
            if outer is not None:
                scope.state.update(outer.state)
                scope.losses = outer.losses
            result = fn()
        return result, {id(v): (v, value) for v, value in scope.updates()}

    def choose(x: Any, y: Any) -> Any:
        return torch.where(pred, x, y) if isinstance(x, torch.Tensor) else x

    (first, assigned), (second, others) = branch(true_fn), branch(false_fn)
    for key, (variable, _) in (assigned | others).items():
        before = (variable, variable.value)
        new, other = assigned.get(key, before)[1], others.get(key, before)[1]
        variable._store(torch.where(pred, new, other))
    return tree.map_structure(choose, first, second)


def switch(index: Any, branches: Sequence[Callable[..., Any]], *operands: Any) -> Any:
    place = 0 if _unknown(index) else min(max(int(index), 0), len(branches) - 1)
    return branches[place](*operands)


def while_loop(
    cond: Callable[..., Any],
    body: Callable[..., Any],
    loop_vars: Any,
    maximum_iterations: int | None = None,
) -> Any:
    single = not isinstance(loop_vars, (tuple, list))
    state = (loop_vars,) if single else loop_vars
    done = 0
    while maximum_iterations is None or done < maximum_iterations:
        go_on = cond(*state)
        if _unknown(go_on):
            # Shapes do not change in a loop: once tells all.
            go_on, maximum_iterations = done == 0, 1
        if not go_on:
            break
        state = body(*state)
        if not isinstance(state, (tuple, list)):
            state = (state,)
        done += 1
    return state[0] if single else type(loop_vars)(state)


def fori_loop(lower: Any, upper: Any, body_fun: Callable[[Any, Any], Any], init_val: Any) -> Any:
    value = init_val
    if _unknown(lower) or _unknown(upper):
        return body_fun(lower, value)
    for i in range(int(lower), int(upper)):
        value = body_fun(i, value)
    return value


def _stack(rows: list[Any]) -> Any:
    def column(*leaves: Any) -> Any:
        return None if leaves[0] is None else torch.stack([tensors.convert(x) for x in leaves])

    return tree.map_structure(column, *rows)


def scan(
    f: Callable[[Any, Any], tuple[Any, Any]],
    init: Any,
    xs: Any = None,
    length: int | None = None,
    reverse: bool = False,
    unroll: int | bool = 1,
) -> tuple[Any, Any]:
    columns, spec = tree.split(xs)
    sizes = {x.shape[0] for x in columns if x is not None} | ({length} - {None})
    if len(sizes) != 1:
        raise ValueError(
            "`scan` needs `length`, or `xs` of one length along the first axis. "
            f"Received: lengths {sorted(sizes)}"
        )
    (count,) = sizes
    # Unbinding once gives one node for the gradient where indexing gives one a step.
    parts = [None if x is None else x.unbind(0) for x in columns]
    order = range(count)
    carry, rows = init, []
    for i in reversed(order) if reverse else order:
        row = spec.unflatten([None if part is None else part[i] for part in parts])
        carry, y = f(carry, row)
        rows.append(y)
    if not rows:
        return carry, _nothing(f, init, columns, spec)
    return carry, _stack(rows[::-1] if reverse else rows)


def _nothing(f: Callable[..., Any], init: Any, columns: list[Any], spec: Any) -> Any:
    """What a scan over no steps stacks, shaped by a step over zeros."""
    row = [None if x is None else torch.zeros_like(x.new_empty(x.shape[1:])) for x in columns]
    _, y = f(init, spec.unflatten(row))
    return tree.map_structure(lambda x: None if x is None else x.new_empty((0, *x.shape)), y)


def map_(f: Callable[[Any], Any], xs: Any) -> Any:
    return scan(lambda _, x: (None, f(x)), None, xs)[1]


def vectorized_map(function: Callable[[Any], Any], elements: Any) -> Any:
    return torch.vmap(function, randomness="different")(elements)


def associative_scan(
    f: Callable[[Any, Any], Any], elems: Any, reverse: bool = False, axis: int = 0
) -> Any:
    def each(fn: Callable[..., Any], *trees: Any) -> Any:
        return tree.map_structure(fn, *trees)

    if reverse:
        elems = each(lambda x: torch.flip(x, (axis,)), elems)
    size = tree.flatten(elems)[0].shape[axis]
    # Hillis and Steele, "Data parallel algorithms" (1986): after each round every place
    # holds the result over twice as many places up to it.
    reach = 1
    while reach < size:
        rest = size - reach
        joined = f(
            each(lambda x, n=rest: x.narrow(axis, 0, n), elems),
            each(lambda x, at=reach, n=rest: x.narrow(axis, at, n), elems),
        )
        elems = each(
            lambda x, y, n=reach: torch.cat((x.narrow(axis, 0, n), y), axis), elems, joined
        )
        reach *= 2
    return each(lambda x: torch.flip(x, (axis,)), elems) if reverse else elems


def jvp(
    fn: Callable[..., tuple[Any, Any]],
    primals: Sequence[torch.Tensor],
    tangents: Sequence[torch.Tensor],
) -> tuple[Any, Any, Any]:
    return torch.func.jvp(fn, tuple(primals), tuple(tangents), has_aux=True)
