"""Which operations take ragged tensors: a batch of rows of unequal length.

Element by element, and along axes inside of the rows' items, they run on the values alone; some
have a kernel of each engine that has ragged tensors (`Engine.ragged_kernels`); composites are
made of these. All else refuses ragged tensors: padding them would change results in silence.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from keraslite.backend import engine
from keraslite.core import shapes, sparse
from keraslite.core.errors import short

_ELEMENTWISE = (shapes.same, shapes.broadcast)
#: Op -> its argument that names axes; they must lie inside of the items.
_INSIDE = {
    "argmax": "axis",
    "argmin": "axis",
    "batch_normalization": "axis",
    "flip": "axis",
    "layer_normalization": "axis",
    "log_softmax": "axis",
    "normalize": "axis",
    "rms_normalization": "axis",
    "softmax": "axis",
}


def takes_part(op: Any, args: Sequence[Any]) -> bool:
    """Whether a tensor among the arguments is ragged."""
    return any(map(engine.is_ragged, sparse.tensors(op, args)))


def call(op: Any, args: list[Any], target: str | None) -> Any:
    """What the op gives for arguments with a ragged tensor among them.

    Args:
        op: the operation.
        args: its arguments.
        target: the dtype that its rule casts to, if any.

    Raises:
        TypeError: if the operation takes no ragged tensors.
    """
    kernels: Any = engine.ragged_kernels
    if op.shape in _ELEMENTWISE or op.name == "where":
        return _on_values(op, args, [i for i, _ in op.tensors])
    if op.name == "one_hot" and args[2] in (-1, len(args[0].shape)):
        return _on_values(op, [*args[:2], -1, *args[3:]], [0])
    if op.name == "searchsorted" and not engine.is_ragged(args[0]):
        return _on_values(op, args, [1])
    if op.name == "dropout" and args[2] is None:
        return _on_values(op, args, [0])
    if op.name in _INSIDE and engine.is_ragged(args[0]):
        place = [p.name for p in op.parameters].index(_INSIDE[op.name])
        axis = kernels.inner_axes(args[0], args[place])
        if axis is not None:
            return _on_values(op, [*args[:place], axis, *args[place + 1 :]], [0])
    kernel = getattr(kernels, op.name, None)
    if kernel is not None:
        ready = list(args)
        for i, kind in op.tensors:
            to = op.apart.get(i, target)
            ready[i] = [_ready(x, to) for x in args[i]] if kind == "many" else _ready(args[i], to)
        found = kernel(*ready)
        if found is not NotImplemented:
            return found
    if not op.traced:
        return op.function(*args)
    raise TypeError(
        short(
            f"ops.{op.name} takes no ragged tensors with these arguments. Fill up the rows with "
            "zeros before: `ops.convert_to_tensor(x, ragged=False)`, and mask what is not theirs."
        )
    )


def _on_values(op: Any, args: list[Any], places: list[int]) -> Any:
    """The op on the values of the tensors at these places."""

    def run(*values: Any) -> Any:
        filled = list(args)
        for i, value in zip(places, values, strict=True):
            filled[i] = value
        return op.wrapper(*filled)

    kernels: Any = engine.ragged_kernels
    return kernels.map_values(run, [_tensor(args[i]) for i in places])


def _tensor(x: Any) -> Any:
    """An array as a tensor; numbers and None stay, and so does what is a tensor."""
    kept = x is None or isinstance(x, (int, float, complex)) or engine.is_tensor(x)
    return x if kept else engine.convert(x)


def _ready(x: Any, dtype: str | None) -> Any:
    if not engine.is_ragged(x):
        return engine.convert(x, dtype)
    return x if dtype is None else engine.cast(x, dtype)
