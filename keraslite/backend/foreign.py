"""Tensors of frameworks that were not chosen: how data arrive from input pipelines."""

from __future__ import annotations

import functools
from collections.abc import Iterable
from typing import Any

import numpy as np

from keraslite import backend
from keraslite.backend.contract import Engine


@functools.cache
def _loaded(name: str) -> Engine:
    return backend.load_engine(name)


def engine_of(x: Any) -> Engine | None:
    """The engine whose tensor `x` is, chosen or not; None for what is no tensor."""
    if backend.engine.is_tensor(x):
        return backend.engine
    name = backend.framework_of(x)
    if name is None:
        return None
    found = _loaded(name)
    return found if found.is_tensor(x) else None


def foreign_engine(leaves: Iterable[Any]) -> Engine | None:
    """The engine, other than the chosen one, that a tensor among `leaves` belongs to."""
    for x in leaves:
        if type(x) not in backend.engine.tensor_types:
            found = engine_of(x)
            if found is not None and found is not backend.engine:
                return found
    return None


class Unconverted:
    """A callable that TensorFlow's AutoGraph calls as it is, without rewriting its source."""

    autograph_info__ = None


def to_host(x: Any) -> Any:
    """A tensor of any framework as a NumPy array; anything else as it is."""
    found = engine_of(x)
    return x if found is None else found.to_numpy(x)


def host_array(x: Any) -> np.ndarray:
    """A NumPy array of whatever holds values; strings become Python objects.

    Args:
        x: array, tensor of any framework, column of a table, number, string, nested lists.
    """
    x = to_host(x)
    if hasattr(x, "to_numpy"):
        x = x.to_numpy()
    if not isinstance(x, np.ndarray):
        # An array of fixed-width strings would be as wide as the longest document.
        x = np.array(x, dtype=object if _holds_strings(x) else None)
    return x.astype(object) if x.dtype.kind in "UST" else x


def _holds_strings(x: Any) -> bool:
    while isinstance(x, (list, tuple)):
        x = next((item for item in x if not (isinstance(item, (list, tuple)) and not item)), None)
    return isinstance(x, (str, bytes))
