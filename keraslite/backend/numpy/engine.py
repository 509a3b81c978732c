"""`NumpyEngine`: tensors are NumPy arrays; it computes at once and does not train."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import Any, ClassVar

import numpy as np

from keraslite.backend._host import MaskTable, nested_array
from keraslite.backend.contract import Capabilities, Engine, Tensor, TensorSpec
from keraslite.backend.numpy.kernels import kernels
from keraslite.core import tree
from keraslite.core.dtypes import ALLOWED, numpy_dtype, standardize_dtype

_NAMES = {numpy_dtype(name): name for name in ALLOWED if name != "string"}
_NATIVE = {name: dtype for dtype, name in _NAMES.items()}


class NumpyEngine(Engine):
    """Computes with NumPy (https://numpy.org/doc)."""

    name = "numpy"
    capabilities = Capabilities(scalar_operands=True, complex=True)
    # Results without axes are scalars of NumPy's own types.
    tensor_types = frozenset({np.ndarray, *(dtype.type for dtype in _NAMES)})
    kernels: ClassVar[SimpleNamespace] = kernels

    def __init__(self) -> None:
        self._masks = MaskTable()
        self.set_mask = self._masks.set  # type: ignore[method-assign]
        self.get_mask = self._masks.get  # type: ignore[method-assign]

    def is_tensor(self, x: object) -> bool:
        return isinstance(x, (np.ndarray, np.generic))

    def convert(self, x: object, dtype: str | None = None) -> Tensor:
        if not hasattr(x, "__array__"):
            return nested_array(x, dtype)
        if not isinstance(x, (np.ndarray, np.generic)):
            x = np.asarray(x)
        with np.errstate(all="ignore"):
            return np.array(x, self.native_dtype(dtype or self.dtype(x)))

    def to_numpy(self, x: Tensor) -> np.ndarray:
        return np.array(x)

    def host_view(self, x: Tensor) -> np.ndarray | None:
        return x

    def dtype(self, x: Tensor) -> str:
        return _NAMES.get(x.dtype) or standardize_dtype(x.dtype)

    def native_dtype(self, dtype: str) -> np.dtype:
        return _NATIVE.get(dtype) or numpy_dtype(dtype)

    def cast(self, x: Tensor, dtype: str) -> Tensor:
        wanted = self.native_dtype(dtype)
        if x.dtype == wanted:
            return x
        with np.errstate(all="ignore"):
            return x.astype(wanted)

    def clear(self) -> None:
        self._masks.clear()

    def allocate(self, value: Tensor | np.ndarray, dtype: str, trainable: bool, name: str) -> Any:
        return _locked(np.array(value, self.native_dtype(dtype)))

    def adopt(self, value: np.ndarray, dtype: str, trainable: bool, name: str) -> Any:
        return _locked(value)

    def hold(self, storage: Any) -> Any:
        return storage

    def write(self, storage: Any, value: Tensor) -> Any:
        # Nothing is written in place: tensors read before keep what they were.
        return _locked(np.array(value))

    def infer(self, fn: Callable[..., Any], specs: Sequence[TensorSpec]) -> Any:
        # The real computation, on zeros.
        with np.errstate(all="ignore"):
            found = fn(*(np.zeros(spec.shape, self.native_dtype(spec.dtype)) for spec in specs))
        return tree.map_structure(
            lambda x: TensorSpec(x.shape, self.dtype(x)) if self.is_tensor(x) else x, found
        )


def _locked(array: np.ndarray) -> np.ndarray:
    """Read-only, so that a variable changes by assignment alone."""
    array.flags.writeable = False
    return array
