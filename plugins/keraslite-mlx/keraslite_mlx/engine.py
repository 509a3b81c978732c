"""`MlxEngine`: tensors are `mx.array`s, which are computed when someone looks at them."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import Any, ClassVar

import ml_dtypes
import mlx.core as mx
import numpy as np

from keraslite.backend import Capabilities, Engine, TensorSpec
from keraslite.backend.support import nested_array, nested_dtype, standardize_dtype, tree
from keraslite_mlx import gradients, steps
from keraslite_mlx.dtypes import NAMES, has_float64, native
from keraslite_mlx.kernels import kernels
from keraslite_mlx.state import is_tracing, masks, tracing

Tensor = mx.array
_CAPABILITIES = Capabilities(
    trainable=True,
    compiled=True,
    scalar_operands=True,
    functional=True,
    complex=True,
    float64=False,
    channels_first=False,
)
_WITH_FLOAT64 = dataclasses.replace(_CAPABILITIES, float64=True)


class VariableBase:
    """Lets the operators of tensors take a `Variable`, also inside of a gradient.

    MLX asks an operand for DLPack and for a complex number before it asks for its array, and
    would take a constant; so a variable here has neither.
    """

    value: Tensor

    def __mlx_array__(self) -> Tensor:
        return self.value

    def __complex__(self) -> complex:
        raise TypeError("A variable of MLX is no complex number. Use `variable.numpy()`.")


class MlxEngine(Engine):
    """Computes with MLX on Apple's GPUs, on CUDA or on the CPU: on MLX's default device.

    Operations are recorded and computed when a value is needed: at the end of a step, when a
    variable is written, when a tensor is read.
    """

    name = "mlx"
    tensor_types = frozenset({mx.array})
    interned_dtypes = False
    VariableBase = VariableBase
    kernels: ClassVar[SimpleNamespace] = kernels

    set_mask = staticmethod(masks.set)  # type: ignore[assignment]
    get_mask = staticmethod(masks.get)  # type: ignore[assignment]

    @property
    def capabilities(self) -> Capabilities:  # type: ignore[override]
        return _WITH_FLOAT64 if has_float64() else _CAPABILITIES

    # Tensors -----------------------------------------------------------------------

    def is_tensor(self, x: object) -> bool:
        return isinstance(x, mx.array)

    def convert(self, x: object, dtype: str | None = None) -> Tensor:
        if isinstance(x, mx.array):
            return x if dtype is None else self.cast(x, dtype)
        if not isinstance(x, (np.ndarray, np.generic)):
            if any(isinstance(leaf, mx.array) for leaf in tree.flatten(x)):
                return self._stack(x, dtype or nested_dtype(x))
            x = np.asarray(x) if hasattr(x, "__array__") else nested_array(x, dtype)
        wanted = native(dtype or standardize_dtype(x.dtype))
        name = NAMES[wanted]
        if x.dtype.name != name:
            with np.errstate(all="ignore"):
                x = x.astype(getattr(ml_dtypes, name, name))
        return mx.array(np.asarray(x), wanted)

    def _stack(self, x: Any, dtype: str) -> Tensor:
        """A nested list with tensors in it."""
        if isinstance(x, (list, tuple)):
            return mx.stack([self._stack(item, dtype) for item in x])
        return self.convert(x, dtype)

    def to_numpy(self, x: Tensor) -> np.ndarray:
        if not isinstance(x, mx.array):
            return np.array(x)
        if x.dtype == mx.bfloat16:
            return np.array(x.view(mx.uint16)).view(ml_dtypes.bfloat16)
        return np.array(x)

    def dtype(self, x: Tensor) -> str:
        return NAMES[x.dtype]

    def native_dtype(self, dtype: str) -> mx.Dtype:
        return native(dtype)

    def cast(self, x: Tensor, dtype: str) -> Tensor:
        wanted = native(dtype)
        return x if x.dtype == wanted else x.astype(wanted)

    def stop_gradient(self, x: Tensor) -> Tensor:
        return mx.stop_gradient(x)

    def device_scope(self, device: str) -> contextlib.AbstractContextManager[Any]:
        if device.lower() not in (found := self.devices()):
            raise ValueError(f"There is no device {device!r}. Expected one of: {', '.join(found)}.")
        kind, _, index = device.lower().partition(":")
        return mx.stream(mx.Device(getattr(mx, kind), int(index or 0)))

    def devices(self, kind: str | None = None) -> list[str]:
        kinds = [name for name in ("gpu", "cpu") if mx.is_available(getattr(mx, name))]
        return [f"{name}:0" for name in kinds if kind in (None, name)]

    def is_tracing(self) -> bool:
        return bool(is_tracing())

    def concrete(self) -> contextlib.AbstractContextManager[Any]:
        return tracing("")

    def seed(self, seed: int) -> None:
        mx.random.seed(seed)

    def clear(self) -> None:
        masks.clear()
        mx.clear_cache()

    # Variables -----------------------------------------------------------------------

    def allocate(self, value: Tensor | np.ndarray, dtype: str, trainable: bool, name: str) -> Any:
        return mx.array(self.convert(value, dtype))

    def write(self, storage: Any, value: Tensor) -> Any:
        # Computed now: what was recorded for it would be kept, and grow, until someone looks.
        try:
            mx.async_eval(value)
        except ValueError as error:
            raise RuntimeError(
                "A variable was assigned inside a function that MLX transforms (`mx.compile`, "
                "`mx.vmap`), where assignments would be lost. Call "
                "`layer.stateless_call(trainable_variables, non_trainable_variables, x)` there, "
                "which returns the new values."
            ) from error
        return mx.array(value)  # Not the caller's, who may write into it.

    # Tracing -------------------------------------------------------------------------

    def infer(self, fn: Callable[..., Any], specs: Sequence[TensorSpec]) -> Any:
        # What is recorded has shapes and dtypes; nothing is computed.
        with tracing("infer"), masks.temporary():
            found = fn(*(mx.zeros(spec.shape, native(spec.dtype)) for spec in specs))
        return tree.map_structure(
            lambda x: TensorSpec(x.shape, NAMES[x.dtype]) if self.is_tensor(x) else x, found
        )

    def on_host(
        self,
        fn: Callable[..., Sequence[np.ndarray]],
        tensors: Sequence[Tensor],
        specs: Sequence[TensorSpec],
    ) -> list[Any]:
        if is_tracing() == "infer":
            return [mx.zeros(spec.shape, native(spec.dtype)) for spec in specs]
        if is_tracing():
            raise self.unsupported("computing in NumPy inside a compiled step")
        return super().on_host(fn, tensors, specs)

    # Gradients and steps ---------------------------------------------------------------

    value_and_grad = staticmethod(gradients.value_and_grad)
    value_and_grad_of = staticmethod(gradients.value_and_grad_of)
    custom_gradient = staticmethod(gradients.custom_gradient)
    rematerialize = staticmethod(gradients.rematerialize)

    def compile_step(
        self, step: Callable[[Any], Any], variables: Sequence[Any], jit: bool | str = "auto"
    ) -> Callable[[Any], Any]:
        return steps.compile_step(step, variables, self.convert, jit)
