"""Shapes and dtypes of results by tracing the real computation.

Unknown sizes are traced twice with different probe sizes; what stays equal is static.
All unknown sizes share one probe a pass, so that `(None, 64) + (None, 64)` works; leading
sizes have smaller ones, because they are usually batches.
"""

from __future__ import annotations

import contextvars
from collections.abc import Callable, Sequence
from typing import Any

from keraslite.backend import TensorSpec, engine
from keraslite.core import tree
from keraslite.core.keras_tensor import KerasTensor
from keraslite.core.scopes import StatelessScope

# (leading sizes, other sizes) of the two passes. They lie so far apart that up to seven
# halvings, as in a deep convolutional network, keep them apart.
_PROBES = ((11, 97), (13, 257))


# What stands for unknown batch sizes in the trace that runs.
_leading: contextvars.ContextVar[int | None] = contextvars.ContextVar("leading", default=None)


def known_sizes(shape: Sequence[int | None]) -> tuple[int | None, ...]:
    """A shape, with None for a batch size that belongs to a trace and to no data."""
    probe = _leading.get()
    return (None, *shape[1:]) if probe is not None and shape[:1] == (probe,) else tuple(shape)


def _probe(shape: tuple[int | None, ...], sizes: tuple[int, int]) -> tuple[int, ...]:
    return tuple(
        (sizes[0] if i == 0 else sizes[1]) if n is None else n for i, n in enumerate(shape)
    )


def _merge(first: Any, second: Any) -> Any:
    if not isinstance(first, TensorSpec):
        return first
    if len(first.shape) != len(second.shape):
        raise ValueError(
            "The rank of a result depends on sizes that are not known yet. Give these sizes to "
            "`Input`, or define `compute_output_spec`."
        )
    pairs = zip(first.shape, second.shape, strict=True)
    return TensorSpec(tuple(a if a == b else None for a, b in pairs), first.dtype, first.ragged)


def _is_spec(x: Any) -> bool:
    return isinstance(x, TensorSpec)


def map_specs(fn: Callable[..., Any], *trees: Any) -> Any:
    """`fn` over trees whose leaves are `TensorSpec`s (which are tuples themselves)."""
    boxed = [tree.traverse(lambda x: _Box(x) if _is_spec(x) else None, t) for t in trees]
    return tree.map_structure(lambda *xs: fn(*(_open(x) for x in xs)), *boxed)


class _Box:
    def __init__(self, spec: TensorSpec) -> None:
        self.spec = spec


def _open(x: Any) -> Any:
    return x.spec if isinstance(x, _Box) else x


def trace(fn: Callable[..., Any], args: tuple, kwargs: dict[str, Any]) -> Any:
    """The tree of `KerasTensor`s that `fn(*args, **kwargs)` gives.

    Only the symbolic leaves are traced; `fn` sees everything else as it is. Whatever
    `fn` assigns to variables is forgotten.
    """
    leaves, spec = tree.split((args, kwargs))
    where = [i for i, leaf in enumerate(leaves) if isinstance(leaf, KerasTensor)]

    symbols = [leaves[i] for i in where]

    def run(*tensors: Any) -> Any:
        filled = list(leaves)
        for i, tensor in zip(where, tensors, strict=True):
            filled[i] = tensor
        call_args, call_kwargs = tree.unflatten(spec, filled)
        with StatelessScope():
            return fn(*call_args, **call_kwargs)

    unknown = any(x.shape[:1] == (None,) for x in symbols)

    def attempt(sizes: tuple[int, int]) -> Any:
        token = _leading.set(sizes[0] if unknown else _leading.get())
        try:
            return engine.infer(
                run, [TensorSpec(_probe(x.shape, sizes), x.dtype, x.ragged) for x in symbols]
            )
        finally:
            _leading.reset(token)

    found = attempt(_PROBES[0])
    if any(None in x.shape for x in symbols):
        found = map_specs(_merge, found, attempt(_PROBES[1]))
    return map_specs(lambda s: _symbol(s) if _is_spec(s) else s, found)


def _symbol(spec: TensorSpec) -> KerasTensor:
    return KerasTensor(spec.shape, spec.dtype, ragged=spec.ragged, record_history=False)
