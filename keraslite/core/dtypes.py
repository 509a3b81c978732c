"""Standard dtype names and the promotion lattice.

Promotion follows the lattice of JAX (https://docs.jax.dev/en/latest/type_promotion.html):
Python scalars are weak and take the dtype of what they meet; two dtypes promote to their
least upper bound. One table serves every engine, so results agree everywhere.
"""

from __future__ import annotations

import functools
import operator
from typing import Any

import ml_dtypes
import numpy as np

from keraslite import config

BOOL = ("bool",)
INTS = ("uint8", "uint16", "uint32", "uint64", "int8", "int16", "int32", "int64")
FLOAT8 = ("float8_e4m3fn", "float8_e5m2")
FLOATS = ("bfloat16", "float16", "float32", "float64")
COMPLEX = ("complex64", "complex128")
ALLOWED = FLOATS + INTS + ("int4", "uint4") + BOOL + COMPLEX + ("string",) + FLOAT8

_PYTHON = {bool: "bool", int: "int", float: "float", complex: "complex", str: "string"}
_ALIASES = {"bool_": "bool", "half": "float16", "double": "float64", "single": "float32"}

# Each dtype with the dtypes right above it; `int`, `float` and `complex` are weak.
#: What engines that keep no 64 bits make of them.
NARROW = {
    "float64": "float32",
    "int64": "int32",
    "uint64": "uint32",
    "complex128": "complex64",
}
_ABOVE = {
    "bool": ("int",),
    "int": ("uint8", "int8"),
    "uint8": ("int16", "uint16"),
    "uint16": ("int32", "uint32"),
    "uint32": ("int64", "uint64"),
    "uint64": ("float",),
    "int8": ("int16",),
    "int16": ("int32",),
    "int32": ("int64",),
    "int64": ("float",),
    "float": ("bfloat16", "float16", "complex"),
    "bfloat16": ("float32",),
    "float16": ("float32",),
    "float32": ("float64", "complex64"),
    "float64": ("complex128",),
    "complex": ("complex64",),
    "complex64": ("complex128",),
    "complex128": (),
}


def _upward(name: str) -> set[str]:
    found = {name}
    for above in _ABOVE[name]:
        found |= _upward(above)
    return found


_UPWARD = {name: _upward(name) for name in _ABOVE}


@functools.lru_cache(maxsize=4096)
def _join(names: tuple[str, ...]) -> str:
    """The least upper bound of `names` in the lattice, weak names included."""
    for name in names:
        if name not in _ABOVE:
            if all(other == name for other in names):
                return name
            raise ValueError(
                f"dtype {name!r} does not promote implicitly with others. "
                f"Received: {', '.join(names)}. Cast explicitly with `ops.cast`; "
                "text becomes numbers with a `StringLookup` layer."
            )
    common = functools.reduce(operator.and_, (_UPWARD[name] for name in names))
    # The least element is the one from which all other common bounds are reachable.
    return next(name for name in common if _UPWARD[name] >= common)


def _strong(name: str) -> str:
    if name == "int":
        return "int32"
    if name == "float":
        return config.floatx()
    if name == "complex":
        return "complex128" if config.floatx() == "float64" else "complex64"
    return name


@functools.lru_cache(maxsize=1024)
def _standard(name: str) -> str | None:
    name = _ALIASES.get(name, name)
    return name if name in ALLOWED else None


def standardize_dtype(dtype: Any) -> str:
    """The standard name of a dtype given in any form.

    Args:
        dtype: a name, a Python type, a NumPy or engine dtype, an object with a `name`,
            or None for `floatx()`.

    Raises:
        ValueError: if no dtype of that name exists.

    Example:
        >>> standardize_dtype(np.float16), standardize_dtype(int), standardize_dtype(None)
        ('float16', 'int32', 'float32')
    """
    if dtype is None:
        return config.floatx()
    if type(dtype) is str:
        name = dtype
    elif isinstance(dtype, type) and dtype in _PYTHON:
        return "int64" if dtype is int else _strong(_PYTHON[dtype])
    elif isinstance(dtype, np.dtype) and dtype.kind in "SUTO":
        name = "string"
    elif hasattr(dtype, "name"):
        name = dtype.name
    elif hasattr(dtype, "__name__"):
        name = dtype.__name__
    else:
        # torch prints `torch.float32`
        name = str(dtype).rpartition(".")[2]
    found = _standard(name)
    if found is None:
        raise ValueError(
            f"Unknown dtype {str(dtype)[:80]!r}. Expected one of {', '.join(ALLOWED)}."
        )
    return found


def numpy_dtype(dtype: str) -> np.dtype:
    """The NumPy dtype for a standard name; `ml_dtypes` for bfloat16, float8 and int4."""
    if dtype == "string":
        return np.dtype(object)
    if hasattr(ml_dtypes, dtype):
        return np.dtype(getattr(ml_dtypes, dtype))
    return np.dtype(dtype)


def is_float(dtype: Any) -> bool:
    return standardize_dtype(dtype) in FLOATS + FLOAT8


def is_int(dtype: Any) -> bool:
    return "int" in standardize_dtype(dtype)


def promote(*names: str) -> str:
    """The result dtype of standard names and the weak `"int"`, `"float"`, `"complex"`.

    Example:
        >>> promote("int64", "float16"), promote("bfloat16", "float"), promote("int")
        ('float16', 'bfloat16', 'int32')
    """
    first = names[0]
    if all(name == first for name in names):
        return _strong(first)
    return _strong(_join(names))


def promote_float(*names: str) -> str:
    """As `promote`, for operations whose result is a float: integers give `floatx()`.

    int64 gives `floatx()` too: a wider float would change the precision of a model
    because of the dtype of its indices.
    """
    found = promote(*names)
    return config.floatx() if found in INTS or found == "bool" else found


def result_type(*dtypes: Any) -> str:
    """The dtype that a computation on these dtypes has.

    Args:
        dtypes: dtypes in any form; `int` and `float` (the types) are weak.

    Example:
        >>> result_type("int32", "float16"), result_type("uint8", "int8")
        ('float16', 'int16')
    """
    if not dtypes:
        return config.floatx()
    return promote(*(weak_name(d) for d in dtypes))


def weak_name(dtype: Any) -> str:
    """The lattice name of a dtype, weak for Python's own number types."""
    if dtype is None:
        return config.floatx()
    if isinstance(dtype, type) and dtype in _PYTHON:
        return _PYTHON[dtype]
    # NumPy dtypes compare equal to such names.
    if type(dtype) is str and dtype in ("int", "float", "complex"):
        return dtype
    return standardize_dtype(dtype)
