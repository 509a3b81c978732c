"""`EinsumDense`: a dense layer over any axes."""

from __future__ import annotations

import math
import re
from typing import Any

from keraslite import ops
from keraslite.layers.lora import main_weight
from keraslite.layers.options import check_positive, known_size, own_arguments
from keraslite.layers.quantization import QuantizableLayer
from keraslite.layers.quantization_schemes import Weight

__all__ = ["EinsumDense"]


class EinsumDense(QuantizableLayer):
    """`activation(einsum(equation, inputs, kernel) + bias)`.

    Args:
        equation: such as `"abc,cd->abd"`; `...` stands for leading axes.
        output_shape: sizes of the output without the batch axis; None for sizes taken from
            the input.
        activation: name or function.
        bias_axes: letters of the output that the bias has; None for no bias.
        kernel_initializer, bias_initializer: initial values.
        kernel_regularizer, bias_regularizer: penalties.
        activity_regularizer: penalty on the output.
        kernel_constraint, bias_constraint: applied after each update.
        lora_rank, lora_alpha: rank and scale of a low-rank update, see `enable_lora`.
        gptq_unpacked_column_size: not used.
        quantization_config: how a quantized dtype policy quantizes, see `quantize`.

    Example:
        >>> layer = keras.layers.EinsumDense("abc,cd->abd", output_shape=(None, 4), bias_axes="d")
        >>> layer(np.ones((2, 3, 5))).shape
        (2, 3, 4)
    """

    kernel = main_weight("kernel")
    _not_in_config = QuantizableLayer._not_in_config | {"gptq_unpacked_column_size"}
    _writes_activity_regularizer = True

    def __init__(
        self,
        equation: str,
        output_shape: Any,
        activation: Any = None,
        bias_axes: str | None = None,
        kernel_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None,
        bias_regularizer: Any = None,
        activity_regularizer: Any = None,
        kernel_constraint: Any = None,
        bias_constraint: Any = None,
        lora_rank: int | None = None,
        lora_alpha: float | None = None,
        gptq_unpacked_column_size: int | None = None,
        quantization_config: Any = None,
        **kwargs: Any,
    ) -> None:
        arguments = own_arguments(locals())
        del arguments["output_shape"]
        self._construct(arguments)
        self.partial_output_shape = (
            tuple(output_shape) if isinstance(output_shape, (list, tuple)) else (output_shape,)
        )
        for size in self.partial_output_shape:
            check_positive(self, output_shape=1 if size is None else size)
        outputs = self._parsed()[2]
        if "." not in outputs and len(outputs) != len(self.partial_output_shape) + 1:
            raise ValueError(
                f"EinsumDense: `output_shape` must have {len(outputs) - 1} sizes, one for each "
                f"letter of the output {outputs!r} after the first. Received: {output_shape!r}"
            )

    @property
    def output_shape(self) -> Any:
        return self.partial_output_shape

    def build(self, input_shape: Any) -> None:
        inputs, kernel, outputs = self._parsed()
        lead = "..." in inputs
        inputs, outputs = inputs.replace("...", ""), outputs.replace("...", "")
        rank = len(input_shape)
        if len(inputs) > rank or (len(inputs) != rank and not lead):
            raise ValueError(
                f"Layer {self.name!r}: the equation {self.equation!r} expects an input with "
                f"{len(inputs)} axes. Received: shape={tuple(input_shape)}"
            )
        # Letters count from the end where leading axes are left open.
        sizes = {c: i - len(inputs) if lead else i for i, c in enumerate(inputs)}
        made = dict(zip(reversed(outputs), reversed(self.partial_output_shape), strict=False))

        def size(letter: str) -> int:
            if letter in sizes and letter not in outputs:
                return known_size(self, input_shape, sizes[letter])
            found = made.get(letter)
            if found is None and letter in sizes:
                found = known_size(self, input_shape, sizes[letter])
            if found is None:
                raise ValueError(
                    f"Layer {self.name!r}: the size of {letter!r} in {self.equation!r} is not "
                    f"known. Give it in `output_shape`. Received: {self.partial_output_shape}"
                )
            return found

        self._build_main(tuple(size(c) for c in kernel))
        self.bias = None
        if self.bias_axes:
            unknown = set(self.bias_axes) - set(outputs)
            if unknown:
                raise ValueError(
                    f"Layer {self.name!r}: `bias_axes` must be letters of the output "
                    f"{outputs!r}. Received: {self.bias_axes!r}"
                )
            first = min(outputs.index(c) for c in self.bias_axes)
            shape = tuple(size(c) if c in self.bias_axes else 1 for c in outputs[first:])
            self.bias = self._add("bias", shape)
        self._finish_build()

    def _quantizable(self) -> list[Weight]:
        _, kernel, outputs = self._parsed()
        outputs = outputs.replace("...", "")
        shape = self._main_shape
        size = dict(zip(kernel, shape, strict=True))
        summed = tuple(i for i, c in enumerate(kernel) if c not in outputs)
        kept = [c for c in outputs if c in kernel]
        rows = math.prod(shape[i] for i in summed)
        return [
            Weight(
                "kernel",
                shape,
                summed,
                (*(kernel.index(c) for c in kept), *summed),
                tuple(size.get(c, 1) for c in outputs),
                (rows, math.prod(size[c] for c in kept)),
            )
        ]

    def _linear(self, inputs: Any, weight: Any) -> Any:
        return ops.einsum(self.equation, inputs, weight)

    def _input_axes(self, inputs: Any) -> tuple[int, ...]:
        letters, kernel, outputs = self._parsed()
        letters = letters.replace("...", "")
        summed = sorted((c for c in letters if c not in outputs), key=kernel.find)
        return tuple(letters.index(c) - len(letters) for c in summed)

    def _parsed(self) -> tuple[str, str, str]:
        match = re.fullmatch(r"([\w.]+),(\w+)->([\w.]+)", self.equation.replace(" ", ""))
        if match is None:
            raise ValueError(
                f"Layer {self.name!r}: `equation` must look like 'abc,cd->abd'. "
                f"Received: {self.equation!r}"
            )
        return match.group(1), match.group(2), match.group(3)

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        if self._altered:
            x = self._affine(inputs)
        else:
            x = ops.einsum(self.equation, inputs, self._kernel)
            if self.bias is not None:
                x = ops.add(x, self.bias)
        return x if self.activation is None else self.activation(x)
