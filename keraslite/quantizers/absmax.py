"""Fewer bits for floats: the numbers, the scales, and two of four bits in one byte."""

from __future__ import annotations

from typing import Any

import numpy as np

from keraslite import ops
from keraslite.core import dtypes
from keraslite.core.configurable import Configurable
from keraslite.core.op import Tensor, TensorLike

_BYTES = ("int8", "uint8")


class Quantizer(Configurable):
    """Base class: a callable from floats to what stands for them.

    Args:
        output_dtype: dtype of the numbers that it gives.
    """

    def __init__(self, output_dtype: str = "int8") -> None:
        self.output_dtype = dtypes.standardize_dtype(output_dtype)

    def __call__(self, x: TensorLike) -> Any:
        """`x` as it is; subclasses quantize."""
        return x


class AbsMaxQuantizer(Quantizer):
    """Whole numbers in a range that the largest magnitude along some axes just fills.

    Args:
        axis: what shares a scale; None when each call says so.
        value_range: smallest and largest number.
        epsilon: added to the largest magnitude, which may be zero.
        output_dtype: dtype of the numbers.

    Example:
        >>> numbers, scale = keras.quantizers.AbsMaxQuantizer(axis=-1)(x)
    """

    def __init__(
        self,
        axis: Any = None,
        value_range: tuple[int, int] = (-127, 127),
        epsilon: float = 1e-7,
        output_dtype: str = "int8",
    ) -> None:
        super().__init__(output_dtype)
        self.axis = (axis,) if isinstance(axis, int) else None if axis is None else tuple(axis)
        self.value_range = tuple(value_range)
        self.epsilon = epsilon

    def __call__(self, x: TensorLike, axis: Any = None, to_numpy: bool = False) -> tuple[Any, Any]:
        """The numbers and their scale.

        Args:
            x: floats.
            axis: in the place of the quantizer's own.
            to_numpy: whether to compute on the host.
        """
        axis = self.axis if axis is None else axis
        if axis is None:
            raise ValueError(
                "AbsMaxQuantizer needs an `axis`, when it is made or when it is called."
            )
        return abs_max_quantize(
            x, axis, self.value_range, self.output_dtype, self.epsilon, to_numpy
        )

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        axis = config.pop("axis")
        return config if axis is None else {**config, "axis": axis}

    get_config._derived = True  # type: ignore[attr-defined]


def abs_max_quantize(
    inputs: TensorLike,
    axis: Any,
    value_range: tuple[int, int] = (-127, 127),
    dtype: str = "int8",
    epsilon: float = 1e-7,
    to_numpy: bool = False,
) -> tuple[Any, Any]:
    """`round(inputs * scale)` with `scale = value_range[1] / max(|inputs|)` along `axis`.

    Args:
        inputs: floats.
        axis: what shares a scale: an int or a tuple of them.
        value_range: smallest and largest number.
        dtype: of the numbers.
        epsilon: added to the largest magnitude, which may be zero.
        to_numpy: whether to compute on the host and give NumPy arrays.

    Returns:
        The numbers, and the scale with axes of size 1 for `axis`. `numbers / scale` goes back.

    Example:
        >>> numbers, scale = keras.quantizers.abs_max_quantize(kernel, axis=0)
    """
    xp, x = _place(inputs, to_numpy)
    largest = xp.max(xp.abs(x), axis=axis, keepdims=True)
    scale = xp.divide(value_range[1], xp.add(largest, epsilon))
    numbers = xp.clip(xp.round(xp.multiply(x, scale)), value_range[0], value_range[1])
    return _cast(xp, numbers, dtype), _cast(xp, scale, x.dtype)


def abs_max_quantize_grouped_with_zero_point(
    inputs: TensorLike,
    block_size: int,
    value_range: tuple[int, int] = (-8, 7),
    dtype: str = "int8",
    epsilon: float = 1e-7,
    to_numpy: bool = False,
) -> tuple[Any, Any, Any]:
    """Whole numbers with a scale and a zero for each block of rows of each column.

    A block's smallest and largest values become the ends of the range. Rows that are missing in
    the last block count as zeros.

    Args:
        inputs: a matrix.
        block_size: number of rows in a block.
        value_range: smallest and largest number.
        dtype: of the numbers and zeros.
        epsilon: added to the width of a block, which may be zero.
        to_numpy: whether to compute on the host and give NumPy arrays.

    Returns:
        `(rows, columns)` numbers, `(blocks, columns)` scales and `(blocks, columns)` zeros.
        `(numbers - zero) * scale` goes back.
    """
    xp, x = _place(inputs, to_numpy)
    if len(x.shape) != 2:
        raise ValueError(f"`inputs` must be a matrix. Received: shape={tuple(x.shape)}")
    rows, columns = x.shape
    block_size = block_size if to_numpy else min(block_size, rows)
    blocks = -(-rows // block_size)
    x = xp.pad(x, [[0, blocks * block_size - rows], [0, 0]])
    x = xp.reshape(x, (blocks, block_size, columns))
    low, high = xp.min(x, axis=1, keepdims=True), xp.max(x, axis=1, keepdims=True)
    if not to_numpy:
        flat = xp.equal(low, high)
        low = xp.where(flat, xp.subtract(low, 1.0), low)
        high = xp.where(flat, xp.add(high, 1.0), high)
    width = xp.add(xp.subtract(high, low), epsilon)
    scale = xp.divide(width, float(value_range[1] - value_range[0]))
    zero = xp.round(xp.subtract(float(value_range[0]), xp.divide(low, scale)))
    zero = xp.clip(zero, value_range[0], value_range[1])
    numbers = xp.round(xp.add(xp.divide(x, scale), zero))
    numbers = xp.clip(numbers, value_range[0], value_range[1])
    numbers = xp.reshape(numbers, (blocks * block_size, columns))[:rows]
    shape = (blocks, columns)
    return (
        _cast(xp, numbers, dtype),
        _cast(xp, xp.reshape(scale, shape), x.dtype),
        _cast(xp, xp.reshape(zero, shape), dtype),
    )


def _place(inputs: TensorLike, to_numpy: bool) -> tuple[Any, Any]:
    """Where to compute, NumPy or the engine, and the inputs there."""
    if to_numpy:
        return np, ops.convert_to_numpy(inputs)
    return ops, ops.convert_to_tensor(inputs)


def _cast(xp: Any, x: Any, dtype: str) -> Any:
    return x.astype(dtype) if xp is np else ops.cast(x, dtype)


def pack_int4(
    arr: TensorLike, axis: int = 0, dtype: str = "int8"
) -> tuple[Tensor, tuple[int, ...], int]:
    """Numbers of four bits, two in a byte: the first one in the lower half.

    Args:
        arr: numbers from -8 to 7 (`int8`) or 0 to 15 (`uint8`).
        axis: along which neighbours share a byte.
        dtype: of the bytes, `"int8"` or `"uint8"`.

    Returns:
        The bytes, their shape, and the size of `axis` before.

    Example:
        >>> packed, _, size = keras.quantizers.pack_int4(numbers)
        >>> keras.quantizers.unpack_int4(packed, size)
    """
    _check_bytes("dtype", dtype)
    x = ops.convert_to_tensor(arr)
    _check_bytes("arr", ops.dtype(x))
    rank, size = len(x.shape), x.shape[axis]
    axis %= rank
    padding = [[0, size % 2 if i == axis else 0] for i in range(rank)]
    # Shifted bits must not run over: int32 has room.
    x = ops.bitwise_and(ops.cast(ops.pad(x, padding), "int32"), 15)
    shape = [*x.shape[:axis], x.shape[axis] // 2, 2, *x.shape[axis + 1 :]]
    low, high = ops.unstack(ops.reshape(x, shape), 2, axis + 1)
    byte = ops.bitwise_or(low, ops.multiply(high, 16))
    if dtype == "int8":
        byte = ops.subtract(ops.bitwise_xor(byte, 128), 128)
    packed = ops.cast(byte, dtype)
    return packed, tuple(packed.shape), size


def unpack_int4(packed: TensorLike, orig_len: int, axis: int = 0, dtype: str = "int8") -> Tensor:
    """The numbers that `pack_int4` packed.

    Args:
        packed: bytes.
        orig_len: size of `axis` before packing.
        axis: along which neighbours share a byte.
        dtype: `"int8"` for numbers from -8 to 7, `"uint8"` for 0 to 15.
    """
    _check_bytes("dtype", dtype)
    x = ops.convert_to_tensor(packed)
    _check_bytes("packed", ops.dtype(x))
    axis %= len(x.shape)
    low, high = ops.bitwise_and(x, 15), ops.bitwise_and(ops.right_shift(x, 4), 15)
    both = ops.stack([low, high], axis=axis + 1)
    if dtype == "int8":
        both = ops.subtract(ops.bitwise_xor(both, 8), 8)
    shape = ops.shape(x)
    found = ops.reshape(both, (*shape[:axis], 2 * shape[axis], *shape[axis + 1 :]))
    if orig_len != 2 * shape[axis]:
        found = found[(*[slice(None)] * axis, slice(0, orig_len))]
    return ops.cast(found, dtype)


def _check_bytes(what: str, dtype: str) -> None:
    """Raise unless `dtype` is that of bytes."""
    if dtype not in _BYTES:
        kind = ValueError if what == "dtype" else TypeError
        raise kind(f"`{what}` must be int8 or uint8. Received: {dtype}")
