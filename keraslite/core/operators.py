"""Python's operators for symbolic tensors and variables, as calls of `ops`."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any


@functools.cache
def _ops() -> Any:
    from keraslite import ops

    return ops


def _binary(name: str) -> tuple[Callable, Callable]:
    def operator(self: Any, other: Any) -> Any:
        return getattr(_ops(), name)(self, other)

    def reflected(self: Any, other: Any) -> Any:
        return getattr(_ops(), name)(other, self)

    return operator, reflected


def _unary(name: str) -> Callable:
    def operator(self: Any) -> Any:
        return getattr(_ops(), name)(self)

    return operator


_ARITHMETIC = {
    "add": "add",
    "sub": "subtract",
    "mul": "multiply",
    "truediv": "true_divide",
    "floordiv": "floor_divide",
    "mod": "mod",
    "pow": "power",
    "matmul": "matmul",
    "and": "logical_and",
    "or": "logical_or",
    "xor": "logical_xor",
}
_COMPARISONS = {
    "eq": "equal",
    "ne": "not_equal",
    "lt": "less",
    "le": "less_equal",
    "gt": "greater",
    "ge": "greater_equal",
}
_UNARY = {"neg": "negative", "abs": "absolute", "invert": "logical_not"}


class TensorOperators:
    """Mixin that gives a class the arithmetic of tensors."""

    # Left operand of a NumPy expression: NumPy must let our reflected operator answer.
    __array_priority__ = 100
    __hash__ = object.__hash__

    def __getitem__(self, key: Any) -> Any:
        return _ops().get_item(self, key)

    def __round__(self, ndigits: int | None = None) -> Any:
        return _ops().round(self, decimals=ndigits or 0)


for _dunder, _op in _ARITHMETIC.items():
    _left, _right = _binary(_op)
    setattr(TensorOperators, f"__{_dunder}__", _left)
    setattr(TensorOperators, f"__r{_dunder}__", _right)
for _dunder, _op in _COMPARISONS.items():
    setattr(TensorOperators, f"__{_dunder}__", _binary(_op)[0])
for _dunder, _op in _UNARY.items():
    setattr(TensorOperators, f"__{_dunder}__", _unary(_op))
