"""The torch engine: eager by habit, `torch.compile` on request."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import numpy as np
import torch
from torch._subclasses.fake_tensor import FakeTensor, FakeTensorMode

from keraslite.backend import contract
from keraslite.backend.torch import gradients, modules, programs, recording, steps, tensors
from keraslite.backend.torch.kernels import kernels
from keraslite.core import tree

Tensor = torch.Tensor


class TorchEngine(contract.Engine):
    """Computes with PyTorch on the CPU, on CUDA or on MPS.

    The device is the one that `KERAS_TORCH_DEVICE` names, else the first accelerator,
    else the CPU. Storages of variables are plain tensors, `torch.nn.Parameter`s where
    trainable, written in place: what `read` returns is no snapshot.
    """

    name = "torch"
    capabilities = contract.Capabilities(
        trainable=True, compiled=True, scalar_operands=True, complex=True, late_variables=True
    )
    tensor_types = frozenset({torch.Tensor, torch.nn.Parameter, FakeTensor})
    kernels = kernels
    value_errors = recording.VALUE_ERRORS
    LayerBase = modules.LayerBase
    VariableBase: ClassVar[type] = tensors.VariableBase

    def __init__(self) -> None:
        self._fake_mode: FakeTensorMode | None = None

    # Tensors -----------------------------------------------------------------

    def is_tensor(self, x: object) -> bool:
        return isinstance(x, torch.Tensor)

    def convert(self, x: object, dtype: str | None = None) -> Tensor:
        return tensors.convert(x, dtype)

    def to_numpy(self, x: Tensor) -> np.ndarray:
        return tensors.to_numpy(x)

    def host_view(self, x: Tensor) -> np.ndarray | None:
        dense = x.is_cpu and x.layout is torch.strided and x.dtype is not torch.bfloat16
        return x.detach().numpy() if dense else None

    def dtype(self, x: Tensor) -> str:
        return tensors.NAMES[x.dtype]

    def native_dtype(self, dtype: str) -> torch.dtype:
        found = tensors.DTYPES.get(dtype)
        if found is None:
            raise self.unsupported(f"the dtype {dtype!r}")
        return found

    def cast(self, x: Tensor, dtype: str) -> Tensor:
        return x.to(tensors.DTYPES[dtype])

    def stop_gradient(self, x: Tensor) -> Tensor:
        return x.detach()

    def device_scope(self, device: str) -> contextlib.AbstractContextManager[Any]:
        return tensors.device_scope(device)

    def devices(self, kind: str | None = None) -> list[str]:
        return tensors.devices(kind)

    def is_tracing(self) -> bool:
        return tensors.is_tracing()

    def concrete(self) -> contextlib.AbstractContextManager[Any]:
        return tensors.concrete()

    def no_grad(self) -> contextlib.AbstractContextManager[Any]:
        return torch.no_grad()

    def seed(self, seed: int) -> None:
        torch.manual_seed(seed)

    def random_state(self) -> dict[str, Any]:
        states = [torch.get_rng_state(), *torch.cuda.get_rng_state_all()]
        return {"states": [state.numpy() for state in states]}

    def set_random_state(self, state: dict[str, Any]) -> None:
        cpu, *others = [torch.from_numpy(x) for x in state["states"]]
        torch.set_rng_state(cpu)
        torch.cuda.set_rng_state_all(others)

    def profile(self, directory: str) -> contextlib.AbstractContextManager[Any]:
        profiler = torch.profiler
        return profiler.profile(
            on_trace_ready=profiler.tensorboard_trace_handler(directory), record_shapes=True
        )

    def process_index(self) -> int:
        group = torch.distributed
        return group.get_rank() if group.is_available() and group.is_initialized() else 0

    def clear(self) -> None:
        self._fake_mode = None
        if "torch._dynamo" in sys.modules:
            torch._dynamo.reset()

    # Variables ---------------------------------------------------------------

    def allocate(
        self, value: Tensor | np.ndarray, dtype: str, trainable: bool, name: str
    ) -> Tensor:
        given = tensors.convert(value)
        storage = torch.empty(given.shape, dtype=tensors.DTYPES[dtype], device=given.device)
        storage.copy_(given.detach())
        return self._stored(storage, trainable)

    def adopt(self, value: np.ndarray, dtype: str, trainable: bool, name: str) -> Tensor:
        return self._stored(tensors.feed(value), trainable)

    def host_memory(self, storage: Tensor, change: bool = False) -> np.ndarray | None:
        if type(storage) not in (torch.Tensor, torch.nn.Parameter):
            return None
        plain = storage.is_cpu and storage.layout is torch.strided and storage.is_contiguous()
        if not plain or storage.is_inference() or storage.is_conj() or storage.is_neg():
            return None
        if change:  # gradients through what was read before are errors, as after any assignment
            torch.autograd.graph.increment_version(storage)
        return storage.detach().reshape(-1).view(torch.uint8).numpy()

    def _stored(self, storage: Tensor, trainable: bool) -> Tensor:
        if trainable and _differentiable(storage):
            return torch.nn.Parameter(storage)
        return storage

    def hold(self, storage: Tensor) -> Tensor:
        return tensors.hold(storage)

    def write(self, storage: Tensor, value: Tensor) -> Tensor:
        if tensors.is_fake(value) and not tensors.is_fake(storage):
            raise RuntimeError(
                "A compiled step assigned to a variable that is not among those of the model: "
                f"shape {tuple(storage.shape)}, dtype {self.dtype(storage)}. Make it, or the layer "
                "that owns it, an attribute of the model."
            )
        target, value = storage.detach(), value.detach()
        try:
            target.copy_(value)
        except RuntimeError:
            # A view of the storage itself, such as its transpose, must not change on the way.
            target.copy_(value.clone())
        return storage

    def set_trainable(self, storage: Tensor, trainable: bool) -> None:
        if _differentiable(storage):
            storage.requires_grad_(trainable)

    # Tracing -----------------------------------------------------------------

    def infer(self, fn: Callable[..., Any], specs: Sequence[contract.TensorSpec]) -> Any:
        if self._fake_mode is None:
            self._fake_mode = FakeTensorMode(allow_non_fake_inputs=True)
        with tensors.inferring(self._fake_mode):
            inputs = [
                torch.empty(s.shape, dtype=tensors.DTYPES[s.dtype], device=tensors.device())
                for s in specs
            ]
            found = fn(*inputs)
        return tree.map_structure(_spec_of, found)

    # Gradients and steps -------------------------------------------------------

    value_and_grad = staticmethod(gradients.value_and_grad)
    value_and_grad_of = staticmethod(gradients.value_and_grad_of)
    custom_gradient = staticmethod(gradients.custom_gradient)
    rematerialize = staticmethod(gradients.rematerialize)
    compile_step = staticmethod(steps.compile_step)

    # Programs ------------------------------------------------------------------

    adopt_module = staticmethod(programs.Module)
    pack_module = staticmethod(programs.pack)


def _differentiable(x: Tensor) -> bool:
    return x.is_floating_point() or x.is_complex()


def _spec_of(x: Any) -> Any:
    if isinstance(x, torch.Tensor):
        return contract.TensorSpec(tuple(x.shape), tensors.NAMES[x.dtype])
    return x
