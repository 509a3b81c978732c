"""The table of ops: what a row holds, and how it becomes calls.

A row says what an op computes on sample arguments. `test_table.py` makes tests of it: value
against NumPy, dtype and shape against what was inferred, graph against eager call, gradient
against differences, and the words of errors.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from keraslite.core import dtypes

FLOAT = ("float32",)
FLOATS = ("float32", "bfloat16", "float16")
INTS = ("int32", "int8", "uint8")
NUMBERS = ("float32", "bfloat16", "int32", "uint8")
ALL = (*NUMBERS, "bool")

#: dtype -> relative and absolute tolerance.
TOLERANCE = {"float32": (2e-5, 2e-6), "float16": (3e-3, 3e-3), "bfloat16": (2e-2, 2e-2)}


@dataclasses.dataclass(frozen=True)
class Fixed:
    """A tensor argument that keeps its dtype: indices, conditions."""

    value: np.ndarray


@dataclasses.dataclass(frozen=True)
class Row:
    """One op on one set of sample arguments.

    Attributes:
        op: its name.
        args: arguments; float arrays are tensors that take on each of `dtypes`, `Fixed` ones
            keep theirs, lists of arrays are several tensors; everything else is static.
        reference: computes the same with NumPy, on float64 or integer arrays.
        kwargs: static keyword arguments.
        dtypes: that the tensors take on.
        gradient: whether to check it, in float32; a number for so many of the float tensors.
        sizes: whether the op needs to know its sizes, so that all-unknown shapes are an error.
        dynamic: whether the shape of the result depends on values.
        loose: factor on the tolerance.
        label: tells rows of one op apart.
        xfail: why the row fails, by name of a capability that is missing, or "always".
    """

    op: str
    args: Sequence[Any]
    reference: Callable[..., Any]
    kwargs: dict[str, Any] = dataclasses.field(default_factory=dict)
    dtypes: Sequence[str] = FLOAT
    gradient: bool | int = False
    sizes: bool = False
    dynamic: bool = False
    loose: float = 1
    label: str = ""
    xfail: dict[str, str] = dataclasses.field(default_factory=dict)

    @property
    def id(self) -> str:
        return f"{self.op}-{self.label}" if self.label else self.op


def cast(x: np.ndarray, dtype: str) -> np.ndarray:
    """Sample values in a dtype, made to suit it."""
    if dtype == "bool":
        return x > 0
    if dtypes.is_int(dtype):
        whole = np.round(np.clip(np.nan_to_num(x), -500, 500) * 2)
        return (np.abs(whole) if dtype.startswith("u") else whole).astype(dtype)
    return x.astype(dtypes.numpy_dtype(dtype))


def is_tensor(x: Any) -> bool:
    """Whether a sample argument stands for a tensor."""
    return isinstance(x, Fixed) or (isinstance(x, np.ndarray) and x.dtype == "float64")


def fill(args: Sequence[Any], tensor: Callable[[Any], Any]) -> list[Any]:
    """The arguments with `tensor` applied to those that stand for tensors."""
    return [
        tensor(x)
        if is_tensor(x)
        else [tensor(y) for y in x]
        if isinstance(x, list) and x and all(is_tensor(y) for y in x)
        else x
        for x in args
    ]


def wide(x: np.ndarray) -> np.ndarray:
    """An array as a reference should see it: narrow floats as float64."""
    return x.astype("float64") if dtypes.is_float(x.dtype) else x
