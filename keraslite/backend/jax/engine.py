"""`JaxEngine`: tensors are `jax.Array`s, state is threaded through pure functions."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable, Sequence
from types import ModuleType, SimpleNamespace
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np

from keraslite.backend import contract
from keraslite.backend._host import nested_array, nested_dtype, no_scalar
from keraslite.backend._pure import current
from keraslite.backend.contract import Capabilities, Engine, Tensor, TensorSpec
from keraslite.backend.jax.dtypes import name_of, native
from keraslite.backend.jax.kernels import control, kernels
from keraslite.backend.jax.kernels.compiling import compiled
from keraslite.backend.jax.state import TENSORS, Outcome, is_sparse, isolated, masks, pack, strong
from keraslite.backend.jax.steps import CompiledStep
from keraslite.core import tree
from keraslite.core.dtypes import promote, weak_name

_cast = compiled(jax.lax.convert_element_type, 1)
# Arguments of a compiled call are copied to the device, faster than by `jnp.array`.
_upload = compiled(lambda x: x)
_CAPABILITIES = Capabilities(
    trainable=True,
    compiled=True,
    scalar_operands=True,
    functional=True,
    sparse=True,
    complex=True,
    float64=False,
    fuses_steps=True,
)
_CAPABILITIES_X64 = dataclasses.replace(_CAPABILITIES, float64=True)
# Called without arguments, it is traced only where everything is recorded. Not inlined:
# that would give the constant itself.
_probe = jax.jit(lambda: jnp.zeros((), "bool"))


class VariableBase(contract.VariableBase):
    """Lets `jax.numpy.asarray` and `jax.numpy` functions take a `Variable`."""

    value: Any

    def __jax_array__(self) -> jax.Array:
        return self.value


class JaxEngine(Engine):
    """Computes with JAX (https://docs.jax.dev)."""

    name = "jax"
    tensor_types = TENSORS
    kernels: ClassVar[SimpleNamespace] = kernels
    value_errors = (
        jax.errors.ConcretizationTypeError,
        jax.errors.NonConcreteBooleanIndexError,
        jax.errors.TracerArrayConversionError,
        jax.errors.TracerIntegerConversionError,
    )
    VariableBase = VariableBase

    set_mask = staticmethod(masks.set)  # type: ignore[assignment]
    get_mask = staticmethod(masks.get)  # type: ignore[assignment]

    @property
    def capabilities(self) -> Capabilities:  # type: ignore[override]
        return _CAPABILITIES_X64 if jax.config.jax_enable_x64 else _CAPABILITIES

    # Tensors -----------------------------------------------------------------------

    def is_tensor(self, x: object) -> bool:
        return type(x) in self.tensor_types or isinstance(x, jax.Array) or is_sparse(x)

    def convert(self, x: object, dtype: str | None = None) -> Tensor:
        if self.is_tensor(x):
            if is_sparse(x):
                x = self._dense(x)
            return x if dtype is None else self.cast(x, dtype)
        if hasattr(x, "__jax_array__"):
            return self.convert(x.__jax_array__(), dtype)
        if type(x) in (float, int, bool):
            return _upload(np.array(x, native(dtype or promote(weak_name(type(x))))))
        if not isinstance(x, (np.ndarray, np.generic)):
            if any(self._is_device_value(leaf) for leaf in tree.flatten(x)):
                return self._stack(x, dtype or nested_dtype(x))
            x = np.asarray(x) if hasattr(x, "__array__") else nested_array(x, dtype)
        return self._copied(x, native(dtype or name_of(x.dtype)))

    def _copied(self, x: np.ndarray, dtype: np.dtype) -> Tensor:
        if x.dtype is not dtype:
            with np.errstate(all="ignore"):
                x = x.astype(dtype)
        return _upload(x)

    def _is_device_value(self, x: object) -> bool:
        return self.is_tensor(x) or hasattr(x, "__jax_array__")

    def _stack(self, x: Any, dtype: str) -> Tensor:
        """A nested list with tensors in it."""
        if isinstance(x, (list, tuple)):
            return jnp.stack([self._stack(item, dtype) for item in x])
        return self.convert(x, dtype)

    def to_numpy(self, x: Tensor) -> np.ndarray:
        return np.array(self._dense(x) if is_sparse(x) else x)

    def host_view(self, x: Tensor) -> np.ndarray | None:
        if not isinstance(x, jax.Array) or isinstance(x, jax.core.Tracer):
            return None
        here = x.is_fully_addressable and all(d.platform == "cpu" for d in x.devices())
        return np.asarray(x) if here else None

    def dtype(self, x: Tensor) -> str:
        return name_of(x.dtype)

    def native_dtype(self, dtype: str) -> np.dtype:
        return native(dtype)

    def cast(self, x: Tensor, dtype: str) -> Tensor:
        wanted = native(dtype)
        if x.dtype is wanted:
            return x
        if is_sparse(x):
            return self.map_values(x, lambda values: _cast(values, wanted))
        return _cast(x, wanted)

    def stop_gradient(self, x: Tensor) -> Tensor:
        return jax.lax.stop_gradient(x)

    def device_scope(self, device: str) -> contextlib.AbstractContextManager[Any]:
        kind, _, index = device.lower().partition(":")
        try:
            return jax.default_device(jax.devices(kind)[int(index or 0)])
        except (RuntimeError, IndexError, ValueError) as error:
            raise ValueError(
                f"There is no device {device!r}. Expected one of: {', '.join(self.devices())}."
            ) from error

    def devices(self, kind: str | None = None) -> list[str]:
        found = [*jax.devices(), *([] if jax.default_backend() == "cpu" else jax.devices("cpu"))]
        names = [("gpu" if d.platform in ("cuda", "rocm") else d.platform, d.id) for d in found]
        return [f"{name}:{i}" for name, i in names if kind in (None, name)]

    def is_tracing(self) -> bool:
        return isinstance(_probe(), jax.core.Tracer)

    def concrete(self) -> contextlib.AbstractContextManager[Any]:
        return jax.ensure_compile_time_eval()

    def profile(self, directory: str) -> contextlib.AbstractContextManager[Any]:
        return jax.profiler.trace(directory)

    def process_index(self) -> int:
        return jax.process_index()

    def clear(self) -> None:
        masks.clear()

    # Variables -----------------------------------------------------------------------

    def allocate(self, value: Tensor | np.ndarray, dtype: str, trainable: bool, name: str) -> Any:
        # A copy: a step gives its old buffers away, and no one else may hold them.
        if isinstance(value, np.ndarray):
            return self._copied(value, native(dtype))
        return jnp.array(value, native(dtype), copy=True)

    def adopt(self, value: np.ndarray, dtype: str, trainable: bool, name: str) -> Any:
        return jax.device_put(value, may_alias=True)

    def hold(self, storage: Any) -> Any:
        # A step copies what it would give away and others hold. Devices may lack the room.
        on_host = all(device.platform == "cpu" for device in storage.devices())
        return storage if on_host else self.to_numpy(storage)

    def write(self, storage: Any, value: Tensor) -> Any:
        if isinstance(value, jax.core.Tracer):
            raise RuntimeError(
                "A variable was assigned inside a function that JAX transforms (`jax.jit`, "
                "`jax.grad`, ...), where assignments would be lost. Call "
                "`layer.stateless_call(trainable_variables, non_trainable_variables, x)` there, "
                "which returns the new values."
            )
        return strong(value)

    # Tracing -------------------------------------------------------------------------

    def infer(self, fn: Callable[..., Any], specs: Sequence[TensorSpec]) -> Any:
        arguments = [jax.ShapeDtypeStruct(spec.shape, native(spec.dtype)) for spec in specs]
        with masks.temporary():
            found = jax.eval_shape(lambda *tensors: pack(fn(*tensors)), *arguments)
        return found.unpack(lambda x: TensorSpec(tuple(x.shape), name_of(x.dtype)))

    # On the host ---------------------------------------------------------------------

    def on_host(
        self,
        fn: Callable[..., Sequence[np.ndarray]],
        tensors: Sequence[Tensor],
        specs: Sequence[TensorSpec],
    ) -> list[Any]:
        if not any(isinstance(x, jax.core.Tracer) for x in tensors):
            return super().on_host(fn, tensors, specs)
        results = [jax.ShapeDtypeStruct(spec.shape, native(spec.dtype)) for spec in specs]

        def run(*arrays: Any) -> list[np.ndarray]:
            found = fn(*[np.asarray(x) for x in arrays])
            return [x.astype(s.dtype) for x, s in zip(found, results, strict=True)]

        return list(jax.pure_callback(run, results, *tensors, vmap_method="sequential"))

    # Sparse arrays -------------------------------------------------------------------

    # The module is loaded with the first sparse array.

    @property
    def sparse_kernels(self) -> ModuleType:
        from keraslite.backend.jax import sparse

        return sparse

    is_sparse = staticmethod(is_sparse)  # type: ignore[assignment]

    def _dense(self, x: Tensor) -> Tensor:
        from keraslite.backend.jax import sparse

        return sparse.dense(x)

    def map_values(self, x: Tensor, fn: Callable[[Tensor], Tensor]) -> Tensor:
        from keraslite.backend.jax import sparse

        return sparse.map_values(x, fn)

    def to_sparse(self, x: Tensor) -> Tensor:
        from keraslite.backend.jax import sparse

        # While tracing, how many elements are not zero is not known.
        return sparse.BCOO.fromdense(x, nse=x.size if isinstance(x, jax.core.Tracer) else None)

    # Gradients -----------------------------------------------------------------------

    def value_and_grad(
        self, fn: Callable[[], tuple[Tensor, Any]], variables: Sequence[Any]
    ) -> tuple[tuple[Tensor, Any], list[Tensor | None]]:
        wanted = [v for v in variables if jnp.issubdtype(current(v).dtype, jnp.inexact)]
        result, grads = _differentiate(fn, wanted, [current(v) for v in wanted])
        found = dict(zip(map(id, wanted), grads, strict=True))
        return result, [found.get(id(v)) for v in variables]

    def value_and_grad_of(
        self, fn: Callable[..., tuple[Tensor, Any]], tensors: Sequence[Tensor]
    ) -> tuple[tuple[Tensor, Any], list[Tensor]]:
        return _differentiate(fn, [], list(tensors))

    def custom_gradient(self, fn: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            @jax.custom_gradient
            def run(*args: Any) -> tuple[Any, Callable[[Any], Any]]:
                output, grad_fn = fn(*args, **kwargs)
                return output, lambda upstream: grad_fn(*args, upstream=upstream)

            return run(*args)

        return call

    def rematerialize(self, fn: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            outcome = Outcome()

            @jax.checkpoint
            def run(packed: Any) -> Any:
                args, kwargs = packed.unpack()
                with isolated() as scope:
                    outputs = fn(*args, **kwargs)
                return pack(outputs), outcome.of(scope)

            outputs, done = run(pack((args, kwargs)))
            outcome.apply(done)
            return outputs.unpack()

        return call

    # Steps -----------------------------------------------------------------------------

    def compile_step(
        self, step: Callable[[Any], Any], variables: Sequence[Any], jit: bool | str = "auto"
    ) -> Callable[[Any], Any]:
        if jit is False:
            return lambda batch: step(pack(batch).unpack(self.convert))
        return CompiledStep(step, variables)

    def compile_steps(
        self, step: Callable[[Any], Any], variables: Sequence[Any], jit: bool | str = "auto"
    ) -> Callable[[list[Any]], Any]:
        if jit is False:
            return super().compile_steps(step, variables, jit)

        def loop(batches: list[Any]) -> Any:
            packed = [pack(batch) for batch in batches]
            stacked = jax.tree.map(lambda *arrays: jnp.stack(arrays), *packed)
            _, outputs = control.scan(
                lambda _, batch: (None, pack(step(batch.unpack()))), None, stacked
            )
            return outputs.unpack(lambda x: x[-1])

        return CompiledStep(loop, variables)

    # Programs --------------------------------------------------------------------------

    def flatten_pytree(
        self, structure: Any
    ) -> tuple[list[Any], Callable[[Sequence[Any]], Any], list[str]]:
        pairs, spec = jax.tree_util.tree_flatten_with_path(structure)
        names = [jax.tree_util.keystr(path, simple=True, separator=".") for path, _ in pairs]
        return [leaf for _, leaf in pairs], lambda leaves: jax.tree.unflatten(spec, leaves), names


def _differentiate(
    fn: Callable[..., tuple[Tensor, Any]], variables: Sequence[Any], values: list[Tensor]
) -> tuple[tuple[Tensor, Any], list[Tensor]]:
    """Gradients for `values`, which `variables` hold or, with none, `fn` gets."""
    outcome = Outcome()

    def scalar(values: list[Tensor]) -> tuple[Tensor, Any]:
        bound = values if variables else []
        with isolated(variables, bound) as scope:
            loss, aux = fn() if variables else fn(*values)
        _check_scalar(loss)
        return loss, (pack(aux), outcome.of(scope))

    (loss, (aux, done)), grads = jax.value_and_grad(scalar, has_aux=True)(values)
    outcome.apply(done)
    return (loss, aux.unpack()), grads


def _check_scalar(loss: Any) -> None:
    shape, dtype = np.shape(loss), getattr(loss, "dtype", np.dtype(type(loss)))
    if shape or not jnp.issubdtype(dtype, jnp.floating):
        raise no_scalar(f"shape {shape}, dtype {dtype}")
