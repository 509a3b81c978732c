"""How a layer or model is to be quantized."""

from __future__ import annotations

from typing import Any

from keraslite.core.configurable import Configurable, parameters_of
from keraslite.core.errors import check_choice, describe
from keraslite.dtype_policies import MODES
from keraslite.quantizers.absmax import AbsMaxQuantizer


class QuantizationConfig(Configurable):
    """Base class of what `quantize(config=...)` takes.

    Args:
        weight_quantizer: in the place of the mode's own.
        activation_quantizer: for the inputs of layers; None leaves them as they are.
    """

    def __init__(self, weight_quantizer: Any = None, activation_quantizer: Any = None) -> None:
        for quantizer in (weight_quantizer, activation_quantizer):
            if quantizer is not None and not callable(quantizer):
                raise ValueError(
                    f"{type(self).__name__}: a quantizer must be a function or None. "
                    f"Received: {describe(quantizer)}"
                )
        self.weight_quantizer = weight_quantizer
        self.activation_quantizer = activation_quantizer

    @property
    def mode(self) -> str:
        """The name of the mode, `"int8"`."""
        raise NotImplementedError(
            "`QuantizationConfig` itself has no mode. Use one of its subclasses, such as "
            "`keras.quantizers.Int8QuantizationConfig`."
        )

    def dtype_policy_string(self) -> str:
        """The mode with its numbers, as names of dtype policies have it."""
        return self.mode

    @staticmethod
    def weight_quantizer_or_default(config: QuantizationConfig | None, default: Any) -> Any:
        """The quantizer of weights in `config`, `default` when there is none."""
        return default if config is None else config.weight_quantizer or default

    @staticmethod
    def activation_quantizer_or_default(config: QuantizationConfig | None, default: Any) -> Any:
        """The quantizer of inputs in `config`; `default` without a config."""
        return default if config is None else config.activation_quantizer


class Int8QuantizationConfig(QuantizationConfig):
    """Weights in 8 bits, with a scale for each output.

    Args:
        weight_quantizer: by default from -127 to 127.
        activation_quantizer: for the inputs, by default the same; None leaves them.

    Example:
        >>> config = keras.quantizers.Int8QuantizationConfig(activation_quantizer=None)
        >>> model.quantize(config=config)
    """

    mode = "int8"  # type: ignore[assignment]

    def __init__(self, weight_quantizer: Any = None, activation_quantizer: Any = "default") -> None:
        if activation_quantizer == "default":
            activation_quantizer = AbsMaxQuantizer()
        super().__init__(weight_quantizer, activation_quantizer)


class Int4QuantizationConfig(QuantizationConfig):
    """Weights in 4 bits, two in a byte.

    Args:
        weight_quantizer: by default from -7 to 7; only without blocks.
        activation_quantizer: for the inputs; by default they stay as they are.
        block_size: how many weights of an output share a scale and a zero. None or -1 gives
            each output one scale and no zero.
    """

    mode = "int4"  # type: ignore[assignment]

    def __init__(
        self,
        weight_quantizer: Any = None,
        activation_quantizer: Any = "default",
        block_size: int | None = 128,
    ) -> None:
        if activation_quantizer == "default":
            activation_quantizer = None
        if block_size is not None and block_size != -1 and block_size < 1:
            raise ValueError(
                f"`block_size` must be None, -1 or a positive integer. Received: {block_size}"
            )
        super().__init__(weight_quantizer, activation_quantizer)
        self.block_size = block_size

    def dtype_policy_string(self) -> str:
        return f"int4/{-1 if self.block_size is None else self.block_size}"


class Float8QuantizationConfig(QuantizationConfig):
    """Products in float8 with scales that training adapts; weights stay as they are."""

    mode = "float8"  # type: ignore[assignment]

    def __init__(self) -> None:
        super().__init__()


class CalibratedConfig(QuantizationConfig):
    """Weights in few bits, fitted to what the layers see of some data."""

    _bits: tuple[int, ...]

    def _calibrate(self, arguments: dict[str, Any]) -> None:
        """Check and keep the arguments of the constructor, which are its `locals()`."""
        super().__init__()
        for name in parameters_of(type(self)):
            value = arguments[name]
            setattr(self, name, value)
            size = name in ("num_samples", "sequence_length", "num_grid_points", "group_size")
            if size and value != (-1 if name == "group_size" else None) and not value >= 1:
                raise ValueError(
                    f"{type(self).__name__}: `{name}` must be a positive integer"
                    f"{', or -1 for one group' if name == 'group_size' else ''}. "
                    f"Received: {describe(value)}"
                )
        check_choice(self, self._bits, weight_bits=self.weight_bits)

    def dtype_policy_string(self) -> str:
        return f"{self.mode}/{self.weight_bits}/{self.group_size}"

    def _config_value(self, name: str, recorded: dict[str, Any], default: Any) -> Any:
        # The data have done their part; files do without.
        if name in ("dataset", "tokenizer", "quantization_layer_structure"):
            return None
        return super()._config_value(name, recorded, default)


class GPTQConfig(CalibratedConfig):
    """Weights rounded one after the other, so that later ones make up for earlier errors.

    Frantar et al., "GPTQ", https://arxiv.org/abs/2210.17323

    Args:
        dataset: texts, or arrays of tokens.
        tokenizer: from a text to tokens: a function, or an object with a method `tokenize`.
            None for arrays.
        weight_bits: 2, 3, 4 or 8.
        num_samples: how many pieces of the data the layers see.
        per_channel: whether each output has a scale of its own.
        sequence_length: tokens of a piece.
        hessian_damping: between 0 and 1; more stays closer to rounding each weight alone.
        group_size: how many weights of an output share a scale, -1 for all.
        symmetric: whether the range of weights has zero in its middle.
        activation_order: whether weights of large inputs come first.
        quantization_layer_structure: `{"pre_block_layers": [...], "sequential_blocks": [...]}`,
            the layers from tokens to the first block, and the blocks, each of which takes what
            the one before it gives; only their layers are quantized. By default what
            `model.get_quantization_layer_structure("gptq")` returns.

    Example:
        >>> config = keras.quantizers.GPTQConfig(texts, tokenizer, group_size=64)
        >>> model.quantize("gptq", config=config)
    """

    mode = "gptq"  # type: ignore[assignment]
    _bits = (2, 3, 4, 8)

    def __init__(
        self,
        dataset: Any,
        tokenizer: Any,
        weight_bits: int = 4,
        num_samples: int = 128,
        per_channel: bool = True,
        sequence_length: int = 512,
        hessian_damping: float = 0.01,
        group_size: int = 128,
        symmetric: bool = False,
        activation_order: bool = False,
        quantization_layer_structure: dict[str, Any] | None = None,
    ) -> None:
        if not 0 <= hessian_damping <= 1:
            raise ValueError(
                f"GPTQConfig: `hessian_damping` must be between 0 and 1. Received: "
                f"{hessian_damping}"
            )
        self._calibrate(locals())


class AWQConfig(CalibratedConfig):
    """Weights rounded in 4 bits after those of large inputs were made larger.

    The inverse factors are kept with the weights; they are the best of some powers of the
    inputs' mean magnitudes. Lin et al., "AWQ", https://arxiv.org/abs/2306.00978

    Args:
        dataset, tokenizer, num_samples, sequence_length, group_size,
            quantization_layer_structure: as in `GPTQConfig`.
        weight_bits: 4.
        num_grid_points: how many powers are tried.

    Example:
        >>> model.quantize("awq", config=keras.quantizers.AWQConfig(texts, tokenizer))
    """

    mode = "awq"  # type: ignore[assignment]
    _bits = (4,)

    def __init__(
        self,
        dataset: Any,
        tokenizer: Any,
        weight_bits: int = 4,
        num_samples: int = 128,
        sequence_length: int = 512,
        group_size: int = 128,
        num_grid_points: int = 20,
        quantization_layer_structure: dict[str, Any] | None = None,
    ) -> None:
        self._calibrate(locals())


_CONFIGS = {
    c.mode: c for c in (Int8QuantizationConfig, Int4QuantizationConfig, Float8QuantizationConfig)
}


def config_for(mode: Any, config: Any) -> QuantizationConfig:
    """The one config that the arguments of `quantize` say.

    Raises:
        ValueError: for an unknown mode, or for one that is not that of the config.
    """
    if mode is None and config is None:
        raise ValueError("`quantize` needs a `mode`, such as 'int8', or a `config`.")
    if config is not None and not isinstance(config, QuantizationConfig):
        raise ValueError(
            "`config` must be a `keras.quantizers.QuantizationConfig`. "
            f"Received: {describe(config)}"
        )
    check_choice("", (*MODES, None), mode=mode)
    if config is None and mode not in _CONFIGS:
        raise ValueError(
            f"The mode {mode!r} needs data: pass `config=keras.quantizers.{mode.upper()}Config("
            "dataset, tokenizer)`."
        )
    if config is None:
        return _CONFIGS[mode]()
    if mode not in (None, config.mode):
        raise ValueError(
            f"`mode` and `config` must agree. Received: mode={mode!r}, config.mode={config.mode!r}"
        )
    return config
