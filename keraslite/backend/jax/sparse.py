"""`BCOO` arrays of JAX: what runs on them without making them dense.

Imported when the first sparse array comes along: it takes a while.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jax.experimental import sparse as js

Array = Any
BCOO = js.BCOO


def plain(x: Any) -> BCOO:
    """All axes sparse, and each place at most once, as functions of the values need it."""
    if not isinstance(x, BCOO):
        x = BCOO.from_bcsr(x) if isinstance(x, js.BCSR) else BCOO.fromdense(x.todense())
    if x.n_batch or x.n_dense:
        x = js.bcoo_update_layout(x, n_batch=0, n_dense=0)
    return x if x.unique_indices else js.bcoo_sum_duplicates(x, nse=x.nse)


def dense(x: Any) -> Array:
    """As a dense array."""
    if x.dtype == bool:
        # JAX adds the values up, which it does not do to booleans.
        return dense(map_values(x, lambda values: values.astype("int8"))).astype(bool)
    return x.todense()


def map_values(x: Any, fn: Callable[[Array], Array]) -> BCOO:
    """The same places with `fn` of the values."""
    x = plain(x)
    return _like(x, fn(x.data))


def _like(x: BCOO, data: Array) -> BCOO:
    return BCOO(
        (data, x.indices),
        shape=x.shape,
        indices_sorted=x.indices_sorted,
        unique_indices=x.unique_indices,
    )


def _union(fn: Callable[[Array, Array], Array]) -> Callable[..., Any]:
    """`fn` at all places of either one."""

    def kernel(x1: Any, x2: Any) -> Any:
        if x1.shape != x2.shape:
            return NotImplemented
        x1, x2 = plain(x1), plain(x2)
        none1, none2 = jnp.zeros_like(x1.data), jnp.zeros_like(x2.data)
        pairs = BCOO(
            (
                jnp.concatenate([jnp.stack([x1.data, none1], -1), jnp.stack([none2, x2.data], -1)]),
                jnp.concatenate([x1.indices, x2.indices]),
            ),
            shape=(*x1.shape, 2),
        )
        pairs = js.bcoo_sum_duplicates(pairs, nse=None if _known(pairs) else pairs.nse)
        found = BCOO((fn(pairs.data[:, 0], pairs.data[:, 1]), pairs.indices), shape=x1.shape)
        found.unique_indices = found.indices_sorted = True
        return found

    return kernel


def _known(x: BCOO) -> bool:
    return not isinstance(x.indices, jax.core.Tracer)


add, subtract = _union(jnp.add), _union(jnp.subtract)
maximum, minimum = _union(jnp.maximum), _union(jnp.minimum)
_product = _union(jnp.multiply)


def _with_dense(fn: Callable[[Array, Array], Array]) -> Callable[..., Any]:
    """`fn` with the elements of a dense array at the places of a sparse one."""

    def kernel(x1: Any, x2: Array) -> Any:
        if jnp.broadcast_shapes(x1.shape, x2.shape) != x1.shape:
            return NotImplemented
        x1 = plain(x1)
        there = jnp.broadcast_to(x2, x1.shape)[tuple(x1.indices.T)] if x2.ndim else x2
        return _like(x1, fn(x1.data, there))

    return kernel


_scaled = _with_dense(jnp.multiply)
true_divide = _with_dense(jnp.divide)


def multiply(x1: Any, x2: Any) -> Any:
    if not isinstance(x1, js.JAXSparse):
        return _scaled(x2, x1)
    return _product(x1, x2) if isinstance(x2, js.JAXSparse) else _scaled(x1, x2)


def matmul(x1: Any, x2: Any) -> Any:
    if not x1.ndim == x2.ndim == 2:
        return NotImplemented
    x1, x2 = (plain(x) if isinstance(x, js.JAXSparse) else x for x in (x1, x2))
    return x1 @ x2


def _axes(x: Any, axis: Any) -> tuple[int, ...]:
    if axis is None:
        return tuple(range(x.ndim))
    return tuple(a % x.ndim for a in ((axis,) if isinstance(axis, int) else axis))


def sum(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    axes = _axes(x, axis)
    found = js.bcoo_reduce_sum(plain(x), axes=axes)
    if not found.ndim and not keepdims:
        return dense(found)
    shape = [1 if a in axes else n for a, n in enumerate(x.shape)]
    return js.bcoo_reshape(found, new_sizes=shape) if keepdims else found


def mean(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    count = math.prod(x.shape[a] for a in _axes(x, axis))
    found = sum(x, axis, keepdims)
    return _like(found, found.data / count) if isinstance(found, BCOO) else found / count


def reshape(x: Any, newshape: Any) -> BCOO:
    sizes = [*newshape] if isinstance(newshape, Sequence) else [newshape]
    if None in sizes or -1 in sizes:
        free = sizes.index(None) if None in sizes else sizes.index(-1)
        sizes[free] = math.prod(x.shape) // max(math.prod(sizes[:free] + sizes[free + 1 :]), 1)
    return js.bcoo_reshape(plain(x), new_sizes=sizes)


def expand_dims(x: Any, axis: Any) -> BCOO:
    return reshape(x, jax.eval_shape(lambda: jnp.expand_dims(jnp.zeros(x.shape), axis)).shape)


def squeeze(x: Any, axis: Any = None) -> BCOO:
    return reshape(x, jax.eval_shape(lambda: jnp.squeeze(jnp.zeros(x.shape), axis)).shape)


def transpose(x: Any, axes: Any = None) -> BCOO:
    order = range(x.ndim)[::-1] if axes is None else axes
    return js.bcoo_transpose(plain(x), permutation=tuple(order))


def concatenate(xs: list[Any], axis: int | None = 0) -> Any:
    if axis is None:
        return NotImplemented
    return js.bcoo_concatenate([plain(x) for x in xs], dimension=axis % xs[0].ndim)
