"""`torch.nn.Module`s as the programs of layers."""

from __future__ import annotations

import io
from typing import Any

import torch
from torch.nn.parameter import is_lazy

from keraslite.backend.contract import Program, ProgramState
from keraslite.backend.torch import tensors
from keraslite.core.errors import describe


class Module(Program):
    """A module whose parameters and buffers are the storages of variables.

    Args:
        module: a module, or the bytes that `pack` made of one.

    Raises:
        TypeError: for anything else.
        ValueError: for a lazy module that has no parameters yet.
    """

    def __init__(self, module: Any) -> None:
        if isinstance(module, bytes):
            module = torch.load(io.BytesIO(module), weights_only=False)
        if not isinstance(module, torch.nn.Module):
            raise TypeError(f"`module` must be a `torch.nn.Module`. Received: {describe(module)}")
        if any(is_lazy(x) for x in (*module.parameters(), *module.buffers())):
            raise ValueError(
                "A lazy module has no parameters before its first call. Call it on a batch of "
                f"data first. Received: {type(module).__name__}"
            )
        self.module = module.to(tensors.device())
        self.states = [
            *(ProgramState(name, p, p.requires_grad) for name, p in module.named_parameters()),
            *(ProgramState(name, b, False) for name, b in module.named_buffers()),
        ]

    def run(
        self, values: list[Any], args: tuple, kwargs: dict[str, Any], training: bool | None
    ) -> tuple[Any, list[Any]]:
        if training is not None and self.module.training != training:
            self.module.train(training)
        given = {state.name: value for state, value in zip(self.states, values, strict=True)}
        # Afterwards it holds also what the module put in the place of a buffer.
        outputs = torch.func.functional_call(self.module, given, args, kwargs)
        return outputs, [given[state.name] for state in self.states]


def pack(module: torch.nn.Module) -> bytes:
    """See `Engine.pack_module`."""
    file = io.BytesIO()
    torch.save(module, file)
    return file.getvalue()
