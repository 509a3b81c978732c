"""Kernels whose bodies are the same in NumPy and in jax.numpy, given the namespace."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import ModuleType
from typing import Any

Array = Any
Axis = int | tuple[int, ...] | None

#: Functions that both namespaces have under the kernel's own name and parameters.
ALIASES = """
    exp expm1 log log1p log2 log10 sqrt sin cos tan arcsin arccos arctan sinh cosh tanh
    arcsinh arccosh arctanh reciprocal absolute negative sign floor ceil round
    logical_not isnan isinf isfinite bitwise_not
    add subtract multiply maximum minimum true_divide arctan2 logaddexp hypot
    bitwise_and bitwise_or bitwise_xor left_shift right_shift gcd real imag
    equal not_equal less less_equal greater greater_equal logical_and logical_or logical_xor
    where reshape transpose broadcast_to expand_dims squeeze tile flip roll repeat
    moveaxis swapaxes tril triu diagonal diag concatenate stack matmul dot tensordot sort
"""


def _kept(x: Array) -> Any:
    """The dtype to sum `x` in: integers keep theirs, half floats are widened meanwhile."""
    return x.dtype if x.dtype.kind in "biu" else None


def _reduction(name: str) -> Callable[..., Array]:
    def kernel(self: ArrayKernels, x: Array, axis: Axis = None, keepdims: bool = False) -> Array:
        return getattr(self.xp, name)(x, axis=axis, keepdims=keepdims)

    return kernel


class ArrayKernels:
    """The shared kernels over the array namespace `xp`."""

    def __init__(self, xp: ModuleType) -> None:
        self.xp = xp

    def table(self) -> dict[str, Callable[..., Any]]:
        """All kernels by name, aliases included."""
        own = [n for n in vars(ArrayKernels) if n[0] != "_" and n != "table"]
        return {n: getattr(self.xp, n) for n in ALIASES.split()} | {
            n: getattr(self, n) for n in own
        }

    # Elementwise ---------------------------------------------------------------

    def square(self, x: Array) -> Array:
        # The namespaces' own `square` makes an integer of a bool.
        return self.xp.multiply(x, x)

    def rsqrt(self, x: Array) -> Array:
        return self.xp.reciprocal(self.xp.sqrt(x))

    def i0(self, x: Array) -> Array:
        return self.xp.i0(x).astype(x.dtype)

    # Reductions ----------------------------------------------------------------

    def sum(self, x: Array, axis: Axis = None, keepdims: bool = False) -> Array:
        return self.xp.sum(x, axis=axis, dtype=_kept(x), keepdims=keepdims)

    def prod(self, x: Array, axis: Axis = None, keepdims: bool = False) -> Array:
        return self.xp.prod(x, axis=axis, dtype=_kept(x), keepdims=keepdims)

    max, min, mean, var, std, any, all = map(
        _reduction, ("max", "min", "mean", "var", "std", "any", "all")
    )

    def argmax(self, x: Array, axis: int | None = None, keepdims: bool = False) -> Array:
        return self.xp.argmax(x, axis=axis, keepdims=keepdims).astype("int32")

    def argmin(self, x: Array, axis: int | None = None, keepdims: bool = False) -> Array:
        return self.xp.argmin(x, axis=axis, keepdims=keepdims).astype("int32")

    def cumsum(self, x: Array, axis: int | None = None) -> Array:
        return self.xp.cumsum(x, axis=axis, dtype=x.dtype)

    def cumprod(self, x: Array, axis: int | None = None) -> Array:
        return self.xp.cumprod(x, axis=axis, dtype=x.dtype)

    def moments(self, x: Array, axes: Axis, keepdims: bool = False) -> tuple[Array, Array]:
        mean = self.xp.mean(x, axis=axes, keepdims=True)
        variance = self.xp.mean(self.xp.square(x - mean), axis=axes, keepdims=True)
        if not keepdims:
            mean, variance = self.xp.squeeze(mean, axes), self.xp.squeeze(variance, axes)
        return mean, variance

    # Shape ---------------------------------------------------------------------

    def pad(
        self,
        x: Array,
        pad_width: tuple[tuple[int, int], ...],
        mode: str = "constant",
        constant_values: Any = 0,
    ) -> Array:
        if mode == "constant":
            return self.xp.pad(x, pad_width, mode, constant_values=constant_values)
        return self.xp.pad(x, pad_width, mode)

    def split(
        self, x: Array, indices_or_sections: int | Sequence[int], axis: int = 0
    ) -> list[Array]:
        return self.xp.split(x, indices_or_sections, axis)

    # Index ---------------------------------------------------------------------

    def _inside(self, indices: Array, size: int) -> Array:
        """Negative indices counted from the end, all others clamped to the axis."""
        return self.xp.clip(self.xp.where(indices < 0, indices + size, indices), 0, size - 1)

    def take(self, x: Array, indices: Array, axis: int | None = None) -> Array:
        if axis is None:
            x, axis = x.reshape(-1), 0
        if self.xp.issubdtype(indices.dtype, self.xp.unsignedinteger):
            indices = indices.astype("int32")
        if not indices.size:
            # jax loses the shape of the indices where the axis is empty as well.
            axis = axis % x.ndim
            shape = (*x.shape[:axis], *indices.shape, *x.shape[axis + 1 :])
            return self.xp.zeros(shape, x.dtype)
        return self.xp.take(x, self._inside(indices, x.shape[axis]), axis=axis, mode="clip")

    def take_along_axis(self, x: Array, indices: Array, axis: int = -1) -> Array:
        return self.xp.take_along_axis(x, self._inside(indices, x.shape[axis]), axis=axis)

    def nonzero(self, x: Array) -> tuple[Array, ...]:
        return tuple(i.astype("int32") for i in self.xp.nonzero(x))

    def getitem(self, x: Array, key: Any) -> Array:
        return x[key]

    def argsort(self, x: Array, axis: int | None = -1) -> Array:
        return self.xp.argsort(x, axis=axis, stable=True).astype("int32")

    def searchsorted(self, sorted_sequence: Array, values: Array, side: str = "left") -> Array:
        return self.xp.searchsorted(sorted_sequence, values, side=side).astype("int32")

    # Linear algebra --------------------------------------------------------------

    def cholesky(self, x: Array) -> Array:
        return self.xp.linalg.cholesky(x)

    def det(self, x: Array) -> Array:
        return self.xp.linalg.det(x)

    def inv(self, x: Array) -> Array:
        return self.xp.linalg.inv(x)

    def solve(self, a: Array, b: Array) -> Array:
        if b.ndim == a.ndim - 1:
            return self.xp.linalg.solve(a, b[..., None])[..., 0]
        return self.xp.linalg.solve(a, b)

    def qr(self, x: Array, mode: str = "reduced") -> tuple[Array, Array]:
        return tuple(self.xp.linalg.qr(x, mode=mode))

    def svd(self, x: Array, full_matrices: bool = True, compute_uv: bool = True) -> Any:
        found = self.xp.linalg.svd(x, full_matrices=full_matrices, compute_uv=compute_uv)
        return tuple(found) if compute_uv else found

    def eig(self, x: Array) -> tuple[Array, Array]:
        return tuple(self.xp.linalg.eig(x))

    def eigh(self, x: Array) -> tuple[Array, Array]:
        return tuple(self.xp.linalg.eigh(x))

    def norm(self, x: Array, ord: Any = None, axis: Axis = None, keepdims: bool = False) -> Array:
        return self.xp.linalg.norm(x, ord=ord, axis=axis, keepdims=keepdims)

    def slogdet(self, x: Array) -> tuple[Array, Array]:
        return tuple(self.xp.linalg.slogdet(x))

    # Fourier transforms ----------------------------------------------------------

    def rfft(self, x: Array, n: int) -> tuple[Array, Array]:
        found = self.xp.fft.rfft(x, n)
        return self.xp.real(found), self.xp.imag(found)

    # Neural networks ---------------------------------------------------------------

    def batch_normalization(
        self,
        x: Array,
        mean: Array,
        variance: Array,
        axis: int,
        offset: Array | None = None,
        scale: Array | None = None,
        epsilon: float = 1e-3,
    ) -> Array:
        shape = [1] * x.ndim
        shape[axis] = -1
        factor = self.xp.reciprocal(self.xp.sqrt(variance + epsilon))
        if scale is not None:
            factor = factor * scale
        shift = -mean * factor
        if offset is not None:
            shift = shift + offset
        return (x * factor.reshape(shape) + shift.reshape(shape)).astype(x.dtype)

    def layer_normalization(
        self,
        x: Array,
        gamma: Array | None = None,
        beta: Array | None = None,
        axis: Axis = -1,
        epsilon: float = 1e-3,
    ) -> Array:
        axes = tuple(a % x.ndim for a in ((axis,) if isinstance(axis, int) else axis))
        shape = [size if i in axes else 1 for i, size in enumerate(x.shape)]
        wide = x.astype("float32") if x.dtype.itemsize == 2 else x
        mean, variance = self.moments(wide, axes, keepdims=True)
        wide = (wide - mean) / self.xp.sqrt(variance + epsilon)
        if gamma is not None:
            wide = wide * gamma.reshape(shape)
        if beta is not None:
            wide = wide + beta.reshape(shape)
        return wide.astype(x.dtype)
