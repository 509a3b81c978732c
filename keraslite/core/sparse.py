"""Which operations take sparse tensors, and whether they give sparse ones.

What keeps zeros as they are runs on the values alone; a few operations have a kernel of each
engine that has sparse tensors (`Engine.sparse_kernels`); for some others the result has few
zeros, so they run on dense tensors. All else refuses sparse tensors: making a large one dense
without being asked can take all memory.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from keraslite.backend import engine
from keraslite.core.errors import short
from keraslite.core.keras_tensor import KerasTensor

#: Functions of one tensor, element by element, that are 0 at 0.
_ON_VALUES = frozenset((
    "absolute", "arcsin", "arcsinh", "arctan", "arctanh", "cast", "ceil", "celu", "conj", "copy",
    "deg2rad", "elu", "erf", "expm1", "floor", "gelu", "hard_shrink", "hard_tanh", "imag",
    "isinf", "isnan", "leaky_relu", "log1p", "negative", "real", "relu", "relu6", "round", "selu",
    "sign", "silu", "sin", "sinh", "soft_shrink", "softsign", "sqrt", "square", "stop_gradient",
    "tan", "tanh", "tanh_shrink", "trunc",
))  # fmt: skip
#: Those with results that are not sparse at all, or that read dense rows by sparse indices.
_DENSE = frozenset((
    "cos", "cosh", "exp", "isfinite", "log", "log10", "log2", "ones_like", "reciprocal", "take",
    "zeros_like",
))  # fmt: skip


def _always(*sparse: bool) -> bool:
    return True


def _all(*sparse: bool) -> bool:
    return all(sparse)


def _only_first(*sparse: bool) -> bool:
    return sparse[0] and not any(sparse[1:])


#: Op -> from which of its tensors are sparse to whether the result is.
_WITH_KERNELS: dict[str, Callable[..., bool]] = {
    "add": _all,
    "concatenate": _all,
    "expand_dims": _always,
    "matmul": _all,
    "maximum": _all,
    "mean": _always,
    "minimum": _all,
    "multiply": _always,
    "reshape": _always,
    "squeeze": _always,
    "subtract": _all,
    "sum": _always,
    "transpose": _always,
    "true_divide": _only_first,
}

_REDUCTIONS = ("mean", "sum")
#: A dense result, such as a product with a dense matrix, is no reason to make operands dense.
_DENSE_BY_KERNEL = ("matmul", *_REDUCTIONS)


def _axes(axis: Any) -> tuple[int, ...]:
    return (axis,) if isinstance(axis, int) else tuple(axis)


def _is_sparse(x: Any) -> bool:
    return x.sparse if isinstance(x, KerasTensor) else engine.is_sparse(x)


def tensors(op: Any, args: Sequence[Any]) -> list[Any]:
    """The tensor arguments, those in lists one by one; None for absent ones."""
    found: list[Any] = []
    for i, kind in op.tensors:
        found.extend(args[i] if kind == "many" else [args[i]])
    return found


def takes_part(op: Any, args: Sequence[Any]) -> bool:
    """Whether a tensor among the arguments is sparse."""
    return any(map(_is_sparse, tensors(op, args)))


def gives_sparse(op: Any, args: Sequence[Any]) -> bool:
    """Whether the result for arguments with a sparse tensor among them is sparse.

    Raises:
        TypeError: if the operation takes no sparse tensors.
    """
    if op.name in _ON_VALUES:
        return True
    if op.name in _DENSE:
        return False
    rule = _WITH_KERNELS.get(op.name)
    if op.name in _REDUCTIONS and not args[2]:
        return args[1] is not None and len(_axes(args[1])) < len(args[0].shape)
    if rule is None:
        raise TypeError(
            short(
                f"ops.{op.name} takes no sparse tensors. Make them dense before: "
                "`ops.convert_to_tensor(x, sparse=False)`."
            )
        )
    return rule(*map(_is_sparse, tensors(op, args)))


def call(op: Any, args: list[Any], target: str | None, ready: Callable[..., Any]) -> Any:
    """What the op gives for arguments with a sparse tensor among them.

    Args:
        op: the operation.
        args: its arguments.
        target: the dtype that its rule casts to, if any.
        ready: makes a dense tensor of that dtype of an argument.
    """
    wanted = gives_sparse(op, args)
    if op.name in _ON_VALUES:
        (place, _), *_ = op.tensors
        return engine.map_values(
            args[place], lambda values: op.wrapper(*args[:place], values, *args[place + 1 :])
        )

    def prepared(x: Any) -> Any:
        if not engine.is_sparse(x):
            return ready(x, target)
        return x if target is None else engine.cast(x, target)

    kernel = op.name in _WITH_KERNELS and getattr(engine.sparse_kernels, op.name, None)
    if kernel and (wanted or op.name in _DENSE_BY_KERNEL):
        filled = list(args)
        for i, kind in op.tensors:
            filled[i] = [prepared(x) for x in args[i]] if kind == "many" else prepared(args[i])
        found = kernel(*filled)
        if found is not NotImplemented:
            return found
    dense = list(args)
    for i, kind in op.tensors:
        dense[i] = [_dense(x) for x in args[i]] if kind == "many" else _dense(args[i])
    return op.wrapper(*dense)


def _dense(x: Any) -> Any:
    return engine.convert(x) if engine.is_sparse(x) else x
