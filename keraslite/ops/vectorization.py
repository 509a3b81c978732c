"""`vectorize`: a function of elements or of small tensors, applied to large ones."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any

from keraslite.core import shapes, tree
from keraslite.core.errors import describe, short
from keraslite.ops.control import vectorized_map
from keraslite.ops.core import as_tensor, shape
from keraslite.ops.shaping import broadcast_to, reshape

__all__ = ["vectorize"]

_NAME = r"\s*\w+\s*"
_CORE = rf"\s*\((?:{_NAME}(?:,{_NAME})*)?\s*\)\s*"
_SIGNATURE = re.compile(rf"{_CORE}(?:,{_CORE})*->{_CORE}(?:,{_CORE})*")

Core = tuple[str, ...]


def _parse(signature: str) -> tuple[list[Core], list[Core]]:
    """The names of the axes of each input and output, from `"(n),(n,k)->(k)"`."""
    if not _SIGNATURE.fullmatch(signature):
        raise ValueError(
            "ops.vectorize: `signature` must look like '(m,n),(n)->(m)'. "
            f"Received: signature={short(repr(signature), 80)}"
        )
    sides = (re.findall(r"\(([^)]*)\)", side) for side in signature.split("->"))
    inputs, outputs = ([tuple(re.findall(r"\w+", core)) for core in side] for side in sides)
    return inputs, outputs


def _loop_shape(tensors: list[Any], cores: list[Core]) -> tuple[Any, ...]:
    """What the axes that the function does not see broadcast to."""
    if len(tensors) != len(cores):
        raise ValueError(
            f"ops.vectorize: the signature names {len(cores)} arguments. Received: {len(tensors)}"
        )
    sizes: dict[str, Any] = {}
    outer = []
    for x, core in zip(tensors, cores, strict=True):
        split = len(x.shape) - len(core)
        try:
            shapes.rank_at_least(x.shape, len(core), "Each argument")
            for name, n in zip(core, x.shape[split:], strict=True):
                sizes[name] = shapes.common(sizes.get(name), n, f"Sizes of axis {name!r}")
        except ValueError as error:
            text = f"ops.vectorize: {error} Received: an argument of shape {tuple(x.shape)}"
            raise ValueError(text) from None
        outer.append(shape(x)[:split])
    try:
        return shapes.broadcast(*outer)
    except ValueError as error:
        raise ValueError(f"ops.vectorize: {error}") from None


def vectorize(
    pyfunc: Callable[..., Any],
    excluded: Iterable[int | str] | None = None,
    signature: str | None = None,
) -> Callable[..., Any]:
    """A function that applies another one along the leading axes of its arguments.

    Args:
        pyfunc: from tensors to a tensor, or to a tuple of tensors.
        excluded: positions and names of arguments that are handed on as they are.
        signature: which axes `pyfunc` works on, such as `"(m,n),(n)->(m)"`. By default none:
            it works on scalars.

    Returns:
        A function of the arguments of `pyfunc`. Their leading axes, all that the signature does
        not name, broadcast with each other and stand in front of the results.

    Raises:
        ValueError: if `pyfunc` cannot be called, or the signature is none.

    Example:
        >>> dot = keras.ops.vectorize(lambda a, b: keras.ops.sum(a * b), signature="(n),(n)->()")
        >>> dot([[1.0, 2.0], [3.0, 4.0]], [1.0, 10.0])
        array([21., 43.])
    """
    if not callable(pyfunc):
        raise ValueError(f"ops.vectorize: `pyfunc` must be callable. Received: {describe(pyfunc)}")
    skipped = frozenset(excluded or ())
    inputs = None if signature is None else _parse(signature)[0]

    def call(*args: Any, **kwargs: Any) -> Any:
        given = {**dict(enumerate(args)), **kwargs}
        mapped = {key: as_tensor(x) for key, x in given.items() if key not in skipped}
        tensors = list(mapped.values())
        cores = [()] * len(tensors) if inputs is None else inputs
        loop = _loop_shape(tensors, cores)

        def run(slices: Any) -> Any:
            values = {**given, **dict(zip(mapped, slices, strict=True))}
            return pyfunc(*(values[i] for i in range(len(args))), **{k: values[k] for k in kwargs})

        if not loop:
            return run(tensors)
        rows = []
        for x, core in zip(tensors, cores, strict=True):
            inner = shape(x)[len(x.shape) - len(core) :]
            rows.append(reshape(broadcast_to(x, (*loop, *inner)), (-1, *inner)))
        found = vectorized_map(run, tuple(rows))
        return tree.map_structure(lambda y: reshape(y, (*loop, *shape(y)[1:])), found)

    call.__doc__ = pyfunc.__doc__
    call.__name__ = getattr(pyfunc, "__name__", "vectorized")
    return call
