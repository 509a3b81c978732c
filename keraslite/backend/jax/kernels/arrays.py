"""Kernels on arrays: elementwise, reductions, shapes, linear algebra, indexing, creation."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from keraslite.backend._arrays import ArrayKernels
from keraslite.backend.jax.dtypes import native
from keraslite.backend.jax.kernels.compiling import compiled, frozen

Array = Any

_shared = ArrayKernels(jnp).table()

# Positions of the arguments that are constants of the computation.
_REDUCTIONS = "sum prod max min mean var std any all argmax argmin moments logsumexp"
_STATIC = dict.fromkeys(_REDUCTIONS.split(), (1, 2)) | {
    "norm": (1, 2, 3),
    "qr": (1,),
    "round": (1,),
    "cumsum": (1,),
    "cumprod": (1,),
    "reshape": (1,),
    "transpose": (1,),
    "broadcast_to": (1,),
    "expand_dims": (1,),
    "squeeze": (1,),
    "concatenate": (1,),
    "stack": (1,),
    "pad": (1, 2),
    "tile": (1,),
    "flip": (1,),
    "moveaxis": (1, 2),
    "swapaxes": (1, 2),
    "tril": (1,),
    "triu": (1,),
    "diagonal": (1, 2, 3),
    "diag": (1,),
    "split": (1, 2),
    "take": (2,),
    "take_along_axis": (2,),
    "sort": (1,),
    "argsort": (1,),
    "searchsorted": (2,),
    "tensordot": (2,),
    "svd": (1, 2),
    "rfft": (1,),
    "batch_normalization": (3,),
    "layer_normalization": (3,),
}

# A size, a branch or the algorithm depends on values, or the result is found in Python.
_EAGER = frozenset({"nonzero", "getitem", "repeat", "roll", "power", "eig"})


def _over_lists(kernel: Callable[..., Any]) -> Callable[..., Any]:
    """Lists among the arguments of `kernel` made hashable."""

    def call(*args: Any) -> Any:
        return kernel(*(frozen(a) for a in args))

    return call


def logsumexp(x: Array, axis: Any = None, keepdims: bool = False) -> Array:
    return jax.nn.logsumexp(x, axis=axis, keepdims=keepdims)


def repeat(x: Array, repeats: int | Array, axis: int | None = None) -> Array:
    if isinstance(repeats, int):
        return _repeat(x, repeats, axis)
    return jnp.repeat(x, repeats, axis)


_repeat = compiled(jnp.repeat, 1, 2)


def roll(x: Array, shift: Any, axis: Any = None) -> Array:
    if isinstance(shift, (int, tuple, list)):
        return _roll(x, frozen(shift), frozen(axis))
    return jnp.roll(x, shift, axis)


_roll = compiled(jnp.roll, 1, 2)


# Creation ------------------------------------------------------------------------


def _of_dtype(fn: Callable[..., Array], place: int, *static: int) -> Callable[..., Array]:
    """`fn`, compiled, as a kernel whose argument at `place` is the name of a dtype."""
    run = compiled(fn, place, *static)

    def kernel(*args: Any) -> Array:
        return run(*args[:place], native(args[place]), *args[place + 1 :])

    return kernel


def arange(start: Any, stop: Any, step: Any, dtype: str) -> Array:
    if type(start) in _NUMBERS and type(step) in _NUMBERS and type(stop) in (*_NUMBERS, type(None)):
        return _arange(start, stop, step, native(dtype))
    return jnp.arange(start, stop, step, dtype=native(dtype))


_arange = compiled(lambda *args: jnp.arange(*args[:3], dtype=args[3]), 0, 1, 2, 3)
_NUMBERS = (int, float)


def _linspace(start: Any, stop: Any, num: int, endpoint: bool, dtype: np.dtype, axis: int) -> Array:
    return jnp.linspace(start, stop, num, endpoint=endpoint, dtype=dtype, axis=axis)


# Linear algebra --------------------------------------------------------------------


def lu_factor(x: Array) -> tuple[Array, Array]:
    return jax.scipy.linalg.lu_factor(x)


def solve_triangular(a: Array, b: Array, lower: bool = False) -> Array:
    if b.ndim == a.ndim - 1:
        return jax.scipy.linalg.solve_triangular(a, b[..., None], lower=lower)[..., 0]
    return jax.scipy.linalg.solve_triangular(a, b, lower=lower)


# Complex numbers and bits ------------------------------------------------------------


def fft(real: Array, imag: Array, rank: int = 1, inverse: bool = False) -> tuple[Array, Array]:
    transform = jnp.fft.ifftn if inverse else jnp.fft.fftn
    found = transform(lax.complex(real, imag), axes=tuple(range(-rank, 0)))
    return found.real, found.imag


def irfft(real: Array, imag: Array, n: int) -> Array:
    return jnp.fft.irfft(lax.complex(real, imag), n)


def view(x: Array, dtype: str) -> Array:
    return x.view(native(dtype))


def i0(x: Array) -> Array:
    # In half precision its parts lose digits before they are multiplied.
    return jnp.i0(x.astype(jnp.promote_types(x.dtype, "float32"))).astype(x.dtype)


# Order -------------------------------------------------------------------------------


def top_k(x: Array, k: int, sorted: bool = True) -> tuple[Array, Array]:
    return tuple(lax.top_k(x, k))


def bincount(x: Array, weights: Array | None = None, minlength: int = 0) -> Array:
    """Counts along the last axis. The length depends on values; traced, it is `minlength`."""
    length = minlength
    if not isinstance(x, jax.core.Tracer):
        length = max(length, int(x.max()) + 1 if x.size else 0)
    return _bincount(x, weights, length)


def _bincount_to(x: Array, weights: Array | None, length: int) -> Array:
    if weights is None:
        weights = jnp.ones(x.shape, "int32")
    counts = jnp.zeros((*x.shape[:-1], length), weights.dtype)
    lead = jnp.indices(x.shape, sparse=True)[:-1]
    return counts.at[(*lead, x)].add(weights, mode="drop")


_bincount = compiled(_bincount_to, 2)


# Index -------------------------------------------------------------------------------


def getitem(x: Array, key: Any) -> Array:
    keys = key if type(key) is tuple else (key,)
    if int in map(type, keys):
        _check_ints(x.shape, keys)
    return x[key]


def _check_ints(shape: tuple[int, ...], keys: tuple) -> None:
    """Raise an IndexError for an int outside of its axis, which JAX would clamp."""
    known: list[Any] = []
    for key in keys:
        if not hasattr(key, "dtype"):
            known.append(key)
        else:
            known += [np.s_[:]] * (key.ndim if key.dtype == bool else 1)
    # A view that takes no memory: NumPy looks at the sizes only.
    np.broadcast_to(False, shape)[tuple(known)]


def _columns(indices: Array) -> tuple[Array, ...]:
    return tuple(jnp.moveaxis(indices, -1, 0))


def scatter(indices: Array, values: Array, shape: tuple[int, ...]) -> Array:
    return jnp.zeros(shape, values.dtype).at[_columns(indices)].add(values)


def scatter_update(inputs: Array, indices: Array, updates: Array) -> Array:
    return inputs.at[_columns(indices)].set(updates)


def slice(inputs: Array, start_indices: Any, shape: Sequence[int]) -> Array:
    sizes = tuple(
        size - int(start) if length == -1 else length
        for size, start, length in zip(inputs.shape, start_indices, shape, strict=True)
    )
    return _slice(inputs, tuple(start_indices), sizes)


_slice = compiled(lax.dynamic_slice, 2)


def slice_update(inputs: Array, start_indices: Any, updates: Array) -> Array:
    return lax.dynamic_update_slice(inputs, updates, tuple(start_indices))


def _one_hot(x: Array, num_classes: int, axis: int, dtype: np.dtype) -> Array:
    return jax.nn.one_hot(x, num_classes, axis=axis, dtype=dtype)


def _segmented(reduce: Callable[..., Array]) -> Callable[..., Array]:
    run = compiled(reduce, 2, 3)

    def kernel(
        data: Array, segment_ids: Array, num_segments: int | None = None, sorted: bool = False
    ) -> Array:
        if num_segments is None:
            num_segments = int(segment_ids.max()) + 1 if segment_ids.size else 0
        return run(data, segment_ids, num_segments, sorted)

    return kernel


@functools.partial(jax.custom_jvp, nondiff_argnums=(2, 3))
def _product(data: Array, segment_ids: Array, count: int, sorted: bool) -> Array:
    return jax.ops.segment_prod(data, segment_ids, count, sorted)


# JAX differentiates products of segments of one member only.
@_product.defjvp
def _product_change(count: int, sorted: bool, primals: Any, tangents: Any) -> tuple[Array, Array]:
    """A member weighs as much as the product of the others, 0 beside another 0."""
    (data, segment_ids), (change, _) = primals, tangents
    zero = data == 0
    nonzero = jnp.where(zero, 1, data)
    zeros_of = jax.ops.segment_sum(zero.astype(data.dtype), segment_ids, count, sorted)
    others = _product(nonzero, segment_ids, count, sorted)[segment_ids] / nonzero
    others = jnp.where(zeros_of[segment_ids] > zero, 0, others)
    slope = jax.ops.segment_sum(others * change, segment_ids, count, sorted)
    return _product(data, segment_ids, count, sorted), slope


def std(x: Array, axis: Any = None, keepdims: bool = False) -> Array:
    """The slope of the root is infinite at 0: there, the deviation has none."""
    variance = jnp.var(x, axis=axis, keepdims=keepdims)
    flat = variance == 0
    return jnp.where(flat, 0, jnp.sqrt(jnp.where(flat, 1, variance)))


_own: dict[str, Callable[..., Any]] = {
    "rsqrt": lax.rsqrt,
    "std": std,
    "erf": lax.erf,
    "erfc": lax.erfc,
    "erfinv": lax.erf_inv,
    "sigmoid": jax.nn.sigmoid,
    "floor_divide": jnp.floor_divide,
    "mod": jnp.mod,
    "logsumexp": logsumexp,
    "i0": i0,
    "make_complex": lax.complex,
}
_compiled = {
    name: compiled(fn, *_STATIC.get(name, ()))
    for name, fn in (_shared | _own).items()
    if name not in _EAGER
}

KERNELS: dict[str, Callable[..., Any]] = {
    **_compiled,
    **{name: _shared[name] for name in ("nonzero", "eig")},
    # A number as the exponent is a constant: x ** 2 is a product, with a better gradient.
    "power": jnp.power,
    "split": _over_lists(_compiled["split"]),
    "pad": _over_lists(_compiled["pad"]),
    "tensordot": _over_lists(_compiled["tensordot"]),
    "repeat": repeat,
    "roll": roll,
    "full": _of_dtype(jnp.full, 2, 0),
    "zeros": _of_dtype(jnp.zeros, 1, 0),
    "ones": _of_dtype(jnp.ones, 1, 0),
    "arange": arange,
    "linspace": _of_dtype(_linspace, 4, 2, 3, 5),
    "eye": _of_dtype(jnp.eye, 3, 0, 1, 2),
    "einsum": compiled(jnp.einsum, 0),
    "lu_factor": compiled(lu_factor),
    "solve_triangular": compiled(solve_triangular, 2),
    "top_k": compiled(top_k, 1, 2),
    "bincount": bincount,
    "getitem": getitem,
    "scatter": compiled(scatter, 2),
    "scatter_update": compiled(scatter_update),
    "slice": slice,
    "slice_update": compiled(slice_update),
    "one_hot": _of_dtype(_one_hot, 3, 1, 2),
    "segment_sum": _segmented(jax.ops.segment_sum),
    "segment_max": _segmented(jax.ops.segment_max),
    "segment_prod": _segmented(_product),
    "fft": compiled(fft, 2, 3),
    "irfft": compiled(irfft, 2),
    "view": compiled(view, 1),
}
