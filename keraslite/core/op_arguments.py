"""What the arguments of an op are: which are tensors, their shapes and their dtypes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from keraslite.backend import engine
from keraslite.core import dtypes
from keraslite.core.keras_tensor import KerasTensor
from keraslite.core.variable import Variable

if TYPE_CHECKING:
    from keraslite.core.op import Op

_TENSORS = engine.tensor_types
_is_tensor = engine.is_tensor
_SCALARS = engine.capabilities.scalar_operands
_NUMBERS = (bool, int, float, complex)

ONE, OPTIONAL, MANY = "one", "optional", "many"


def kind_of(annotation: str) -> str | None:
    if "Tensor" not in annotation:
        return None
    if "Sequence" in annotation:
        return MANY
    return OPTIONAL if "None" in annotation else ONE


# Dtypes ---------------------------------------------------------------------------


def _name_of(x: Any) -> str:
    """The lattice name of an argument; Python numbers are weak."""
    if type(x) in _TENSORS:
        return engine.dtype(x)
    if type(x) in _NUMBERS:
        return dtypes.weak_name(type(x))
    if _is_tensor(x):
        return engine.dtype(x)
    if isinstance(x, (float, complex)):
        # `numpy.float64` too: what NumPy and `math` give for a single number.
        return "float" if isinstance(x, float) else "complex"
    if isinstance(x, (np.ndarray, np.generic)):
        name = dtypes.standardize_dtype(x.dtype)
        return name if engine.capabilities.float64 else dtypes.NARROW.get(name, name)
    if isinstance(x, KerasTensor):
        return x.dtype
    if isinstance(x, Variable):
        return x.dtype_read()
    return engine.dtype(engine.convert(x))


def _flat(op: Op, args: Sequence[Any]) -> list[Any]:
    """The tensor arguments that take part in the dtype rule."""
    found = []
    for i, kind in op.tensors:
        if i in op.apart:
            continue
        if kind == MANY:
            found.extend(args[i])
        elif args[i] is not None:
            found.append(args[i])
    return found


def target_dtype(op: Op, args: Sequence[Any]) -> str | None:
    """The dtype that the rule casts to; None where it leaves things as they are."""
    if op.dtype.compute is None:
        return None
    names = [_name_of(x) for x in _flat(op, args)]
    return op.dtype.compute(*names) if names else None


def prepare(op: Op, args: list[Any]) -> None:
    """Convert the tensor arguments in place, and promote them by the op's rule."""
    target = target_dtype(op, args)
    keep = _SCALARS and target is not None and _keeps_numbers(op, args, target)
    for i, kind in op.tensors:
        value = args[i]
        if kind == MANY:
            args[i] = [ready(x, target) for x in value]
        elif value is None:
            if kind == ONE:
                raise ValueError(f"`{op.parameters[i].name}` must be a tensor. Received: None")
        elif i in op.apart:
            args[i] = ready(value, op.apart[i])
        elif not (keep and type(value) in _NUMBERS and type(value) is not bool):
            args[i] = ready(value, target)


def _keeps_numbers(op: Op, args: list[Any], target: str) -> bool:
    """A number stays a number beside a tensor that has the common dtype already."""
    return len(op.tensors) == 2 and any(
        type(x := args[i]) in _TENSORS and engine.dtype(x) == target for i, _ in op.tensors
    )


def ready(x: Any, dtype: str | None) -> Any:
    if type(x) in _TENSORS:
        return x if dtype is None or engine.dtype(x) == dtype else engine.cast(x, dtype)
    return engine.convert(x, dtype)


def output_dtype(op: Op, args: Sequence[Any]) -> str:
    given = None if op.dtype_argument is None else args[op.dtype_argument]
    if given is not None:
        return dtypes.standardize_dtype(given)
    if op.dtype.output is not None:
        return op.dtype.output
    found = _flat(op, args)
    if not found:
        return "int32"  # indices of where a condition holds
    return target_dtype(op, args) or dtypes.promote(_name_of(found[0]))


def promoted(op: Op, args: Sequence[Any]) -> list[Any]:
    """`args` with the dtypes that a body gets when it is called on tensors."""
    found, target = list(args), target_dtype(op, args)
    for i, kind in op.tensors:
        to = op.apart.get(i, target)
        found[i] = (
            [_with_dtype(x, to) for x in args[i]] if kind == MANY else _with_dtype(args[i], to)
        )
    return found


def _with_dtype(x: Any, dtype: str | None) -> Any:
    if not isinstance(x, KerasTensor) or dtype in (None, x.dtype):
        return x
    return KerasTensor(x.shape, dtype, x.sparse, x.ragged, record_history=False)


# Shapes ---------------------------------------------------------------------------


def _shape_of(x: Any) -> Any:
    if x is None:
        return None
    if isinstance(x, (KerasTensor, Variable, np.ndarray)):
        return x.shape
    return engine.shape(x) if _is_tensor(x) else np.shape(x)


def shapes_of(op: Op, args: Sequence[Any]) -> list[Any]:
    found = list(args)
    for i, kind in op.tensors:
        found[i] = [_shape_of(x) for x in args[i]] if kind == MANY else _shape_of(args[i])
    return found
