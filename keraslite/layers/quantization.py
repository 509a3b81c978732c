"""`QuantizableLayer`: a layer whose weights can be kept, or multiplied, in fewer bits."""

from __future__ import annotations

from typing import Any

import numpy as np

from keraslite import dtype_policies, ops, quantizers
from keraslite.core.variable import Variable
from keraslite.layers.lora import LowRankLayer
from keraslite.layers.quantization_schemes import (
    Awq,
    Float8,
    Gptq,
    Int4,
    Int4Blocks,
    Int8,
    Weight,
)
from keraslite.quantizers.calibrated import Seen
from keraslite.quantizers.configs import (
    Int8QuantizationConfig,
    QuantizationConfig,
    config_for,
)
from keraslite.quantizers.rounding import straight_through

_PACKAGE = __name__.partition(".")[0]


class QuantizableLayer(LowRankLayer):
    """A layer with a main weight that may be quantized.

    Subclasses say which weights (`_quantizable`), what their product with the inputs is
    (`_linear`), and over which axes of the inputs it sums (`_input_axes`). `call` asks for
    `_affine(inputs)` or `_product(inputs)` where the main weight is `_altered`.
    """

    #: The modes of `quantize` that the layer has.
    _modes: tuple[str, ...] = dtype_policies.MODES
    _scheme: Any = None
    #: What calibration has seen of the inputs.
    _seen: Seen | None = None
    inputs_quantizer: Any = None

    def _quantizable(self) -> list[Weight]:
        """The weights that quantization changes, for a layer whose shapes are known."""
        raise NotImplementedError

    def _linear(self, inputs: Any, weight: Any) -> Any:
        """The product."""
        raise NotImplementedError

    def _input_axes(self, inputs: Any) -> Any:
        """The axes of the inputs that the product sums over."""
        return -1

    # Making -------------------------------------------------------------------------

    def _build_main(self, shape: tuple[int, ...]) -> None:
        """Create the main weight, as the dtype policy wants it."""
        self._main_shape = shape
        if self.quantization_mode is not None:
            self.quantized_build(shape, self.quantization_mode, self.quantization_config)
        if self.quantization_mode in (None, "float8"):
            setattr(self, f"_{self._main}", self._add(self._main, shape))

    def quantized_build(
        self, kernel_shape: Any, mode: str, config: QuantizationConfig | None = None
    ) -> None:
        """Create the variables of the quantized form.

        Args:
            kernel_shape: shape of the main weight.
            mode: `"int8"`, `"int4"` or `"float8"`.
            config: how in detail.
        """
        self._main_shape = tuple(kernel_shape)
        self._check_mode(mode)
        self._scheme, self._altered = self._make_scheme(mode, config), True
        if mode == "float8":
            self._scheme.build()
            return
        self.inputs_quantizer = QuantizationConfig.activation_quantizer_or_default(
            config, _inputs_quantizer(mode)
        )
        for weight in self._quantizable():
            for name, (shape, dtype) in self._scheme.parts(weight).items():
                if name == "g_idx" and "g_idx" in vars(self):
                    continue
                value = "ones" if "_scale" in name else "zeros"
                made = self.add_weight(
                    name=name, shape=shape, initializer=value, dtype=dtype, trainable=False
                )
                setattr(self, self._attribute(name), made)

    def _is_told_by_policy(self) -> bool:
        """Whether the dtype policy is enough to make the layer again."""
        usual = _inputs_quantizer(self.quantization_mode)
        return quantizers.serialize(self.inputs_quantizer) == quantizers.serialize(usual)

    def _check_mode(self, mode: str) -> None:
        if mode not in self._modes:
            raise NotImplementedError(
                f"Layer {self.name!r} ({type(self).__name__}) has no quantized form {mode!r}. "
                f"Expected one of: {', '.join(self._modes)}"
            )

    def _make_scheme(self, mode: str, config: QuantizationConfig | None) -> Any:
        if mode != "int4":
            schemes = {"int8": Int8, "float8": Float8, "gptq": Gptq, "awq": Awq}
            return schemes[mode](self, config)
        source = self._policy if config is None else config
        size = getattr(source, "block_size", None)
        if size in (None, -1):
            return Int4(self, config)
        if config is not None and (config.weight_quantizer or config.activation_quantizer):
            raise ValueError(
                f"Layer {self.name!r}: blocks in 4 bits have a quantizer of their own. Set "
                f"`block_size=None` to use another one. Received: block_size={size}"
            )
        return Int4Blocks(self, config, size)

    def _attribute(self, name: str) -> str:
        return f"_{name}" if name == self._main else name

    def quantize(self, mode: Any = None, type_check: bool = True, config: Any = None) -> None:
        """Keep the weights in fewer bits, or multiply in fewer.

        Args:
            mode: `"int8"` or `"int4"` for the weights, `"float8"` for training. `"gptq"` and
                `"awq"` fit weights to data when `quantize` of a model is asked for them; a layer
                alone rounds each weight.
            type_check: whether to refuse subclasses, which may compute something else.
            config: how in detail: a `keras.quantizers.QuantizationConfig`.

        Raises:
            ValueError: for a layer that is not built, or quantized already.
            NotImplementedError: for a layer that has no such form.

        Example:
            >>> layer.quantize("int8")
            >>> layer.kernel.dtype, layer.dtype_policy
        """
        if type_check and type(self).__module__.partition(".")[0] != _PACKAGE:
            super().quantize(mode)
        config = config_for(mode, config)
        self._check_mode(config.mode)
        where = f"Layer {self.name!r} ({type(self).__name__})"
        if not self.built:
            raise ValueError(
                f"{where} must be built before `quantize`: call it on data, or call `build`."
            )
        if self.quantization_mode is not None:
            raise ValueError(
                f"{where} is quantized already. Received: mode={config.mode!r}, dtype policy "
                f"{self._policy.name!r}"
            )
        if self.lora_enabled:
            self._check_low_rank_with(config.mode)
        policy = dtype_policies.quantized_policy(config.dtype_policy_string(), self._policy.name)
        self._make_scheme(config.mode, config)  # refuses before anything is changed
        self._set_policy(policy)
        self.quantization_config = config
        if config.mode == "float8":
            with self._adding_state():
                self.quantized_build(self._main_shape, config.mode, config)
            return
        names = [self._attribute(w.name) for w in self._quantizable()]
        values = [getattr(self, name).numpy() for name in names]
        for name in names:
            delattr(self, name)
        with self._adding_state():
            self.quantized_build(self._main_shape, config.mode, config)
        for weight, value in zip(self._quantizable(), values, strict=True):
            for name, part in self._scheme.encode(weight, value).items():
                getattr(self, self._attribute(name)).assign(part)

    # Computing ----------------------------------------------------------------------

    def quantized_call(self, *args: Any, **kwargs: Any) -> Any:
        """What the layer computes when it is quantized."""
        return self.call(*args, **kwargs)

    def _product(self, inputs: Any) -> Any:
        """The product with the main weight, however it is kept."""
        if self.quantization_mode == "float8":
            return self._scheme.product(inputs, self._main_variable)
        if self.inputs_quantizer is None:
            return self._linear(inputs, self._weight())
        y = self._linear(self._rounded(inputs), self._base_weight())
        return ops.add(y, self._linear(inputs, self._low_rank())) if self.lora_enabled else y

    def _affine(self, inputs: Any) -> Any:
        """The product and the bias, which products in float8 can add faster in bfloat16."""
        y, bias = self._product(inputs), self.bias
        if bias is None:
            return y
        if self.quantization_mode == "float8" and self.compute_dtype == "float32":
            bias = ops.cast(ops.cast(bias, "bfloat16"), "float32")
        return ops.add(y, bias)

    def _note(self, inputs: Any) -> None:
        """Have calibration see some inputs."""
        if self._seen is None:
            self._seen = Seen()
        axes = self._input_axes(inputs)
        axes = (axes,) if isinstance(axes, int) else axes
        x = ops.moveaxis(ops.cast(inputs, "float32"), axes, tuple(range(-len(axes), 0)))
        x = ops.reshape(x, (-1, self._quantizable()[0].matrix[0]))
        gram, sizes = ops.matmul(ops.transpose(x), x), ops.sum(ops.abs(x), axis=0)
        self._seen.add(ops.convert_to_numpy(gram), ops.convert_to_numpy(sizes))

    def _rounded(self, inputs: Any) -> Any:
        """The inputs as the numbers of their quantizer can tell them."""
        if self.inputs_quantizer is None:
            return inputs
        numbers, scale = self.inputs_quantizer(inputs, axis=self._input_axes(inputs))
        found = ops.divide(ops.cast(numbers, ops.dtype(inputs)), scale)
        return straight_through(inputs, found)

    def _parts(self, weight: Weight) -> dict[str, Variable]:
        names = self._scheme.parts(weight)
        return {name: getattr(self, self._attribute(name)) for name in names}

    def _base_weight(self) -> Any:
        if self.quantization_mode in (None, "float8"):
            return super()._base_weight()
        weight = self._quantizable()[0]
        return self._scheme.decode(weight, self._parts(weight))

    # Files --------------------------------------------------------------------------

    @property
    def variable_serialization_spec(self) -> dict[str | None, list[str]]:
        """Mode of quantization -> names of the variables in the order of files."""
        return {None: ["kernel", "bias"], **self._quantized_spec(["kernel", "bias"])}

    def _quantized_spec(self, start: list[str]) -> dict[str, list[str]]:
        tensors = [f"{x}_{y}" for x in Float8._TENSORS for y in ("scale", "amax_history")]
        blocks = [f"{self._main}_scale", f"{self._main}_zero"]
        turned = [*(name for name in start if name != self._main), self._main, *blocks]
        found = {
            "int8": [*start, f"{self._main}_scale"],
            "int4": [*start, *blocks, "g_idx"],
            "float8": [*start, *tensors],
            "gptq": [*turned, "g_idx"],
            "awq": [*turned, "awq_scales", "g_idx"],
        }
        return {mode: found[mode] for mode in self._modes}

    def _variables_in_file(self) -> list[Variable]:
        own = super()._variables_in_file()
        names = self.variable_serialization_spec[self.quantization_mode]
        listed = [getattr(self, self._attribute(name), None) for name in names]
        listed = [v for v in listed if v is not None and any(v is o for o in own)]
        return listed + [v for v in own if not any(v is x for x in listed)]

    def _merged(self) -> dict[int, np.ndarray]:
        if not self.lora_enabled or self.quantization_mode is None:
            return super()._merged()
        weight = self._quantizable()[0]
        value = ops.convert_to_numpy(self._weight()).astype(self.variable_dtype)
        parts = self._parts(weight)
        return {id(parts[k]): v for k, v in self._scheme.encode(weight, value).items()}


def _inputs_quantizer(mode: str | None) -> Any:
    """What a mode does to inputs unless a config says otherwise."""
    return Int8QuantizationConfig().activation_quantizer if mode == "int8" else None
