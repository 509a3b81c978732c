"""Gradients with `mx.value_and_grad`, over functions of the variables' arrays."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import mlx.core as mx

from keraslite.backend.support import StatelessScope, current
from keraslite_mlx.dtypes import FLOATS, INEXACT
from keraslite_mlx.state import Call, pack

Array = mx.array
Scalar = tuple[Array, Any]


def value_and_grad(
    fn: Callable[[], Scalar], variables: Sequence[Any]
) -> tuple[Scalar, list[Array | None]]:
    """See `Engine.value_and_grad`."""
    wanted = [v for v in variables if current(v).dtype in INEXACT]
    result, grads = _differentiate(Call(wanted), lambda values: fn(), [current(v) for v in wanted])
    found = dict(zip(map(id, wanted), grads, strict=True))
    return result, [found.get(id(v)) for v in variables]


def value_and_grad_of(
    fn: Callable[..., Scalar], tensors: Sequence[Array]
) -> tuple[Scalar, list[Array]]:
    """See `Engine.value_and_grad_of`."""
    return _differentiate(Call(), lambda values: fn(*values), list(tensors))


def _differentiate(
    call: Call, fn: Callable[[list[Array]], Scalar], values: list[Array]
) -> tuple[Scalar, list[Array]]:
    def scalar(values: list[Array]) -> tuple[Array, list[Array]]:
        def run() -> Any:
            loss, aux = fn(values)
            _check_scalar(loss)
            kept.append(loss)
            return aux

        kept: list[Array] = []
        arrays = call.run(run, values if call.variables else ())
        return kept[0], arrays

    if not values:
        loss, arrays = scalar(values)
        return (loss, call.finish(arrays)), []
    (loss, arrays), grads = mx.value_and_grad(scalar)(values)
    return (loss, call.finish(arrays)), grads


def _check_scalar(loss: Any) -> None:
    shape, dtype = getattr(loss, "shape", ()), getattr(loss, "dtype", type(loss))
    if shape or dtype not in FLOATS:
        raise ValueError(
            "A gradient is taken of a scalar of a float dtype. "
            f"Received: shape {shape}, dtype {dtype}. Reduce it first, for example with `ops.sum`."
        )


def custom_gradient(fn: Callable[..., Any]) -> Callable[..., Any]:
    """See `Engine.custom_gradient`."""

    def call(*args: Any, **kwargs: Any) -> Any:
        places = [i for i, x in enumerate(args) if isinstance(x, Array)]
        form: list[Any] = []

        def filled(arrays: Sequence[Array]) -> list[Any]:
            found = list(args)
            for i, x in zip(places, arrays, strict=True):
                found[i] = x
            return found

        @mx.custom_function
        def run(*arrays: Array) -> list[Array]:
            output, grad_fn = fn(*filled(arrays), **kwargs)
            outputs, unpack = pack(output)
            form[:] = [grad_fn, unpack]
            return outputs

        @run.vjp
        def backward(primals: Any, cotangents: Any, outputs: Any) -> Any:
            grad_fn, unpack = form
            primals = primals if isinstance(primals, (tuple, list)) else (primals,)
            grads = grad_fn(*filled(primals), upstream=unpack(_listed(cotangents)))
            grads = list(grads) if isinstance(grads, (tuple, list)) else [grads]
            if len(grads) == len(args):
                grads = [grads[i] for i in places]
            return tuple(
                mx.zeros_like(x) if g is None else g.astype(x.dtype)
                for g, x in zip(grads, primals, strict=True)
            )

        outputs = run(*(args[i] for i in places))
        return form[1](_listed(outputs))

    return call


def _listed(x: Any) -> list[Array]:
    return list(x) if isinstance(x, (tuple, list)) else [x]


def rematerialize(fn: Callable[..., Any]) -> Callable[..., Any]:
    """See `Engine.rematerialize`.

    MLX keeps gradients of a checkpoint's arguments only, so the variables that a gradient
    is being taken of are arguments too.
    """

    def call(*args: Any, **kwargs: Any) -> Any:
        outer = StatelessScope.current.get()
        bound = list(outer.state.values()) if outer is not None else []
        arrays, unpack = pack((args, kwargs))
        once = Call([variable for variable, _ in bound])

        def run(arrays: list[Array], values: list[Array]) -> list[Array]:
            args, kwargs = unpack(arrays)
            return once.run(lambda: fn(*args, **kwargs), values)

        return once.finish(mx.checkpoint(run)(arrays, [value for _, value in bound]))

    return call
