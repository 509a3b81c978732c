"""Standard dtype names to MLX dtypes and back."""

from __future__ import annotations

import mlx.core as mx

_BOTH = {
    "bool": mx.bool_,
    "float16": mx.float16,
    "bfloat16": mx.bfloat16,
    "float32": mx.float32,
    "float64": mx.float64,
    "complex64": mx.complex64,
    **{f"{kind}{bits}": getattr(mx, f"{kind}{bits}") for kind in ("int", "uint")
       for bits in (8, 16, 32, 64)},
}  # fmt: skip
NAMES = {dtype: name for name, dtype in _BOTH.items()}
#: MLX has complex numbers of one width, and computes nothing in 4 bits.
_NATIVE = _BOTH | {"complex128": mx.complex64, "int4": mx.int8, "uint4": mx.uint8}
FLOATS = (mx.float32, mx.float16, mx.bfloat16, mx.float64)
INEXACT = (*FLOATS, mx.complex64)
HALF = (mx.float16, mx.bfloat16)


def has_float64() -> bool:
    """Whether the default device computes in 64 bits; only the CPU does."""
    return mx.default_device().type == mx.DeviceType.cpu


def native(dtype: str) -> mx.Dtype:
    """The MLX dtype that tensors of this standard name have here."""
    if dtype == "float64" and not has_float64():
        return mx.float32
    try:
        return _NATIVE[dtype]
    except KeyError:
        raise TypeError(f"MLX has no dtype {dtype!r}. Keep such data in NumPy.") from None
