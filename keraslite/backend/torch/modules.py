"""Layers as `torch.nn.Module`s: their state as torch's own tools see it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import torch

from keraslite.backend import contract
from keraslite.backend.torch import tensors

_HOOKS = ("_forward_pre_hooks", "_forward_hooks", "_backward_pre_hooks", "_backward_hooks")


class _Shelf(dict):
    """One of the three dicts of a module. What torch puts in goes to the variables."""

    def __init__(self, owner: LayerBase) -> None:
        self.owner = owner

    def refresh(self, found: dict[str, Any]) -> None:
        # Left alone when nothing changed: torch reads it while iterating over it.
        if found.keys() != self.keys() or any(self[k] is not v for k, v in found.items()):
            self.clear()
            self.update(found)

    def __setitem__(self, name: str, value: Any) -> None:
        for key, item in self.owner._contents():
            if key == name and isinstance(item, tensors.VariableBase):
                item._storage = value
        super().__setitem__(name, value)


def _shelf(name: str, belongs: Callable[[Any], bool]) -> property:
    """A dict of a module, brought up to date whenever it is read."""

    def read(self: LayerBase) -> dict[str, Any]:
        shelves = self.__dict__.setdefault("_shelves", _Shelves())
        shelf = vars(shelves).get(name)
        if shelf is None:
            shelf = vars(shelves)[name] = _Shelf(self)
        shelf.refresh({key: getattr(x, "_storage", x) for key, x in self._contents() if belongs(x)})
        return shelf

    def write(self: LayerBase, value: dict[str, Any]) -> None:
        """Ignored: `Module.__init__` begins with empty dicts."""

    return property(read, write)


class _Shelves:
    """The dicts of one module, made anew for a copy of it."""

    def __deepcopy__(self, memo: Any) -> _Shelves:
        return _Shelves()

    def __reduce__(self) -> tuple[type[_Shelves], tuple]:
        return _Shelves, ()


def _is_parameter(x: Any) -> bool:
    if not isinstance(x, tensors.VariableBase):
        return False
    return x._kind_trainable and (x._storage.is_floating_point() or x._storage.is_complex())


def _is_buffer(x: Any) -> bool:
    return isinstance(x, tensors.VariableBase) and not _is_parameter(x)


class LayerBase(torch.nn.Module, contract.LayerBase):
    """A `torch.nn.Module` whose parameters and buffers are the storages of the variables.

    Variables made as trainable floats show up in `parameters()`, all others in `buffers()`.
    """

    _parameters = _shelf("_parameters", _is_parameter)
    _modules = _shelf("_modules", lambda x: isinstance(x, torch.nn.Module))
    _buffers = _shelf("_buffers", _is_buffer)

    _engine_attributes = frozenset(vars(torch.nn.Module()))

    def _engine_setup(self) -> None:
        torch.nn.Module.__init__(self)

    def _contents(self) -> Iterator[tuple[str, Any]]:
        """Names, which are free of dots in torch, with variables and modules."""
        for name, value in self._tracked():
            yield name.replace(".", "_"), value
        for name, value in vars(self).items():
            if isinstance(value, torch.nn.Module) and not isinstance(value, LayerBase):
                yield name, value

    def __getattr__(self, name: str) -> Any:
        """What torch knows by a name that is no attribute, such as `blocks_0`."""
        own = getattr(type(self), name, None)
        if hasattr(own, "__get__"):
            # It raised an `AttributeError` of its own: again, to say it.
            return own.__get__(self, type(self))
        if not name.startswith("__"):
            for key, value in self._contents():
                if key == name:
                    return getattr(value, "_storage", value)
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    # Calls -----------------------------------------------------------------------------

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """What torch's tools call: the layer itself, without hooks."""
        return self._full_call(args, kwargs)

    @property
    def _has_hooks(self) -> bool:
        return any(self.__dict__.get(name) for name in _HOOKS)

    def _call_with_hooks(self, args: tuple, kwargs: dict[str, Any]) -> Any:
        return self._call_impl(*args, **kwargs)

    # State -----------------------------------------------------------------------------

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

    def _load_from_state_dict(
        self, state_dict: dict[str, Any], prefix: str, local_metadata: dict[str, Any], *rest: Any
    ) -> None:
        # Always a copy into the storages: attributes hold variables, not parameters.
        metadata = {**local_metadata, "assign_to_params_buffers": False}
        super()._load_from_state_dict(state_dict, prefix, metadata, *rest)


def _hooking(register: Callable[..., Any]) -> Callable[..., Any]:
    def register_and_leave_fast_path(self: LayerBase, *args: Any, **kwargs: Any) -> Any:
        self._fast = False
        return register(self, *args, **kwargs)

    return register_and_leave_fast_path


for _name in (
    "register_forward_pre_hook",
    "register_forward_hook",
    "register_full_backward_pre_hook",
    "register_full_backward_hook",
):
    setattr(LayerBase, _name, _hooking(getattr(torch.nn.Module, _name)))


def _moved(storage: torch.Tensor, fn: Callable[..., Any]) -> torch.Tensor:
    """`fn(storage)` in the same tensor object, which optimizers may hold, if torch lets it."""
    new = fn(storage)
    if torch._has_compatible_shallow_copy_type(storage, new):
        storage.data = new
        return storage
    if isinstance(storage, torch.nn.Parameter):
        return torch.nn.Parameter(new, storage.requires_grad)
    return new
