"""How a weight is kept in fewer bits, and read.

Dettmers et al., "LLM.int8()", https://arxiv.org/abs/2208.07339
Micikevicius et al., "FP8 Formats for Deep Learning", https://arxiv.org/abs/2209.05433
"""

from __future__ import annotations

import math
import sys
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from keraslite import ops, quantizers
from keraslite.core.variable import Variable
from keraslite.quantizers import calibrated
from keraslite.quantizers.rounding import largest_of


@dataclass(frozen=True)
class Weight:
    """A weight that a product sums over.

    Args:
        name: of the variable.
        shape: of the weight.
        summed: the axes that the product sums over; weights along them share a scale.
        order: the other axes as the output has them, then `summed`.
        scale_shape: of the scales in 8 bits.
        matrix: the shape in 4 bits, before packing.
        along: the axis of the matrix that is summed over: -2 or -1.
        packed: the axis of the matrix where neighbours share a byte.
        zero_dtype: dtype of the zeros of blocks.
    """

    name: str
    shape: tuple[int, ...]
    summed: tuple[int, ...]
    order: tuple[int, ...]
    scale_shape: tuple[int, ...]
    matrix: tuple[int, int]
    along: int = -2
    packed: int = -1
    zero_dtype: str = "int8"

    @property
    def turned(self) -> tuple[int, ...]:
        """The axes that are not summed over, then those that are."""
        return (*(i for i in range(len(self.shape)) if i not in self.summed), *self.summed)

    def fold(self, scale: np.ndarray) -> np.ndarray:
        """Scales with axes of size 1, in the shape in which they are kept."""
        return np.reshape(np.transpose(scale, self.order), self.scale_shape)

    def spread(self, scale: Any) -> Any:
        """Scales as they are kept, in the shape that fits the weight."""
        sizes = [1 if i in self.summed else self.shape[i] for i in self.order]
        return ops.transpose(ops.reshape(scale, sizes), np.argsort(self.order).tolist())


class Int8:
    """Whole numbers of 8 bits and a scale for each output."""

    def __init__(self, layer: Any, config: Any) -> None:
        self.layer = layer
        self.config = config

    def parts(self, weight: Weight) -> dict[str, tuple[tuple[int, ...], str]]:
        """Name -> shape and dtype of the variables that stand for a weight."""
        return {
            weight.name: (weight.shape, "int8"),
            f"{weight.name}_scale": (weight.scale_shape, self.layer.variable_dtype),
        }

    def encode(self, weight: Weight, value: np.ndarray) -> dict[str, np.ndarray]:
        """The values of these variables."""
        numbers, scale = self._numbers(value, weight.summed, (-127, 127))
        return {weight.name: numbers, f"{weight.name}_scale": weight.fold(scale)}

    def _numbers(self, value: Any, axis: Any, value_range: tuple[int, int]) -> tuple[Any, Any]:
        quantizer = quantizers.QuantizationConfig.weight_quantizer_or_default(
            self.config, quantizers.AbsMaxQuantizer(axis, value_range)
        )
        return quantizer(value, axis=axis, to_numpy=True)

    def decode(self, weight: Weight, parts: dict[str, Any]) -> Any:
        """The weight that the variables stand for."""
        return self._divided(parts[weight.name], weight.spread(parts[f"{weight.name}_scale"]))

    def decode_rows(self, weight: Weight, parts: dict[str, Any]) -> Any:
        """Rows of it, of which the parts are rows too."""
        scale = ops.expand_dims(parts[f"{weight.name}_scale"], -1)
        return self._divided(parts[weight.name], scale)

    def _divided(self, numbers: Any, scale: Any) -> Any:
        dtype = self.layer.compute_dtype
        return ops.divide(ops.cast(numbers, dtype), ops.cast(scale, dtype))


class Int4(Int8):
    """Whole numbers of 4 bits, two in a byte, and a scale for each output."""

    _byte = "int8"
    _per_byte = 2

    def parts(self, weight: Weight) -> dict[str, tuple[tuple[int, ...], str]]:
        packed = list(weight.matrix)
        packed[weight.packed] = math.ceil(packed[weight.packed] / self._per_byte)
        return {weight.name: (tuple(packed), self._byte), **self._scales(weight)}

    def _scales(self, weight: Weight) -> dict[str, tuple[tuple[int, ...], str]]:
        outputs = weight.matrix[-3 - weight.along]
        return {f"{weight.name}_scale": ((outputs,), self.layer.variable_dtype)}

    def encode(self, weight: Weight, value: np.ndarray) -> dict[str, np.ndarray]:
        axis = weight.along + 2
        numbers, scale = self._numbers(np.reshape(value, weight.matrix), axis, (-7, 7))
        return {weight.name: self._pack(weight, numbers), f"{weight.name}_scale": scale.ravel()}

    def _pack(self, weight: Weight, numbers: np.ndarray) -> np.ndarray:
        numbers = numbers.astype(self._byte)
        if self._per_byte == 1:
            return numbers
        return ops.convert_to_numpy(quantizers.pack_int4(numbers, weight.packed, self._byte)[0])

    def _unpack(self, weight: Weight, packed: Any) -> Any:
        if self._per_byte == 2:
            size, axis = weight.matrix[weight.packed], weight.packed
            packed = quantizers.unpack_int4(packed, size, axis, self._byte)
        return ops.cast(packed, self.layer.compute_dtype)

    def decode(self, weight: Weight, parts: dict[str, Any]) -> Any:
        return ops.reshape(self.decode_rows(weight, parts), weight.shape)

    def decode_rows(self, weight: Weight, parts: dict[str, Any]) -> Any:
        scale = ops.expand_dims(parts[f"{weight.name}_scale"], weight.along)
        return self._divided(self._unpack(weight, parts[weight.name]), scale)


class Int4Blocks(Int4):
    """The same with a scale and a zero for each block of an output's weights."""

    def __init__(self, layer: Any, config: Any, block_size: int) -> None:
        super().__init__(layer, config)
        self.block_size = block_size

    def _scales(self, weight: Weight) -> dict[str, tuple[tuple[int, ...], str]]:
        shape = list(weight.matrix)
        inputs = shape[weight.along]
        shape[weight.along] = math.ceil(inputs / self.block_size)
        return {
            f"{weight.name}_scale": (tuple(shape), self.layer.variable_dtype),
            f"{weight.name}_zero": (tuple(shape), weight.zero_dtype),
            "g_idx": ((inputs,), "float32"),
        }

    def encode(self, weight: Weight, value: np.ndarray) -> dict[str, np.ndarray]:
        turned = weight.along == -1
        matrix = np.reshape(value, weight.matrix)
        found = quantizers.abs_max_quantize_grouped_with_zero_point(
            matrix.T if turned else matrix, self.block_size, to_numpy=True
        )
        numbers, scale, zero = (x.T if turned else x for x in found)
        blocks = np.arange(weight.matrix[weight.along]) // self.block_size
        return {
            weight.name: self._pack(weight, numbers),
            f"{weight.name}_scale": scale,
            f"{weight.name}_zero": zero.astype(weight.zero_dtype),
            "g_idx": blocks.astype("float32"),
        }

    def decode_rows(self, weight: Weight, parts: dict[str, Any]) -> Any:
        dtype = self.layer.compute_dtype
        block = ops.cast(parts["g_idx"], "int32")

        def of_each(name: str) -> Any:
            return ops.cast(ops.take(parts[name], block, axis=weight.along), dtype)

        numbers = self._unpack(weight, parts[weight.name])
        above = ops.subtract(numbers, of_each(f"{weight.name}_zero"))
        return ops.multiply(above, of_each(f"{weight.name}_scale"))


class Gptq(Int4Blocks):
    """Numbers without a sign, and a scale and a zero for each group of an output's weights.

    They are fitted to what the layer has seen in calibration. Without that each weight is rounded
    on its own.
    """

    _byte = "uint8"

    def __init__(self, layer: Any, config: Any) -> None:
        source = layer._policy if config is None else config
        size = source.group_size
        super().__init__(layer, config, sys.maxsize if size == -1 else size)
        self.bits = source.weight_bits
        self._per_byte = 2 if self.bits == 4 else 1

    @staticmethod
    def _turned(weight: Weight) -> Weight:
        """The weight with a matrix of `(outputs, inputs)`."""
        matrix = weight.matrix[::-1]
        return replace(weight, matrix=matrix, along=-1, packed=-2, zero_dtype="uint8")

    def parts(self, weight: Weight) -> dict[str, tuple[tuple[int, ...], str]]:
        return super().parts(self._turned(weight))

    def encode(self, weight: Weight, value: np.ndarray) -> dict[str, np.ndarray]:
        turned = self._turned(weight)
        matrix = np.reshape(np.transpose(value, weight.turned), turned.matrix).astype("float64")
        found = self._fit(matrix, self.layer._seen)
        values = {
            weight.name: self._pack(turned, found.numbers),
            f"{weight.name}_scale": found.scale,
            f"{weight.name}_zero": found.zero,
            "g_idx": found.groups,
            "awq_scales": found.inputs_scale,
        }
        return {name: values[name].astype(dtype) for name, (_, dtype) in self.parts(weight).items()}

    def _fit(self, matrix: np.ndarray, seen: calibrated.Seen | None) -> calibrated.Fitted:
        config = self.config
        grid = calibrated.Grid(self.bits, self.block_size, config.symmetric, config.per_channel)
        if seen is None:
            return calibrated.round_to_nearest(matrix, grid)
        return calibrated.compensate(
            matrix, grid, seen.gram, config.hessian_damping, config.activation_order
        )

    def decode(self, weight: Weight, parts: dict[str, Any]) -> Any:
        matrix = self.decode_rows(self._turned(weight), parts)
        sizes = [weight.shape[i] for i in weight.turned]
        return ops.transpose(ops.reshape(matrix, sizes), np.argsort(weight.turned).tolist())


class Awq(Gptq):
    """The same with a factor for each input, by which its weights are larger than they should."""

    def _scales(self, weight: Weight) -> dict[str, tuple[tuple[int, ...], str]]:
        found = super()._scales(weight)
        groups = found.pop("g_idx")
        return {**found, "awq_scales": groups, "g_idx": groups}

    def _fit(self, matrix: np.ndarray, seen: calibrated.Seen | None) -> calibrated.Fitted:
        grid = calibrated.Grid(self.bits, self.block_size)
        if seen is None:
            return calibrated.round_to_nearest(matrix, grid)
        points = self.config.num_grid_points
        return calibrated.protect(matrix, grid, seen.gram, seen.magnitude, points)

    def decode_rows(self, weight: Weight, parts: dict[str, Any]) -> Any:
        factors = ops.cast(parts["awq_scales"], self.layer.compute_dtype)
        return ops.divide(super().decode_rows(weight, parts), factors)


class Float8:
    """Products in float8. Its scales follow the largest magnitudes of the last steps.

    New scales and magnitudes are the "gradients" of the old ones.
    """

    _TENSORS = {"inputs": "float8_e4m3fn", "kernel": "float8_e4m3fn", "outputs_grad": "float8_e5m2"}

    def __init__(self, layer: Any, config: Any) -> None:
        self.layer = layer

    def build(self) -> None:
        """Make the scales and the magnitudes."""
        length = self.layer._policy.amax_history_length
        for name in self._TENSORS:
            for suffix, shape, value in (
                ("scale", (), "ones"),
                ("amax_history", (length,), "zeros"),
            ):
                made = self.layer.add_weight(
                    name=f"{name}_{suffix}",
                    shape=shape,
                    initializer=value,
                    dtype="float32",
                    autocast=False,
                    overwrite_with_gradient=True,
                )
                setattr(self.layer, f"{name}_{suffix}", made)

    def product(self, inputs: Any, kernel: Variable) -> Any:
        """The layer's product of rounded inputs and weights, with rounded gradients."""
        x, w = self._rounded("inputs", inputs), self._rounded("kernel", kernel)
        return self._rounded_backwards(self.layer._linear(x, w))

    def _state(self, name: str) -> tuple[Variable, Variable]:
        layer = self.layer
        return getattr(layer, f"{name}_scale"), getattr(layer, f"{name}_amax_history")

    def _small(self, name: str, x: Any, scale: Any) -> Any:
        dtype = self.layer.compute_dtype
        return quantizers.quantize_and_dequantize(x, scale, self._TENSORS[name], dtype)

    def _next(self, name: str, x: Any, scale: Any, history: Any) -> tuple[Any, Any]:
        limit = largest_of(self._TENSORS[name])
        return (
            quantizers.compute_float8_scale(ops.max(history), scale, limit),
            quantizers.compute_float8_amax_history(x, history),
        )

    def _rounded(self, name: str, x: Any) -> Any:
        def compute(x: Any, scale: Any, history: Any) -> tuple[Any, Any]:
            def gradient(*args: Any, upstream: Any) -> tuple[Any, Any, Any]:
                return upstream, *self._next(name, x, scale, history)

            return self._small(name, x, scale), gradient

        return ops.custom_gradient(compute)(x, *self._state(name))

    def _rounded_backwards(self, x: Any) -> Any:
        name = "outputs_grad"

        def compute(x: Any, scale: Any, history: Any) -> tuple[Any, Any]:
            def gradient(*args: Any, upstream: Any) -> tuple[Any, Any, Any]:
                new = self._next(name, upstream, scale, history)
                return self._small(name, upstream, scale), *new

            return ops.add(x, 0.0), gradient

        return ops.custom_gradient(compute)(x, *self._state(name))
