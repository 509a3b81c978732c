"""Standard dtype names to JAX dtypes and back."""

from __future__ import annotations

from typing import Any

import jax
import numpy as np

from keraslite.core.dtypes import ALLOWED, NARROW, numpy_dtype, standardize_dtype

_NATIVE = {name: numpy_dtype(name) for name in ALLOWED if name != "string"}
_NAMES = {dtype: name for name, dtype in _NATIVE.items()}
# What JAX makes of 64 bits unless `jax_enable_x64` is set.
_NARROW = _NATIVE | {wide: _NATIVE[narrow] for wide, narrow in NARROW.items()}


def native(dtype: str) -> np.dtype:
    """The dtype object that arrays of this standard name have here."""
    table = _NATIVE if jax.config.jax_enable_x64 else _NARROW
    try:
        return table[dtype]
    except KeyError:
        raise TypeError(f"jax has no dtype {dtype!r}. Keep such data in NumPy.") from None


def name_of(dtype: Any) -> str:
    """The standard name of a JAX dtype."""
    return _NAMES.get(dtype) or standardize_dtype(dtype)
