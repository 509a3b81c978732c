"""Differentiation with `tf.GradientTape`."""

from __future__ import annotations

import contextvars
from collections.abc import Callable, Sequence
from typing import Any

import tensorflow as tf

from keraslite.backend._host import no_scalar
from keraslite.backend._pure import current
from keraslite.backend.tensorflow import support as s
from keraslite.core import tree
from keraslite.core.scopes import StatelessScope

Tensor = Any


def value_and_grad(
    fn: Callable[[], tuple[Tensor, Any]], variables: Sequence[Any]
) -> tuple[tuple[Tensor, Any], list[Tensor | None]]:
    """See `Engine.value_and_grad`."""
    return _differentiate(fn, [current(v) for v in variables])


def value_and_grad_of(
    fn: Callable[..., tuple[Tensor, Any]], tensors: Sequence[Tensor]
) -> tuple[tuple[Tensor, Any], list[Tensor]]:
    """See `Engine.value_and_grad_of`."""
    # Copies: a tensor that another tape watches too keeps its own gradient.
    tensors = [tf.identity(x) for x in tensors]
    result, grads = _differentiate(lambda: fn(*tensors), tensors)
    pairs = zip(grads, tensors, strict=True)
    return result, [tf.zeros_like(x) if g is None else g for g, x in pairs]


def _differentiate(
    fn: Callable[[], tuple[Tensor, Any]], sources: Sequence[Any]
) -> tuple[tuple[Tensor, Any], list[Tensor | None]]:
    wanted = [x for x in sources if x.dtype.is_floating or x.dtype.is_complex]
    with tf.GradientTape(watch_accessed_variables=False) as tape:
        tape.watch(wanted)
        loss, aux = fn()
    _check_scalar(loss)
    grads = tape.gradient(loss, wanted)
    found = {id(x): _dense(g) for x, g in zip(wanted, grads, strict=True)}
    return (loss, aux), [found.get(id(x)) for x in sources]


def _dense(gradient: Any) -> Tensor | None:
    # Reads by index give only the rows that they touched.
    return tf.convert_to_tensor(gradient) if isinstance(gradient, tf.IndexedSlices) else gradient


def _check_scalar(loss: Any) -> None:
    if not s.is_tensor(loss) or loss.shape.rank or not loss.dtype.is_floating:
        found = f"shape {loss.shape}, dtype {loss.dtype.name}" if s.is_tensor(loss) else type(loss)
        raise no_scalar(str(found))


def custom_gradient(fn: Callable[..., Any]) -> Callable[..., Any]:
    """See `Engine.custom_gradient`."""

    def call(*args: Any, **kwargs: Any) -> Any:
        form: list[Any] = []

        @tf.custom_gradient
        def run(*tensors: Tensor) -> tuple[Any, Callable[..., Any]]:
            output, grad_fn = fn(*tensors, **kwargs)
            leaves, structure = tree.split(output)
            form.append(structure)

            def backward(*upstream: Tensor, variables: Sequence[Any] = ()) -> Any:
                found = grad_fn(*tensors, upstream=tree.unflatten(structure, upstream))
                found = tuple(found) if isinstance(found, (list, tuple)) else (found,)
                return (found, [None] * len(variables)) if variables else found

            return leaves, backward

        found = run(*args)
        return tree.unflatten(form[0], found)

    return call


def rematerialize(fn: Callable[..., Any]) -> Callable[..., Any]:
    """See `Engine.rematerialize`.

    The second run sees the scopes and the state of the first: flags, seeds, statistics.
    """

    def call(*args: Any, **kwargs: Any) -> Any:
        leaves, structure = tree.split((args, kwargs))
        where = [i for i, leaf in enumerate(leaves) if s.is_tensor(leaf)]
        context = contextvars.copy_context()
        runs: list[_Run] = []

        def once(*tensors: Tensor) -> list[Tensor]:
            filled = list(leaves)
            for i, tensor in zip(where, tensors, strict=True):
                filled[i] = tensor
            again_args, again_kwargs = tree.unflatten(structure, filled)
            before = runs[0].before if runs else ()
            with s.isolated(before) as scope:
                outputs = fn(*again_args, **again_kwargs)
            runs.append(_Run(outputs, scope))
            return runs[-1].tensors

        def either(*tensors: Tensor) -> list[Tensor]:
            return context.copy().run(once, *tensors) if runs else once(*tensors)

        tensors = tf.recompute_grad(either)(*(leaves[i] for i in where))
        first = runs[0]
        for variable, value in first.after:
            variable._store(value)
        return first.outputs(tensors)

    return call


class _Run:
    """What one run of a rematerialised function gave, and what state it started from."""

    def __init__(self, outputs: Any, scope: StatelessScope) -> None:
        self._leaves, self._structure = tree.split(outputs)
        self.tensors = [leaf for leaf in self._leaves if s.is_tensor(leaf)]
        self.after = scope.updates()
        self.before = [(variable, s.current_value(variable)) for variable, _ in self.after]

    def outputs(self, tensors: Sequence[Tensor]) -> Any:
        """The tree of outputs with `tensors` in their places."""
        given = iter(tensors)
        return tree.unflatten(
            self._structure, [next(given) if s.is_tensor(x) else x for x in self._leaves]
        )
