"""Gradients with `torch.autograd.grad`: nothing accumulates in `.grad`."""

from __future__ import annotations

import contextvars
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
import torch.utils.checkpoint

from keraslite.core import tree
from keraslite.core.scopes import StatelessScope

Tensor = torch.Tensor

#: How many gradients are being recorded; an inner one is itself differentiated.
_depth: contextvars.ContextVar[int] = contextvars.ContextVar("torch_gradients", default=0)


@contextmanager
def _recording() -> Iterator[bool]:
    """Record a gradient inside; gives whether another one is recorded around it."""
    depth = _depth.get()
    token = _depth.set(depth + 1)
    try:
        with torch.enable_grad():
            yield depth > 0
    finally:
        _depth.reset(token)


def _free(x: Any) -> Any:
    """`x` without its graph, with its mask."""
    if not isinstance(x, torch.Tensor) or not x.requires_grad:
        return x
    free = x.detach()
    mask = getattr(x, "_keras_mask", None)
    if mask is not None:
        free._keras_mask = mask
    return free


def _leaves(variables: Sequence[Any]) -> list[Tensor]:
    """What `fn` will read for each variable: its storage, or its value in the scope."""
    scope = StatelessScope.current.get()
    if scope is None or not scope.state:
        return [v._storage for v in variables]
    leaves = []
    for variable in variables:
        value = scope.get_current_value(variable)
        if value is None:
            value = variable._storage
        elif not value.requires_grad:
            # Ours to mark, where the caller's tensor is not.
            value = value.detach()
            scope.state[id(variable)] = (variable, value)
        leaves.append(value)
    return leaves


def value_and_grad(
    fn: Callable[[], tuple[Tensor, Any]], variables: Sequence[Any]
) -> tuple[tuple[Tensor, Any], list[Tensor | None]]:
    """See `Engine.value_and_grad`. Outside of other gradients, results carry no graph."""
    leaves = _leaves(variables)
    frozen = [x for x in leaves if not x.requires_grad]
    for x in frozen:
        x.requires_grad_(True)
    try:
        with _recording() as nested:
            loss, aux = fn()
            if not leaves or not loss.requires_grad:
                return (loss, aux), [None] * len(leaves)
            grads = torch.autograd.grad(loss, leaves, create_graph=nested, allow_unused=True)
    finally:
        for x in frozen:
            x.requires_grad_(False)
    if not nested:
        loss, aux = tree.map_structure(_free, (loss, aux))
    return (loss, aux), list(grads)


def value_and_grad_of(
    fn: Callable[..., tuple[Tensor, Any]], tensors: Sequence[Tensor]
) -> tuple[tuple[Tensor, Any], list[Tensor]]:
    """See `Engine.value_and_grad_of`. The results can be differentiated again."""
    again = torch.is_grad_enabled()
    with _recording():
        # Views are nodes of their own: a dependence on `tensors` by other ways than
        # through the arguments does not count.
        leaves = [x.view_as(x) if x.requires_grad else x.detach().requires_grad_() for x in tensors]
        loss, aux = fn(*leaves)
        if not loss.requires_grad:
            return (loss, aux), [torch.zeros_like(x) for x in tensors]
        grads = torch.autograd.grad(
            loss, leaves, create_graph=again, allow_unused=True, materialize_grads=True
        )
    return (loss, aux), list(grads)


class _Custom(torch.autograd.Function):
    """A function with a gradient of the caller's making."""

    @staticmethod
    def forward(ctx: Any, fn: Callable[..., Any], *args: Any) -> Any:
        output, ctx.grad_fn = fn(*args)
        ctx.tensors = [i for i, x in enumerate(args) if isinstance(x, torch.Tensor)]
        ctx.save_for_backward(*(args[i] for i in ctx.tensors))
        ctx.rest = [None if i in ctx.tensors else x for i, x in enumerate(args)]
        return output

    @staticmethod
    def backward(ctx: Any, *upstream: Tensor) -> Any:
        args = list(ctx.rest)
        for i, x in zip(ctx.tensors, ctx.saved_tensors, strict=True):
            args[i] = x
        grads = ctx.grad_fn(*args, upstream=upstream[0] if len(upstream) == 1 else upstream)
        grads = tuple(grads) if isinstance(grads, (tuple, list)) else (grads,)
        return None, *grads, *(None,) * (len(args) - len(grads))


def custom_gradient(fn: Callable[..., Any]) -> Callable[..., Any]:
    """See `Engine.custom_gradient`."""

    def run(*args: Any) -> Any:
        return _Custom.apply(fn, *args)

    return run


def rematerialize(fn: Callable[..., Any]) -> Callable[..., Any]:
    """See `Engine.rematerialize`.

    The second run must see the state that the first one saw (seeds above all) and
    leave no trace, so both run in a `StatelessScope`.
    """

    def run(*args: Any, **kwargs: Any) -> Any:
        before: list[tuple[Any, Tensor]] | None = None
        outer = StatelessScope.current.get()

        def body(*args: Any, **kwargs: Any) -> Any:
            nonlocal before
            with StatelessScope(collect_losses=True) as scope:
                if outer is not None:
                    scope.state.update(outer.state)
                for variable, value in before or ():
                    scope.state[id(variable)] = (variable, value)
                result = fn(*args, **kwargs)
            if before is None:
                before = [(v, v.value.detach().clone()) for v, _ in scope.updates()]
                first.extend(scope.updates())
            return result

        first: list[tuple[Any, Tensor]] = []
        result = torch.utils.checkpoint.checkpoint(
            body, *args, use_reentrant=False, preserve_rng_state=False, **kwargs
        )
        for variable, value in first:
            variable._store(value)
        return result

    return run
