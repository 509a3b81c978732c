"""Layers as `torch.nn.Module`s: their state as torch's own tools see it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import torch

from keraslite.backend import contract
from keraslite.backend.torch import tensors


def _shelf(name: str, belongs: Callable[[Any], bool]) -> property:
    """One of the three dicts of a module, brought up to date whenever it is read."""

    def read(self: LayerBase) -> dict[str, Any]:
        shelf = self.__dict__[name]
        found = {key: value for key, value in self._contents() if belongs(value)}
        same = found.keys() == shelf.keys() and all(shelf[k] is v for k, v in found.items())
        # Left alone when nothing changed: torch reads it while iterating over it.
        if not same:
            shelf.clear()
            shelf.update(found)
        return shelf

    def write(self: LayerBase, shelf: dict[str, Any]) -> None:
        self.__dict__[name] = shelf

    return property(read, write)


def _is_module(x: Any) -> bool:
    return isinstance(x, torch.nn.Module)


def _is_parameter(x: Any) -> bool:
    return isinstance(x, torch.nn.Parameter)


class LayerBase(torch.nn.Module, contract.LayerBase):
    """A `torch.nn.Module` whose parameters and buffers are the storages of the variables.

    Variables made as trainable floats show up in `parameters()`, all others in `buffers()`.
    """

    _parameters = _shelf("_parameters", _is_parameter)
    _modules = _shelf("_modules", _is_module)
    _buffers = _shelf("_buffers", lambda x: not (_is_parameter(x) or _is_module(x)))

    def _engine_setup(self) -> None:
        torch.nn.Module.__init__(self)

    def _contents(self) -> Iterator[tuple[str, Any]]:
        """Names, which are free of dots in torch, with storages and layers."""
        for name, value in self._tracked():
            yield name.replace(".", "_"), getattr(value, "_storage", value)

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """What torch's tracers call: the layer itself."""
        return self(*args, **kwargs)

    def _apply(self, fn: Callable[..., Any], recurse: bool = True) -> Any:
        """What `.to()` and its kin do: new contents for the same storages."""
        if recurse:
            for child in self.children():
                child._apply(fn)
        with torch.no_grad():
            for _, variable in self._tracked():
                if isinstance(variable, tensors.VariableBase):
                    variable._storage = _moved(variable._storage, fn)
                    variable.dtype = tensors.NAMES[variable._storage.dtype]
        return self


def _moved(storage: torch.Tensor, fn: Callable[..., Any]) -> torch.Tensor:
    """`fn(storage)` in the same tensor object, which optimizers may hold, if torch lets it."""
    new = fn(storage)
    if torch._has_compatible_shallow_copy_type(storage, new):
        storage.data = new
        return storage
    return torch.nn.Parameter(new, storage.requires_grad) if _is_parameter(storage) else new
