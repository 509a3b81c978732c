"""uint16, uint32 and uint64, for which torch lacks most kernels: computed in int64.

Sums, differences, products and bit operations are exact in all of them; comparisons
and quotients of uint64 are exact below 2**63.
"""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import torch

_WIDE = frozenset({torch.uint16, torch.uint32, torch.uint64})
#: Kernels that torch lacks, by number of positional arguments; 0 where it varies.
_LACKING = {
    1: ("absolute", "negative", "sign", "square", "bitwise_not", "nonzero",
        "logical_not"),
    2: (
        "add", "subtract", "multiply", "maximum", "minimum", "floor_divide", "mod", "power",
        "equal", "not_equal", "less", "less_equal", "greater", "greater_equal",
        "logical_and", "logical_or", "logical_xor", "left_shift", "right_shift", "bitwise_and",
        "bitwise_or", "bitwise_xor", "matmul", "dot", "gcd",
    ),
    0: (
        "sum", "prod", "max", "min", "argmax", "argmin", "cumsum", "cumprod", "top_k", "einsum",
        "tensordot", "searchsorted", "take_along_axis", "tril", "triu", "scatter",
        "scatter_update", "slice_update", "segment_sum", "segment_max", "segment_prod", "getitem",
        "diag", "sort", "argsort", "take", "repeat", "where", "max_pool", "relu", "flip",
    ),
}  # fmt: skip


def _is_wide(x: Any) -> bool:
    return isinstance(x, torch.Tensor) and x.dtype in _WIDE


def _in_int64(kernel: Callable[..., Any], args: tuple, kwargs: dict[str, Any]) -> Any:
    """`kernel` once more on int64; re-raises when its complaint was another."""
    dtype = next((x.dtype for x in args if _is_wide(x)), None)
    if dtype is None:
        raise

    def back(y: Any) -> Any:
        return y.to(dtype) if isinstance(y, torch.Tensor) and y.dtype is torch.int64 else y

    found = kernel(*(x.to(torch.int64) if _is_wide(x) else x for x in args), **kwargs)
    return tuple(map(back, found)) if isinstance(found, tuple) else back(found)


def _unary(kernel: Callable[..., Any]) -> Callable[..., Any]:
    def widened(x: Any) -> Any:
        try:
            return kernel(x)
        except NotImplementedError:
            return _in_int64(kernel, (x,), {})

    return widened


def _binary(kernel: Callable[..., Any]) -> Callable[..., Any]:
    def widened(x1: Any, x2: Any) -> Any:
        try:
            return kernel(x1, x2)
        except NotImplementedError:
            return _in_int64(kernel, (x1, x2), {})

    return widened


def _any_arity(kernel: Callable[..., Any]) -> Callable[..., Any]:
    def widened(*args: Any, **kwargs: Any) -> Any:
        try:
            return kernel(*args, **kwargs)
        except NotImplementedError:
            return _in_int64(kernel, args, kwargs)

    return widened


def widen(kernels: SimpleNamespace) -> None:
    """Replace the kernels that torch lacks for wide unsigned dtypes."""
    for arity, wrap in ((1, _unary), (2, _binary), (0, _any_arity)):
        for name in _LACKING[arity]:
            setattr(kernels, name, wrap(getattr(kernels, name)))
