"""Tensors of the torch engine: dtypes, devices, conversion from and to NumPy."""

from __future__ import annotations

import contextlib
import contextvars
import os
from collections.abc import Iterator
from typing import Any

import ml_dtypes
import numpy as np
import torch
from torch._subclasses.fake_tensor import FakeTensor, FakeTensorMode
from torch.utils._python_dispatch import _disable_current_modes

from keraslite.backend import contract
from keraslite.backend._host import nested_array
from keraslite.core import dtypes, tree

_OWN = (
    *dtypes.FLOATS, *dtypes.INTS, *dtypes.BOOL, *dtypes.COMPLEX, *dtypes.FLOAT8,
)  # fmt: skip
NAMES: dict[torch.dtype, str] = {getattr(torch, name): name for name in _OWN}
#: torch computes nothing in 4 bits; such values live in bytes.
DTYPES: dict[str, torch.dtype] = {name: dtype for dtype, name in NAMES.items()} | {
    "int4": torch.int8,
    "uint4": torch.uint8,
}
NUMBERS = frozenset({bool, int, float, complex})

#: dtypes that `torch.from_numpy` does not know, and a type of their width that it knows.
_CARRIERS = {"bfloat16": np.int16, "float8_e4m3fn": np.uint8, "float8_e5m2": np.uint8}


class VariableBase(contract.VariableBase):
    """The engine's part of every `Variable`: torch's functions accept it as a tensor."""

    value: torch.Tensor

    @classmethod
    def __torch_function__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        def read(x: Any) -> Any:
            return x.value if isinstance(x, VariableBase) else x

        args, kwargs = tree.map_structure(read, (args, kwargs or {}))
        return func(*args, **kwargs)


# Devices -----------------------------------------------------------------------


def _accelerator() -> str | None:
    if torch.cuda.is_available():
        return "cuda"
    if torch.backends.mps.is_available():
        return "mps"
    if hasattr(torch, "xpu") and torch.xpu.is_available():
        return "xpu"
    return None


ACCELERATOR = _accelerator()


def parse_device(name: str) -> torch.device:
    """The torch device for `"gpu:0"`, `"cuda"`, `"cpu:0"`, `"meta"`...

    Raises:
        ValueError: if torch knows no such device.
    """
    kind, _, index = str(name).lower().partition(":")
    if kind == "gpu":
        kind = ACCELERATOR or "cuda"
    try:
        # One CPU has two names in torch, and tensors carry the short one.
        return torch.device(kind if kind == "cpu" or not index else f"{kind}:{index}")
    except RuntimeError as error:
        raise ValueError(
            f"Unknown device. Expected a name such as 'cpu:0' or 'gpu:0'. Received: {name!r}"
        ) from error


_default = parse_device(os.environ.get("KERAS_TORCH_DEVICE") or ACCELERATOR or "cpu")
_scope: contextvars.ContextVar[torch.device | None] = contextvars.ContextVar(
    "torch_device", default=None
)


def device() -> torch.device:
    """Where tensors are created now."""
    return _scope.get() or _default


@contextlib.contextmanager
def device_scope(name: str) -> Iterator[torch.device]:
    """Create tensors on the device called `name` inside."""
    token = _scope.set(parse_device(name))
    try:
        yield device()
    finally:
        _scope.reset(token)


def devices(kind: str | None = None) -> list[str]:
    """The devices here, of one kind (`"cpu"`, `"gpu"`) or of all, accelerators first."""
    count = getattr(torch, ACCELERATOR).device_count() if ACCELERATOR else 0
    found = [f"gpu:{i}" for i in range(count)] + ["cpu:0"]
    if kind is None:
        return found
    kind = "gpu" if kind.lower() == ACCELERATOR else kind.lower()
    return [name for name in found if name.startswith(f"{kind}:")]


def elsewhere(x: torch.Tensor, target: torch.device) -> bool:
    """Whether `x` must move to be on `target`."""
    here = x.device
    return here.type != target.type or target.index not in (None, here.index)


# Tracing -----------------------------------------------------------------------

_tracing: contextvars.ContextVar[str] = contextvars.ContextVar("torch_tracing", default="")


def is_tracing() -> bool:
    """Whether tensors have no values just now: shapes are inferred or a step is compiled."""
    return bool(_tracing.get()) or torch.compiler.is_compiling()


def is_inferring() -> bool:
    """Whether only the shapes of results matter."""
    return _tracing.get() == "infer"


def is_recording() -> bool:
    """Whether a step is recorded to be repeated operator by operator."""
    return _tracing.get() == "record"


def is_fake(x: object) -> bool:
    """Whether `x` is a tensor without values."""
    return isinstance(x, FakeTensor)


@contextlib.contextmanager
def _as_tracing(kind: str) -> Iterator[None]:
    token = _tracing.set(kind)
    try:
        yield
    finally:
        _tracing.reset(token)


@contextlib.contextmanager
def inferring(mode: FakeTensorMode) -> Iterator[None]:
    """Compute shapes only inside, also while a step is compiled."""
    with _as_tracing("infer"), _disable_current_modes(), mode, torch.no_grad():
        yield


def compiling() -> contextlib.AbstractContextManager[None]:
    """Inside, a step is recorded to be compiled."""
    return _as_tracing("compile")


def recording() -> contextlib.AbstractContextManager[None]:
    """Inside, a step is recorded to be repeated operator by operator."""
    return _as_tracing("record")


@contextlib.contextmanager
def concrete() -> Iterator[None]:
    """Compute with real tensors inside, whatever is traced around."""
    if not _tracing.get():
        yield
        return
    with _as_tracing(""), _disable_current_modes():
        yield


# Conversion --------------------------------------------------------------------


def _wrap(array: np.ndarray) -> torch.Tensor:
    """A tensor over the memory of `array`, which must be contiguous and writable."""
    name = array.dtype.name
    if name in DTYPES and name not in _CARRIERS:
        return torch.from_numpy(array)
    if name in _CARRIERS:
        return torch.from_numpy(array.view(_CARRIERS[name])).view(DTYPES[name])
    if name in ("int4", "uint4"):
        return torch.from_numpy(array.astype(name.replace("4", "8")))
    raise ValueError(
        f"torch has no tensors of dtype {name!r}. Turn the values into numbers first, for "
        "instance with a `StringLookup` layer; ragged lists need padding."
    )


def feed(array: np.ndarray) -> torch.Tensor:
    """A tensor for one step's input: shares memory with `array` where that is possible."""
    flags = array.flags
    if not (flags.writeable and flags.c_contiguous and array.dtype.isnative):
        array = np.array(array, dtype=array.dtype.newbyteorder("="), order="C")
    return _wrap(array).to(device(), non_blocking=True)


def _from_array(array: np.ndarray) -> torch.Tensor:
    return _wrap(np.array(array, dtype=array.dtype.newbyteorder("="), order="C")).to(device())


def _from_sequence(x: Any, dtype: str | None) -> torch.Tensor:
    if not any(isinstance(leaf, (torch.Tensor, VariableBase)) for leaf in tree.flatten(x)):
        return _from_array(nested_array(x, dtype))
    rows = [convert(row, dtype) for row in x]
    common = dtypes.promote(*(NAMES[row.dtype] for row in rows))
    return torch.stack([cast(row, common) for row in rows])


def _number_dtype(x: complex) -> str:
    if type(x) is int and not -(2**31) <= x < 2**31:
        return "int64"
    return dtypes.promote(dtypes.weak_name(float if isinstance(x, float) else type(x)))


def convert(x: Any, dtype: str | None = None) -> torch.Tensor:
    """See `Engine.convert`."""
    if isinstance(x, VariableBase):
        x = x.value
    if isinstance(x, torch.Tensor):
        if x.layout is not torch.strided:
            x = x.to_dense()
        target = device()
        if elsewhere(x, target):
            x = x.to(target)
    elif type(x) in NUMBERS or isinstance(x, float):  # `numpy.float64` is one
        return torch.scalar_tensor(x, dtype=DTYPES[dtype or _number_dtype(x)], device=device())
    elif isinstance(x, (list, tuple)):
        return _from_sequence(x, dtype)
    else:
        x = _from_array(np.asarray(x))
    return x if dtype is None else cast(x, dtype)


def least(x: torch.Tensor) -> float:
    """What no number of the dtype of `x` lies below."""
    return -torch.inf if x.is_floating_point() else torch.iinfo(x.dtype).min


def cast(x: torch.Tensor, dtype: str) -> torch.Tensor:
    """`x` as `dtype`; `x` itself when it has that dtype."""
    return x.to(DTYPES[dtype])


def to_numpy(x: Any) -> np.ndarray:
    """A copy of a tensor in host memory."""
    if not isinstance(x, torch.Tensor):
        return np.array(x)
    if hasattr(x, "full_tensor"):  # a DTensor: gather its shards
        x = x.full_tensor()
    if x.layout is not torch.strided:
        x = x.to_dense()
    x = x.detach().resolve_conj().resolve_neg()
    name = NAMES[x.dtype]
    carrier = _CARRIERS.get(name)
    if carrier is None:
        return np.array(x.cpu().numpy(), order="C")
    bits = x.contiguous().cpu().view(torch.int16 if carrier is np.int16 else torch.uint8)
    return np.array(bits.numpy()).view(getattr(ml_dtypes, name))


def hold(storage: Any) -> torch.Tensor:
    """What is in a tensor now, on the CPU; no later write changes it."""
    if storage.is_cpu and _holders(storage) == _ALONE:
        try:
            return storage.detach()._lazy_clone()  # the next who writes to it copies it first
        except RuntimeError:
            # In memory that came from NumPy, which cannot be shared so. What is written later
            # is torch's own, so that this happens once.
            held = storage.detach()
            storage.data = held.clone()
            return held
    value = storage.detach()
    value = value.full_tensor() if hasattr(value, "full_tensor") else value
    return torch.empty_like(value, device="cpu").copy_(value)


def _holders(x: Any) -> tuple[int, int] | None:
    """How many tensors share the memory of `x`, and how many others hold `x` itself.

    Views of NumPy and DLPack are among them. They would stay behind when a write copies. None
    if this torch cannot tell, or cannot copy that late.
    """
    if type(x) not in (torch.Tensor, torch.nn.Parameter):
        return None
    count = getattr(torch._C, "_storage_Use_Count", None)
    if count is None or not hasattr(x, "_use_count") or not hasattr(x, "_lazy_clone"):
        return None
    return count(x.untyped_storage()._cdata), x._use_count()


_ALONE = _holders(torch.zeros(1)) or (0, 0)
